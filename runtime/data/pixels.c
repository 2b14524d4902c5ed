/* What the decoders of pictures share: memory for one, and the number of its channels. */
#include "data/image.h"

#include <stdlib.h>
#include <string.h>

int nc_image_new(struct nc_image *out, uint32_t width, uint32_t height, int channels,
                 const char *path, struct nc_error *err)
{
    if (!width || !height)
        return nc_fail(err, path, "a picture of %u x %u", width, height);
    if (width > NC_IMAGE_SIDE || height > NC_IMAGE_SIDE ||
        (uint64_t)width * height > NC_IMAGE_PIXELS)
        return nc_fail(err, path, "a picture of %u x %u is too large", width, height);
    *out = (struct nc_image){(int)width, (int)height, channels,
                             malloc((size_t)width * height * (size_t)channels)};
    return out->pixels ? 0 : nc_fail(err, path, "out of memory");
}

/* ITU-R 601 luma, in 16-bit fixed point */
static unsigned char luma(const unsigned char *rgb)
{
    return (unsigned char)((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16);
}

void nc_image_convert(const struct nc_image *image, const unsigned char *in, int have,
                      unsigned char *out, int n)
{
    if (have == image->channels) {
        memcpy(out, in, (size_t)n * (size_t)have);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (have == 3)
            out[i] = luma(in + 3 * i);
        else
            memset(out + 3 * i, in[i], 3);
    }
}
