/* Results: arrays that a command computes, and the files they go to. */
#ifndef NETCC_RESULTS_H
#define NETCC_RESULTS_H

#include "cli/cli.h"

typedef struct {
    struct nc_named *arrays; /* batched ones with the rows as first axis */
    void **pointers;         /* the same memory, as an entry's outputs */
    int count;
    const struct nc_entry *entry;
    int64_t rows;
    const char *const *files; /* by row, or NULL */
} Results;

/* Room for the outputs of an entry for `rows` samples. */
bool results_new(Job *job, const struct nc_entry *entry, int64_t rows, Results *out);
bool results_write(Job *job, const Results *results, const char *path);

/* The names of the classes that output k of the model tells apart, or NULL. */
const ClassNames *results_classes(const Job *job, int k);
/* What `predict` prints: a line a row, or one JSON object. */
void results_print(const Job *job, const Results *results);

#endif
