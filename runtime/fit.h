/* fit: do samples fit a model? For programs that read them from files. */
#ifndef NC_FIT_H
#define NC_FIT_H

#include "data/array.h"

/* The number of classes where target k is a class number, else 0. */
int64_t nc_sparse_classes(const struct nc_model *model, int target);

/* What an array is for, and the file to name in messages, or NULL. */
struct nc_fit {
    const struct nc_port *port;
    const char *role; /* "input" or "target" */
    const char *path;
};

/* Trailing axes of one element say nothing: [28, 28, 1] and [28, 28] are one shape. 0, or -1 with
 * err. */
int nc_fit_shape(const struct nc_array *array, const struct nc_fit *fit, struct nc_error *err);
/* The same for target k of the model, whose class numbers must be in range. With `one_hot`, one label
 * where the port holds a row of classes becomes rows of 0 and 1. */
int nc_fit_target(struct nc_array *array, const struct nc_fit *fit, const struct nc_model *model,
                  int k, int one_hot, struct nc_error *err);

#endif
