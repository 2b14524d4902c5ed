/* nc_array: samples in memory or mapped from a file, and nc_error, the runtime's messages.
 *
 * Every reader fills an nc_array whose first axis counts samples and whose rows lie `row_bytes`
 * apart; nothing is converted until a batch is gathered. Readers never trust a file: sizes are
 * checked against the file's length with overflow-safe arithmetic before anything is touched. */
#ifndef NC_ARRAY_H
#define NC_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "netcc.h"

struct nc_error {
    char message[512]; /* one line, without the file's name where `path` is set */
    char path[256];    /* the file it is about, or "" */
    char note[512];    /* one more line, or "" */
};

/* Fills err and returns -1, so that callers can write `return nc_fail(err, path, ...)`. */
int nc_fail(struct nc_error *err, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds the note, of which it keeps what fits; -1. */
int nc_fail_note(struct nc_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum nc_dtype {
    NC_U8,
    NC_I8,
    NC_U16,
    NC_I16,
    NC_U32,
    NC_I32,
    NC_U64,
    NC_I64,
    NC_F16,
    NC_BF16,
    NC_F32,
    NC_F64,
    NC_BOOL
};
size_t nc_dtype_size(enum nc_dtype dtype);
const char *nc_dtype_name(enum nc_dtype dtype);

/* Rows that are made when they are asked for, as uint8, and by several threads at once. */
struct nc_maker {
    /* Row `row`: in `scratch`, which has room for one, or where it is kept; NULL with err. */
    const unsigned char *(*row)(struct nc_maker *maker, int64_t row, unsigned char *scratch,
                                struct nc_error *err);
    void (*close)(struct nc_maker *maker);
};

struct nc_array {
    enum nc_dtype dtype;
    int big_endian;
    int rank;                   /* at least 1 */
    int64_t shape[NC_MAX_RANK]; /* shape[0]: samples */
    int64_t row_elements;       /* product of shape[1..] */
    const unsigned char *data;  /* NULL where there is a maker */
    struct nc_maker *maker;
    /* How to give it back: a mapping (map, map_bytes) or a malloc'ed block; both NULL if borrowed. */
    void *map;
    size_t map_bytes;
    void *block;
};

/* Each opens one file: 0, or -1 with err filled and *out zeroed. */
int nc_idx_open(struct nc_array *out, const char *path,
                struct nc_error *err); /* plain: mapped; .gz: cached */
int nc_npy_open(struct nc_array *out, const char *path,
                struct nc_error *err); /* mapped; C order; fortran order refused by name */
int nc_npz_open(struct nc_array *out, const char *path, const char *member, struct nc_error *err);
/* The same, for what is no samples: the rank may be 0, and shape[0] is then 1. */
int nc_npz_open_any(struct nc_array *out, const char *path, const char *member,
                    struct nc_error *err);
/* Number of arrays in an npz and their names (malloc'ed list, free with nc_names_free). */
int nc_npz_names(const char *path, char ***names, int *count, struct nc_error *err);
void nc_names_free(char **names, int count);

/* `count` procedural 28x28 digits [count, 28, 28, 1] uint8 and labels [count] uint8. The same seed
 * gives the same bytes on every machine. */
int nc_digits_make(struct nc_array *images, struct nc_array *labels, int64_t count, uint32_t seed,
                   struct nc_error *err);
/* Points [count, 2] on `classes` arms (at most 256) of a spiral and the number of each one's arm. */
struct nc_spiral {
    int64_t count, classes;
    double noise;
    uint32_t seed;
};
int nc_spiral_make(struct nc_array *points, struct nc_array *labels, const struct nc_spiral *how,
                   struct nc_error *err);
void nc_array_close(struct nc_array *array);

/* Converts rows index[0..n) to float32 (or double, where real_bytes is 8), one after another. The
 * array lies in memory. */
void nc_array_gather(const struct nc_array *array, const uint32_t *index, long n, void *out,
                     size_t real_bytes);

/* The same for any array; made rows are shared out over env's threads (NULL: serial). -1 with the err
 * of the first row that cannot be made. */
int nc_array_read(const struct nc_array *array, const uint32_t *index, long n, void *out,
                  size_t real_bytes, const struct nc_env *env, struct nc_error *err);

/* Keeps those rows, in that order. -1 with err where there is no room. */
int nc_array_pick(struct nc_array *array, const uint32_t *rows, int64_t count,
                  struct nc_error *err);

/* A tensor to write: row-major float32. */
struct nc_named {
    const char *name;
    int rank;
    int64_t shape[NC_MAX_RANK];
    const float *data;
};
/* Written to a temporary name in the same folder, synced, renamed. */
int nc_npy_write(const char *path, const struct nc_named *array, struct nc_error *err);
int nc_npz_write(const char *path, const struct nc_named *arrays, int count, struct nc_error *err);

#endif
