/* Private: the table of the plugin npz.so. Arrays as array.h has them; a zip's members as they
 * are. */
#ifndef NC_NPZ_H
#define NC_NPZ_H

#include "plugin.h"

struct nc_npz_plugin {
    struct nc_plugin plugin;
    int (*open)(struct nc_array *out, const char *path, const char *member, struct nc_error *err);
    int (*names)(const char *path, char ***names, int *count, struct nc_error *err);
    int (*write)(const char *path, const struct nc_named *arrays, int count, struct nc_error *err);
    int (*zip_names)(const char *path, char ***names, int *count, struct nc_error *err);
    int (*zip_read)(const char *path, const char *member, unsigned char **bytes, size_t *size,
                    struct nc_error *err);
};
NC_PLUGIN_EXPORT extern const struct nc_npz_plugin nc_plugin_npz;

#endif
