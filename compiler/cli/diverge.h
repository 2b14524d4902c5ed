/* diverge: after a loss that is not finite, where that began. The run is trained again up to the step
 * before, from its last checkpoint or from the start, which is the same to the bit; then the parameters
 * are looked at, and the outputs of all layers for the batch of that step. */
#ifndef NETCC_DIVERGE_H
#define NETCC_DIVERGE_H

#include "cli/cli.h"

typedef struct {
    Job *job;                         /* as it was after the step; its weights do not stay */
    const struct nc_samples *samples; /* what its steps read */
    const struct nc_samples *rows; /* where that is features, what they come from; else the same */
    const struct nc_progress *progress; /* with the step in it */
    const char *checkpoint;             /* the last one, or NULL */
} Divergence;

/* Adds what it finds as notes to job->diag. */
void diverge_explain(const Divergence *divergence);

#endif
