/* Threads and slices: training steps give the same bits however the work is cut over threads, the same
 * results however the batch is cut into slices, and only kernels that are worth it are cut at all. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "init.h"
#include "loaded.h"
#include "pool.h"

enum { STEPS = 3, MOST_TASKS = 200 };

/* Convolutions of several strides, grouped, depthwise; normalization, both poolings, a sum of two
 * paths, dropout: in sizes whose kernels, small ones apart, are worth threads. */
static const char network[] =
    "name: threads\n"
    "input: [23, 21, 6]\n"
    "layers:\n"
    "  - conv2d: {filters: 18, kernel_size: 3, padding: same, activation: relu}\n"
    "  - batch_normalization: {name: first}\n"
    "  - max_pooling2d: {pool_size: 3, strides: 2, padding: same}\n"
    "  - conv2d: {filters: 24, kernel_size: 3, strides: 2, use_bias: false}\n"
    "  - batch_normalization\n"
    "  - activation: {activation: relu, name: half}\n"
    "  - conv2d: {filters: 24, kernel_size: 3, padding: same, groups: 2, name: grouped}\n"
    "  - depthwise_conv2d: {kernel_size: 3, padding: same}\n"
    "  - add: {from: [depthwise_conv2d, half]}\n"
    "  - average_pooling2d: 2\n"
    "  - flatten\n"
    "  - dropout: 0.3\n"
    "  - dense: {units: 70, activation: tanh}\n"
    "  - dense: {units: 9, activation: softmax}\n"
    "train:\n"
    "  loss: sparse_categorical_crossentropy\n"
    "  optimizer: adam\n"
    "  metrics: [accuracy]\n"
    "  batch_size: 37\n";

static CompileOptions options(int64_t batch, int64_t cache)
{
    /* Adam would make steps of the noise that is a bias' gradient in front of a normalization. */
    static const char *const plain[] = {"train.optimizer=sgd"};
    return (CompileOptions){
        .sets = plain, .sets_count = cache != 0, .batch = batch, .cache = cache, .uses = NC_TRAINS};
}

static Loaded load(const char *text, int64_t cache)
{
    return load_text(text, options(0, cache), BACKEND_TCC);
}

/* ---- bits -------------------------------------------------------------------------------------- */

/* Weights, optimizer state and the last loss after STEPS steps, the last one of a part of a batch */
typedef struct {
    char *bytes;
    size_t count;
} Result;

static Result train(const Loaded *l, const struct nc_env *env)
{
    struct nc_session s;
    struct nc_error err;
    const struct nc_model *m = l->model;
    if (nc_session_open(&s, l->model, NC_TRAINS, &err) != 0)
        fail_msg("%s", err.message);
    s.env = env;
    assert_int_equal(nc_init_parameters(m, s.weights, s.state, 7, NULL, &err), 0);
    nc_bench_fill(&s);
    for (int i = 0; i <= m->metrics_count; i++)
        s.outputs[i] = (float *)s.values + i;
    for (int step = 0; step < STEPS; step++) {
        const struct nc_hyper hyper = {
            .learning_rate = 0.01f, .iteration = (float)step + 1, .seed = 7};
        const struct nc_call call =
            nc_session_call(&s, &m->train, &hyper, step + 1 < STEPS ? m->batch : m->batch - 5);
        m->train.run(&call);
    }
    Result r = {.count = m->weights_bytes + m->state_bytes + sizeof(float)};
    r.bytes = malloc(r.count);
    assert_non_null(r.bytes);
    memcpy(r.bytes, s.weights, m->weights_bytes);
    memcpy(r.bytes + m->weights_bytes, s.state, m->state_bytes);
    memcpy(r.bytes + m->weights_bytes + m->state_bytes, s.values, sizeof(float));
    nc_session_close(&s);
    return r;
}

static void expect_same(const Loaded *l, const Result *wanted, const struct nc_env *env,
                        const char *how)
{
    Result found = train(l, env);
    if (memcmp(found.bytes, wanted->bytes, wanted->count) != 0)
        fail_msg("%s: other bits than serially", how);
    free(found.bytes);
}

/* The kernels that came by, each once */
typedef struct {
    nc_task *tasks[MOST_TASKS];
    int count;
} Seen;

/* Each unit alone, the last one first. */
static void backwards(void *context, nc_task *task, const void *job, long units)
{
    Seen *seen = context;
    int i = 0;
    while (i < seen->count && seen->tasks[i] != task)
        i++;
    if (i == seen->count && i < MOST_TASKS)
        seen->tasks[seen->count++] = task;
    for (long unit = units - 1; unit >= 0; unit--)
        task(job, unit, unit + 1);
}

static void results_do_not_depend_on_threads(void **state)
{
    static const int threads[] = {2, 3, 7};
    (void)state;
    Loaded l = load(network, 0);
    Seen seen = {.count = 0};
    const struct nc_env alone = {&seen, backwards};
    Result serial = train(&l, NULL);
    float loss;
    memcpy(&loss, serial.bytes + serial.count - sizeof loss, sizeof loss);
    assert_true(loss > 0 && loss < 1e6f);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        struct nc_pool *pool = nc_pool_new(threads[i]);
        expect_same(&l, &serial, nc_pool_env(pool), "threads");
        nc_pool_free(pool);
    }
    expect_same(&l, &serial, &alone, "unit by unit");
    assert_true(seen.count > 10);
    free(serial.bytes);
    unload(&l);
}

/* ---- slices ------------------------------------------------------------------------------------ */

static int loops(const Entry *entry, int64_t *rows)
{
    int count = 0;
    for (int i = 0; i < entry->kernels_count; i++) {
        count += entry->kernels[i]->slice > 0;
        if (entry->kernels[i]->slice > *rows)
            *rows = entry->kernels[i]->slice;
    }
    return count;
}

/* Slices of one row, of some, and of a number that leaves a rest; the whole batch at once is the measure.
 * Only where sums of kernel gradients are cut may bits differ. */
static void results_do_not_depend_on_slices(void **state)
{
    static const int64_t cache[] = {1, 100000, 350000};
    int64_t rows = 0;
    (void)state;
    Loaded whole = load(network, INT64_MAX);
    Result wanted = train(&whole, NULL);
    const float *want = (const float *)(const void *)wanted.bytes;
    assert_int_equal(loops(whole.program->train, &rows), 0);
    for (size_t i = 0; i < sizeof cache / sizeof *cache; i++) {
        Loaded l = load(network, cache[i]);
        Result found = train(&l, NULL);
        const float *got = (const float *)(const void *)found.bytes;
        rows = 0;
        assert_true(loops(l.program->train, &rows) > 2);
        assert_true(i == 0 ? rows == 1 : rows > 1);
        assert_int_equal(found.count, wanted.count);
        for (size_t k = 0; k < found.count / sizeof *got; k++) {
            if (!(fabsf(got[k] - want[k]) <= 2e-4f * (1 + fabsf(want[k]))))
                fail_msg("slices of %lld: value %zu is %g, not %g", (long long)rows, k,
                         (double)got[k], (double)want[k]);
        }
        free(found.bytes);
        unload(&l);
    }
    free(wanted.bytes);
    unload(&whole);
}

/* ---- which kernels are cut ----------------------------------------------------------------------- */

static int occurrences(const char *text, const char *word)
{
    int count = 0;
    for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
        count++;
    return count;
}

/* How many of the training step's kernels are cut over threads, with batches of that size. */
static int cut_kernels(const char *text, int64_t batch, int *all)
{
    Loaded l = compile_text(text, options(batch, INT64_MAX));
    const char *unit = emit_unit(l.arena, l.program, EMIT_JIT_CC);
    int cut = occurrences(unit, "nc_run(env, ");
    *all = l.program->train->kernels_count;
    unload(&l);
    return cut;
}

/* dense: 32 in, 64 out: its products have 4096 operations a row each, all else has fewer. */
static void small_kernels_stay_on_one_thread(void **state)
{
    static const char dense[] = "input: [32]\n"
                                "layers: [{dense: 64}]\n"
                                "train: {loss: mse, optimizer: sgd}\n";
    int all;
    (void)state;
    assert_int_equal(cut_kernels(dense, 1, &all), 0);
    assert_int_equal(cut_kernels(dense, 30, &all), 0);
    assert_int_equal(cut_kernels(dense, 40, &all), 2);
    assert_true(all > 4);
    int few = cut_kernels(network, 1, &all), some = cut_kernels(network, 37, &all);
    assert_true(few < some && some > 10 && some < all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_do_not_depend_on_threads),
        cmocka_unit_test(results_do_not_depend_on_slices),
        cmocka_unit_test(small_kernels_stay_on_one_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
