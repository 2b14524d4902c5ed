/* pool.c: a pool for short jobs that follow each other closely.
 *
 * A job is announced by a new generation and cut into parts. Each thread has parts of its own, the same
 * in every job, so that what a kernel wrote lies in the cache of who reads it; when they are done it
 * takes what others have not begun. So the caller waits only for helpers that are at work, never for
 * one that sleeps or whose core is busy. Part p of generation g is taken by whoever brings taken[p]
 * from g - 1 to g; at the end of a job all parts stand at its generation, so who comes late takes
 * nothing.
 *
 * Who waits spins for a little while, since the next kernel of a step is microseconds away, then
 * sleeps on a condition variable. Who announces takes the lock only if someone has declared himself
 * asleep; declaration and announcement are sequentially consistent, so one of the two sees the other. */
#include "pool.h"

#include "float_mode.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SPIN_NS 200000
enum { PARTS_EACH = 4, LINE = 64 };

struct helper {
    struct nc_pool *pool;
    int index; /* 1.. */
    pthread_t thread;
};

struct nc_pool {
    struct nc_env env;
    int threads, parts;
    long spin_ns;
    struct helper *helpers;
    atomic_uint *taken; /* by part: the last generation in which it was taken */

    /* the job: written by the caller before the generation, read by who has taken a part of it */
    nc_task *task;
    const void *job;
    long units;

    atomic_uint generation;
    atomic_int stop;    /* set before the last generation */
    atomic_int asleep;  /* helpers waiting on `wake` */
    atomic_int waiting; /* the caller waits on `done` */
    atomic_flag busy;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    _Alignas(LINE) atomic_int pending; /* parts not yet done; apart from what helpers spin on */
};

static long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000000000L + t.tv_nsec;
}

static void pause_core(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int announced(struct nc_pool *pool, unsigned seen)
{
    return atomic_load(&pool->generation) != seen;
}

static int finished(struct nc_pool *pool, unsigned unused)
{
    (void)unused;
    return atomic_load(&pool->pending) == 0;
}

/* Whether the condition came true within the time for spinning */
static int spin(struct nc_pool *pool, int (*condition)(struct nc_pool *, unsigned), unsigned seen)
{
    long end = pool->spin_ns > 0 ? now_ns() + pool->spin_ns : 0;
    do {
        for (int i = 0; i < 32; i++) {
            if (condition(pool, seen))
                return 1;
            pause_core();
        }
    } while (end != 0 && now_ns() < end);
    return 0;
}

static void run_part(struct nc_pool *pool, int part)
{
    long lo = pool->units * part / pool->parts, hi = pool->units * (part + 1) / pool->parts;
    if (lo < hi)
        pool->task(pool->job, lo, hi);
}

static void count_off(struct nc_pool *pool)
{
    if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->waiting)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
}

/* Its own parts of the job, then all that nobody has begun. */
static void work(struct nc_pool *pool, int index, unsigned generation)
{
    for (int i = 0; i < pool->parts; i++) {
        int part = (index * PARTS_EACH + i) % pool->parts;
        unsigned before = generation - 1;
        if (atomic_compare_exchange_strong(&pool->taken[part], &before, generation)) {
            run_part(pool, part);
            count_off(pool);
        }
    }
}

/* Returns the job's generation. */
static unsigned wait_for_job(struct nc_pool *pool, unsigned seen)
{
    if (spin(pool, announced, seen))
        return atomic_load(&pool->generation);
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->asleep, 1);
    while (!announced(pool, seen))
        pthread_cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->asleep, 1);
    pthread_mutex_unlock(&pool->lock);
    return atomic_load(&pool->generation);
}

static void wait_for_helpers(struct nc_pool *pool)
{
    if (spin(pool, finished, 0))
        return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->waiting, 1);
    while (!finished(pool, 0))
        pthread_cond_wait(&pool->done, &pool->lock);
    atomic_store(&pool->waiting, 0);
    pthread_mutex_unlock(&pool->lock);
}

/* Returns the job's generation. */
static unsigned announce(struct nc_pool *pool)
{
    atomic_store(&pool->pending, pool->parts);
    unsigned generation = atomic_fetch_add(&pool->generation, 1) + 1;
    if (atomic_load(&pool->asleep) > 0) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
    }
    return generation;
}

static void *help(void *argument)
{
    nc_float_mode_fast();
    struct helper *me = argument;
    struct nc_pool *pool = me->pool;
    for (unsigned seen = 0;;) {
        seen = wait_for_job(pool, seen);
        if (atomic_load(&pool->stop))
            return NULL;
        work(pool, me->index, seen);
    }
}

static void parallel(void *context, nc_task *task, const void *job, long units)
{
    struct nc_pool *pool = context;
    if (units <= 0)
        return;
    if (units == 1 || atomic_flag_test_and_set(&pool->busy)) {
        task(job, 0, units);
        return;
    }
    pool->task = task;
    pool->job = job;
    pool->units = units;
    work(pool, 0, announce(pool));
    wait_for_helpers(pool);
    atomic_flag_clear(&pool->busy);
}

int nc_usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (int)cores : 1;
}

/* Starts the helpers. Parts depend on their number, so they must not see a job before it is known. */
static int start_helpers(struct nc_pool *pool, int threads)
{
    int started = 1;
    for (; started < threads; started++) {
        struct helper *h = &pool->helpers[started - 1];
        h->pool = pool;
        h->index = started;
        if (pthread_create(&h->thread, NULL, help, h) != 0)
            break;
    }
    return started;
}

/* All zero, its two arrays behind it */
static struct nc_pool *allocate(int threads)
{
    size_t helpers = (size_t)threads * sizeof(struct helper);
    size_t taken = (size_t)threads * PARTS_EACH * sizeof(atomic_uint);
    size_t bytes = (sizeof(struct nc_pool) + helpers + taken + LINE - 1) / LINE * LINE;
    struct nc_pool *pool = aligned_alloc(LINE, bytes);
    if (!pool)
        return NULL;
    memset(pool, 0, bytes);
    pool->helpers = (struct helper *)(pool + 1);
    pool->taken = (atomic_uint *)((char *)(pool + 1) + helpers);
    return pool;
}

struct nc_pool *nc_pool_new(int threads)
{
    int cores = nc_usable_cores();
    if (threads < 1)
        threads = cores;
    struct nc_pool *pool = allocate(threads);
    if (!pool)
        return NULL;
    pool->env.context = pool;
    pool->env.parallel = parallel;
    pool->spin_ns = threads > cores ? 0 : SPIN_NS;
    atomic_flag_clear(&pool->busy);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->threads = start_helpers(pool, threads);
    pool->parts = pool->threads * PARTS_EACH;
    return pool;
}

int nc_pool_threads(const struct nc_pool *pool)
{
    return pool ? pool->threads : 1;
}

const struct nc_env *nc_pool_env(struct nc_pool *pool)
{
    return pool && pool->threads > 1 ? &pool->env : NULL;
}

void nc_pool_free(struct nc_pool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->stop, 1);
    announce(pool);
    for (int i = 0; i < pool->threads - 1; i++)
        pthread_join(pool->helpers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
