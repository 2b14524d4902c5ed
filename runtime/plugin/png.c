/* png: the plugin png.so, through libpng. Its simplified interface would undo gamma; readers that
 * networks are trained with take the numbers as they stand, so this does. */
#include "data/image.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const unsigned char *bytes;
    size_t left;
    png_structp png;
    png_infop info;
    unsigned char *raw; /* the picture as libpng gives it */
    png_bytep *rows;
    struct nc_image *out;
    const char *path;
    struct nc_error *err;
};

static void take(png_structp png, png_bytep to, size_t size)
{
    struct reading *r = png_get_io_ptr(png);
    if (size > r->left)
        png_error(png, "the file ends early");
    memcpy(to, r->bytes, size);
    r->bytes += size;
    r->left -= size;
}

static void stop(png_structp png, png_const_charp message)
{
    struct reading *r = png_get_error_ptr(png);
    nc_fail(r->err, r->path, "no readable PNG: %s", message);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* Everything to 8 bits, grey or RGB, without alpha; the number of channels then. */
static int normalise(struct reading *r)
{
    int type = png_get_color_type(r->png, r->info), depth = png_get_bit_depth(r->png, r->info);
    if (depth == 16)
        png_set_scale_16(r->png);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(r->png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8)
        png_set_expand_gray_1_2_4_to_8(r->png);
    png_set_strip_alpha(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    return png_get_channels(r->png, r->info);
}

static void allocate(struct reading *r, int have)
{
    int width = r->out->width, height = r->out->height;
    r->raw = malloc((size_t)width * (size_t)height * (size_t)have);
    r->rows = malloc((size_t)height * sizeof *r->rows);
    if (!r->raw || !r->rows)
        png_error(r->png, "out of memory");
    for (int y = 0; y < height; y++)
        r->rows[y] = r->raw + (size_t)y * (size_t)width * (size_t)have;
}

static int read_picture(struct reading *r, int channels)
{
    if (setjmp(png_jmpbuf(r->png)))
        return -1;
    png_set_user_limits(r->png, 0x7fffffff, 0x7fffffff); /* ours come with the sizes in words */
    png_set_read_fn(r->png, r, take);
    png_read_info(r->png, r->info);
    if (nc_image_new(r->out, png_get_image_width(r->png, r->info),
                     png_get_image_height(r->png, r->info), channels, r->path, r->err) != 0)
        return -1;
    int have = normalise(r);
    if (have != 1 && have != 3)
        png_error(r->png, "neither grey nor RGB");
    allocate(r, have);
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    nc_image_convert(r->out, r->raw, have, r->out->pixels, r->out->width * r->out->height);
    return 0;
}

static int decode_png(struct nc_image *out, const unsigned char *bytes, size_t size, int channels,
                      const char *path, struct nc_error *err)
{
    struct reading r = {.bytes = bytes, .left = size, .out = out, .path = path, .err = err};
    int result = -1;
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, stop, ignore);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (r.info)
        result = read_picture(&r, channels);
    else
        nc_fail(err, path, "out of memory");
    png_destroy_read_struct(&r.png, &r.info, NULL);
    free(r.raw);
    free(r.rows);
    return result;
}

const struct nc_image_plugin nc_plugin_png = {{NC_PLUGIN_ABI}, decode_png};
