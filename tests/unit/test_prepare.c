/* What predictions need of the weights alone is computed once: into which entry kernels go, that all tiers and
 * threads give the bits that they give when every call computes it, and that changed weights are seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "init.h"
#include "loaded.h"
#include "native.h"
#include "pool.h"
#include "train.h"

enum { ROWS = 7, IN = 12 * 12 * 3, OUT = 5 };

/* Convolutions that Winograd's transforms take, normalizations that fold */
static const char network[] =
    "numerics: fast\n"
    "input: [12, 12, 3]\n"
    "layers:\n"
    "  - conv2d: {filters: 16, kernel_size: 3, padding: same, use_bias: false}\n"
    "  - batch_normalization\n"
    "  - activation: relu\n"
    "  - conv2d: {filters: 24, kernel_size: 3, padding: same, activation: relu, name: stem}\n"
    "  - conv2d: {filters: 24, kernel_size: 3, padding: same, use_bias: false}\n"
    "  - batch_normalization\n"
    "  - add: {from: [batch_normalization_1, stem]}\n"
    "  - global_average_pooling2d\n"
    "  - dense: {units: 5, activation: softmax}\n";

static const char plain[] = "input: [8]\n"
                            "layers: [{dense: 4}]\n"
                            "train: {loss: mse}\n";

static Loaded compiled(const char *text, int64_t batch, bool product)
{
    return compile_text(text, (CompileOptions){.batch = batch, .product = product});
}

static Loaded loaded(int64_t batch, bool product, BackendKind kind)
{
    return load_text(network, (CompileOptions){.batch = batch, .product = product}, kind);
}

/* How many kernels of an entry compute that op first */
static int count_kernels(const Entry *entry, OpKind op)
{
    int count = 0;
    for (int i = 0; i < entry->kernels_count; i++) {
        const Kernel *kernel = entry->kernels[i];
        for (int k = 0; k < kernel->body_count; k++)
            count += kernel->body[k]->nodes_count && kernel->body[k]->nodes[0]->op == op;
        count += kernel->nodes_count && kernel->nodes[0]->op == op;
    }
    return count;
}

/* ---- what goes where -------------------------------------------------------------------------- */

static void kernels_of_weights_alone_are_prepared(void **state)
{
    (void)state;
    Loaded l = compiled(network, 3, false);
    const Program *p = l.program;
    assert_non_null(p->prepare);
    assert_int_equal(count_kernels(p->prepare, OP_winograd_kernel), 2);
    assert_int_equal(count_kernels(p->predict, OP_winograd_kernel), 0);
    assert_int_equal(count_kernels(p->predict, OP_winograd_product), 2);
    for (int i = 0; i < p->predict->kernels_count; i++)
        assert_true(p->predict->kernels[i]->body_count || p->predict->kernels[i]->in_count);
    /* 36 or 16 cells for each of 9, in whole panels */
    assert_true(p->prepared_elements >= (16 * 24 + 24 * 24) * 16);
    assert_int_equal(l.model->prepared_bytes, p->prepared_elements * 4);
    assert_int_equal(l.model->prepare.outputs_count, 0);
    unload(&l);
}

static void others_are_not(void **state)
{
    (void)state;
    Loaded product = compiled(network, 3, true), small = compiled(plain, 3, false);
    assert_null(product.program->prepare);
    assert_int_equal(count_kernels(product.program->predict, OP_winograd_kernel), 2);
    assert_int_equal(product.model->prepared_bytes, 0);
    assert_null(small.program->prepare);
    assert_null(strstr(emit_unit(small.arena, small.program, EMIT_JIT_CC), "nc_entry_prepare"));
    unload(&product);
    unload(&small);
}

/* auto: quick ways in netcc's own runs, not in products; strict: never. */
static void numerics_decide_on_products(void **state)
{
    static const struct {
        const char *numerics;
        bool product;
        int expected;
    } cases[] = {{"auto", false, 2}, {"auto", true, 0},    {"fast", false, 2},
                 {"fast", true, 2},  {"strict", false, 0}, {"strict", true, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new();
        const char *text =
            arena_printf(arena, "numerics: %s\n%s", cases[i].numerics, strchr(network, '\n') + 1);
        Loaded l = compiled(text, 1, cases[i].product);
        assert_int_equal(count_kernels(l.program->predict, OP_winograd_product), cases[i].expected);
        unload(&l);
        arena_free(arena);
    }
}

/* ---- bits -------------------------------------------------------------------------------------- */

static void fill(float *values, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
}

static void open_session(struct nc_session *s, struct nc_model *model, uint32_t seed)
{
    struct nc_error err;
    if (nc_session_open(s, model, NC_PREDICTS, &err) != 0)
        fail_msg("%s", err.message);
    memset(s->arena, 0x7f, model->predict.arena_bytes);
    memset(s->prepared, 0x7f, model->prepared_bytes);
    assert_int_equal(nc_init_parameters(model, s->weights, NULL, seed, NULL, &err), 0);
}

static void predict(struct nc_session *s, float *y)
{
    static float x[ROWS * IN];
    void *outputs[] = {y};
    struct nc_error err;
    struct nc_array array = {.dtype = NC_F32,
                             .rank = 4,
                             .shape = {ROWS, 12, 12, 3},
                             .row_elements = IN,
                             .data = (const unsigned char *)x};
    const struct nc_samples samples = {&array, NULL, ROWS};
    fill(x, ROWS * IN, 3);
    memset(y, 0x7f, ROWS * OUT * sizeof *y);
    if (nc_predict(s, &samples, outputs, &err) != 0)
        fail_msg("%s", err.message);
}

/* The reference: batches of 1 on one thread, every call computing everything. */
static void computed_in_each_call(uint32_t seed, float *y)
{
    struct nc_session s;
    Loaded l = loaded(1, true, BACKEND_TCC);
    open_session(&s, l.model, seed);
    predict(&s, y);
    nc_session_close(&s);
    unload(&l);
}

static void expect_bits(int64_t batch, BackendKind kind, int threads, const float *wanted)
{
    float y[ROWS * OUT];
    struct nc_session s;
    Loaded l = loaded(batch, false, kind);
    struct nc_pool *pool = threads > 1 ? nc_pool_new(threads) : NULL;
    open_session(&s, l.model, 5);
    s.env = nc_pool_env(pool);
    predict(&s, y);
    if (memcmp(y, wanted, sizeof y) != 0)
        fail_msg("batch %d, %s, %d threads: other bits", (int)batch, backend_name(l.backend),
                 threads);
    nc_session_close(&s);
    nc_pool_free(pool);
    unload(&l);
}

static void all_ways_give_the_same_bits(void **state)
{
    const char *isa = nc_native_select()->name;
    bool has_fma = strcmp(isa, "sse2") != 0 && strcmp(isa, "generic") != 0;
    float wanted[ROWS * OUT];
    (void)state;
    computed_in_each_call(5, wanted);
    for (int i = 0; i < ROWS * OUT; i++)
        assert_true(wanted[i] > 0 && wanted[i] < 1);
    for (int64_t batch = 1; batch <= 5; batch += 4) {
        for (int threads = 1; threads <= 2; threads++) {
            expect_bits(batch, BACKEND_TCC, threads, wanted);
            if (has_fma)
                expect_bits(batch, BACKEND_CC, threads, wanted);
        }
    }
}

static void changed_weights_are_seen(void **state)
{
    float wanted[ROWS * OUT], y[ROWS * OUT];
    struct nc_session s;
    struct nc_error err;
    (void)state;
    Loaded l = loaded(4, false, BACKEND_TCC);
    open_session(&s, l.model, 5);
    predict(&s, y);
    for (uint32_t seed = 6; seed < 9; seed++) {
        assert_int_equal(nc_init_parameters(l.model, s.weights, NULL, seed, NULL, &err), 0);
        computed_in_each_call(seed, wanted);
        assert_memory_not_equal(y, wanted, sizeof y);
        predict(&s, y);
        assert_memory_equal(y, wanted, sizeof y);
    }
    nc_session_close(&s);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_of_weights_alone_are_prepared),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(numerics_decide_on_products),
        cmocka_unit_test(all_ways_give_the_same_bits),
        cmocka_unit_test(changed_weights_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
