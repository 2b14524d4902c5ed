#include "pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>
#include <png.h>

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        abort();
    }
    return file;
}

static void set_palette(png_structp png, png_infop info)
{
    png_color colours[4] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {10, 20, 30}};
    png_byte alpha[4] = {0, 128, 255, 255};
    png_set_PLTE(png, info, colours, 4);
    png_set_tRNS(png, info, alpha, 4, NULL);
}

void write_png(const char *path, const struct png_kind *kind, int width, int height,
               const unsigned char *rows, size_t row_bytes)
{
    FILE *file = create(path);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_bytep *lines = malloc((size_t)height * sizeof *lines);
    for (int y = 0; y < height; y++)
        lines[y] = (png_bytep)rows + (size_t)y * row_bytes;
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, kind->depth, kind->type,
                 kind->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kind->type == PNG_COLOR_TYPE_PALETTE)
        set_palette(png, info);
    else
        png_set_gAMA(png, info, 1.0); /* must change nothing */
    png_write_info(png, info);
    png_write_image(png, lines);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(lines);
    fclose(file);
}

static void write_orientation(j_compress_ptr jpeg, int orientation)
{
    unsigned char exif[] = {'E', 'x',  'i', 'f', 0,
                            0,   'I',  'I', 42,  0,
                            8,   0,    0,   0,   1,
                            0,   0x12, 1,   3,   0,
                            1,   0,    0,   0,   (unsigned char)orientation,
                            0,   0,    0,   0,   0,
                            0,   0};
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, exif, sizeof exif);
}

static void set_kind(j_compress_ptr jpeg, const struct jpeg_kind *kind)
{
    static const J_COLOR_SPACE spaces[] = {JCS_UNKNOWN, JCS_GRAYSCALE, JCS_UNKNOWN, JCS_RGB,
                                           JCS_CMYK};
    jpeg->input_components = kind->components;
    jpeg->in_color_space = spaces[kind->components];
    jpeg_set_defaults(jpeg);
    if (kind->rgb)
        jpeg_set_colorspace(jpeg, JCS_RGB);
    if (kind->components == 4 && kind->adobe)
        jpeg_set_colorspace(jpeg, JCS_YCCK);
    jpeg->write_Adobe_marker = kind->adobe || kind->rgb;
    jpeg_set_quality(jpeg, 95, TRUE);
    if (kind->progressive)
        jpeg_simple_progression(jpeg);
}

static void write_rows(const char *path, const struct jpeg_kind *kind, int width, int height,
                       unsigned char *rows)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = create(path);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    set_kind(&jpeg, kind);
    jpeg_start_compress(&jpeg, TRUE);
    if (kind->orientation)
        write_orientation((j_compress_ptr)&jpeg, kind->orientation);
    for (int y = 0; y < height; y++) {
        unsigned char *row = rows + (size_t)y * (size_t)width * (size_t)kind->components;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
}

void write_jpeg(const char *path, const struct jpeg_kind *kind, int width, int height,
                const unsigned char *colour)
{
    size_t n = (size_t)kind->components, pixels = (size_t)width * (size_t)height;
    unsigned char *rows = malloc(pixels * n);
    for (size_t i = 0; i < pixels; i++)
        memcpy(rows + i * n, colour, n);
    write_rows(path, kind, width, height, rows);
    free(rows);
}

static unsigned char noise(unsigned *state)
{
    *state = *state * 1664525U + 1013904223U;
    return (unsigned char)(*state >> 27);
}

static void write_colour(const char *folder, int colour, int i, unsigned *state)
{
    static const char *const names[] = {"red", "green", "blue"};
    static const struct png_kind png = {PNG_COLOR_TYPE_RGB, 8, 0};
    static const struct jpeg_kind jpeg = {3, 0, 0, 0, 0};
    char path[600];
    int width = 12 + i % 7, height = 10 + i % 5;
    unsigned char rows[18 * 14 * 3];
    for (int k = 0; k < width * height * 3; k++)
        rows[k] = (unsigned char)(noise(state) + (k % 3 == colour ? 150 : 60));
    snprintf(path, sizeof path, "%s/%s", folder, names[colour]);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%02d.%s", folder, names[colour], i, i % 2 ? "JPG" : "png");
    if (i % 2)
        write_rows(path, &jpeg, width, height, rows);
    else
        write_png(path, &png, width, height, rows, (size_t)width * 3);
}

void write_colours(const char *folder, int count, unsigned seed)
{
    mkdir(folder, 0777);
    for (int colour = 0; colour < 3; colour++) {
        for (int i = 0; i < count; i++)
            write_colour(folder, colour, i, &seed);
    }
}
