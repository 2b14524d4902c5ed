/* train: the loops over samples: training, evaluation, prediction, gradients.
 *
 * A session is a model with its memory: one block for weights, optimizer state, scratch and staging.
 * Samples come from an nc_array per port and are converted a batch at a time. */
#ifndef NC_TRAIN_H
#define NC_TRAIN_H

#include <signal.h>

#include "data/array.h"

struct nc_session {
    struct nc_model *model;
    const struct nc_env *env; /* NULL: serial */
    uint32_t seed;
    /* Called between two batches, when entry points may change; may be NULL. */
    void (*poll)(void *context);
    void *poll_context;

    void *weights, *state;
    void *prepared; /* from the weights, for predictions */
    /* What stateful layers keep from call to call: in training, which an epoch begins anew, and in
     * predictions and evaluations, of which each begins anew. */
    void *train_memory, *memory;
    void *arena;
    void **inputs, **targets, **outputs; /* staging: a batch of each port; pointers for a call */
    void *values;                        /* the loss and the metrics of a batch */
    void *block, *pointers;
};

/* What the session will be used for: decides the size of its scratch. */
enum nc_use_of { NC_PREDICTS = 1, NC_TRAINS = 2, NC_EVALUATES = 4, NC_DIFFERENTIATES = 8 };
/* Beside one that does not train: the session makes no room for weights, `weights` is to be set to
 * others, NC_ALIGN aligned, which may be read-only. */
enum { NC_BORROWS_WEIGHTS = 16 };
/* Weights and state are zero; set them by nc_init_parameters or nc_weights_load. */
int nc_session_open(struct nc_session *session, struct nc_model *model, unsigned uses,
                    struct nc_error *err);
void nc_session_close(struct nc_session *session);

/* Makes what predictions need of the weights as they are: before calls of predict. nc_predict does it. */
void nc_session_prepare(struct nc_session *session);

/* A call of one of the model's entries; the inputs are staged, the outputs set. */
struct nc_call nc_session_call(const struct nc_session *session, const struct nc_entry *entry,
                               const struct nc_hyper *hyper, long n);

/* Samples: an array per port of the model, all of `count` rows. */
struct nc_samples {
    const struct nc_array *inputs, *targets;
    int64_t count;
};

enum { NC_MAX_VALUES = 64 }; /* the loss and all metrics */

/* How training stands. Values are the loss, then the metrics, as means over the epoch so far. */
struct nc_progress {
    int64_t epoch, epochs;
    int64_t step, steps;    /* in the epoch */
    int64_t samples, count; /* in the epoch */
    int64_t iteration;      /* steps of the whole run */
    int values_count;
    double sums[NC_MAX_VALUES]; /* over the epoch so far, from which the values come */
    double values[NC_MAX_VALUES];
    double seconds; /* in the epoch, training only */
};

struct nc_train_options {
    int64_t epochs;
    int64_t steps; /* of the whole run; 0: no limit */
    int64_t until; /* this call ends with that epoch; 0: with the last */
    int shuffle;
    double learning_rate;
    const volatile sig_atomic_t *stop; /* set by a signal: the step is finished, then it ends */
    /* Where it starts and, afterwards, how far it came; NULL: at the start. To go on bit for bit,
     * weights and state must be those of that place, the seed and the samples the same. */
    struct nc_progress *progress;
    void *context;
    void (*step)(void *context, const struct nc_progress *progress);
    /* After every step, to save within a long epoch; may be NULL. Not 0 ends training, with err. */
    int (*save)(void *context, struct nc_error *err);
    /* After an epoch, and where the limit of steps or a signal ends one early (samples < count). Not
     * 0 ends training; below 0 it has failed, with err. */
    int (*epoch)(void *context, const struct nc_progress *progress, struct nc_error *err);
};

/* Every epoch sees every sample once, the last batch being as small as need be. -1 where the loss is
 * no longer finite, where a row cannot be made, or where epoch() says -1. */
int nc_train(struct nc_session *session, const struct nc_samples *samples,
             const struct nc_train_options *options, struct nc_error *err);

/* The three that follow fail, with err, only where rows cannot be made, as from a broken picture. */

/* Means of the loss and the metrics. */
int nc_evaluate(struct nc_session *session, const struct nc_samples *samples, double *values,
                struct nc_error *err);

/* outputs[k]: count rows of the model's output k. */
int nc_predict(struct nc_session *session, const struct nc_samples *samples, void *const *outputs,
               struct nc_error *err);

/* One batch of at most model->batch samples; outputs[k] as nc_model.grad says. */
int nc_gradient(struct nc_session *session, const struct nc_samples *samples, void *const *outputs,
                struct nc_error *err);

double nc_seconds(void); /* of a clock that only goes forward */

#endif
