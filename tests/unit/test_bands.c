/* Bands of lines: predictions give the same bits as kernel by kernel, in both backends, however the work is cut
 * over threads and the batch into slices; and which kernels make a run. */
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
#include "passes.h"
#include "pool.h"
#include "work.h"

enum {
    WITHOUT = 1, /* byte of cache, in which no band fits */
    FEW = 3,     /* images, which are cut into stretches for threads */
    MANY = 5,    /* images, which are not */
};

typedef struct {
    const char *name, *text;
    int64_t cache; /* for bands */
    int runs, stages;
} Network;

#define LAYER(text) "  - " text "\n"
#define POINTWISE(filters) LAYER("conv2d: {filters: " filters ", kernel_size: 1, use_bias: false}")
#define NORMALIZE LAYER("batch_normalization")
#define RELU6 LAYER("relu: {max_value: 6}")
#define EXPAND(filters) POINTWISE(filters) NORMALIZE RELU6
#define PROJECT(filters) POINTWISE(filters) NORMALIZE
#define DEPTHWISE(options)                                                                         \
    LAYER("depthwise_conv2d: {kernel_size: 3, use_bias: false" options "}") NORMALIZE RELU6
#define SAME ", padding: same"
#define INPUT(shape) "input: " shape "\nlayers:\n"

static const Network networks[] = {
    {"stride 2", INPUT("[64, 32, 8]") EXPAND("64") DEPTHWISE(", strides: 2" SAME) PROJECT("12"),
     180 << 10, 1, 3},
    {"residual",
     INPUT("[48, 24, 3]") LAYER("conv2d: {filters: 8, kernel_size: 3, name: start" SAME "}") EXPAND(
         "48") DEPTHWISE(SAME) PROJECT("8") LAYER("add: {from: [batch_normalization_2, start]}"),
     180 << 10, 1, 4},
    {"stem",
     "numerics: strict\n" INPUT("[96, 48, 3]")
         LAYER("conv2d: {filters: 20, kernel_size: 3, activation: relu" SAME "}")
             LAYER("max_pooling2d: {pool_size: 3, strides: 2" SAME "}")
                 LAYER("conv2d: {filters: 40, kernel_size: 1, bias_initializer: random_normal}"),
     110 << 10, 1, 3},
    {"valid and dilated",
     INPUT("[52, 20, 5]") EXPAND("64") DEPTHWISE(", dilation_rate: 2") PROJECT("9"), 180 << 10, 1,
     3},
    {"two depthwise",
     INPUT("[64, 16, 6]") EXPAND("64") DEPTHWISE(SAME) DEPTHWISE(", strides: 2" SAME) PROJECT("10"),
     240 << 10, 1, 4},
    {"parts of a line", INPUT("[12, 192, 4]") EXPAND("32") DEPTHWISE(SAME) PROJECT("6"), 200 << 10,
     1, 3},
    {"many lines of a tile", INPUT("[96, 8, 4]") EXPAND("64") DEPTHWISE(SAME) PROJECT("6"),
     170 << 10, 1, 3},
    {"odd sizes", INPUT("[75, 15, 4]") EXPAND("61") DEPTHWISE(SAME) PROJECT("7"), 200 << 10, 1, 3},
    {"average pooling",
     INPUT("[48, 32, 4]") EXPAND("30")
         LAYER("average_pooling2d: {pool_size: 3, strides: 1" SAME "}") PROJECT("6"),
     110 << 10, 1, 3},
    {"pooling first",
     INPUT("[48, 32, 32]") LAYER("max_pooling2d: {pool_size: 3, strides: 1" SAME "}") PROJECT("6"),
     60 << 10, 1, 2},
    {"by a window and by cells",
     INPUT("[64, 16, 4]") EXPAND("64")
         LAYER("depthwise_conv2d: {kernel_size: 3, name: gate, activation: sigmoid" SAME "}")
             LAYER("multiply: {from: [relu, gate]}") PROJECT("6"),
     150 << 10, 1, 3},
    {"an output read by cells",
     INPUT("[48, 24, 3]") EXPAND("48") DEPTHWISE(SAME) PROJECT("8")
         PROJECT("10") "outputs: [batch_normalization_2, batch_normalization_3]\n",
     150 << 10, 1, 3},
    {"an output read by a window",
     INPUT("[48, 24, 3]") EXPAND("48") PROJECT("48") DEPTHWISE(SAME)
         EXPAND("13") "outputs: [relu_2, batch_normalization_1]\n",
     80 << 10, 2, 4},
    {"two ends",
     "numerics: strict\n" INPUT("[128, 16, 4]") EXPAND("64")
         LAYER("conv2d: {filters: 5, kernel_size: 1, from: relu, name: one}")
             LAYER("conv2d: {filters: 5, kernel_size: 3, from: relu, name: two" SAME
                   "}") "outputs: [one, two]\n",
     200 << 10, 1, 3},
    {"read by others, too",
     INPUT("[128, 16, 3]") EXPAND("64") DEPTHWISE(SAME) PROJECT("8")
         LAYER("permute: {dims: [2, 1, 3], from: relu_1, name: "
               "turned}") "outputs: [batch_normalization_2, turned]\n",
     180 << 10, 1, 2},
    {"reshaped, by a window",
     INPUT("[32, 32, 4]") EXPAND("64") LAYER("reshape: [64, 16, 64]") DEPTHWISE(SAME) PROJECT("8"),
     110 << 10, 1, 2},
    {"reshaped, by cells",
     "inputs: {wide: [32, 32, 4], high: [64, 16, 4]}\n"
     "layers:\n" LAYER("conv2d: {filters: 64, kernel_size: 1, from: wide}")
         LAYER("reshape: [64, 16, 64]") LAYER("conv2d: {filters: 64, kernel_size: 1, from: high}")
             LAYER("add: {from: [conv2d_1, reshape]}") PROJECT("8"),
     100 << 10, 1, 2},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

/* ---- predictions ------------------------------------------------------------------------------- */

static Loaded load(const char *text, int64_t batch, int64_t band_cache, int64_t cache,
                   BackendKind kind)
{
    return load_text(
        text,
        (CompileOptions){
            .batch = batch, .cache = cache, .band_cache = band_cache, .uses = NC_PREDICTS},
        kind);
}

typedef struct {
    char *bytes;
    size_t count;
} Result;

/* All outputs, one after the other */
static Result results_for(const struct nc_session *s, long n)
{
    Result r = {NULL, 0};
    const struct nc_entry *predict = &s->model->predict;
    for (int i = 0; i < predict->outputs_count; i++)
        r.count += (size_t)(predict->outputs[i].elements * n) * sizeof(float);
    r.bytes = malloc(r.count);
    assert_non_null(r.bytes);
    char *next = r.bytes;
    for (int i = 0; i < predict->outputs_count; i++) {
        s->outputs[i] = next;
        next += (size_t)(predict->outputs[i].elements * n) * sizeof(float);
    }
    return r;
}

/* Memory begins as NaNs, so that none is read before it is written. */
static Result predict(const Loaded *l, long n, const struct nc_env *env)
{
    struct nc_session s;
    struct nc_error err;
    const struct nc_hyper hyper = {0};
    if (nc_session_open(&s, l->model, NC_PREDICTS, &err) != 0)
        fail_msg("%s", err.message);
    s.env = env;
    assert_int_equal(nc_init_parameters(l->model, s.weights, s.state, 7, NULL, &err), 0);
    nc_bench_fill(&s);
    nc_session_prepare(&s);
    Result r = results_for(&s, n);
    memset(r.bytes, 0xff, r.count);
    memset(s.arena, 0xff, l->model->predict.arena_bytes);
    const struct nc_call call = nc_session_call(&s, &l->model->predict, &hyper, n);
    l->model->predict.run(&call);
    nc_session_close(&s);
    return r;
}

static void expect_same(const Loaded *l, const Result *wanted, long n, const struct nc_env *env,
                        const char *how)
{
    Result found = predict(l, n, env);
    assert_int_equal(found.count, wanted->count);
    if (memcmp(found.bytes, wanted->bytes, wanted->count) != 0)
        fail_msg("%s: other bits than without bands", how);
    free(found.bytes);
}

/* Each unit alone, the last one first */
static void backwards(void *context, nc_task *task, const void *job, long units)
{
    (void)context;
    for (long unit = units - 1; unit >= 0; unit--)
        task(job, unit, unit + 1);
}

static void expect_same_on_threads(const Loaded *l, const Result *wanted, long n, const char *how)
{
    static const int threads[] = {2, 7};
    static const struct nc_env alone = {NULL, backwards};
    expect_same(l, wanted, n, NULL, how);
    expect_same(l, wanted, n, &alone, how);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        struct nc_pool *pool = nc_pool_new(threads[i]);
        expect_same(l, wanted, n, nc_pool_env(pool), how);
        nc_pool_free(pool);
    }
}

/* ---- runs -------------------------------------------------------------------------------------- */

typedef struct {
    int kernels, stages, sliced;
} Runs;

static void add_runs(Runs *runs, Kernel *const *kernels, int count, bool sliced)
{
    for (int i = 0; i < count; i++) {
        bool bands = kernels[i]->template && !strcmp(kernels[i]->template, "bands");
        runs->kernels += bands;
        runs->stages += bands ? kernels[i]->stages_count : 0;
        runs->sliced += bands && sliced;
        add_runs(runs, kernels[i]->body, kernels[i]->body_count, kernels[i]->slice > 0);
    }
}

static Runs runs_of(const Entry *entry)
{
    Runs runs = {0};
    add_runs(&runs, entry->kernels, entry->kernels_count, false);
    return runs;
}

static void expect_runs(const Network *network, const Loaded *l, const Loaded *whole)
{
    const Runs runs = runs_of(l->program->predict);
    if (runs.kernels != network->runs || runs.stages != network->stages)
        fail_msg("%s: %d kernels of %d stages", network->name, runs.kernels, runs.stages);
    assert_int_equal(runs_of(whole->program->predict).kernels, 0);
    assert_true(entry_products(l->program->predict).row ==
                entry_products(whole->program->predict).row);
}

static bool is_finite(const Result *r)
{
    for (size_t i = 0; i < r->count; i += sizeof(float)) {
        float value;
        memcpy(&value, r->bytes + i, sizeof value);
        if (!isfinite(value))
            return false;
    }
    return true;
}

/* The whole batch, and one image of it */
static void keeps_bits_of(const Network *network, int64_t batch, BackendKind kind)
{
    const long counts[] = {1, (long)batch};
    Loaded whole = load(network->text, batch, WITHOUT, 0, BACKEND_TCC);
    Loaded l = load(network->text, batch, network->cache, 0, kind);
    expect_runs(network, &l, &whole);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        Result wanted = predict(&whole, counts[i], NULL);
        assert_true(is_finite(&wanted));
        expect_same_on_threads(&l, &wanted, counts[i], network->name);
        free(wanted.bytes);
    }
    unload(&l);
    unload(&whole);
}

static void few_images_keep_bits(void **state)
{
    (void)state;
    for (int i = 0; i < NETWORKS; i++)
        keeps_bits_of(&networks[i], FEW, BACKEND_TCC);
}

static void many_images_keep_bits(void **state)
{
    (void)state;
    for (int i = 0; i < NETWORKS; i++)
        keeps_bits_of(&networks[i], MANY, BACKEND_TCC);
}

static void compiled_bands_keep_bits(void **state)
{
    (void)state;
    for (int i = 0; i < NETWORKS; i++)
        keeps_bits_of(&networks[i], i % 2 ? FEW : MANY, BACKEND_CC);
}

/* A run in a loop over slices of the batch, the last of which is smaller */
static void slices_keep_bits(void **state)
{
    static const int64_t caches[] = {1, 300000};
    (void)state;
    int sliced = 0;
    for (int i = 0; i < 2 * NETWORKS; i++) {
        const Network *network = &networks[i / 2];
        Loaded whole = load(network->text, MANY, WITHOUT, INT64_MAX, BACKEND_TCC);
        Loaded l = load(network->text, MANY, network->cache, caches[i % 2], BACKEND_TCC);
        Result wanted = predict(&whole, MANY, NULL);
        sliced += runs_of(l.program->predict).sliced;
        expect_same_on_threads(&l, &wanted, MANY, network->name);
        free(wanted.bytes);
        unload(&l);
        unload(&whole);
    }
    assert_true(sliced > 4);
}

/* ---- training ---------------------------------------------------------------------------------- */

enum { STEPS = 2 };

#define TRUNK(trainable)                                                                           \
    INPUT("[64, 32, 8]")                                                                           \
    LAYER("conv2d: {filters: 64, kernel_size: 1, activation: relu" trainable "}")                  \
    LAYER("depthwise_conv2d: {kernel_size: 3, strides: 2" SAME trainable "}")                      \
    LAYER("conv2d: {filters: 12, kernel_size: 1" trainable "}")                                    \
    LAYER("global_average_pooling2d")                                                              \
    LAYER("dense: {units: 3, activation: softmax}")                                                \
    "train: {loss: sparse_categorical_crossentropy, optimizer: sgd, batch_size: 4}\n"

static Loaded load_trained(const char *text, int64_t band_cache)
{
    return load_text(text,
                     (CompileOptions){.band_cache = band_cache, .uses = NC_TRAINS | NC_EVALUATES},
                     BACKEND_TCC);
}

static void call(struct nc_session *s, const struct nc_entry *entry, float *loss)
{
    const struct nc_hyper hyper = {.learning_rate = 0.01f, .iteration = 1};
    s->outputs[0] = loss;
    const struct nc_call call = nc_session_call(s, entry, &hyper, s->model->batch);
    entry->run(&call);
}

/* Losses of some steps, and of an evaluation behind each */
static void train(const Loaded *l, float *losses)
{
    struct nc_session s;
    struct nc_error err;
    if (nc_session_open(&s, l->model, NC_TRAINS | NC_EVALUATES, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(nc_init_parameters(l->model, s.weights, s.state, 7, NULL, &err), 0);
    nc_bench_fill(&s);
    for (int step = 0; step < STEPS; step++) {
        call(&s, &l->model->train, &losses[2 * step]);
        call(&s, &l->model->eval, &losses[2 * step + 1]);
    }
    nc_session_close(&s);
}

static void expect_same_training(const Loaded *l, const Loaded *whole)
{
    float wanted[2 * STEPS], found[2 * STEPS];
    train(whole, wanted);
    train(l, found);
    assert_true(wanted[0] > 0 && wanted[2] > 0 && wanted[2] != wanted[0]);
    assert_memory_equal(found, wanted, sizeof wanted);
}

/* What the backward pass reads is in memory anyway. */
static void training_goes_as_without(void **state)
{
    (void)state;
    Loaded l = load_trained(TRUNK(""), 180 << 10), whole = load_trained(TRUNK(""), WITHOUT);
    Str with = str_new(l.arena), without = str_new(l.arena);
    entry_print(&with, l.program->train);
    entry_print(&without, whole.program->train);
    assert_string_equal(with.text, without.text);
    assert_int_equal(runs_of(l.program->eval).stages, 3);
    expect_same_training(&l, &whole);
    unload(&l);
    unload(&whole);
}

static void frozen_layers_have_bands(void **state)
{
    static const char frozen[] = TRUNK(", trainable: false");
    (void)state;
    Loaded l = load_trained(frozen, 180 << 10), whole = load_trained(frozen, WITHOUT);
    assert_int_equal(runs_of(l.program->train).stages, 3);
    assert_int_equal(runs_of(whole.program->train).stages, 0);
    expect_same_training(&l, &whole);
    unload(&l);
    unload(&whole);
}

/* ---- random chains ------------------------------------------------------------------------------- */

enum { CHAINS = 150, LAYERS = 6, IMAGES = 2 };

/* A spec as it grows: layer i is called l<i>; its result's height, width and channels */
typedef struct {
    Str text;
    unsigned seed;
    int count;
    int64_t size[LAYERS + 1][3];
} Growth;

static int below(Growth *g, int limit)
{
    g->seed = g->seed * 1664525u + 1013904223u;
    return (int)((g->seed >> 8) % (unsigned)limit);
}

static void begin_chain(Growth *g)
{
    static const int heights[] = {32, 48, 64, 75, 96, 128}, widths[] = {8, 15, 16, 16, 24, 32, 192};
    int64_t *size = g->size[0];
    size[0] = heights[below(g, 6)];
    size[1] = widths[below(g, 7)];
    size[2] = 1 + below(g, 20);
    str_printf(&g->text, "numerics: %s\ninput: [%d, %d, %d]\nlayers:\n",
               below(g, 2) ? "strict" : "fast", (int)size[0], (int)size[1], (int)size[2]);
}

static void add_name(Growth *g, const char *layer)
{
    str_printf(&g->text, "  - %s: {name: l%d, ", layer, ++g->count);
}

/* `layer`, whose window is called `window`; what is small stays as it is. */
static void add_window(Growth *g, const char *layer, const char *window, int kernel, int dilation)
{
    const int64_t *from = g->size[g->count], most = (kernel - 1) * dilation;
    int64_t *to = g->size[g->count + 1];
    const bool small = from[0] < 16 || from[1] < 9, same = small || below(g, 3);
    const int stride = small || below(g, 3) ? 1 : 2, pad = below(g, kernel);
    add_name(g, layer);
    str_printf(&g->text, "%s: %d, strides: %d, ", window, kernel, stride);
    str_printf(&g->text, same ? "padding: same" : "pad: %d", pad);
    if (dilation > 1)
        str_printf(&g->text, ", dilation_rate: %d", dilation);
    for (int i = 0; i < 2; i++)
        to[i] = (same ? from[i] - 1 : from[i] + 2 * pad - most - 1) / stride + 1;
    to[2] = from[2];
}

static void add_convolution(Growth *g, int kernel)
{
    static const int filters[] = {5, 16, 32, 50, 64, 64};
    const int channels = filters[below(g, 6)];
    add_window(g, "conv2d", "kernel_size", kernel, 1 + !below(g, 4));
    str_printf(&g->text, ", filters: %d, activation: relu}\n", channels);
    g->size[g->count][2] = channels;
}

/* With an earlier result of the same size */
static bool add_merge(Growth *g)
{
    for (int i = g->count - 1; i > 0; i--) {
        if (memcmp(g->size[i], g->size[g->count], sizeof g->size[i]) != 0)
            continue;
        memcpy(g->size[g->count + 1], g->size[i], sizeof g->size[i]);
        add_name(g, below(g, 2) ? "add" : "multiply");
        str_printf(&g->text, "from: [l%d, l%d]}\n", g->count - 1, i);
        return true;
    }
    return false;
}

static void add_layer(Growth *g)
{
    const int kind = below(g, 8);
    if (kind < 2 && add_merge(g))
        return;
    if (kind < 4) {
        add_convolution(g, 1);
    } else if (kind < 5) {
        add_convolution(g, 3);
    } else if (kind < 7) {
        add_window(g, "depthwise_conv2d", "kernel_size", 3 + 2 * !below(g, 3), 1 + !below(g, 4));
        str_printf(&g->text, ", activation: %s}\n", below(g, 2) ? "relu" : "linear");
    } else {
        add_window(g, below(g, 2) ? "max_pooling2d" : "average_pooling2d", "pool_size",
                   2 + below(g, 2), 1);
        str_add(&g->text, "}\n");
    }
}

/* Sometimes a result on the way is an output, too. */
static const char *random_chain(Arena *arena, unsigned seed)
{
    Growth g = {.text = str_new(arena), .seed = seed};
    begin_chain(&g);
    add_convolution(&g, 1);
    while (g.count < LAYERS)
        add_layer(&g);
    if (!below(&g, 3))
        str_printf(&g.text, "outputs: [l%d, l%d]\n", LAYERS, 1 + below(&g, LAYERS - 1));
    return g.text.text;
}

/* How many stages of runs a chain has, at most, in bands of several sizes; it keeps its bits. */
static int stages_of_chain(const char *text)
{
    static const int64_t caches[] = {30 << 10, 60 << 10, 100 << 10, 160 << 10, 250 << 10};
    static const struct nc_env alone = {NULL, backwards};
    Loaded whole = load(text, IMAGES, WITHOUT, 0, BACKEND_TCC);
    Result wanted = predict(&whole, IMAGES, NULL);
    int most = 0;
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        Loaded l = load(text, IMAGES, caches[i], 0, BACKEND_TCC);
        const int stages = runs_of(l.program->predict).stages;
        most = stages > most ? stages : most;
        if (stages > 0) {
            expect_same(&l, &wanted, IMAGES, NULL, text);
            expect_same(&l, &wanted, IMAGES, &alone, text);
        }
        unload(&l);
    }
    free(wanted.bytes);
    unload(&whole);
    return most;
}

/* There, each call computes the scales of its normalizations itself. */
static void products_have_bands(void **state)
{
    const Network *network = &networks[0];
    (void)state;
    CompileOptions options = {.batch = FEW, .product = true, .uses = NC_PREDICTS};
    options.band_cache = WITHOUT;
    Loaded whole = load_text(network->text, options, BACKEND_TCC);
    options.band_cache = network->cache;
    Loaded l = load_text(network->text, options, BACKEND_TCC);
    expect_runs(network, &l, &whole);
    Result wanted = predict(&whole, FEW, NULL);
    expect_same_on_threads(&l, &wanted, FEW, network->name);
    free(wanted.bytes);
    unload(&l);
    unload(&whole);
}

static void random_chains_keep_bits(void **state)
{
    (void)state;
    int some = 0, several = 0;
    for (unsigned i = 0; i < CHAINS; i++) {
        Arena *arena = arena_new();
        const int stages = stages_of_chain(random_chain(arena, i * 7919));
        some += stages > 0;
        several += stages > 2;
        arena_free(arena);
    }
    assert_true(some > CHAINS / 4 && several > CHAINS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_images_keep_bits),     cmocka_unit_test(many_images_keep_bits),
        cmocka_unit_test(compiled_bands_keep_bits), cmocka_unit_test(slices_keep_bits),
        cmocka_unit_test(training_goes_as_without), cmocka_unit_test(frozen_layers_have_bands),
        cmocka_unit_test(products_have_bands),      cmocka_unit_test(random_chains_keep_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
