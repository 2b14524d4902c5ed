/* Private: the table of the plugin npz.so. Arrays as array.h has them; a zip's members as they
 * are. */
#ifndef NC_NPZ_H
#define NC_NPZ_H

#include "data/zip.h"
#include "plugin.h"

struct nc_npz_plugin {
    struct nc_plugin plugin;
    void *(*open)(const char *path, struct nc_error *err);
    void (*close)(void *archive);
    int (*names)(const struct nc_zip *zip, char ***names, int *count, struct nc_error *err);
    int (*read)(const struct nc_zip *zip, const char *member, unsigned char **bytes, size_t *size,
                struct nc_error *err);
    int (*arrays)(const struct nc_zip *zip, char ***names, int *count, struct nc_error *err);
    int (*array)(const struct nc_zip *zip, const char *member, struct nc_array *out,
                 struct nc_error *err);
    int (*write)(const char *path, const struct nc_named *arrays, int count, struct nc_error *err);
};
NC_PLUGIN_EXPORT extern const struct nc_npz_plugin nc_plugin_npz;

#endif
