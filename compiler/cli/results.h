/* Results: arrays that a command computes, and the files they go to. */
#ifndef NETCC_RESULTS_H
#define NETCC_RESULTS_H

#include <stdio.h>

#include "cli/cli.h"

typedef struct {
    struct nc_named *arrays; /* batched ones with the rows as first axis */
    void **pointers;         /* the same memory, as an entry's outputs */
    int count;
} Results;

/* Room for the outputs of an entry for `rows` samples. */
bool results_new(Job *job, const struct nc_entry *entry, int64_t rows, Results *out);
bool results_write(Job *job, const Results *results, const char *path);

/* The names of the classes that output k of the model tells apart, or NULL. */
const ClassNames *results_classes(const Job *job, int k);
/* What one row of such an output, of `units` values, is taken for. */
const char *class_name(const ClassNames *classes, const float *row, int64_t units);
/* Values of a row of an array. */
int64_t results_units(const struct nc_named *array);
/* "outputs":{"NAME":[[...],...],...}, and ,"classes":{"NAME":["class",...]} where there are names.
 */
void results_print_json(const Job *job, const Results *results, FILE *out);

#endif
