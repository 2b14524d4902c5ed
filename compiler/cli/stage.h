/* stage: a run whose network changes between epochs, as train.unfreeze says. */
#ifndef NETCC_STAGE_H
#define NETCC_STAGE_H

#include "cli/cli.h"

/* The network of `epoch` takes the place of the job's, compiled and started anew. What both have
 * keeps its value: weights, moving statistics, the optimizer's state; and so do the weights of the
 * blocks in `kept`, which are malloc'ed and replaced (NULL entries stay). */
bool stage_enter(Job *job, int64_t epoch, unsigned uses, void **kept[], int kept_count);

/* The values of one model's weights, or with `slots` of its optimizer's state, into another's
 * layouts, by name; what the other lacks is left out. False where memory is. */
bool stage_move(const struct nc_model *from, const void *block, const struct nc_model *to,
                void *into, bool slots);

/* How many parameters train now, and how many there are to train. */
int64_t stage_trained(const struct nc_model *model, int64_t *all);

#endif
