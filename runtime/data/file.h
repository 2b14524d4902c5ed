/* Private to the runtime: files as mappings, output that appears whole or not at all, and the
 * overflow-safe arithmetic and little helpers that the readers share. */
#ifndef NC_FILE_H
#define NC_FILE_H

#include "data/array.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are read for little-endian hosts");

struct nc_map {
    unsigned char *data;
    size_t bytes; /* at least 1 */
};

/* Maps a regular, non-empty file read-only. */
int nc_file_map(struct nc_map *out, const char *path, struct nc_error *err);
void nc_file_unmap(struct nc_map *map);

/* Creates an empty file of a fresh name in path's folder; the malloc'ed name, or NULL with err. */
char *nc_file_temporary(const char *path, struct nc_error *err);
/* Syncs the temporary file, renames it to path and syncs the folder; where failed is not 0 or a
 * step fails, removes it instead. Frees the name. 0, or -1. */
int nc_file_publish(char *temporary, const char *path, int failed, struct nc_error *err);

/* The product of shape[0..rank), times unit: 0, or -1 where a size is negative or it overflows. */
int nc_shape_product(const int64_t *shape, int rank, int64_t unit, int64_t *product);
/* Sets row_elements from shape and gives the bytes of the whole array, or -1 on overflow. */
int64_t nc_array_measure(struct nc_array *array);

#endif
