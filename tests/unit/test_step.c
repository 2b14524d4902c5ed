/* What the graphs of a spec compute: losses and optimizer steps against formulas, gradients against finite
 * differences, by a plain evaluator. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "built.h"
#include "evaluate.h"

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
        built_mnist,
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
        double old = *e.params[model_find(model, names[i])->id];
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
    return *s->e.params[model_find(s->model, full)->id];
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
    *s.e.params[model_find(s.model, "dense/kernel/mean")->id] = 0.01; /* no more than v allows */
    double mean = 0.9 * slot(&s, "mean") + 0.1 * s.g;
    double m = 0.5 * slot(&s, "m") + s.lr * s.g / sqrt(v - mean * mean + 1e-7);
    assert_step(&s, "dense/kernel/m", m);
    assert_step(&s, "dense/kernel", s.w - m);
    s = step_of("adagrad");
    double sum = slot(&s, "accumulator") + s.g * s.g;
    assert_step(&s, "dense/kernel", s.w - s.lr * s.g / sqrt(sum + 1e-7));
    const Param *accumulator = model_find(s.model, "dense/kernel/accumulator");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fuses_losses, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(computes_losses, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(weighs_losses, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(differentiates_models, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(moves_statistics, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(steps_sgd, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(steps_adam, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(steps_others, built_setup, built_teardown),
        cmocka_unit_test_setup_teardown(clips_gradients, built_setup, built_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
