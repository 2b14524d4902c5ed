/* moments: what a model has to know of its training data before the first step. */
#ifndef NC_MOMENTS_H
#define NC_MOMENTS_H

#include "data/table.h"
#include "train.h"

/* Sets, where the model has them, the parameters of its inputs: INPUT/fill, a number for every
 * element of a row that stands for missing ones, the mean of those that are there; INPUT/mean and
 * INPUT/variance of each feature, the positions along the last axis, once that is filled in. The
 * table, or NULL, says which columns hold categories. */
int nc_moments_set(const struct nc_model *model, const struct nc_samples *samples,
                   const struct nc_table *table, void *weights, struct nc_error *err);

#endif
