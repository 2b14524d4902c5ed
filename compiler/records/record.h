/* Record: what all that a spec can name has in common, and the families of such things.
 *
 * Like an op, a layer, a loss, a metric, an optimizer or an initializer is one record; the Makefile
 * collects their names into the tables behind the families. */
#ifndef NETCC_RECORD_H
#define NETCC_RECORD_H

#include "ops/op.h"

typedef struct {
    const char *name;
    const char *alias; /* a second name, or NULL */
    const char *doc;
    const AttrDef *attrs;
    const Op *like; /* attrs NULL: it takes this op's attributes */
} Record;

typedef struct {
    const char *what; /* "layer": how messages call one of them */
    const Record *const *records;
    int count;
} Family;

extern const Family layers, losses, metrics, optimizers, initializers;

const AttrDef *record_attrs(const Record *record);
const Record *record_find(const Family *family, const char *name);
/* Reports that the family has no record of this name. */
bool record_unknown(Diag *diag, Loc loc, const Family *family, const char *name);

/* A loss compares the prediction a with the target b and has one value per element, or one per row
 * of the last axis. The mean over all values of a sample is the sample's loss. */
typedef struct {
    Record record;
    bool sparse;           /* the target holds class numbers: the output's shape, last axis 1 */
    int least_units;       /* what the last axis must hold at least */
    const char *instead;   /* loss to suggest where it does not */
    const char *expr;      /* in a, b, the attributes, and `classes`, the extent of the last axis */
    const char *logits_op; /* the activation that turns logits into predictions */
    const char *logits_expr; /* the same loss where a is the logits */
} Loss;
#define LOSS(ident) const Loss loss_##ident

/* A metric is to be averaged over samples as a loss is. */
typedef struct {
    Record record;
    bool sparse; /* the target holds class numbers */
    bool any_target;
    const char *expr;
    /* A record that stands for others names the one to take. */
    const char *(*resolve)(Shape output, bool sparse);
} Metric;
#define METRIC(ident) const Metric metric_##ident

/* A tensor that an optimizer keeps beside each parameter. */
typedef struct {
    const char *name;
    const char *unless_zero; /* attribute that switches the slot off by being 0: it reads as 0 */
    const char *init;        /* attribute that holds the first value; NULL: 0 */
} Slot;

/* An optimizer yields the next value p' of a parameter p, and the next value m' of each slot m, in
 * terms of the gradient g, learning_rate, the step t (1, 2, ...) and the attributes. */
typedef struct {
    Record record;
    Slot slots[4];
    const char *expr;
} Optimizer;
#define OPTIMIZER(ident) const Optimizer optimizer_##ident

/* An optimizer as a spec asks for it. */
typedef struct OptimizerUse {
    const Optimizer *optimizer;
    const AttrDef *defs;
    const AttrValue *attrs;
} OptimizerUse;

/* The attributes of an optimizer: its own, then those that all have (clipping, weight decay). */
AttrDef *optimizer_attrs(Arena *arena, const Optimizer *optimizer);

typedef struct {
    Record record;
    int least_rank; /* of the parameter's shape */
    struct nc_init (*make)(Shape shape, const AttrValue *args);
} Initializer;
#define INITIALIZER(ident) const Initializer initializer_##ident

#endif
