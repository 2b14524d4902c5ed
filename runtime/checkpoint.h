/* checkpoint: all that a run needs to go on bit for bit, in one safetensors file: weights, moving
 * statistics and the optimizer's slots by name and in canonical layout; what stateful layers remember
 * of the epoch so far (no file of weights has that); where the run stood, in the metadata. The file appears whole or not at all. */
#ifndef NC_CHECKPOINT_H
#define NC_CHECKPOINT_H

#include "safetensors.h"
#include "train.h"
#include "watch.h"

/* Where a run stands, beside its tensors. */
struct nc_standing {
    uint32_t seed;
    const char *spec; /* what must be the same to go on; for the caller to compare */
    struct nc_progress progress;
    struct nc_watch keep; /* for best.safetensors */
    struct nc_watch stop; /* early stopping; monitor NULL: none */
    const void *best;     /* weights block of the best epoch by `stop`, or NULL */
};

int nc_checkpoint_save(const struct nc_session *session, const struct nc_standing *standing,
                       const char *path, struct nc_error *err);

/* First what is told beside the tensors. `standing` keeps pointers into the file; its watches come
 * with what they have seen only where they watch the same value. */
int nc_checkpoint_open(struct nc_safetensors *file, struct nc_standing *standing, const char *path,
                       struct nc_error *err);
int nc_checkpoint_has_best(const struct nc_safetensors *file);
/* Then the tensors; those of the best epoch where `best` is not NULL. */
int nc_checkpoint_load(const struct nc_safetensors *file, struct nc_session *session, void *best,
                       const char *path, struct nc_error *err);

#endif
