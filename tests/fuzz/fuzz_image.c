/* The decoders of pictures on any bytes, in grey and in colour, and what they give framed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const struct nc_image_plugin *plugin, const uint8_t *data, size_t size,
                   int channels)
{
    const struct nc_frame frame = {.height = 5,
                                   .width = 7,
                                   .channels = channels,
                                   .resize_height = 9,
                                   .antialias = size % 2 != 0};
    unsigned char row[5 * 7 * 3];
    struct nc_image image = {0};
    struct nc_error err;
    if (plugin->decode(&image, data, size, channels, "fuzz", &err) == 0 &&
        nc_image_frame(&image, &frame, row, "fuzz", &err) == 0 && !image.pixels)
        abort();
    nc_image_close(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        decode(&nc_plugin_png, data, size, channels);
        decode(&nc_plugin_jpeg, data, size, channels);
    }
    return 0;
}
