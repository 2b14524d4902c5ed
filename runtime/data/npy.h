/* Private: the npy header, which files and the members of an npz have in common. */
#ifndef NC_NPY_H
#define NC_NPY_H

#include "data/file.h"

enum { NC_NPY_PREFIX = 12 }; /* bytes that tell how long the header is */

/* The offset of the data, from the first NC_NPY_PREFIX bytes: 0, or -1 with err. `size` is that of
 * the whole file. */
int nc_npy_measure(const unsigned char *prefix, size_t size, size_t *offset, const char *path,
                   struct nc_error *err);
/* Fills dtype, byte order and shape from the header, the first `offset` bytes, and checks that the
 * array takes exactly the rest of `size`. The rank may be 0, and shape[0] is then 1. */
int nc_npy_parse(struct nc_array *out, const unsigned char *bytes, size_t offset, size_t size,
                 const char *path, struct nc_error *err);

/* Writes a version 1 header for a float32 array: its length, a multiple of 64. */
enum { NC_NPY_HEADER_MAX = 320 };
size_t nc_npy_header(const struct nc_named *array, char header[NC_NPY_HEADER_MAX]);

#endif
