/* Pictures for tests, written by libpng and libjpeg. */
#ifndef TEST_PICTURES_H
#define TEST_PICTURES_H

#include <stddef.h>

/* What a png holds: libpng's colour type and depth; rows of packed samples, as many as height says. */
struct png_kind {
    int type, depth, interlaced;
};
void write_png(const char *path, const struct png_kind *kind, int width, int height,
               const unsigned char *rows, size_t row_bytes);

/* A jpeg of one colour. */
struct jpeg_kind {
    int components; /* 1: grey, 3: colour, 4: ink */
    int progressive, rgb, adobe;
    int orientation; /* of an EXIF marker, 0: there is none */
};
void write_jpeg(const char *path, const struct jpeg_kind *kind, int width, int height,
                const unsigned char *colour);

/* A folder of folders: red, green and blue, noisy, of several sizes, as png and jpeg. */
void write_colours(const char *folder, int count, unsigned seed);

#endif
