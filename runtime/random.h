/* random: the host's random numbers, counted by what they are for. A number depends on (seed, use,
 * stream, element, draw) and on nothing else: not on order, threads or machine. */
#ifndef NC_RANDOM_H
#define NC_RANDOM_H

#include "netcc.h"

/* Sets the host's uses apart from each other and from the kernels', which put the epoch here. */
enum nc_use { NC_USE_INIT = 0x7ffffff0, NC_USE_CHECK, NC_USE_SHUFFLE };

struct nc_stream {
    uint32_t seed;
    enum nc_use use;
    uint32_t stream; /* for init: the parameter; for a shuffle: the epoch */
};

/* d[i] = draw number `draw` of element first + i: uniform in [0, 1) with 24 bits, or normal with
 * mean 0 and deviation 1. */
void nc_random_uniform(const struct nc_stream *stream, uint32_t draw, int64_t first, int64_t n,
                       float *d);
void nc_random_normal(const struct nc_stream *stream, uint32_t draw, int64_t first, int64_t n,
                      float *d);

/* order = 0..n-1 in the random order of that epoch (Fisher and Yates) */
void nc_shuffle(uint32_t *order, int64_t n, uint32_t seed, uint32_t epoch);

#endif
