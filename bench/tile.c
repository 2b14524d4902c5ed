/* tile.c: what the vocabulary reaches, beside the machine's peak: the matmul tile on a dense layer
 * of 784 inputs and 128 units, batch 128, and block functions on 1024 elements. First inline, as cc
 * compiles generated kernels (build this file with their flags), then as the native calls that
 * tcc-compiled kernels make. Best of several rounds. */
#include "vocab.h"
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 128
#define IN 784
#define OUT 128
#define PANEL 32
#define BLOCK 1024
#define ROUNDS 7

typedef void tile_function(nc_real *c, long ldc, const nc_real *a, long a_row, long a_k,
                           const nc_real *b, long ldb, long K, long rows, long width);
typedef void block_function(nc_real *d, const nc_real *a, long n);
typedef void uniform_function(nc_real *d, const struct nc_hyper *h, unsigned stream, long row,
                              long first, long n);

/* One layer's operands: x [BATCH][IN], w and dw [OUT / PANEL][IN][PANEL], y and dy [BATCH][OUT] */
struct layer {
    nc_real *x, *w, *y;
    tile_function *tile;
    long rows;
    block_function *block;
    uniform_function *uniform;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double best_time(void (*run)(const struct layer *), const struct layer *layer, int repeat)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds();
        for (int i = 0; i < repeat; i++)
            run(layer);
        double t = (seconds() - start) / repeat;
        best = t < best ? t : best;
    }
    return best;
}

#define ROWS_LEFT(all, at, step) ((all) - (at) < (step) ? (all) - (at) : (step))

static void forward_inline(const struct layer *l)
{
    for (long i = 0; i < BATCH; i += NC_ROWS)
        for (long j = 0; j < OUT; j += PANEL)
            nc_tile(l->y + i * OUT + j, OUT, l->x + i * IN, IN, 1, l->w + j * IN, PANEL, IN,
                    ROWS_LEFT(BATCH, i, NC_ROWS), PANEL);
}

static void gradient_inline(const struct layer *l)
{
    for (long j = 0; j < OUT; j += PANEL)
        for (long i = 0; i < IN; i += NC_ROWS)
            nc_tile(l->w + j * IN + i * PANEL, PANEL, l->x + i, 1, IN, l->y + j, OUT, BATCH,
                    ROWS_LEFT(IN, i, NC_ROWS), PANEL);
}

static void forward_native(const struct layer *l)
{
    for (long i = 0; i < BATCH; i += l->rows)
        for (long j = 0; j < OUT; j += PANEL)
            l->tile(l->y + i * OUT + j, OUT, l->x + i * IN, IN, 1, l->w + j * IN, PANEL, IN,
                    ROWS_LEFT(BATCH, i, l->rows), PANEL);
}

static void gradient_native(const struct layer *l)
{
    for (long j = 0; j < OUT; j += PANEL)
        for (long i = 0; i < IN; i += l->rows)
            l->tile(l->w + j * IN + i * PANEL, PANEL, l->x + i, 1, IN, l->y + j, OUT, BATCH,
                    ROWS_LEFT(IN, i, l->rows), PANEL);
}

static void block_native(const struct layer *l)
{
    l->block(l->y, l->x, BLOCK);
}

static void uniform_native(const struct layer *l)
{
    struct nc_hyper h = {0, 1, 2, 3, 4};
    l->uniform(l->y, &h, 5, 6, 0, BLOCK);
}

#define CHAINS 12 /* enough to hide the latency of fma */
#define PEAK_STEPS 100000

static void peak(const struct layer *l)
{
    nc_vector acc[CHAINS], s = nc_vector_splat(l->w[4]), t = nc_vector_splat(l->w[5]);
    NC_UNROLL
    for (int i = 0; i < CHAINS; i++)
        acc[i] = nc_vector_splat((nc_real)i);
    for (long k = 0; k < PEAK_STEPS; k++) {
        NC_UNROLL
        for (int i = 0; i < CHAINS; i++)
            acc[i] = nc_vector_fma(acc[i], s, t);
    }
    NC_UNROLL
    for (int i = 0; i < CHAINS; i++)
        nc_vector_store(l->y + i * NC_LANES, acc[i]);
}

/* Cycles of the time stamp counter, or of a nominal GHz elsewhere */
static double ticks_per_second(void)
{
#if defined(__x86_64__)
    double start = seconds();
    unsigned long long first = __builtin_ia32_rdtsc();
    while (seconds() - start < 0.05)
        ;
    return (double)(__builtin_ia32_rdtsc() - first) / (seconds() - start);
#else
    return 1e9;
#endif
}

static void report_tiles(const char *name, const struct layer *l, double flops_peak,
                         void (*forward)(const struct layer *),
                         void (*gradient)(const struct layer *))
{
    double flops = 2.0 * BATCH * IN * OUT;
    double f = flops / best_time(forward, l, 200), g = flops / best_time(gradient, l, 200);
    printf("%-8s forward %6.1f GFLOP/s (%2.0f %%)   wgrad %6.1f GFLOP/s (%2.0f %%)\n", name,
           f * 1e-9, 100 * f / flops_peak, g * 1e-9, 100 * g / flops_peak);
}

static void (*function_of(const struct nc_native *native, const char *name))(void)
{
    for (int i = 0; i < native->count; i++)
        if (strcmp(native->symbols[i].name, name) == 0)
            return native->symbols[i].function;
    return NULL;
}

static void report_native(struct layer *l, const struct nc_native *native, double flops_peak)
{
    static const char *const blocks[] = {"exp", "log", "tanh", "erf", "sin", "sqrt"};
    double ticks = ticks_per_second() / BLOCK;
    l->tile = (tile_function *)function_of(native, "nc_tile");
    l->uniform = (uniform_function *)function_of(native, "nc_v_uniform");
    l->rows = native->rows;
    report_tiles(native->name, l, flops_peak, forward_native, gradient_native);
    printf("         cycles an element:");
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "nc_v_%s", blocks[i]);
        l->block = (block_function *)function_of(native, name);
        printf(" %s %.2f,", blocks[i], ticks * best_time(block_native, l, 3000));
    }
    printf(" uniform %.2f\n", ticks * best_time(uniform_native, l, 3000));
}

static nc_real *operand(size_t count)
{
    nc_real *p = aligned_alloc(64, (count + 64) * sizeof *p);
    for (size_t i = 0; p && i < count + 64; i++)
        p[i] = (nc_real)(i % 7) * (nc_real)0.125;
    return p;
}

int main(void)
{
    static const char *const isas[] = {"avx512", "avx2", "sse2", "generic"};
    struct layer l = {0};
    l.x = operand(BATCH * IN);
    l.w = operand(OUT * IN);
    l.y = operand(BATCH * OUT);
    if (!l.x || !l.w || !l.y)
        return 1;
    double flops = 2.0 * NC_LANES * CHAINS * PEAK_STEPS / best_time(peak, &l, 20);
    printf("peak     %.1f GFLOP/s with %d lanes\n", flops * 1e-9, NC_LANES);
    report_tiles("inline", &l, flops, forward_inline, gradient_inline);
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++)
        if (nc_isa_valid(isas[i]))
            report_native(&l, nc_native_find(isas[i]), flops);
    free(l.x);
    free(l.w);
    free(l.y);
    return 0;
}
