/* safetensors: weights on disk. 8 bytes of little-endian header length, a JSON header, the data.
 * https://github.com/huggingface/safetensors#format */
#ifndef NC_SAFETENSORS_H
#define NC_SAFETENSORS_H

#include "data/array.h"

struct nc_st_tensor {
    char *name;
    char dtype[8]; /* as written: "F32" ... */
    int rank;
    int64_t shape[NC_MAX_RANK];
    int64_t elements;
    const unsigned char *data; /* into the mapping */
    size_t bytes;
};

struct nc_safetensors {
    int count;
    struct nc_st_tensor *tensors;
    int metadata_count; /* __metadata__: pairs of strings */
    char **metadata;    /* key, value, key, value ... */
    void *map;
    size_t map_bytes;
};

/* Maps and checks the whole header: offsets in range, not overlapping, sizes that fit the shapes,
 * no duplicate name. 0, or -1 with err. */
int nc_safetensors_open(struct nc_safetensors *out, const char *path, struct nc_error *err);
void nc_safetensors_close(struct nc_safetensors *file);
const struct nc_st_tensor *nc_safetensors_find(const struct nc_safetensors *file, const char *name);
/* The value of a key of the metadata, or NULL. */
const char *nc_st_metadata(const struct nc_safetensors *file, const char *key);
/* Copies a float tensor (F64, F32, F16, BF16) as float32; -1 for any other dtype. */
int nc_st_read(const struct nc_st_tensor *tensor, float *out, struct nc_error *err);

/* Float32 tensors and string metadata (pairs), to a temporary name, synced, renamed. */
int nc_safetensors_write(const char *path, const struct nc_named *tensors, int count,
                         const char *const *metadata, int metadata_count, struct nc_error *err);

/* The same; tensors whose data is NULL are made by fill(context, i, out, err), one at a time. */
typedef int nc_fill_function(void *context, int i, float *out, struct nc_error *err);
int nc_safetensors_write_filled(const char *path, const struct nc_named *tensors, int count,
                                const char *const *metadata, int metadata_count,
                                nc_fill_function *fill, void *context, struct nc_error *err);

#endif
