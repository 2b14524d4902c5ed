/* weight_file: tensors in a file of any format, by name.
 *
 * A format is one record, nc_weights_NAME, in the list of weight_file.c; it is recognised by the
 * file's first bytes. What needs a library of its own goes through a plugin (plugin.h). A reader
 * fills the list and leaves the values where they are: in the mapping where the format allows, else
 * wherever `read` finds them. Readers never trust a file (see array.h). */
#ifndef NC_WEIGHT_FILE_H
#define NC_WEIGHT_FILE_H

#include "data/array.h"

/* Whose names and layouts a file's tensors have. Readers only say so: what converts knows the model
 * that the tensors are for. */
enum nc_convention {
    NC_BY_PARAMETER, /* ours: names of parameters, canonical layouts */
    NC_BY_LAYER,     /* Keras's .h5: each layer's tensors in its order, whatever their names */
    NC_BY_POSITION,  /* Keras 3: layers/KIND_N/vars/K, canonical layouts */
    NC_BY_TORCH      /* PyTorch: kernels [out, in, ...], names that end in weight, bias,
                      * running_mean, ... */
};

struct nc_weight {
    char *name; /* malloc'ed, unique in the file */
    char *
        place; /* what the file calls it, for messages: malloc'ed, or NULL where that is its name */
    char *layer; /* NC_BY_LAYER: whose it is, malloc'ed; else NULL */
    enum nc_dtype dtype;
    int big_endian;
    int rank;
    int64_t shape[NC_MAX_RANK];
    int64_t elements;
    const unsigned char
        *data; /* in the mapping or a block of the reader's; NULL: only `read` knows */
    void *own; /* of the reader: malloc'ed, or NULL */
    void *map; /* a mapping of its own, or NULL */
    size_t map_bytes;
};

struct nc_weight_format;

struct nc_weight_file {
    const char *path; /* the caller's */
    const struct nc_weight_format *format;
    enum nc_convention convention;
    int count;
    struct nc_weight *weights; /* malloc'ed */
    int metadata_count;        /* pairs */
    char **metadata;           /* key, value, ...: malloc'ed as nc_names_free wants it */
    void *map;                 /* a mapping to give back, or NULL */
    size_t map_bytes;
    void *own; /* of the reader, which frees it in `close` */
};

/* The beginning of a file, by which a format is recognised. */
struct nc_file_head {
    const char *path;
    unsigned char bytes[4096]; /* zeros after the end */
    size_t count;
};
int nc_file_head_read(struct nc_file_head *out, const char *path, struct nc_error *err);
/* The name of the first member, where the file is a zip archive: 1, else 0. */
int nc_head_zip_member(const struct nc_file_head *head, char name[256]);
/* Does the path end so? */
int nc_head_ends(const struct nc_file_head *head, const char *extension);

struct nc_weight_format {
    const char *name; /* "safetensors": for messages */
    int (*recognises)(const struct nc_file_head *head);
    /* 0, or -1 with err; nc_weight_file_close frees what is there in either case. */
    int (*open)(struct nc_weight_file *out, const char *path, struct nc_error *err);
    /* Values that are not at `data`, as float32; NULL where all are. */
    int (*read)(const struct nc_weight_file *file, int i, float *out, struct nc_error *err);
    void (*close)(struct nc_weight_file *file); /* frees `own`; may be NULL */
};

/* 0, or -1 with err. */
int nc_weight_file_open(struct nc_weight_file *out, const char *path, struct nc_error *err);
void nc_weight_file_close(struct nc_weight_file *file);
/* The position of a name, or -1. */
int nc_weight_find(const struct nc_weight_file *file, const char *name);
/* The tensor as float32, row-major, in the file's shape; from any dtype. */
int nc_weight_read(const struct nc_weight_file *file, int i, float *out, struct nc_error *err);

/* The value of a key of the metadata, or NULL; and for readers: adds one. */
const char *nc_weight_file_says(const struct nc_weight_file *file, const char *key);
int nc_weight_file_note(struct nc_weight_file *file, const char *key, const char *value,
                        struct nc_error *err);

/* For readers: appends a tensor with copies of its names, checks rank and shape, sets elements.
 * NULL with err. */
struct nc_weight *nc_weight_add(struct nc_weight_file *file, const char *name, const char *place,
                                enum nc_dtype dtype, int rank, const int64_t *shape,
                                struct nc_error *err);

extern const struct nc_weight_format nc_weights_keras; /* keras_file.c: .h5 and .keras */
/* A tensor of an open safetensors file, which stays open as long as this one. */
struct nc_st_tensor;
int nc_weight_add_safetensor(struct nc_weight_file *file, const struct nc_st_tensor *tensor,
                             struct nc_error *err);

extern const struct nc_weight_format nc_weights_torch;  /* torch/torch.c: .pt, .pth */
extern const struct nc_weight_format nc_weights_shards; /* shards.c: an index of safetensors */

#endif
