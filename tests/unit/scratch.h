/* Files of a test in a folder of its own, and what it is told of them. */
#ifndef NETCC_TEST_SCRATCH_H
#define NETCC_TEST_SCRATCH_H

#include <stddef.h>

#include "data/array.h"

extern char folder[64];
extern struct nc_error err;

/* Of a group of tests: the folder, which is the cache as well; the plugins where the build puts them. */
int scratch_make(void **state);
int scratch_remove(void **state);
const char *in_folder(const char *name); /* until the next call */
const char *put(const char *name, const void *bytes, size_t size);
size_t get(const char *path, unsigned char *out, size_t size);
/* -1 came back, and err has the words. */
void refused(int result, const char *words);
/* All elements, as doubles. */
void expect_cells(const struct nc_array *array, const double *wanted, int count);
/* In $NETCC_DATA or ../shared/data; the test is skipped where it is not there. */
const char *real_file(const char *name);

#endif
