/* Where a network is cut behind its frozen layers, and that nothing of them is left in the head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compile.h"
#include "ops/op.h"
#include "train.h"

static Arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static Model *split(const char *spec)
{
    Diag *diag = diag_new(arena);
    const CompileOptions options = {.spec_path = "spec", .spec_text = spec, .split = true};
    Model *model = read_model(arena, diag, &options);
    if (!model)
        fail_msg("%s", diag->text.text);
    return model;
}

/* "stem/kernel stem/bias": the parameters that a graph reads, in their order */
static const char *parameters(const Graph *graph)
{
    Str text = str_new(arena);
    for (int i = 0; i < graph->count; i++) {
        if (graph->nodes[i]->op == OP_param)
            str_printf(&text, "%s%s", text.length ? " " : "", node_param(graph->nodes[i])->name);
    }
    return text.text;
}

static const char *features(const Model *model)
{
    Str text = str_new(arena);
    for (int i = 0; i < model->features_count; i++)
        str_printf(&text, "%s%s %s", i ? ", " : "", model->features[i].name,
                   shape_text(arena, model->features[i].shape));
    return text.text;
}

static void cuts_behind_frozen_layers(void **state)
{
    (void)state;
    Model *model = split("input: [6]\nlayers:\n"
                         "  - dense: {units: 5, activation: relu, name: stem}\n"
                         "  - batch_normalization: {name: bn}\n"
                         "  - dense: {units: 4, name: body}\n"
                         "  - dropout: 0.5\n"
                         "  - dense: {units: 2, name: head}\n"
                         "train: {loss: mse, freeze: [stem, bn, body]}\n");
    assert_string_equal(features(model), "body [n, 4]");
    assert_string_equal(parameters(model->train), "head/kernel head/bias");
    assert_string_equal(parameters(model->eval), "head/kernel head/bias");
    assert_non_null(strstr(parameters(model->predict), "bn/moving_variance"));
    assert_int_equal(model->trunk_layers, 3);
    assert_null(model->grad);
}

/* Nothing of the trunk is computed by what trains and evaluates. */
static void keeps_the_trunk_out_of_kernels(void **state)
{
    (void)state;
    const CompileOptions options = {.uses = NC_TRAINS | NC_EVALUATES};
    Model *model = split("input: [6, 6, 1]\nlayers:\n"
                         "  - conv2d: {filters: 3, kernel_size: 3, name: stem}\n"
                         "  - batch_normalization: {name: bn}\n"
                         "  - relu\n"
                         "  - flatten\n"
                         "  - dense: {units: 2, name: head}\n"
                         "train: {loss: mse, freeze: [stem, bn]}\n");
    const Program *program = compile_model(model, &options);
    const Entry *entries[] = {program->train, program->eval};
    for (int e = 0; e < 2; e++) {
        for (int i = 0; i < entries[e]->kernels_count; i++) {
            const Kernel *kernel = entries[e]->kernels[i];
            for (int k = 0; k < kernel->nodes_count; k++)
                assert_true(!kernel->nodes[k]->name || (strcmp(kernel->nodes[k]->name, "stem") &&
                                                        strcmp(kernel->nodes[k]->name, "bn")));
        }
    }
    assert_null(strstr(parameters(program->predict->graph), "head"));
    assert_int_equal(shape_row(program->predict->graph->outputs[0].node->shape), 4 * 4 * 3);
}

static void takes_all_that_the_head_reads(void **state)
{
    (void)state;
    Model *model = split("inputs: {a: [4], b: [3]}\nlayers:\n"
                         "  - dense: {units: 4, name: one, from: a}\n"
                         "  - dense: {units: 4, name: two}\n"
                         "  - dense: {units: 4, name: three}\n"
                         "  - add: {from: [one, three]}\n"
                         "  - concatenate: {from: [add, b]}\n"
                         "  - dense: {units: 2, name: head}\n"
                         "train: {loss: mse, freeze: [one, two]}\n");
    assert_string_equal(features(model), "two [n, 4], one [n, 4], b [n, 3]");
    assert_string_equal(parameters(model->train), "three/kernel three/bias head/kernel head/bias");
}

/* A layer behind one that trains is no part of the trunk, frozen or not. */
static void ends_at_what_trains(void **state)
{
    (void)state;
    Model *model = split("input: [6]\nlayers:\n"
                         "  - dense: {units: 5, name: stem}\n"
                         "  - dense: {units: 4, name: body}\n"
                         "  - dense: {units: 2, name: head}\n"
                         "train: {loss: mse, freeze: [stem, head]}\n");
    assert_string_equal(features(model), "stem [n, 5]");
    assert_non_null(strstr(parameters(model->train), "head/kernel"));
}

static void stays_whole(const char *layers, const char *train)
{
    Model *model =
        split(arena_printf(arena, "input: [6]\nlayers:\n%strain: {loss: mse%s}\n", layers, train));
    assert_int_equal(model->features_count, 0);
    assert_non_null(model->grad);
    assert_string_equal(model->predict->outputs[0].name, "head");
}

static void stays_whole_without_a_trunk(void **state)
{
    static const char plain[] = "  - rescaling: 2\n"
                                "  - dense: {units: 3, name: stem}\n"
                                "  - dense: {units: 2, name: head}\n";
    (void)state;
    stays_whole(plain, "");
    stays_whole(plain, ", freeze: [head]");
    stays_whole(plain, ", freeze: [stem], feature_cache: off");
    stays_whole(plain, ", freeze: '*'");
    stays_whole("  - dropout: 0.1\n"
                "  - dense: {units: 3, trainable: false}\n"
                "  - dense: {units: 2, name: head}\n",
                "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cuts_behind_frozen_layers),     TEST(keeps_the_trunk_out_of_kernels),
        TEST(takes_all_that_the_head_reads), TEST(ends_at_what_trains),
        TEST(stays_whole_without_a_trunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
