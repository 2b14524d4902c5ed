/* training: what a run of `netcc train` reads and writes, and the folder that it leaves.
 *
 * The folder holds the spec as it was run, a log, checkpoints from which --resume goes on, the best
 * weights so far and, at the end, the weights. */
#ifndef NETCC_TRAINING_H
#define NETCC_TRAINING_H

#include "checkpoint.h"
#include "cli/cli.h"
#include "cli/features.h"
#include "progress.h"

#define TRAINING_RUNS "runs" /* where folders go that were not named */
#define TRAINING_CHECKPOINT "checkpoint.safetensors"
#define TRAINING_BEST "best.safetensors"
#define TRAINING_WEIGHTS "weights.safetensors"

/* Everything that training reads and writes */
typedef struct {
    Job *job;
    Samples train, other; /* other: validation or test samples; no rows where there are none */
    Samples test;
    Features features;            /* of all three, where a frozen trunk comes before what trains */
    unsigned uses;                /* of enum nc_use_of */
    const Samples *validation;    /* what epochs end with, or NULL */
    double values[NC_MAX_VALUES]; /* of the last validation */
    bool values_current;          /* no step was made since */
    const char *folder;
    struct nc_standing standing;
    struct nc_safetensors checkpoint; /* that the run goes on from */
    int64_t first_epoch;              /* that is trained, in part or whole */
    int64_t first_iteration;          /* how many steps were made before */
    void *best, *stop_best;           /* weights of the best epoch by standing.keep and .stop */
    bool best_is_new;                 /* best.safetensors is yet to be written */
    bool begun;                       /* the folder's spec and log are this run's */
    bool has_saved;                   /* a checkpoint of this part of the run */
    double saved_at, save_seconds;
    int64_t saved_iteration;
    struct nc_report report;
} Training;

/* runs/NAME-DATE-TIME */
const char *training_name_folder(Job *job);
const char *training_file(const Training *t, const char *name); /* in the folder */
/* Before anything else is left there: the run's spec, and a log without what comes anew. */
int training_begin(Training *t, struct nc_error *err);
int training_save_weights(Training *t, const void *weights, const char *name, struct nc_error *err);
/* A checkpoint. */
int training_save(Training *t, struct nc_error *err);

/* In this order, each false after an error: where the run stands before its first step, at its start
 * or where the checkpoint says; its seed; the network of the epoch; and, once samples are open,
 * whether the checkpoint is of this run; room for the best weights; the checkpoint's own. */
bool training_take_stand(Training *t);
bool training_take_seed(Training *t, Args *args);
bool training_take_epoch(Training *t);
bool training_is_same_run(Training *t);
bool training_new_blocks(Training *t);
bool training_load_checkpoint(Training *t);

#endif
