/* build: what a spec becomes. Structure, names, parameters; and numbers: losses and optimizer steps
 * against formulas, gradients against finite differences, by a plain evaluator. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluate.h"
#include "model.h"
#include "passes.h"

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

/* Building */

static Graph *lowered(Graph *graph)
{
    if (!graph)
        return NULL;
    graph_verify(graph, "build");
    Graph *expanded = expand(graph);
    graph_verify(expanded, "expand");
    Graph *simple = simplify(expanded);
    graph_verify(simple, "simplify");
    return simple;
}

static Model *build_text(const char *text)
{
    Diag *diag = diag_new(arena);
    Source *source = ARENA_NEW(arena, Source);
    *source = (Source){.name = "a.yaml", .text = text, .length = strlen(text)};
    Model *model = ARENA_NEW(arena, Model);
    *model = (Model){.arena = arena, .diag = diag, .spec_path = "a.yaml"};
    model->spec = yaml_parse(arena, diag, source);
    if (!model->spec || !build(model))
        fail_msg("%s", diag->text.text);
    assert_int_equal(diag->errors, 0);
    if (model->train) {
        differentiate(model, model->train);
        differentiate(model, model->grad);
    }
    model->predict = lowered(model->predict);
    model->train = lowered(model->train);
    model->eval = lowered(model->eval);
    model->grad = lowered(model->grad);
    return model;
}

static const Param *param_named(const Model *model, const char *name)
{
    for (int i = 0; i < model->params_count; i++) {
        if (!strcmp(model->params[i]->name, name))
            return model->params[i];
    }
    return NULL;
}

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

/* Numbers */

enum { ROWS = 3 };

static double noise(int i)
{
    return sin(12.9898 * i + 4.1414) * 0.7;
}

static double *noise_array(int64_t count, int seed)
{
    double *out = ARENA_ARRAY(arena, double, count);
    for (int64_t i = 0; i < count; i++)
        out[i] = noise((int)i * 3 + seed);
    return out;
}

/* Noise everywhere, class numbers in targets whose last axis the outputs have more than. */
static Evaluation evaluation_of(const Model *model)
{
    Evaluation e = {.arena = arena, .n = ROWS, .learning_rate = 0.1, .iteration = 3};
    const double **inputs = ARENA_ARRAY(arena, const double *, model->inputs_count);
    const double **targets = ARENA_ARRAY(arena, const double *, model->targets_count + 1);
    for (int i = 0; i < model->inputs_count; i++)
        inputs[i] = noise_array(elements(&e, model->inputs[i].shape), i * 1000);
    for (int i = 0; i < model->targets_count; i++) {
        int64_t count = elements(&e, model->targets[i].shape);
        double *target = noise_array(count, i * 1000 + 500);
        bool labels = model->targets[i].shape.rank < model->outputs[i].shape.rank;
        for (int64_t k = 0; k < count; k++)
            target[k] = labels ? (double)(k % 2) : fabs(target[k]);
        targets[i] = target;
    }
    e.inputs = inputs;
    e.targets = targets;
    e.params = ARENA_ARRAY(arena, double *, model->params_count + 1);
    for (int i = 0; i < model->params_count; i++) {
        const Param *param = model->params[i];
        int64_t count = elements(&e, param->shape);
        e.params[i] = noise_array(count, i * 77 + 31);
        for (int64_t k = 0; k < count && param->role != NC_ROLE_WEIGHT; k++)
            e.params[i][k] = fabs(e.params[i][k]) + 0.1;
    }
    return e;
}

static const double *output_value(const Evaluation *e, const Graph *graph, const char *name)
{
    double **value = evaluate(e, graph);
    for (int i = 0; i < graph->outputs_count; i++) {
        if (!strcmp(graph->outputs[i].name, name))
            return value[graph->outputs[i].node->id];
    }
    fail_msg("no output %s", name);
    return NULL;
}

static const double *updated_value(const Evaluation *e, const Graph *graph, const char *name)
{
    double **value = evaluate(e, graph);
    for (int i = 0; i < graph->updates_count; i++) {
        if (!strcmp(node_param(graph->updates[i])->name, name))
            return value[graph->updates[i]->id];
    }
    fail_msg("no update of %s", name);
    return NULL;
}

static void assert_close(double x, double y, double tolerance, const char *what)
{
    if (!(fabs(x - y) <= tolerance * (1 + fabs(y))))
        fail_msg("%s: %.12g, expected %.12g", what, x, y);
}

/* Central differences of the grad graph's loss over one array. */
static void check_array(const Evaluation *e, const Graph *graph, double *array, int64_t count,
                        const char *name)
{
    const double step = 1e-5;
    const double *gradient = output_value(e, graph, name);
    for (int64_t i = 0; i < count; i++) {
        double x = array[i];
        array[i] = x + step;
        double above = *output_value(e, graph, "loss");
        array[i] = x - step;
        double below = *output_value(e, graph, "loss");
        array[i] = x;
        assert_close(gradient[i], (above - below) / (2 * step), 1e-5, name);
    }
}

static void check_gradients(const char *text)
{
    Model *model = build_text(text);
    Evaluation e = evaluation_of(model);
    for (int i = 0; i < model->params_count; i++) {
        const Param *param = model->params[i];
        if (param->role == NC_ROLE_WEIGHT && param->trainable)
            check_array(&e, model->grad, e.params[i], elements(&e, param->shape), param->name);
    }
    for (int i = 0; i < model->inputs_count; i++) {
        double *input = (double *)(uintptr_t)e.inputs[i];
        check_array(&e, model->grad, input, elements(&e, model->inputs[i].shape),
                    model->inputs[i].name);
    }
}

/* Structure */

static const char mnist[] = "name: mnist\n"
                            "input: [4, 4, 1]\n"
                            "layers:\n"
                            "  - flatten\n"
                            "  - dense: {units: 6, activation: relu}\n"
                            "  - dropout: 0.2\n"
                            "  - dense: {units: 3, activation: softmax, name: digit}\n"
                            "train: {loss: sparse_categorical_crossentropy, metrics: [accuracy]}\n"
                            "data: {scale: 1/255}\n";

static void builds_four_graphs(void **state)
{
    (void)state;
    Model *model = build_text(mnist);
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
    Model *model = build_text(mnist);
    assert_int_equal(count_ops(model->train, OP_uniform), 1);
    assert_int_equal(count_ops(model->grad, OP_uniform), 0);
    assert_int_equal(count_ops(model->predict, OP_uniform), 0);
}

static void reads_defaults(void **state)
{
    (void)state;
    Model *model = build_text(mnist);
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
    assert_non_null(param_named(model, "first/kernel"));
    assert_non_null(param_named(model, "dense/kernel"));
    assert_non_null(param_named(model, "dense_1/kernel"));
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
    const Param *kernel = param_named(model, "conv2d/kernel");
    assert_int_equal(kernel->init.kind, NC_INIT_UNIFORM);
    assert_close(kernel->init.b, sqrt(6.0 / (9 * 3 + 9 * 5)), 1e-12, "glorot");
    assert_close(param_named(model, "conv2d/bias")->init.a, 2, 0, "constant");
    kernel = param_named(model, "dense/kernel");
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
    assert_null(param_named(model, "trunk/kernel/m"));
    assert_int_equal(model->grad->outputs_count, 1 + 2 + 1);
}

static bool trains(const Model *model, const char *name)
{
    return param_named(model, name)->trainable;
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
    assert_true(param_named(model, "body_bn/moving_mean")->frozen);
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
    assert_true(param_named(model, "body/kernel")->rate == 0.1);
    assert_true(param_named(model, "body/bias")->rate == 3);
    assert_true(param_named(model, "head/kernel")->rate == 0.5);
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

/* Numbers */

static double loss_of(const char *output, const char *loss)
{
    Model *model = build_text(arena_printf(
        arena, "input: [4]\nlayers: [{activation: %s}]\ntrain: {loss: %s}\n", output, loss));
    Evaluation e = evaluation_of(model);
    double mean = *output_value(&e, model->grad, "loss");
    assert_close(*output_value(&e, model->eval, "loss"), mean * ROWS, 1e-12, "sum of losses");
    return mean;
}

/* Each loss from its logits, fused, is the loss from probabilities. */
static void fuses_losses(void **state)
{
    (void)state;
    static const char *const losses[][3] = {
        {"softmax", "log_softmax", "sparse_categorical_crossentropy"},
        {"softmax", "log_softmax", "categorical_crossentropy"},
    };
    for (size_t i = 0; i < 2; i++) {
        double fused = loss_of("softmax", losses[i][2]);
        double logits =
            loss_of("linear", arena_printf(arena, "{%s: {from_logits: true}}", losses[i][2]));
        double shifted =
            loss_of("log_softmax", arena_printf(arena, "{%s: {from_logits: true}}", losses[i][2]));
        double unfused = loss_of("exponential", losses[i][2]);
        assert_close(fused, logits, 1e-12, losses[i][2]);
        assert_close(fused, shifted, 1e-12, losses[i][2]);
        assert_close(fused, unfused, 1e-12, losses[i][2]);
    }
    double fused = loss_of("sigmoid", "binary_crossentropy");
    double logits = loss_of("linear", "{binary_crossentropy: {from_logits: true}}");
    assert_close(fused, logits, 1e-12, "binary_crossentropy");
}

static void computes_losses(void **state)
{
    (void)state;
    double squared = 0, absolute = 0, huber = 0;
    for (int i = 0; i < 4 * ROWS; i++) {
        double d = noise(i * 3) - fabs(noise(i * 3 + 500)), size = fabs(d);
        squared += d * d / (4 * ROWS);
        absolute += size / (4 * ROWS);
        huber += (size <= 0.3 ? 0.5 * d * d : 0.3 * size - 0.045) / (4 * ROWS);
    }
    assert_close(loss_of("linear", "mse"), squared, 1e-12, "mse");
    assert_close(loss_of("linear", "mae"), absolute, 1e-12, "mae");
    assert_close(loss_of("linear", "{huber: 0.3}"), huber, 1e-12, "huber");
}

static void weighs_losses(void **state)
{
    (void)state;
    static const char text[] = "input: [4]\noutputs: [a, b]\nlayers:\n"
                               "  - dense: {units: 2, name: a}\n"
                               "  - dense: {units: 3, name: b, from: input}\n"
                               "train: {loss: {a: mse, b: mae}, loss_weights: {a: %s, b: %s}}\n";
    static const char *const weights[3][2] = {{"1", "0"}, {"0", "1"}, {"0.5", "3"}};
    double value[3];
    for (int i = 0; i < 3; i++) {
        Model *model = build_text(arena_printf(arena, text, weights[i][0], weights[i][1]));
        Evaluation e = evaluation_of(model);
        value[i] = *output_value(&e, model->grad, "loss");
    }
    assert_close(value[2], 0.5 * value[0] + 3 * value[1], 1e-12, "weighted sum");
}

static void differentiates_models(void **state)
{
    static const char *const specs[] = {
        mnist,
        "input: [5]\nlayers:\n"
        "  - dense: {units: 4, activation: gelu}\n  - batch_normalization\n"
        "  - dense: {units: 3, activation: sigmoid}\n"
        "train: {loss: {binary_crossentropy: {label_smoothing: 0.1}}}\n",
        "input: [2, 2, 3]\nlayers:\n"
        "  - batch_normalization: {scale: false}\n  - leaky_relu\n  - flatten\n"
        "  - dense: {units: 3, activation: softplus}\n"
        "train: {loss: categorical_crossentropy}\n",
        "inputs: {a: [4], b: [2, 4]}\nlayers:\n"
        "  - rescaling: {from: a, scale: 2, offset: -1}\n"
        "  - add: {from: [rescaling, b]}\n"
        "  - average: {from: [add, b, a]}\n"
        "  - multiply: {from: [average, add]}\n"
        "  - maximum: {from: [multiply, b]}\n"
        "  - minimum: {from: [maximum, add]}\n"
        "  - subtract: {from: [minimum, a]}\n"
        "  - concatenate: {from: [subtract, b], axis: 1}\n"
        "  - reshape: [4, -1]\n"
        "  - dense: {units: 3, activation: elu}\n"
        "  - softmax\n"
        "train: {loss: {huber: {delta: 0.2}}}\n",
        "input: [3, 4]\nlayers:\n"
        "  - dense: {units: 3, activation: {relu: {negative_slope: 0.1, max_value: 2}}}\n"
        "  - dense: {units: 5, activation: softmax}\n"
        "train: {loss: sparse_categorical_crossentropy}\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        check_gradients(specs[i]);
}

static void moves_statistics(void **state)
{
    (void)state;
    Model *model = build_text("input: [1]\nlayers: [{batch_normalization: {momentum: 0.9}}]\n"
                              "train: {loss: mse}\n");
    Evaluation e = evaluation_of(model);
    const double *x = e.inputs[0];
    double mean = (x[0] + x[1] + x[2]) / 3, variance = 0;
    for (int i = 0; i < 3; i++)
        variance += (x[i] - mean) * (x[i] - mean) / 3;
    const char *names[] = {"batch_normalization/moving_mean",
                           "batch_normalization/moving_variance"};
    double expected[] = {mean, variance};
    for (int i = 0; i < 2; i++) {
        double old = *e.params[param_named(model, names[i])->id];
        double new = *updated_value(&e, model->train, names[i]);
        assert_close(new, old * 0.9 + expected[i] * 0.1, 1e-12, names[i]);
    }
}

/* One parameter w = the model's only weight, gradient g; the state as evaluation_of fills it. */
typedef struct {
    Model *model;
    Evaluation e;
    double w, g, lr, t;
} Step;

static Step step_of(const char *optimizer)
{
    Step s = {.model = build_text(
                  arena_printf(arena,
                               "input: [1]\nlayers: [{dense: {units: 1, use_bias: false}}]\n"
                               "train: {loss: mse, optimizer: %s}\n",
                               optimizer))};
    s.e = evaluation_of(s.model);
    s.w = *s.e.params[0];
    s.g = *output_value(&s.e, s.model->grad, "dense/kernel");
    s.lr = s.e.learning_rate;
    s.t = s.e.iteration;
    return s;
}

static double slot(const Step *s, const char *name)
{
    const char *full = arena_printf(arena, "dense/kernel/%s", name);
    return *s->e.params[param_named(s->model, full)->id];
}

static void assert_step(const Step *s, const char *name, double expected)
{
    assert_close(*updated_value(&s->e, s->model->train, name), expected, 1e-12, name);
}

static void steps_sgd(void **state)
{
    (void)state;
    Step s = step_of("sgd");
    assert_step(&s, "dense/kernel", s.w - s.lr * s.g);
    s = step_of("{sgd: {momentum: 0.9}}");
    double m = 0.9 * slot(&s, "m") - s.lr * s.g;
    assert_step(&s, "dense/kernel/m", m);
    assert_step(&s, "dense/kernel", s.w + m);
    s = step_of("{sgd: {momentum: 0.9, nesterov: true}}");
    assert_step(&s, "dense/kernel", s.w + 0.9 * m - s.lr * s.g);
    s = step_of("{sgd: {weight_decay: 0.5}}");
    assert_step(&s, "dense/kernel", s.w - s.w * 0.5 * s.lr - s.lr * s.g);
}

static void steps_adam(void **state)
{
    (void)state;
    Step s = step_of("adam");
    double m = 0.9 * slot(&s, "m") + 0.1 * s.g;
    double v = 0.999 * slot(&s, "v") + 0.001 * s.g * s.g;
    double rate = s.lr * sqrt(1 - pow(0.999, s.t)) / (1 - pow(0.9, s.t));
    assert_step(&s, "dense/kernel/m", m);
    assert_step(&s, "dense/kernel/v", v);
    assert_step(&s, "dense/kernel", s.w - rate * m / (sqrt(v) + 1e-7));
    s = step_of("adamw");
    assert_step(&s, "dense/kernel", s.w * (1 - 0.004 * s.lr) - rate * m / (sqrt(v) + 1e-7));
    s = step_of("{adam: {amsgrad: true}}");
    double largest = fmax(slot(&s, "v_hat"), v);
    assert_step(&s, "dense/kernel/v_hat", largest);
    assert_step(&s, "dense/kernel", s.w - rate * m / (sqrt(largest) + 1e-7));
}

static void steps_others(void **state)
{
    (void)state;
    Step s = step_of("rmsprop");
    double v = 0.9 * slot(&s, "v") + 0.1 * s.g * s.g;
    assert_step(&s, "dense/kernel", s.w - s.lr * s.g / sqrt(v + 1e-7));
    s = step_of("{rmsprop: {momentum: 0.5, centered: true}}");
    *s.e.params[param_named(s.model, "dense/kernel/mean")->id] = 0.01; /* no more than v allows */
    double mean = 0.9 * slot(&s, "mean") + 0.1 * s.g;
    double m = 0.5 * slot(&s, "m") + s.lr * s.g / sqrt(v - mean * mean + 1e-7);
    assert_step(&s, "dense/kernel/m", m);
    assert_step(&s, "dense/kernel", s.w - m);
    s = step_of("adagrad");
    double sum = slot(&s, "accumulator") + s.g * s.g;
    assert_step(&s, "dense/kernel", s.w - s.lr * s.g / sqrt(sum + 1e-7));
    const Param *accumulator = param_named(s.model, "dense/kernel/accumulator");
    assert_close(accumulator->init.a, 0.1, 0, "first value");
}

static void clips_gradients(void **state)
{
    static const char *const options[] = {"clipvalue", "clipnorm", "global_clipnorm"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        Step s = step_of(arena_printf(arena, "{sgd: {%s: 0.01}}", options[i]));
        assert_step(&s, "dense/kernel", s.w - s.lr * copysign(0.01, s.g));
        s = step_of(arena_printf(arena, "{sgd: {%s: 100}}", options[i]));
        assert_step(&s, "dense/kernel", s.w - s.lr * s.g);
    }
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
        cmocka_unit_test_setup_teardown(builds_four_graphs, setup, teardown),
        cmocka_unit_test_setup_teardown(drops_out_in_training_only, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_unnamed_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(shapes_convolutions_as_keras, setup, teardown),
        cmocka_unit_test_setup_teardown(initializes_as_keras, setup, teardown),
        cmocka_unit_test_setup_teardown(freezes_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(freezes_by_patterns, setup, teardown),
        cmocka_unit_test_setup_teardown(multiplies_learning_rates, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_slots_that_are_used, setup, teardown),
        cmocka_unit_test_setup_teardown(resolves_accuracy, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_data, setup, teardown),
        cmocka_unit_test_setup_teardown(fuses_losses, setup, teardown),
        cmocka_unit_test_setup_teardown(computes_losses, setup, teardown),
        cmocka_unit_test_setup_teardown(weighs_losses, setup, teardown),
        cmocka_unit_test_setup_teardown(differentiates_models, setup, teardown),
        cmocka_unit_test_setup_teardown(moves_statistics, setup, teardown),
        cmocka_unit_test_setup_teardown(steps_sgd, setup, teardown),
        cmocka_unit_test_setup_teardown(steps_adam, setup, teardown),
        cmocka_unit_test_setup_teardown(steps_others, setup, teardown),
        cmocka_unit_test_setup_teardown(clips_gradients, setup, teardown),
        cmocka_unit_test_setup_teardown(repeats_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_blocks_out, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_names_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(puts_arguments_into_texts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
