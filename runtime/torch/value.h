/* Private to the reading of pickles: making values, and doing what the known names would do. */
#ifndef NC_PICKLE_VALUE_H
#define NC_PICKLE_VALUE_H

#include "torch/pickle.h"

/* NULL where there is too much of it. */
void *nc_pickle_alloc(struct nc_pickle *pickle, size_t bytes);
struct nc_pickle_value *nc_pickle_value(struct nc_pickle *pickle, enum nc_pickle_kind kind);
/* 0, or -1 without memory. */
int nc_pickle_push(struct nc_pickle *pickle, struct nc_pickle_value *list,
                   struct nc_pickle_value *item);

/* The value of a name that is known, or NULL with err. */
struct nc_pickle_value *nc_pickle_name(struct nc_pickle *pickle, const char *module,
                                       size_t module_length, const char *name, size_t name_length,
                                       struct nc_error *err);
/* What calling it with a tuple of arguments gives; NULL with err. */
struct nc_pickle_value *nc_pickle_call(struct nc_pickle *pickle,
                                       const struct nc_pickle_value *callee,
                                       const struct nc_pickle_value *arguments,
                                       struct nc_error *err);

#endif
