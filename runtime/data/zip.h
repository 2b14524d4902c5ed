/* zip archives, through libzip in the plugin npz.so. Sizes are checked against the packed ones
 * before anything is reserved, and every CRC is compared. */
#ifndef NC_ZIP_H
#define NC_ZIP_H

#include "data/array.h"

/* The members' names in the archive's order, folders left out; free with nc_names_free. */
int nc_zip_names(const char *path, char ***names, int *count, struct nc_error *err);
/* A whole member, unpacked and malloc'ed; a NUL follows its last byte. */
int nc_zip_read(const char *path, const char *member, unsigned char **bytes, size_t *size,
                struct nc_error *err);

#endif
