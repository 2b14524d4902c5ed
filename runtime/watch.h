/* watch: the best so far of one value, epoch after epoch, and how long ago it was. Early stopping
 * and the choice of the best weights are each a watch; its rules are those of Keras. */
#ifndef NC_WATCH_H
#define NC_WATCH_H

#include <stdint.h>

struct nc_watch {
    /* What is watched */
    const char *monitor; /* "val_loss" */
    int value;        /* among the values of an epoch: loss and metrics, then those of validation */
    int rises;        /* more is better */
    double min_delta; /* less than that is no improvement */
    double baseline;  /* infinite: none */
    int64_t patience; /* epochs without improvement */
    int64_t start_from_epoch;
    /* What was seen */
    int64_t best_epoch; /* 0: nothing yet */
    int64_t wait;       /* epochs since */
    double best;
};

/* Is this epoch the best so far? */
int nc_watch_epoch(struct nc_watch *watch, int64_t epoch, double value);
/* Did the value not improve for `patience` epochs? */
int nc_watch_is_over(const struct nc_watch *watch, int64_t epoch);

#endif
