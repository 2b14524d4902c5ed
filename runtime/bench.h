/* bench: how fast a model is on random data in memory. */
#ifndef NC_BENCH_H
#define NC_BENCH_H

#include "train.h"

struct nc_bench {
    long n;         /* rows of a call */
    long calls;     /* timed */
    double seconds; /* of them all */
    double latency; /* seconds; the median call */
    double prepare; /* seconds, once before predictions; 0: there was nothing to prepare */
};

/* Random inputs in [0, 1) and targets that fit, in the session's staging. */
void nc_bench_fill(struct nc_session *session);
/* Calls the training step or, where it is 0, predicts: `n` rows a call, after a warm-up, for so many
 * seconds and at least 3 times. 0, or -1 with err. */
int nc_bench_run(struct nc_session *session, int train, long n, double seconds,
                 double learning_rate, struct nc_bench *out, struct nc_error *err);

#endif
