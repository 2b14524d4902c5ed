/* Private to samples*.c: the two sides of samples, and what has to fit. */
#ifndef NETCC_SAMPLES_H
#define NETCC_SAMPLES_H

#include "cli/cli.h"

/* The inputs, or the targets */
typedef struct {
    const struct nc_port *ports;
    struct nc_array *arrays;
    int count;
    bool is_target;
    const char *role;
} Side;
Side side_of(const Job *job, Samples *samples, bool is_target);

/* An array of a side, and whom to blame for it. */
typedef struct {
    int at;
    const char *path; /* or NULL */
    Loc loc;
} Place;

Samples samples_new(Job *job);
/* Does the array fit its port? Labels may become rows of 0 and 1. */
bool samples_fit(Job *job, const Side *side, const Place *place);
bool samples_same_count(Job *job, const Samples *samples, const Side *side, const Place *place);
bool samples_complete(Job *job, const Side *side, Loc loc);

#endif
