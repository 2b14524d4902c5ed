/* Private: pickles of tensors, read as data.
 *
 * A pickle is a program for a stack machine that can call anything. Of its instructions those are
 * carried out here that build dicts, lists, texts and numbers; of the names that it may call, those
 * that PyTorch writes for tensors, and what they would do is done here, on values. Nothing of it is
 * ever executed; every other name or instruction ends the reading with an error. */
#ifndef NC_PICKLE_H
#define NC_PICKLE_H

#include "data/array.h"

enum nc_pickle_kind {
    NC_PICKLE_OTHER, /* None, numbers with a fraction, and what holds no tensors */
    NC_PICKLE_INT,   /* and truth values */
    NC_PICKLE_TEXT,
    NC_PICKLE_LIST, /* and tuples, sets */
    NC_PICKLE_DICT,
    NC_PICKLE_NAME, /* a name that may be called */
    NC_PICKLE_STORAGE,
    NC_PICKLE_TENSOR
};

/* A run of elements that tensors share. */
struct nc_pickle_storage {
    const char *key; /* with its length, as keys need no NUL */
    size_t key_length;
    enum nc_dtype dtype;
    int64_t elements;
    int64_t offset;                 /* of a view, in elements of the whole */
    struct nc_pickle_storage *next; /* all of a pickle */
};

struct nc_pickle_tensor {
    const struct nc_pickle_storage *storage;
    int64_t offset; /* elements */
    int rank;
    int64_t shape[NC_MAX_RANK], stride[NC_MAX_RANK];
};

struct nc_pickle_value {
    enum nc_pickle_kind kind;
    union {
        int64_t number;
        struct {
            const char *text; /* in the pickle's bytes */
            size_t length;
        };
        struct {
            struct nc_pickle_value **items; /* of a dict: key, value, key, value, ... */
            int64_t count, room;
        };
        const struct nc_pickle_name *name;
        struct nc_pickle_storage *storage;
        struct nc_pickle_tensor *tensor;
    };
};

/* Memory of the values, which point into the bytes they were read from. */
struct nc_pickle {
    const char *path; /* for messages */
    struct nc_pickle_chunk *chunks;
    size_t used; /* bytes, of all chunks */
    struct nc_pickle_storage *storages;
};

/* Reads one pickle: its value, or NULL with err; *taken: how many bytes it has. */
struct nc_pickle_value *nc_pickle_read(struct nc_pickle *pickle, const unsigned char *bytes,
                                       size_t size, size_t *taken, struct nc_error *err);
void nc_pickle_close(struct nc_pickle *pickle);

/* The storage that a persistent id, ('storage', type, key, place, elements), means; NULL with err. */
struct nc_pickle_storage *nc_pickle_storage_of(struct nc_pickle *pickle,
                                               const struct nc_pickle_value *id,
                                               struct nc_error *err);
/* Of ('key', place, type): 0 and the key and dtype, or -1. */
int nc_pickle_key_of(const struct nc_pickle_value *head, struct nc_pickle_storage *out);
int nc_pickle_is_text(const struct nc_pickle_value *value, const char *text);

#endif
