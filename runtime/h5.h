/* h5: what an HDF5 file holds, as far as networks go: texts at groups, and arrays of numbers.
 *
 * libhdf5, in the plugin h5.so, does not survive every damaged file. So a child process reads the
 * file and tells what is in it; a crash or an endless loop there is an error message here. Arrays
 * that lie plain in the file are mapped, the others the child converts to float32. */
#ifndef NC_H5_H
#define NC_H5_H

#include "data/array.h"

/* A text attribute, or a list of texts. */
struct nc_h5_text {
    const char *object; /* "/model_weights/dense" */
    const char *name;
    int count;
    const char **values;
};

struct nc_h5_array {
    const char *path; /* "/model_weights/dense/dense/kernel:0" */
    enum nc_dtype dtype;
    int big_endian;
    int rank;
    int64_t shape[NC_MAX_RANK];
    const unsigned char *data; /* NULL where there are no elements */
};

struct nc_h5 {
    int texts_count, arrays_count;
    struct nc_h5_text *texts;
    struct nc_h5_array *arrays; /* in the order of names */
    /* Mappings: the file, the child's report, the values that it made. */
    void *file, *report, *values;
    size_t file_bytes, report_bytes, values_bytes;
    int is_block;         /* `file` is no mapping but malloc'ed */
    const char **strings; /* all lists of texts */
};

int nc_h5_open(struct nc_h5 *out, const char *path, struct nc_error *err);
/* A file in memory, malloc'ed, which is freed in the end; `path` is for messages. */
int nc_h5_open_bytes(struct nc_h5 *out, const char *path, unsigned char *bytes, size_t size,
                     struct nc_error *err);
void nc_h5_close(struct nc_h5 *h5);

/* An attribute, or NULL. A list that was too long for one attribute lies in NAME0, NAME1, ...;
 * `part` -1 is NAME itself. */
const struct nc_h5_text *nc_h5_text(const struct nc_h5 *h5, const char *object, const char *name,
                                    int part);
const struct nc_h5_array *nc_h5_array(const struct nc_h5 *h5, const char *path);

/* The plugin's side. The report is a sequence of records: 'T' object, name, count, texts;
 * 'A' path, dtype, order, rank, shape, source (0 file, 1 values), offset; at last 'E' message or
 * 'Z'. Numbers are int64_t; a text is its length, its bytes and a NUL. */
#endif
