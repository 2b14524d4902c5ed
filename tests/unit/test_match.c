/* Which tensor of a file is which parameter, and how its axes turn: files are made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compile.h"
#include "import/match.h"
#include "train.h"

typedef struct {
    Arena *arena;
    Diag *diag;
    Model *model;
    struct nc_model *nc;
    struct nc_weight_file file;
    struct nc_weight weights[16];
    Matching matching;
} Fixture;

static Fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture = (Fixture){.arena = arena_new()};
    fixture.diag = diag_new(fixture.arena);
    fixture.file.path = "file.pt";
    fixture.file.weights = fixture.weights;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(fixture.arena);
    return 0;
}

static void build_spec(const char *spec)
{
    const CompileOptions options = {.spec_path = "spec", .spec_text = spec, .uses = NC_PREDICTS};
    fixture.model = read_model(fixture.arena, fixture.diag, &options);
    if (!fixture.model)
        fail_msg("%s", fixture.diag->text.text);
    fixture.nc = describe(fixture.arena, compile_model(fixture.model, &options), sizeof(float));
}

/* A tensor that holds 0, 1, 2, ... */
static void add(const char *name, const char *layer, int rank, const int64_t *shape)
{
    struct nc_weight *w = &fixture.weights[fixture.file.count++];
    *w = (struct nc_weight){.name = arena_strdup(fixture.arena, name),
                            .layer = layer ? arena_strdup(fixture.arena, layer) : NULL,
                            .dtype = NC_F32,
                            .rank = rank,
                            .elements = 1};
    for (int i = 0; i < rank; i++)
        w->elements *= w->shape[i] = shape[i];
    float *values = ARENA_ARRAY(fixture.arena, float, w->elements);
    for (int64_t i = 0; i < w->elements; i++)
        values[i] = (float)i;
    w->data = (const unsigned char *)values;
}

#define ADD(name, layer, ...)                                                                      \
    add(name, layer, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                    \
        (int64_t[]){__VA_ARGS__})

static bool match(enum nc_convention convention)
{
    fixture.file.convention = convention;
    return match_weights(fixture.model, fixture.nc, &fixture.file, &fixture.matching);
}

static int parameter(const char *name)
{
    for (int i = 0; i < fixture.nc->parameters_count; i++) {
        if (!strcmp(fixture.nc->parameters[i].name, name))
            return i;
    }
    fail_msg("no parameter %s", name);
    return -1;
}

static const char *source(const char *name)
{
    int tensor = fixture.matching.matches[parameter(name)].tensor;
    return tensor < 0 ? NULL : fixture.weights[tensor].name;
}

static const float *values_of(const char *name)
{
    struct nc_error err;
    int at = parameter(name);
    float *values = ARENA_ARRAY(fixture.arena, float, fixture.nc->parameters[at].elements);
    assert_int_equal(match_read(&fixture.matching, at, values, &err), 0);
    return values;
}

static void turns_torch_layouts(void **state)
{
    (void)state;
    build_spec(
        "input: [4, 6, 3]\nlayers:\n"
        "  - conv2d: {filters: 5, kernel_size: [2, 3], padding: same, name: features_0}\n"
        "  - batch_normalization: {name: features_1}\n"
        "  - depthwise_conv2d: {kernel_size: 2, padding: same, depth_multiplier: 2, name: dw}\n"
        "  - flatten\n"
        "  - relu\n"
        "  - dense: {units: 7, name: fc}\n");
    ADD("features.0.weight", NULL, 5, 3, 2, 3);
    ADD("features.0.bias", NULL, 5);
    ADD("features.1.weight", NULL, 5);
    ADD("features.1.bias", NULL, 5);
    ADD("features.1.running_mean", NULL, 5);
    ADD("features.1.running_var", NULL, 5);
    ADD("features.1.num_batches_tracked", NULL, 1);
    ADD("dw.weight", NULL, 10, 1, 2, 2);
    ADD("fc.weight", NULL, 7, 240);
    assert_true(match(NC_BY_TORCH));
    assert_string_equal(source("features_1/gamma"), "features.1.weight");
    assert_string_equal(source("features_1/moving_variance"), "features.1.running_var");
    assert_null(source("dw/bias"));
    assert_string_equal(fixture.matching.because[6], "left over");
    const float *kernel = values_of("features_0/kernel"); /* [2, 3, 3, 5] of [5, 3, 2, 3] */
    assert_true(kernel[((1 * 3 + 2) * 3 + 1) * 5 + 4] == ((4 * 3 + 1) * 2 + 1) * 3 + 2);
    const float *depthwise = values_of("dw/kernel"); /* [2, 2, 5, 2] of [10, 1, 2, 2] */
    assert_true(depthwise[((1 * 2 + 0) * 5 + 3) * 2 + 1] == (3 * 2 + 1) * 4 + 2);
    const float *dense = values_of("fc/kernel"); /* row (y * 6 + x) * 10 + c of [c, y, x] */
    assert_true(dense[((2 * 6 + 5) * 10 + 9) * 7 + 3] == 3 * 240 + (9 * 4 + 2) * 6 + 5);
}

static void counts_keras_layers(void **state)
{
    (void)state;
    build_spec("input: [4]\nlayers:\n"
               "  - dense: {units: 3, name: a}\n"
               "  - batch_normalization: {name: b}\n"
               "  - dense: {units: 2, use_bias: false, name: c}\n");
    ADD("layers/dense/vars/0", NULL, 4, 3);
    ADD("layers/dense/vars/1", NULL, 3);
    ADD("layers/dense_1/vars/0", NULL, 3, 2);
    ADD("layers/batch_normalization/vars/0", NULL, 3);
    ADD("layers/batch_normalization/vars/1", NULL, 3);
    ADD("layers/batch_normalization/vars/2", NULL, 3);
    ADD("layers/batch_normalization/vars/3", NULL, 3);
    ADD("optimizer/vars/0", NULL, 1);
    assert_true(match(NC_BY_POSITION));
    assert_string_equal(source("a/bias"), "layers/dense/vars/1");
    assert_string_equal(source("c/kernel"), "layers/dense_1/vars/0");
    assert_string_equal(source("b/moving_mean"), "layers/batch_normalization/vars/2");
    assert_true(fixture.matching.parameter[7] == -1);
}

static void takes_keras_weights_in_order(void **state)
{
    (void)state;
    build_spec("input: [4]\nlayers:\n"
               "  - dense: {units: 3, name: block_1_a}\n"
               "  - dense: {units: 2, name: out}\n");
    ADD("block_1/a/W", "block_1/a", 4, 3);
    ADD("block_1/a/b", "block_1/a", 3);
    ADD("out/kernel", "out", 3, 2);
    assert_true(match(NC_BY_LAYER));
    assert_string_equal(source("block_1_a/bias"), "block_1/a/b");
    assert_string_equal(source("out/kernel"), "out/kernel");
    assert_null(source("out/bias"));
}

static void follows_the_map(void **state)
{
    (void)state;
    build_spec("input: [4]\nlayers:\n"
               "  - dense: {units: 3, name: stage1_block0}\n"
               "  - dense: {units: 3, name: stage1_block1}\n"
               "  - dense: {units: 2, name: head}\n"
               "pretrained:\n"
               "  weights: file.pt\n"
               "  map: {layer*.*: stage*_block*, fc.weight: head/kernel}\n"
               "  skip: [head/bias]\n");
    ADD("layer1.0.weight", NULL, 3, 4);
    ADD("layer1.0.bias", NULL, 3);
    ADD("layer1.1.weight", NULL, 3, 3);
    ADD("fc.weight", NULL, 2, 3);
    ADD("head.bias", NULL, 2);
    assert_true(match(NC_BY_TORCH));
    assert_string_equal(source("stage1_block0/kernel"), "layer1.0.weight");
    assert_string_equal(source("stage1_block0/bias"), "layer1.0.bias");
    assert_string_equal(source("stage1_block1/kernel"), "layer1.1.weight");
    assert_string_equal(source("head/kernel"), "fc.weight");
    assert_null(source("head/bias"));
    assert_string_equal(fixture.matching.because[4], "skipped");
}

static void refuses(const char *spec, enum nc_convention convention, const char *message)
{
    build_spec(spec);
    ADD("a.weight", "a", 5, 4);
    ADD("a.bias", "a", 3);
    assert_false(match(convention));
    if (!strstr(fixture.diag->text.text, message))
        fail_msg("%s", fixture.diag->text.text);
}

static void names_both_shapes(void **state)
{
    (void)state;
    refuses("input: [4]\nlayers:\n  - dense: {units: 3, name: a}\npretrained: {weights: x}\n",
            NC_BY_TORCH, "'a/kernel' is [4, 3], but 'a.weight' of file.pt is [5, 4]");
}

static void refuses_what_nothing_matches(void **state)
{
    (void)state;
    refuses("input: [4]\nlayers:\n  - dense: {units: 3, name: b}\npretrained: {weights: x}\n",
            NC_BY_TORCH, "none of its 2 tensors is a parameter");
}

static void refuses_a_map_to_nowhere(void **state)
{
    (void)state;
    refuses("input: [4]\nlayers:\n  - dense: {units: 3, name: aa}\n"
            "pretrained: {weights: x, map: {a: ab}}\n",
            NC_BY_TORCH, "did you mean 'aa'?");
}

static void mirrors_theanos_windows(void **state)
{
    char *notes[] = {(char *)"backend", (char *)"theano"};
    (void)state;
    build_spec("input: [4, 4, 1]\nlayers:\n"
               "  - conv2d: {filters: 1, kernel_size: 2, name: a, use_bias: false}\n");
    ADD("a/W", "a", 2, 2, 1, 1);
    fixture.file.metadata = notes;
    fixture.file.metadata_count = 1;
    assert_true(match(NC_BY_LAYER));
    const float *kernel = values_of("a/kernel");
    assert_true(kernel[0] == 3 && kernel[1] == 2 && kernel[2] == 1 && kernel[3] == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(turns_torch_layouts),
                                       TEST(counts_keras_layers),
                                       TEST(takes_keras_weights_in_order),
                                       TEST(follows_the_map),
                                       TEST(names_both_shapes),
                                       TEST(refuses_what_nothing_matches),
                                       TEST(refuses_a_map_to_nowhere),
                                       TEST(mirrors_theanos_windows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
