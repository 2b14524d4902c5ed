/* fit: do samples fit a model? For programs that read them from files. */
#ifndef NC_FIT_H
#define NC_FIT_H

#include "data/array.h"

/* The number of classes where target k is a class number, else 0. */
int64_t nc_sparse_classes(const struct nc_model *model, int target);

/* Trailing axes of one element say nothing: [28, 28, 1] and [28, 28] are one shape. -1 with err, in
 * which `path` is named. */
int nc_fit_shape(const struct nc_array *array, const struct nc_port *port, const char *path,
                 struct nc_error *err);
/* Every value is a whole number below `classes`. */
int nc_fit_labels(const struct nc_array *array, int64_t classes, const char *path,
                  struct nc_error *err);
/* Where the port holds a row of classes and the array one label, it becomes rows of 0 and 1. */
int nc_fit_one_hot(struct nc_array *array, const struct nc_port *port, const char *path,
                   struct nc_error *err);

#endif
