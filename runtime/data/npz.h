/* Private: what the plugin npz.so exports. See array.h for the meaning of the arguments. */
#ifndef NC_NPZ_H
#define NC_NPZ_H

#include "data/array.h"

typedef int nc_npz_open_function(struct nc_array *out, const char *path, const char *member,
                                 struct nc_error *err);
typedef int nc_npz_names_function(const char *path, char ***names, int *count,
                                  struct nc_error *err);
typedef int nc_npz_write_function(const char *path, const struct nc_named *arrays, int count,
                                  struct nc_error *err);

__attribute__((visibility("default"))) nc_npz_open_function nc_npz_open_plugin;
__attribute__((visibility("default"))) nc_npz_names_function nc_npz_names_plugin;
__attribute__((visibility("default"))) nc_npz_write_function nc_npz_write_plugin;

#endif
