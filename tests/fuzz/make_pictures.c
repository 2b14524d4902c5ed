/* Small pictures of every kind as seeds: `make_pictures FOLDER`. */
#include <stdio.h>
#include <stdlib.h>

#include <png.h>

#include "pictures.h"

static const char *numbered(const char *folder, const char *kind)
{
    static char path[4096];
    static int count;
    snprintf(path, sizeof path, "%s/%02d.%s", folder, count++, kind);
    return path;
}

static void write_pngs(const char *folder)
{
    static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                PNG_COLOR_TYPE_RGB_ALPHA, PNG_COLOR_TYPE_PALETTE};
    static const int depths[] = {1, 2, 8, 16};
    unsigned char rows[9 * 72]; /* 9 pixels a row, of 8 bytes at most */
    for (int i = 0; i < (int)sizeof rows; i++)
        rows[i] = (unsigned char)(i * 7);
    for (int i = 0; i < 5 * 4 * 2; i++) {
        struct png_kind kind = {types[i / 8], depths[i % 4], i / 4 % 2};
        int sparse = kind.type == PNG_COLOR_TYPE_GRAY || kind.type == PNG_COLOR_TYPE_PALETTE;
        if ((kind.depth < 8 && !sparse) || (kind.type == PNG_COLOR_TYPE_PALETTE && kind.depth != 2))
            continue;
        write_png(numbered(folder, "png"), &kind, 9, 9, rows, 72);
    }
}

static void write_jpegs(const char *folder)
{
    for (int i = 0; i < 3 * 4; i++) {
        static const int components[] = {1, 3, 4};
        struct jpeg_kind kind = {components[i / 4], i % 2, components[i / 4] == 3 && i % 4 == 2,
                                 i % 4 == 3, i % 4 == 1 ? 6 : 0};
        write_jpeg(numbered(folder, "jpg"), &kind, 21, 13, (unsigned char[]){9, 90, 200, 99});
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    write_pngs(argv[1]);
    write_jpegs(argv[1]);
    return 0;
}
