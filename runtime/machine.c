/* The limits are found by running into them: multiply-adds on registers, reads of a block that just
 * fits each cache. Every thread has a part of the block; the best of several rounds counts. */
#include "machine.h"

#include "cpu.h"
#include "peak.h"
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const nc_level_names[NC_LEVELS] = {"L1", "L2", "L3", "DRAM"};

enum { SINK = 16 * 16, GRAIN = 256, ROUNDS = 20000 };
#define LARGEST (256 << 20) /* bytes read to find what main memory yields */
#define LEAST_SECONDS 0.01  /* of a measurement */
#define REPEATS 4

/* One measurement; data: `count` floats for every thread */
struct work {
    const struct nc_peak *peak;
    const float *data;
    long count, repeats;
};

static void work_task(const void *job, long lo, long hi)
{
    const struct work *w = job;
    float sink[SINK] = {0.5f, 0.25f};
    for (long thread = lo; thread < hi; thread++) {
        for (long i = 0; i < w->repeats; i++) {
            if (w->data)
                w->peak->read(sink, w->data + thread * w->count, w->count);
            else
                w->peak->multiply(sink, ROUNDS);
        }
    }
}

static double time_work(const struct work *w, const struct nc_env *env, int threads)
{
    double start = nc_seconds();
    if (env && env->parallel)
        env->parallel(env->context, work_task, w, threads);
    else
        work_task(w, 0, threads);
    return nc_seconds() - start;
}

/* Seconds of one repeat, the best of several tries. */
static double best_time(struct work w, const struct nc_env *env, int threads)
{
    double best = INFINITY, seconds;
    w.repeats = 1;
    while ((seconds = time_work(&w, env, threads)) < LEAST_SECONDS)
        w.repeats = 1 + (long)((double)w.repeats * fmin(10, 1.2 * LEAST_SECONDS / seconds));
    for (int i = 0; i < REPEATS; i++)
        best = fmin(best, time_work(&w, env, threads) / (double)w.repeats);
    return best;
}

static const struct nc_peak *choose_peak(void)
{
#if defined(__x86_64__)
    static const struct nc_peak *const peaks[] = {&nc_peak_avx512, &nc_peak_avx2, &nc_peak_sse2};
    static const char *const names[] = {"avx512", "avx2", "sse2"};
    return peaks[nc_cpu_choose(names, 3)];
#else
    return &nc_peak_generic;
#endif
}

static double cache_bytes(int name, double otherwise)
{
    long bytes = sysconf(name);
    return bytes > 0 ? (double)bytes : otherwise;
}

/* L1 and L2 are each core's own. */
static void find_caches(struct nc_machine *m, int threads)
{
    m->bytes[NC_L1] = threads * cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
    m->bytes[NC_L2] = threads * cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512 << 10);
    m->bytes[NC_L3] = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 8 << 20);
    m->bytes[NC_DRAM] = INFINITY;
}

/* How much is read to measure a level: clearly within it, and clearly beyond the one before. */
static double bytes_to_read(const struct nc_machine *m, int level)
{
    if (level <= NC_L2)
        return m->bytes[level] * 0.5;
    if (level == NC_L3)
        return fmin(fmin(m->bytes[NC_L3] * 0.5, 4 * m->bytes[NC_L2]), LARGEST / 4);
    return LARGEST;
}

int nc_machine_measure(struct nc_machine *out, const struct nc_env *env, int threads)
{
    struct work work = {.peak = choose_peak()};
    *out = (struct nc_machine){.isa = work.peak->name};
    find_caches(out, threads);
    out->flops = work.peak->round_flops * ROUNDS * threads / best_time(work, env, threads);
    float *data = aligned_alloc(NC_ALIGN, LARGEST);
    if (!data)
        return -1;
    memset(data, 0, LARGEST);
    work.data = data;
    for (int i = 0; i < NC_LEVELS; i++) {
        double bytes = bytes_to_read(out, i);
        work.count = (long)(bytes / threads / sizeof(float)) / GRAIN * GRAIN;
        out->bandwidth[i] =
            (double)(work.count * threads) * sizeof(float) / best_time(work, env, threads);
    }
    free(data);
    return 0;
}

double nc_machine_share(const struct nc_machine *m, double flops, double bytes, double seconds,
                        const char **bound)
{
    int level = 0;
    while (bytes > m->bytes[level])
        level++;
    double peak = flops / seconds / m->flops, memory = bytes / seconds / m->bandwidth[level];
    *bound = peak >= memory ? "peak" : nc_level_names[level];
    return fmax(peak, memory);
}
