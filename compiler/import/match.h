/* match: which tensor of a file is which parameter of a network, and how its axes turn.
 *
 * Names become ours by the `map` of the spec's `pretrained`, else by the rule of the file's
 * convention (weight_file.h); layouts by that rule alone. What the rule does not reach is left over;
 * a tensor whose shape does not fit the parameter that it is for is an error. */
#ifndef NETCC_MATCH_H
#define NETCC_MATCH_H

#include "model.h"
#include "weight_file.h"

typedef struct {
    int tensor; /* of the file; -1: none */
    bool skipped;
    int perm[NC_MAX_RANK]; /* axis i of ours is axis perm[i] of the file's */
    unsigned flipped;      /* bit i: axis i of ours runs backwards */
    int64_t image[3];      /* rows are counted by channel, height and width there, channels last
                            * here: the extents [h, w, c]; all 0: they are not */
} Match;

typedef struct {
    const struct nc_model *model;
    const struct nc_weight_file *file;
    Match *matches;       /* by parameter of the model */
    int *parameter;       /* by tensor; -1: none */
    const char **because; /* by tensor without parameter: why it is left over */
} Matching;

/* False after errors. */
bool match_weights(const Model *model, const struct nc_model *nc, const struct nc_weight_file *file,
                   Matching *out);
/* The values of a matched parameter in our layout. */
int match_read(const Matching *matching, int parameter, float *out, struct nc_error *err);

/* "conv1.weight": what the file calls a tensor. */
const char *match_place(const struct nc_weight *tensor);

#endif
