/* Winograd's transforms of the vocabulary, on random geometry: a convolution, forwards and turned, and the
 * gradient for its kernel, in every native table this machine can run, against plain loops in double; and
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

enum { ROUNDS = 60, IMAGES = 3, LARGEST = 15, CHANNELS = 40 };
enum { PATCHES = IMAGES * 36 * (8 * 8 * 64 + 8 * 16), WEIGHTS = 9 * CHANNELS * 64 };

typedef void transform(float *, const float *, const struct nc_winograd *, long);
typedef void product(float *, const float *, const float *, const struct nc_winograd *, long, long);
typedef void product_tn(float *, const float *, const float *, const struct nc_winograd *, long,
                        int, long);
typedef void output(float *, const float *, const struct nc_winograd *, long, long, long);

static float x[IMAGES * LARGEST * LARGEST * CHANNELS], dy[IMAGES * LARGEST * LARGEST * CHANNELS];
static float w[WEIGHTS], got[WEIGHTS], u[36 * CHANNELS * 64];
static float v[PATCHES], z[PATCHES], c[LARGEST * LARGEST * 32], firsts[IMAGES][64][sizeof c / 4];
static double want[WEIGHTS], most[WEIGHTS];

/* The kernel in panels, or row-major */
static struct nc_winograd random_geometry(int packed)
{
    struct nc_winograd g = {{0}, {0}, {0}, {0}, 1, 2 + 2 * below(2), 0, 0, 0, {0}, below(2)};
    g.size[2] = 1 + below(CHANNELS);
    g.filters = 1 + below(CHANNELS);
    g.width = g.filters <= 16 ? 16 : 32;
    g.panels = (g.filters + g.width - 1) / g.width;
    for (int a = 0; a < 2; a++) {
        g.before[a] = below(3);
        g.size[a] = 3 + below(LARGEST - 4);
        g.extent[a] = g.size[a] - 2 + below(g.before[a] + 2);
        g.extent[a] = g.extent[a] < LARGEST ? g.extent[a] : LARGEST;
        g.tiles[a] = (g.extent[a] + g.tile - 1) / g.tile;
    }
    do
        g.lines = 1 + below(g.tiles[0]);
    while (g.tiles[0] % g.lines != 0);
    g.weight[0] = packed ? g.width : g.filters;
    g.weight[1] = packed ? 9 * g.size[2] * g.width : g.width;
    return g;
}

static long weight_at(const struct nc_winograd *g, long cell, long i, long o)
{
    return o / g->width * g->weight[1] + (cell * g->size[2] + i) * g->weight[0] + o % g->width;
}

/* The pixel that output (h, k) of an image sees at a cell, or -1 */
static long seen(const struct nc_winograd *g, long image, long h, long k, long cell)
{
    const long a = h + cell / 3 - g->before[0], b = k + cell % 3 - g->before[1];
    return a < 0 || b < 0 || a >= g->size[0] || b >= g->size[1]
               ? -1
               : (image * g->size[0] + a) * g->size[1] + b;
}

/* Output (h, k) of filter o, and the sum of its terms' absolute values */
static double convolved(const struct nc_winograd *g, long image, long h, long k, long o,
                        double *size)
{
    double sum = 0;
    *size = 0;
    for (long cell = 0; cell < 9; cell++) {
        const long p = seen(g, image, h, k, cell);
        for (long i = 0; p >= 0 && i < g->size[2]; i++) {
            const double term = (double)x[p * g->size[2] + i] *
                                (double)w[weight_at(g, g->flip ? 8 - cell : cell, i, o)];
            sum += term;
            *size += fabs(term);
        }
    }
    return sum;
}

/* Tiles of 2 x 2 are nearly as exact as a direct sum, those of 4 x 4 lose some two digits of 24 bits. */
static double tolerance(const struct nc_winograd *g, double size)
{
    return (g->tile == 2 ? 1e-6 : 6e-6) * size + 1e-5;
}

static void run(int table, const char *name, float *d, const float *a, const struct nc_winograd *g,
                long units)
{
    for (long unit = units - 1; unit >= 0; unit--)
        ((transform *)find_native(table, name))(d, a, g, unit);
}

static void compare_outputs(int table, const struct nc_winograd *g, long image, long j)
{
    const long cells = g->extent[0] * g->extent[1];
    float *before = firsts[image][j / 16];
    for (long r = 0; r < cells; r++) {
        for (long e = 0; e < g->width && j + e < g->filters; e++) {
            double size,
                sum = convolved(g, image, r / g->extent[1], r % g->extent[1], j + e, &size);
            if (fabs(c[r * g->width + e] - sum) > tolerance(g, size))
                fail_msg("%s: output %ld, filter %ld: %g, not %g", tables[table]->name, r, j + e,
                         (double)c[r * g->width + e], sum);
            if (same_bits_as_before(table))
                assert_memory_equal(&c[r * g->width + e], &before[r * g->width + e], sizeof(float));
        }
    }
    memcpy(before, c, sizeof(float) * (size_t)(cells * g->width));
}

static void convolve(int table, const struct nc_winograd *g)
{
    const long cells = (g->tile + 2) * (g->tile + 2), all = g->extent[0] * g->extent[1];
    run(table, "nc_winograd_input", v, x, g, IMAGES * g->tiles[0]);
    run(table, "nc_winograd_kernel", u, w, g, g->panels * g->size[2]);
    for (long unit = 0; unit < IMAGES * g->tiles[0] / g->lines * cells; unit++)
        ((product *)find_native(table, "nc_winograd_product"))(z, v, u, g, IMAGES, unit);
    for (long image = 0; image < IMAGES; image++) {
        for (long j = 0; j < g->filters; j += g->width) {
            const long cut = below(g->extent[0]) * g->extent[1]; /* in two pieces */
            output *tile = (output *)find_native(table, "nc_winograd_output");
            tile(c, z, g, image * all, cut, j);
            tile(c + cut * g->width, z, g, image * all + cut, all - cut, j);
            compare_outputs(table, g, image, j);
        }
    }
}

static void convolves(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        const struct nc_winograd g = random_geometry(round % 2);
        for (int t = 0; t < tables_count; t++)
            convolve(t, &g);
    }
}

static void sum_gradient(const struct nc_winograd *g)
{
    memset(want, 0, sizeof want);
    memset(most, 0, sizeof most);
    const long cells = g->extent[0] * g->extent[1];
    for (long r = 0; r < IMAGES * cells * 9; r++) {
        const long at = r / 9,
                   p = seen(g, at / cells, at % cells / g->extent[1], at % g->extent[1], r % 9);
        for (long t = 0; p >= 0 && t < g->size[2] * g->filters; t++) {
            const long i = t / g->filters, o = t % g->filters, to = weight_at(g, r % 9, i, o);
            const double term = (double)x[p * g->size[2] + i] * (double)dy[at * g->filters + o];
            want[to] += term;
            most[to] += fabs(term);
        }
    }
}

static void kernel_gradient(int table, const struct nc_winograd *g)
{
    const long cells = (g->tile + 2) * (g->tile + 2), whole = 1 + below(IMAGES);
    product_tn *multiply = (product_tn *)find_native(table, "nc_winograd_product_tn");
    run(table, "nc_winograd_input", v, x, g, IMAGES * g->tiles[0]);
    run(table, "nc_winograd_output_grad", z, dy, g, IMAGES * g->tiles[0]);
    for (long cell = 0; cell < cells; cell++) /* some images, then the rest */
        multiply(u, v, z, g, whole, 0, cell);
    const long groups = whole * (g->tiles[0] / g->lines), rows = g->lines * g->tiles[1];
    const long ldv = (g->size[2] + 15) / 16 * 16, ldz = g->panels * g->width;
    for (long cell = 0; cell < cells && whole < IMAGES; cell++)
        multiply(u, v + groups * cells * (rows * ldv + 16), z + groups * cells * (rows * ldz + 16),
                 g, IMAGES - whole, 1, cell);
    for (long i = 0; i < WEIGHTS; i++)
        got[i] = 12345;
    run(table, "nc_winograd_kernel_grad", got, u, g, g->panels * g->size[2]);
}

static void compare_gradient(int table, const struct nc_winograd *g)
{
    for (long t = 0; t < 9 * g->size[2] * g->filters; t++) {
        const long o = t % g->filters, i = t / g->filters % g->size[2],
                   cell = t / g->filters / g->size[2];
        const long at = weight_at(g, cell, i, o);
        if (fabs(got[at] - want[at]) > tolerance(g, most[at]))
            fail_msg("%s: dw[%ld][%ld][%ld] is %g, not %g", tables[table]->name, cell, i, o,
                     (double)got[at], want[at]);
        got[at] = 0;
    }
    for (long i = 0; i < WEIGHTS; i++) /* padding is zero, the rest untouched */
        assert_true(got[i] == 0 || got[i] == 12345);
}

static void finds_kernel_gradients(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct nc_winograd g = random_geometry(round % 2);
        g.flip = 0;
        for (int t = 0; t < tables_count; t++) {
            sum_gradient(&g);
            kernel_gradient(t, &g);
            compare_gradient(t, &g);
        }
    }
}

static int setup(void **unused)
{
    find_tables(unused);
    fill(x, sizeof x / sizeof *x, 0);
    fill(w, WEIGHTS, 0);
    fill(dy, sizeof dy / sizeof *dy, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolves),
        cmocka_unit_test(finds_kernel_gradients),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
