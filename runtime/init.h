/* init: the values a network starts from. Element e of parameter k depends on (seed, k, e) only. */
#ifndef NC_INIT_H
#define NC_INIT_H

#include "data/array.h"

/* Fills the blocks of weights and of state, of the model's sizes; either may be NULL. given, by
 * parameter: what is not 0 gets its value from elsewhere and stays zero here; NULL: nothing does. */
int nc_init_parameters(const struct nc_model *model, void *weights, void *state, uint32_t seed,
                       const char *given, struct nc_error *err);

#endif
