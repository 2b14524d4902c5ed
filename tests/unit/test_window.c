/* Windows of the vocabulary, on random geometry: convolution, depthwise convolution, pooling and the
 * gradients of pooling, in every native table this machine can run, against plain loops in double; and
 * tables with fused multiply-adds give the same bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "native_tables.h"
#include "vocab.h"

enum { MOST = 1 << 17, ROUNDS = 300, LDC = 32 };

typedef void window_tile(float *, const float *, const float *, const struct nc_window *, long,
                         long, long);
typedef void depthwise_tile(float *, long, const float *, const float *, const struct nc_window *,
                            long, long, long);
typedef void pool_tile(float *, long, const float *, const struct nc_window *, long, long, long);
typedef void pool_grad_tile(float *, long, const float *, const float *, const float *,
                            const struct nc_window *, long, long, long);

static float x[MOST], w[MOST], y[MOST], dy[MOST];
static float got[64 * LDC], first[64 * LDC];

/* Sizes that fit `kernel`, in which every window sees something. */
static struct nc_window random_window(int spread, long channels)
{
    struct nc_window g = {{0, 0, channels}, {0, 0}, {0, 0},    {0, 0},  {0, 0},
                          {0, 0},           {0, 0}, {0, 0, 0}, channels};
    for (int a = 0; a < 2; a++) {
        g.kernel[a] = 1 + below(4);
        g.dilation[a] = 1 + below(3);
        g.spread[a] = spread ? 1 + below(3) : 1;
        g.stride[a] = spread ? 1 : 1 + below(3);
        const long span = (g.kernel[a] - 1) * g.dilation[a] + 1;
        g.before[a] = below(span);
        g.size[a] = 1 + below(a ? 44 : 10);
        const long room = (g.size[a] - 1) * g.spread[a] + 1 + g.before[a] + below(span) - span;
        g.extent[a] = room < 0 ? 1 : room / g.stride[a] + 1;
    }
    g.weight[2] = 32;
    g.weight[1] = channels * g.weight[2];
    g.weight[0] = g.kernel[1] * g.weight[1];
    return g;
}

/* Three cells side by side along the lines, as most depthwise kernels have them */
static void see_three(struct nc_window *g)
{
    g->kernel[1] = 3;
    g->dilation[1] = g->spread[1] = 1;
    g->stride[1] = 1 + below(2);
    g->before[1] = below(2);
    g->size[1] = 3 + below(20);
    g->extent[1] = (g->size[1] + g->before[1] + below(2) - 3) / g->stride[1] + 1;
}

/* The input's position that output o sees at cell t, or -1. */
static long seen(const struct nc_window *g, int axis, long o, long t)
{
    const long at = o * g->stride[axis] - g->before[axis] + t * g->dilation[axis];
    const long spread = g->spread[axis];
    return at >= 0 && at % spread == 0 && at / spread < g->size[axis] ? at / spread : -1;
}

/* Pixel number under cell (h, k) of output i, or -1. */
static long pixel(const struct nc_window *g, long i, long h, long k)
{
    const long a = seen(g, 0, i / g->extent[1] % g->extent[0], h),
               b = seen(g, 1, i % g->extent[1], k);
    return a < 0 || b < 0 ? -1
                          : (i / (g->extent[0] * g->extent[1]) * g->size[0] + a) * g->size[1] + b;
}

static void compare(int table, const double *want, long rows, long cols, const char *name)
{
    for (long r = 0; r < rows; r++) {
        for (long e = 0; e < cols; e++) {
            if (fabs(got[r * LDC + e] - want[r * LDC + e]) > 2e-4)
                fail_msg("%s, %s: [%ld][%ld] is %g, not %g", tables[table]->name, name, r, e,
                         (double)got[r * LDC + e], want[r * LDC + e]);
            if (same_bits_as_before(table))
                assert_memory_equal(&got[r * LDC + e], &first[r * LDC + e], sizeof(float));
        }
    }
    memcpy(first, got, sizeof got);
}

/* Where a tile begins, and how many rows it has, of two images. */
static long place(const struct nc_window *g, long *rows)
{
    const long all = 2 * g->extent[0] * g->extent[1], i = below(all);
    *rows = 1 + below(all - i < 64 ? all - i : 64);
    return i;
}

static void convolves(void **unused)
{
    static double want[64 * LDC];
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        const long channels = below(3) ? 1 + below(20) : 124 + below(9);
        struct nc_window g = random_window(round % 2, channels);
        long rows, i = place(&g, &rows), width = 16 << below(2);
        if (g.dilation[1] == 1 && g.spread[1] == 1 && below(2))
            g.run = g.kernel[1] * g.size[2];
        for (long c = 0; c < rows * LDC; c++) {
            want[c] = 0;
            for (long t = 0; t < g.kernel[0] * g.kernel[1]; t++) {
                const long p = pixel(&g, i + c / LDC, t / g.kernel[1], t % g.kernel[1]);
                const float *cell =
                    w + t / g.kernel[1] * g.weight[0] + t % g.kernel[1] * g.weight[1];
                for (long k = 0; p >= 0 && k < g.size[2]; k++)
                    want[c] += (double)x[p * g.size[2] + k] * (double)cell[k * 32 + c % LDC];
            }
        }
        for (int t = 0; t < tables_count; t++) {
            memset(got, 0, sizeof got);
            float tile[64 * 32];
            ((window_tile *)find_native(t, "nc_window_tile"))(tile, x, w, &g, i, rows, width);
            for (long r = 0; r < rows; r++)
                memcpy(got + r * LDC, tile + r * width, (size_t)width * sizeof(float));
            compare(t, want, rows, width, "nc_window_tile");
        }
    }
}

static void convolves_channels(void **unused)
{
    static double want[64 * LDC];
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct nc_window g = random_window(round % 2, 1 + below(70));
        if (round % 3 == 0)
            see_three(&g);
        long rows, i = place(&g, &rows), j = below(g.size[2]);
        const long cols = g.size[2] - j < 32 ? g.size[2] - j : 32;
        g.weight[1] = g.size[2];
        g.weight[0] = g.kernel[1] * g.weight[1];
        for (long c = 0; c < rows * LDC; c++) {
            want[c] = 0;
            for (long t = 0; c % LDC < cols && t < g.kernel[0] * g.kernel[1]; t++) {
                const long p = pixel(&g, i + c / LDC, t / g.kernel[1], t % g.kernel[1]);
                if (p >= 0)
                    want[c] += (double)x[p * g.size[2] + j + c % LDC] *
                               (double)w[t * g.size[2] + j + c % LDC];
            }
        }
        for (int t = 0; t < tables_count; t++) {
            memset(got, 0, sizeof got);
            ((depthwise_tile *)find_native(t, "nc_depthwise_tile"))(got, LDC, x + j, w + j, &g, i,
                                                                    rows, cols);
            compare(t, want, rows, cols, "nc_depthwise_tile");
        }
    }
}

/* As most pools have them: windows side by side */
static void do_not_overlap(struct nc_window *g)
{
    for (int a = 0; a < 2; a++) {
        g->stride[a] = g->kernel[a];
        g->before[a] = 0;
        g->size[a] = g->kernel[a] + below(16);
        g->extent[a] = (g->size[a] - g->kernel[a] + below(g->kernel[a])) / g->kernel[a] + 1;
    }
}

/* A pooling window: no dilation, and it always sees a cell. */
static struct nc_window random_pool(void)
{
    for (;;) {
        struct nc_window g = random_window(0, 1 + below(40));
        int sees = 1;
        if (below(2))
            do_not_overlap(&g);
        for (int a = 0; a < 2; a++) {
            g.dilation[a] = 1;
            g.before[a] %= g.kernel[a];
            sees &= (g.extent[a] - 1) * g.stride[a] - g.before[a] < g.size[a];
        }
        if (sees)
            return g;
    }
}

/* The cell of output i that holds the largest in channel e, the first of equals. */
static long largest(const struct nc_window *g, long i, long e)
{
    long best = -1;
    for (long t = 0; t < g->kernel[0] * g->kernel[1]; t++) {
        const long p = pixel(g, i, t / g->kernel[1], t % g->kernel[1]);
        if (p >= 0 && (best < 0 || x[p * g->size[2] + e] > x[best * g->size[2] + e]))
            best = p;
    }
    return best;
}

static long inside(const struct nc_window *g, long i)
{
    long count = 0;
    for (long t = 0; t < g->kernel[0] * g->kernel[1]; t++)
        count += pixel(g, i, t / g->kernel[1], t % g->kernel[1]) >= 0;
    return count;
}

static void pools(void **unused)
{
    static double most[64 * LDC], mean[64 * LDC];
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        const struct nc_window g = random_pool();
        long rows, i = place(&g, &rows);
        const long channels = g.size[2], cols = channels < 32 ? channels : 32;
        for (long c = 0; c < rows * LDC; c++) {
            const long e = c % LDC;
            most[c] = mean[c] = 0;
            for (long t = 0; e < cols && t < g.kernel[0] * g.kernel[1]; t++) {
                const long p = pixel(&g, i + c / LDC, t / g.kernel[1], t % g.kernel[1]);
                mean[c] +=
                    p < 0 ? 0 : (double)x[p * channels + e] / (double)inside(&g, i + c / LDC);
            }
            if (e < cols)
                most[c] = (double)x[largest(&g, i + c / LDC, e) * channels + e];
        }
        for (int t = 0; t < tables_count; t++) {
            ((pool_tile *)find_native(t, "nc_max_tile"))(got, LDC, x, &g, i, rows, cols);
            compare(t, most, rows, cols, "nc_max_tile");
        }
        for (int t = 0; t < tables_count; t++) {
            ((pool_tile *)find_native(t, "nc_mean_tile"))(got, LDC, x, &g, i, rows, cols);
            compare(t, mean, rows, cols, "nc_mean_tile");
        }
    }
}

/* The window as the pixels of x see dy. */
static struct nc_window back(const struct nc_window *g)
{
    struct nc_window b = *g;
    for (int a = 0; a < 2; a++) {
        b.size[a] = g->extent[a];
        b.extent[a] = g->size[a];
        b.stride[a] = 1;
        b.spread[a] = g->stride[a];
        b.before[a] = g->kernel[a] - 1 - g->before[a];
    }
    return b;
}

static void pools_back(void **unused)
{
    static double most[MOST], mean[MOST];
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        const struct nc_window g = random_pool(), b = back(&g);
        long rows, i = place(&b, &rows);
        const long channels = g.size[2], cols = channels < 32 ? channels : 32;
        const long outputs = 2 * g.extent[0] * g.extent[1];
        fill(x, 2 * g.size[0] * g.size[1] * channels, 1);
        memset(most, 0, sizeof most);
        memset(mean, 0, sizeof mean);
        for (long o = 0; o < outputs * channels; o++) {
            const long e = o % channels, at = o / channels, best = largest(&g, at, e);
            y[o] = x[best * channels + e];
            if (best >= i && best < i + rows && e < cols)
                most[(best - i) * LDC + e] += (double)dy[o];
            for (long t = 0; e < cols && t < g.kernel[0] * g.kernel[1]; t++) {
                const long p = pixel(&g, at, t / g.kernel[1], t % g.kernel[1]);
                if (p >= i && p < i + rows)
                    mean[(p - i) * LDC + e] += (double)dy[o] / (double)inside(&g, at);
            }
        }
        for (int t = 0; t < tables_count; t++) {
            ((pool_grad_tile *)find_native(t, "nc_max_grad_tile"))(got, LDC, dy, x, y, &b, i, rows,
                                                                   cols);
            compare(t, most, rows, cols, "nc_max_grad_tile");
        }
        for (int t = 0; t < tables_count; t++) {
            ((pool_tile *)find_native(t, "nc_mean_grad_tile"))(got, LDC, dy, &b, i, rows, cols);
            compare(t, mean, rows, cols, "nc_mean_grad_tile");
        }
    }
}

static int setup(void **unused)
{
    find_tables(unused);
    fill(x, MOST, 0);
    fill(w, MOST, 0);
    fill(dy, MOST, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolves),
        cmocka_unit_test(convolves_channels),
        cmocka_unit_test(pools),
        cmocka_unit_test(pools_back),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
