/* Pictures of any format that is read: told apart by their first bytes. */
#include "data/image.h"

#include "data/file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Formats by their first bytes; those without a plugin are refused by name. */
static const struct {
    const char *name;
    const char *magic;
    size_t length;
    const char *plugin, *needs;
} formats[] = {
    {"PNG", "\x89PNG\r\n\x1a\n", 8, "png", "PNG pictures need libpng"},
    {"JPEG", "\xff\xd8\xff", 3, "jpeg", "JPEG pictures need libjpeg"},
    {"GIF", "GIF8", 4, NULL, NULL},
    {"BMP", "BM", 2, NULL, NULL},
    {"TIFF", "II*\0", 4, NULL, NULL},
    {"TIFF", "MM\0*", 4, NULL, NULL},
    {"RIFF (WebP?)", "RIFF", 4, NULL, NULL},
    {"JPEG 2000", "\0\0\0\x0cjP  ", 8, NULL, NULL},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static int decode_map(struct nc_image *out, const struct nc_map *map, int channels,
                      const char *path, struct nc_error *err)
{
    const struct nc_image_plugin *plugin;
    int i = 0;
    while (i < FORMATS && (map->bytes < formats[i].length ||
                           memcmp(map->data, formats[i].magic, formats[i].length) != 0))
        i++;
    if (i == FORMATS)
        return nc_fail(err, path, "neither a PNG nor a JPEG picture");
    if (!formats[i].plugin)
        return nc_fail(err, path, "a %s file; PNG and JPEG pictures are read", formats[i].name);
    plugin = nc_plugin(formats[i].plugin, formats[i].needs, path, err);
    return plugin ? plugin->decode(out, map->data, map->bytes, channels, path, err) : -1;
}

int nc_image_open(struct nc_image *out, const char *path, int channels, struct nc_error *err)
{
    struct nc_map map;
    *out = (struct nc_image){0};
    if (nc_file_map(&map, path, err) != 0)
        return -1;
    int result = decode_map(out, &map, channels, path, err);
    nc_file_unmap(&map);
    if (result != 0)
        nc_image_close(out);
    return result;
}

void nc_image_close(struct nc_image *image)
{
    free(image->pixels);
    *image = (struct nc_image){0};
}

int nc_image_named(const char *path)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++) {
        if (!strcasecmp(dot, ends[i]))
            return 1;
    }
    return 0;
}

int nc_frame_of_port(struct nc_frame *frame, const struct nc_port *port, struct nc_error *err)
{
    int64_t channels = port->rank == 3 ? port->shape[2] : 1;
    if (port->rank < 2 || port->rank > 3 || (channels != 1 && channels != 3))
        return nc_fail(err, NULL, "pictures are [height, width, 1 or 3], which '%s' is not",
                       port->name);
    if (port->shape[0] > NC_IMAGE_SIDE || port->shape[1] > NC_IMAGE_SIDE)
        return nc_fail(err, NULL, "'%s' is larger than pictures may be", port->name);
    *frame = (struct nc_frame){.height = (int)port->shape[0],
                               .width = (int)port->shape[1],
                               .channels = (int)channels,
                               .resize_height = (int)port->shape[0],
                               .resize_width = (int)port->shape[1]};
    return 0;
}
