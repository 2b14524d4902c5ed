/* machine: what this machine reaches at most, measured in a fraction of a second. */
#ifndef NC_MACHINE_H
#define NC_MACHINE_H

#include "netcc.h"

enum { NC_L1, NC_L2, NC_L3, NC_DRAM, NC_LEVELS };

struct nc_machine {
    const char *isa;
    double flops;                /* fused multiply-adds a second, times 2 */
    double bandwidth[NC_LEVELS]; /* bytes read a second */
    double bytes[NC_LEVELS];     /* of a cache, all threads' together; DRAM: without end */
};

extern const char *const nc_level_names[NC_LEVELS]; /* "L1" ... */

/* On all threads of env. -1 where memory is short. */
int nc_machine_measure(struct nc_machine *out, const struct nc_env *env, int threads);

/* How near `flops` and `bytes` in `seconds` come to the limits: the larger share. *bound names the
 * limit: "peak", or the smallest level that holds the bytes. */
double nc_machine_share(const struct nc_machine *machine, double flops, double bytes,
                        double seconds, const char **bound);

#endif
