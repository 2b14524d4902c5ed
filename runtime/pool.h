/* pool.h: threads behind struct nc_env. */
#ifndef NC_POOL_H
#define NC_POOL_H

#include "netcc.h"

struct nc_pool;

/* How many cores this process may use */
int nc_usable_cores(void);

/* `threads` counts the caller's; below 1: one per core this process may use. Fewer where the system
 * refuses them. NULL without memory, which the functions below take for one thread. */
struct nc_pool *nc_pool_new(int threads);
int nc_pool_threads(const struct nc_pool *pool);
/* NULL for one thread. A parallel() inside a task, or while another thread's parallel() runs on the
 * same pool, runs serially. */
const struct nc_env *nc_pool_env(struct nc_pool *pool);
void nc_pool_free(struct nc_pool *pool);

#endif
