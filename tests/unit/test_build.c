/* build: what a spec becomes. Structure, names, parameters. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "built.h"
#include "passes.h"

static int count_ops(const Graph *graph, OpKind op)
{
    int count = 0;
    for (int i = 0; i < graph->count; i++)
        count += graph->nodes[i]->op == op;
    return count;
}

static void assert_shape(Shape shape, const char *text)
{
    assert_string_equal(shape_text(arena, shape), text);
}

/* Structure */

static void builds_four_graphs(void **state)
{
    (void)state;
    Model *model = build_text(built_mnist);
    assert_string_equal(model->name, "mnist");
    assert_int_equal(model->params_count, 12);
    assert_string_equal(model->params[0]->name, "dense/kernel");
    assert_string_equal(model->params[3]->name, "digit/bias");
    assert_string_equal(model->params[4]->name, "dense/kernel/m");
    assert_int_equal(model->params[4]->role, NC_ROLE_SLOT);
    assert_int_equal(model->train->updates_count, 12);
    assert_int_equal(model->eval->updates_count, 0);
    assert_int_equal(model->grad->updates_count, 0);
    assert_shape(model->outputs[0].shape, "[n, 3]");
    assert_shape(model->targets[0].shape, "[n]");
    assert_string_equal(model->targets[0].name, "digit");
    assert_string_equal(model->train->outputs[1].name, "accuracy");
    assert_string_equal(model->grad->outputs[1].name, "dense/kernel");
    assert_string_equal(model->grad->outputs[5].name, "input");
    assert_int_equal(model->grad->outputs_count, 6);
}

static void drops_out_in_training_only(void **state)
{
    (void)state;
    Model *model = build_text(built_mnist);
    assert_int_equal(count_ops(model->train, OP_uniform), 1);
    assert_int_equal(count_ops(model->grad, OP_uniform), 0);
    assert_int_equal(count_ops(model->predict, OP_uniform), 0);
}

static void reads_defaults(void **state)
{
    (void)state;
    Model *model = build_text(built_mnist);
    assert_int_equal(model->train_options.batch_size, 32);
    assert_int_equal(model->train_options.epochs, 1);
    assert_true(model->train_options.shuffle);
    assert_close(model->train_options.learning_rate, 0.001, 0, "learning rate");
    model = build_text("input: 4\nlayers: [{dense: 2}]\n");
    assert_false(model->train_options.present);
    assert_null(model->train);
    assert_string_equal(model->name, "model");
}

static void numbers_unnamed_layers(void **state)
{
    (void)state;
    Model *model = build_text("input: [4]\nlayers:\n"
                              "  - dense: {units: 3, name: first}\n"
                              "  - dense: 3\n  - relu\n  - dense: 3\n  - relu: {from: dense}\n"
                              "  - add: {from: [relu_1, dense_1]}\n");
    assert_non_null(model_find(model, "first/kernel"));
    assert_non_null(model_find(model, "dense/kernel"));
    assert_non_null(model_find(model, "dense_1/kernel"));
    assert_string_equal(model->outputs[0].name, "add");
}

static void shapes_convolutions_as_keras(void **state)
{
    static const struct {
        const char *arguments, *shape;
    } cases[] = {
        {"kernel_size: 3", "[n, 5, 8, 2]"},
        {"kernel_size: 3, padding: same", "[n, 7, 10, 2]"},
        {"kernel_size: [2, 3], strides: 2", "[n, 3, 4, 2]"},
        {"kernel_size: 3, strides: [2, 3], padding: same", "[n, 4, 4, 2]"},
        {"kernel_size: 3, dilation_rate: 2", "[n, 3, 6, 2]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Model *model = build_text(arena_printf(
            arena, "input: [7, 10, 3]\nlayers: [{conv2d: {filters: 2, %s}}]", cases[i].arguments));
        assert_shape(model->outputs[0].shape, cases[i].shape);
    }
}

static void initializes_as_keras(void **state)
{
    (void)state;
    Model *model =
        build_text("input: [8, 8, 3]\nlayers:\n"
                   "  - conv2d: {filters: 5, kernel_size: 3, bias_initializer: {constant: 2}}\n"
                   "  - flatten\n"
                   "  - dense: {units: 4, kernel_initializer: he_normal}\n");
    const Param *kernel = model_find(model, "conv2d/kernel");
    assert_int_equal(kernel->init.kind, NC_INIT_UNIFORM);
    assert_close(kernel->init.b, sqrt(6.0 / (9 * 3 + 9 * 5)), 1e-12, "glorot");
    assert_close(model_find(model, "conv2d/bias")->init.a, 2, 0, "constant");
    kernel = model_find(model, "dense/kernel");
    assert_int_equal(kernel->init.kind, NC_INIT_TRUNCATED_NORMAL);
    assert_close(kernel->init.b, sqrt(2.0 / 180) / 0.87962566103423978, 1e-12, "he");
}

static void freezes_layers(void **state)
{
    (void)state;
    Model *model = build_text("input: [4]\nlayers:\n"
                              "  - dense: {units: 3, trainable: false, name: trunk}\n"
                              "  - batch_normalization: {trainable: false}\n"
                              "  - dense: 2\n"
                              "train: {loss: mse, optimizer: sgd}\n");
    assert_int_equal(model->train->updates_count, 2);
    assert_null(model_find(model, "trunk/kernel/m"));
    assert_int_equal(model->grad->outputs_count, 1 + 2 + 1);
}

static bool trains(const Model *model, const char *name)
{
    return model_find(model, name)->trainable;
}

static void freezes_by_patterns(void **state)
{
    (void)state;
    Model *model = build_text(
        "input: [4]\nlayers:\n"
        "  - dense: {units: 3, name: stem}\n"
        "  - batch_normalization: {name: stem_bn}\n"
        "  - dense: {units: 3, name: body}\n"
        "  - batch_normalization: {name: body_bn}\n"
        "  - dense: {units: 2, name: head}\n"
        "train: {loss: mse, optimizer: sgd, freeze: ['stem*', body/bias, 'body_bn/*']}\n");
    assert_false(trains(model, "stem/kernel"));
    assert_false(trains(model, "stem_bn/gamma"));
    assert_true(trains(model, "body/kernel"));
    assert_false(trains(model, "body/bias"));
    assert_false(trains(model, "body_bn/beta"));
    assert_true(model_find(model, "body_bn/moving_mean")->frozen);
    assert_true(trains(model, "head/kernel") && trains(model, "head/bias"));
    assert_int_equal(model->train->updates_count, 3); /* no moving statistics */
}

static void multiplies_learning_rates(void **state)
{
    (void)state;
    Model *model =
        build_text("input: [4]\nlayers:\n"
                   "  - dense: {units: 3, name: body}\n"
                   "  - dense: {units: 2, name: head}\n"
                   "train: {loss: mse, optimizer: sgd,\n"
                   "  learning_rate_multipliers: {'*': 0.5, 'body*': 0.1, '*/bias': 3}}\n");
    assert_true(model_find(model, "body/kernel")->rate == 0.1);
    assert_true(model_find(model, "body/bias")->rate == 3);
    assert_true(model_find(model, "head/kernel")->rate == 0.5);
}

static void keeps_slots_that_are_used(void **state)
{
    static const struct {
        const char *optimizer;
        int slots;
    } cases[] = {{"sgd", 0},
                 {"{sgd: {momentum: 0.9}}", 1},
                 {"adam", 2},
                 {"{adam: {amsgrad: true}}", 3},
                 {"adamw", 2},
                 {"rmsprop", 1},
                 {"{rmsprop: {centered: true, momentum: 0.1}}", 3},
                 {"adagrad", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Model *model =
            build_text(arena_printf(arena,
                                    "input: [4]\nlayers: [{dense: {units: 2, use_bias: false}}]\n"
                                    "train: {loss: mse, optimizer: %s}",
                                    cases[i].optimizer));
        assert_int_equal(model->params_count, 1 + cases[i].slots);
    }
}

static void resolves_accuracy(void **state)
{
    (void)state;
    Model *model = build_text("input: [4]\noutputs: [a, b]\nlayers:\n"
                              "  - dense: {units: 1, activation: sigmoid, name: a}\n"
                              "  - dense: {units: 3, activation: softmax, name: b, from: input}\n"
                              "train:\n"
                              "  loss: {a: binary_crossentropy, b: categorical_crossentropy}\n"
                              "  metrics: {a: [accuracy, mse], b: accuracy}\n");
    assert_int_equal(model->metrics_count, 3);
    assert_string_equal(model->metrics[0], "a_accuracy");
    assert_string_equal(model->metrics[1], "a_mse");
    assert_string_equal(model->metrics[2], "b_accuracy");
    assert_int_equal(count_ops(model->eval, OP_argmax), 2);
}

static void reads_data(void **state)
{
    (void)state;
    Model *model =
        build_text("input: [28, 28, 1]\nlayers: [flatten, {dense: 10}]\n"
                   "train: {loss: {sparse_categorical_crossentropy: {from_logits: true}}}\n"
                   "data:\n"
                   "  train: {builtin: digits}\n"
                   "  test: {builtin: {digits: {samples: 50}}}\n"
                   "  validation: {npz: {file: /dev/null, x: a, y: {dense: b}}}\n");
    assert_int_equal(model->train_data.kind, SOURCE_DIGITS);
    assert_int_equal(model->train_data.count, 6000);
    assert_int_equal(model->test_data.count, 50);
    assert_int_equal(model->test_data.seed, 2);
    assert_int_equal(model->validation_data.kind, SOURCE_NPZ);
    assert_string_equal(model->validation_data.x[0].port, "input");
    assert_string_equal(model->validation_data.y[0].member, "b");
}

/* Blocks */

/* The graph without layers' names and places */
static char *bare_graph(const Graph *graph)
{
    Str text = str_new(arena), bare = str_new(arena);
    graph_print(&text, graph);
    for (const char *line = text.text; *line; line += strcspn(line, "\n") + 1) {
        size_t length = strcspn(line, "\n"), node = length;
        for (size_t i = 0; i < length && node == length; i++)
            node = line[i] == '#' ? i : length;
        str_printf(&bare, "%.*s\n", (int)node, line);
    }
    return bare.text;
}

/* A spec with blocks and the same written out give the same graphs and parameters. */
static void assert_same_model(const char *stacked, const char *flat)
{
    const Model *a = build_text(stacked), *b = build_text(flat);
    assert_string_equal(bare_graph(a->predict), bare_graph(b->predict));
    assert_int_equal(a->params_count, b->params_count);
    for (int i = 0; i < a->params_count; i++) {
        assert_string_equal(a->params[i]->name, b->params[i]->name);
        assert_int_equal(a->params[i]->trainable, b->params[i]->trainable);
    }
}

static void repeats_layers(void **state)
{
    (void)state;
    assert_same_model("input: [4]\nlayers:\n"
                      "  - dense: {units: 3, repeat: 3, first: {units: 5}}\n"
                      "  - dense: {units: 2, name: conv09, repeat: 2}\n"
                      "  - dense: {units: 2, name: block1a, repeat: 2}\n"
                      "  - dense: {units: 2, name: stage, repeat: 2, from: conv09}\n"
                      "  - dense: {units: 2, repeat: 0}\n"
                      "  - add: {from: [dense_3, block1b]}\n",
                      "input: [4]\nlayers:\n"
                      "  - dense: {units: 5}\n  - dense: 3\n  - dense: 3\n"
                      "  - dense: {units: 2, name: conv09}\n  - dense: {units: 2, name: conv10}\n"
                      "  - dense: {units: 2, name: block1a}\n"
                      "  - dense: {units: 2, name: block1b}\n"
                      "  - dense: {units: 2, name: stage, from: conv09}\n"
                      "  - dense: {units: 2, name: stage_1}\n"
                      "  - add: {from: [stage_1, block1b]}\n");
}

static void writes_blocks_out(void **state)
{
    (void)state;
    assert_same_model("input: [4]\n"
                      "blocks:\n"
                      "  unit:\n"
                      "    parameters: {width, twice: 2 * $width, kind: relu, narrow: false}\n"
                      "    layers:\n"
                      "      - dense: {name: 1_in, units: $width, activation: $kind}\n"
                      "      - dense: {units: $twice, name: mid, when: $narrow == false}\n"
                      "      - dense: {units: 7, name: mid, when: $narrow}\n"
                      "      - dense: {units: \"max($width + $index, 3)\"}\n"
                      "      - concatenate: {from: [input, mid, dense]}\n"
                      "layers:\n"
                      "  - unit: {width: 2, kind: {leaky_relu: {negative_slope: 0.5}}}\n"
                      "  - unit: {width: 3, name: b1, repeat: 2, first: {narrow: true}}\n"
                      "  - unit: {width: 1, trainable: false, from: b1_1_in}\n"
                      "  - concatenate: {from: [b2, unit_1]}\n",
                      "input: [4]\n"
                      "layers:\n"
                      "  - dense: {name: unit_1_in, units: 2,"
                      " activation: {leaky_relu: {negative_slope: 0.5}}}\n"
                      "  - dense: {name: unit_mid, units: 4}\n"
                      "  - dense: {name: unit_dense, units: 3}\n"
                      "  - concatenate: {name: unit, from: [input, unit_mid, unit_dense]}\n"
                      "  - dense: {name: b1_1_in, units: 3, activation: relu}\n"
                      "  - dense: {name: b1_mid, units: 7}\n"
                      "  - dense: {name: b1_dense, units: 3}\n"
                      "  - concatenate: {name: b1, from: [unit, b1_mid, b1_dense]}\n"
                      "  - dense: {name: b2_1_in, units: 3, activation: relu}\n"
                      "  - dense: {name: b2_mid, units: 6}\n"
                      "  - dense: {name: b2_dense, units: 4}\n"
                      "  - concatenate: {name: b2, from: [b1, b2_mid, b2_dense]}\n"
                      "  - dense: {name: unit_1_1_in, from: b1_1_in, units: 1,"
                      " activation: relu, trainable: false}\n"
                      "  - dense: {name: unit_1_mid, units: 2, trainable: false}\n"
                      "  - dense: {name: unit_1_dense, units: 3, trainable: false}\n"
                      "  - concatenate: {name: c, from: [b1_1_in, unit_1_mid, unit_1_dense]}\n"
                      "  - concatenate: {from: [b2, c]}\n");
}

static void leaves_names_whole(void **state)
{
    (void)state;
    assert_same_model("input: [4]\n"
                      "blocks:\n"
                      "  bare:\n"
                      "    parameters: {start: 1, number: $start + $index}\n"
                      "    prefix: false\n"
                      "    inputs: [x, y]\n"
                      "    layers:\n"
                      "      - dense: {units: 4, name: left_$number, from: x}\n"
                      "      - add: {from: [left_$number, y], name: sum_$number}\n"
                      "  pair:\n"
                      "    layers:\n"
                      "      - bare: {from: [input, input]}\n"
                      "      - dense: {units: 4, name: top}\n"
                      "      - bare: {from: [top, sum_1], start: 2}\n"
                      "layers:\n"
                      "  - pair: {name: a}\n"
                      "  - bare: {from: [a, a_sum_1], start: 7}\n"
                      "  - dense: {units: 2, from: sum_7}\n",
                      "input: [4]\n"
                      "layers:\n"
                      "  - dense: {units: 4, name: a_left_1}\n"
                      "  - add: {from: [a_left_1, input], name: a_sum_1}\n"
                      "  - dense: {units: 4, name: a_top}\n"
                      "  - dense: {units: 4, name: a_left_2}\n"
                      "  - add: {from: [a_left_2, a_sum_1], name: a_sum_2}\n"
                      "  - dense: {units: 4, name: left_7}\n"
                      "  - add: {from: [left_7, a_sum_1], name: sum_7}\n"
                      "  - dense: {units: 2, from: sum_7}\n");
}

static void puts_arguments_into_texts(void **state)
{
    (void)state;
    assert_same_model("input: [4]\n"
                      "blocks:\n"
                      "  scaled:\n"
                      "    parameters: {scale: 1/4, kind: tanh}\n"
                      "    layers:\n"
                      "      - dense: {units: 4, name: in_$kind$index}\n"
                      "      - expression: \"$kind(x) / $scale + 1e-1\"\n"
                      "layers:\n"
                      "  - scaled: {name: a, repeat: 2, first: {scale: 2}}\n",
                      "input: [4]\n"
                      "layers:\n"
                      "  - dense: {units: 4, name: a_in_tanh0}\n"
                      "  - expression: tanh(x) / 2 + 0.1\n"
                      "  - dense: {units: 4, name: a_1_in_tanh1}\n"
                      "  - expression: {value: tanh(x) / 0.25 + 0.1, name: a_1_expression}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(builds_four_graphs, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(drops_out_in_training_only, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(reads_defaults, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(numbers_unnamed_layers, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(shapes_convolutions_as_keras, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(initializes_as_keras, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(freezes_layers, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(freezes_by_patterns, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(multiplies_learning_rates, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(keeps_slots_that_are_used, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(resolves_accuracy, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(reads_data, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(repeats_layers, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(writes_blocks_out, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(leaves_names_whole, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(puts_arguments_into_texts, built_setup, built_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
