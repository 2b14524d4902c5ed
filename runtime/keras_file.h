/* keras_file: Keras's files, .h5 of all its versions and .keras, as HDF5 and JSON. */
#ifndef NC_KERAS_FILE_H
#define NC_KERAS_FILE_H

#include "h5.h"
#include "weight_file.h"

/* Opens the file itself or, of a .keras archive, its member model.weights.h5. */
int nc_keras_open(struct nc_h5 *out, const char *path, struct nc_error *err);
/* Arrays named LAYER/WEIGHT as a .h5 of weights, which Keras 2 and 3 load. 0, or -1 with err. */
int nc_keras_write(const char *path, const struct nc_named *arrays, int count,
                   struct nc_error *err);
/* What nc_weights_keras has opened. */
const struct nc_h5 *nc_keras_h5(const struct nc_weight_file *file);
/* Is it a .keras archive? */
int nc_is_keras_archive(const struct nc_file_head *head);
int nc_is_hdf5(const struct nc_file_head *head);

#endif
