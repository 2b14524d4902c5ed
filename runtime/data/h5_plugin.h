/* Private: the table of the plugin h5.so. */
#ifndef NC_H5_PLUGIN_H
#define NC_H5_PLUGIN_H

#include "plugin.h"

#define NC_H5_NEEDS "HDF5 files need libhdf5"

struct nc_h5_plugin {
    struct nc_plugin plugin;
    /* Writes what `file` holds, or where that is NULL the image of a file in memory, to the
     * descriptors (see h5.h). It may crash: call it in a child. */
    void (*report)(const char *file, const void *image, size_t bytes, int report, int values);
    int (*write)(const char *path, const struct nc_named *arrays, int count, struct nc_error *err);
};
NC_PLUGIN_EXPORT extern const struct nc_h5_plugin nc_plugin_h5;

/* plugin/h5_write.c */
int nc_h5_write(const char *path, const struct nc_named *arrays, int count, struct nc_error *err);

#endif
