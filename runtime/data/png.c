/* png: one picture through libpng, which turns every kind of png into 8-bit grey or RGB. Without
 * libpng (the Makefile asks pkg-config) such files are refused. */
#include "data/array.h"

#include <stdlib.h>

#ifdef NC_PNG
#include <png.h>

static int read_pixels(png_image *image, struct nc_array *out, int colour)
{
    image->format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    unsigned char *pixels = malloc(PNG_IMAGE_SIZE(*image));
    const png_color black = {0, 0, 0};
    if (!pixels || !png_image_finish_read(image, &black, pixels, 0, NULL)) {
        free(pixels);
        return -1;
    }
    *out = (struct nc_array){
        .dtype = NC_U8, .rank = 4, .row_elements = (int64_t)PNG_IMAGE_SIZE(*image)};
    out->shape[0] = 1;
    out->shape[1] = image->height;
    out->shape[2] = image->width;
    out->shape[3] = colour ? 3 : 1;
    out->data = out->block = pixels;
    return 0;
}

int nc_png_open(struct nc_array *out, const char *path, int colour, struct nc_error *err)
{
    enum { LARGEST = 1 << 14 }; /* pixels along a side */
    png_image image = {.version = PNG_IMAGE_VERSION};
    *out = (struct nc_array){0};
    if (!png_image_begin_read_from_file(&image, path))
        return nc_fail(err, path, "%s", image.message);
    int result = -1;
    if (image.width > LARGEST || image.height > LARGEST)
        nc_fail(err, path, "a picture of %u x %u is too large", image.width, image.height);
    else if (read_pixels(&image, out, colour) != 0)
        nc_fail(err, path, "%s", image.message[0] ? image.message : "out of memory");
    else
        result = 0;
    png_image_free(&image);
    return result;
}
#else
int nc_png_open(struct nc_array *out, const char *path, int colour, struct nc_error *err)
{
    (void)colour;
    *out = (struct nc_array){0};
    return nc_fail(err, path, "png files need netcc to be built with libpng; use npy");
}
#endif
