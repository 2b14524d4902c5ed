/* results: what a model computed for samples, and how it is shown: rows of text, JSON, or a file. */
#ifndef NC_RESULTS_H
#define NC_RESULTS_H

#include <stdio.h>

#include "data/array.h"

struct nc_results {
    int count;
    const struct nc_named *arrays;               /* with the rows as first axis */
    const struct nc_class_names *const *classes; /* by array, NULL where there are none; or NULL */
    int64_t rows;
    const char *const *files; /* by row: where its sample came from; or NULL */
};

/* What one row of an output, of `units` values, is taken for. */
const char *nc_class_name(const struct nc_class_names *classes, const float *row, int64_t units);

/* A line for each row: its file where there are several, the values, the class. */
void nc_results_print(const struct nc_results *results, FILE *out);
/* {"event":"predict","files":[...],"outputs":{"NAME":[[...],...],...},"classes":{"NAME":["class",
 * ...]}} on one line; files and classes only where there are any. */
void nc_results_json(const struct nc_results *results, FILE *out);
/* As npy, npz, csv or json, by the path's ending. */
int nc_results_write(const struct nc_results *results, const char *path, struct nc_error *err);

#endif
