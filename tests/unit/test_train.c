/* The training loop over a model written by hand: every sample once an epoch, exact sums, steps and
 * signals that end it, a loss that is not finite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train.h"

enum { SAMPLES = 10, BATCH = 4 };

/* What the entries were called with */
static struct {
    int calls;
    long n[64];
    int seen[SAMPLES];
    struct nc_hyper hyper[64];
    float order[64 * BATCH];
    int rows;
} trace;

static float weight_of(const struct nc_call *call)
{
    return *(const float *)call->weights;
}

/* y = w x; the loss (w x - t)^2, the metric |w x - t| */
static void sums(const struct nc_call *call, float *gradient)
{
    const float *x = call->inputs[0], *t = call->targets[0];
    float loss = 0, metric = 0, w = weight_of(call);
    *gradient = 0;
    for (long i = 0; i < call->n; i++) {
        float d = w * x[i] - t[i];
        loss += d * d;
        metric += fabsf(d);
        *gradient += 2 * d * x[i] / (float)call->n;
    }
    *(float *)call->outputs[0] = loss;
    *(float *)call->outputs[1] = metric;
}

static void train(const struct nc_call *call)
{
    float gradient;
    sums(call, &gradient);
    *(float *)call->weights -= call->hyper->learning_rate * gradient;
    trace.hyper[trace.calls] = *call->hyper;
    trace.n[trace.calls++] = call->n;
    for (long i = 0; i < call->n; i++) {
        float x = ((const float *)call->inputs[0])[i];
        trace.seen[(int)x - 1]++;
        trace.order[trace.rows++] = x;
    }
}

static void eval(const struct nc_call *call)
{
    float gradient;
    sums(call, &gradient);
}

static void predict(const struct nc_call *call)
{
    for (long i = 0; i < call->n; i++)
        ((float *)call->outputs[0])[i] = weight_of(call) * ((const float *)call->inputs[0])[i];
}

static const struct nc_port x_port = {"x", 0, {0}, 1, 1}, y_port = {"y", 0, {0}, 1, 1};
static const struct nc_port sum_ports[] = {{"loss", 0, {0}, 1, 0}, {"error", 0, {0}, 1, 0}};
static const char *const metric_names[] = {"error"};
static const struct nc_parameter parameter = {
    .name = "w", .elements = 1, .packed_elements = 1, .trainable = 1};

static struct nc_model make_model(void)
{
    return (struct nc_model){.abi = NC_ABI,
                             .name = "line",
                             .batch = BATCH,
                             .real_bytes = sizeof(float),
                             .weights_bytes = sizeof(float),
                             .inputs_count = 1,
                             .targets_count = 1,
                             .parameters_count = 1,
                             .inputs = &x_port,
                             .targets = &y_port,
                             .parameters = &parameter,
                             .predict = {predict, 256, 1, &y_port},
                             .train = {train, 512, 2, sum_ports},
                             .eval = {eval, 0, 2, sum_ports},
                             .metrics_count = 1,
                             .metrics = metric_names};
}

static unsigned char xs[SAMPLES];
static float ts[SAMPLES];
static struct nc_array x_array, t_array;
static struct nc_samples samples;
static struct nc_error err;

/* x = 1..10 as bytes, t = 3 x */
static int make_samples(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        xs[i] = (unsigned char)(i + 1);
        ts[i] = 3 * (float)(i + 1);
    }
    x_array = (struct nc_array){
        .dtype = NC_U8, .rank = 1, .shape = {SAMPLES}, .row_elements = 1, .data = xs};
    t_array = (struct nc_array){.dtype = NC_F32,
                                .rank = 1,
                                .shape = {SAMPLES},
                                .row_elements = 1,
                                .data = (unsigned char *)ts};
    samples = (struct nc_samples){&x_array, &t_array, SAMPLES};
    memset(&trace, 0, sizeof trace);
    return 0;
}

static struct nc_progress last;
static int epochs_ended;

static void note_step(void *context, const struct nc_progress *progress)
{
    (void)context;
    last = *progress;
}

static int note_epoch(void *context, const struct nc_progress *progress, struct nc_error *error)
{
    (void)error;
    epochs_ended++;
    last = *progress;
    return context ? -1 : 0;
}

static struct nc_train_options options_for(int64_t epochs, double rate)
{
    epochs_ended = 0;
    return (struct nc_train_options){.epochs = epochs,
                                     .shuffle = 1,
                                     .learning_rate = rate,
                                     .step = note_step,
                                     .epoch = note_epoch};
}

static void every_sample_is_seen_once_an_epoch(void **state)
{
    struct nc_model model = make_model();
    struct nc_session s;
    (void)state;
    assert_int_equal(nc_session_open(&s, &model, NC_TRAINS, &err), 0);
    assert_int_equal((uintptr_t)s.arena % NC_ALIGN, 0);
    s.seed = 4;
    const struct nc_train_options o = options_for(3, 0.001);
    assert_int_equal(nc_train(&s, &samples, &o, &err), 0);
    assert_int_equal(trace.calls, 9);
    for (int i = 0; i < SAMPLES; i++)
        assert_int_equal(trace.seen[i], 3);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(trace.n[i], i % 3 == 2 ? 2 : 4);
        assert_int_equal(trace.hyper[i].iteration, i + 1);
        assert_int_equal(trace.hyper[i].epoch, i / 3 + 1);
        assert_int_equal(trace.hyper[i].first_sample, i % 3 * 4);
        assert_int_equal(trace.hyper[i].seed, 4);
    }
    assert_memory_not_equal(trace.order, trace.order + SAMPLES, SAMPLES * sizeof(float));
    assert_int_equal(epochs_ended, 3);
    assert_int_equal(last.samples, SAMPLES);
    assert_int_equal(last.iteration, 9);
    nc_session_close(&s);
}

static void values_are_means_over_the_epoch(void **state)
{
    struct nc_model model = make_model();
    struct nc_session s;
    (void)state;
    assert_int_equal(nc_session_open(&s, &model, NC_TRAINS, &err), 0);
    struct nc_train_options o = options_for(1, 0);
    o.shuffle = 0;
    assert_int_equal(nc_train(&s, &samples, &o, &err), 0);
    assert_float_equal(last.values[0], 9 * 385 / 10.0, 1e-3); /* w = 0: mean of (3 x)^2 */
    assert_float_equal(last.values[1], 3 * 55 / 10.0, 1e-4);
    for (int i = 0; i < SAMPLES; i++)
        assert_float_equal(trace.order[i], (float)i + 1, 0);
    nc_session_close(&s);
}

static void it_learns_evaluates_and_predicts(void **state)
{
    struct nc_model model = make_model();
    struct nc_session s;
    double values[2];
    float out[SAMPLES];
    void *outputs[] = {out};
    (void)state;
    assert_int_equal(nc_session_open(&s, &model, NC_TRAINS | NC_EVALUATES | NC_PREDICTS, &err), 0);
    const struct nc_train_options o = options_for(20, 0.005);
    assert_int_equal(nc_train(&s, &samples, &o, &err), 0);
    assert_float_equal(*(float *)s.weights, 3, 1e-3);
    assert_int_equal(nc_evaluate(&s, &samples, values, &err), 0);
    assert_float_equal(values[0], 0, 1e-4);
    *(float *)s.weights = 2;
    assert_int_equal(nc_evaluate(&s, &samples, values, &err), 0);
    assert_float_equal(values[0], 38.5, 1e-4);
    assert_float_equal(values[1], 5.5, 1e-5);
    assert_int_equal(nc_predict(&s, &samples, outputs, &err), 0);
    for (int i = 0; i < SAMPLES; i++)
        assert_float_equal(out[i], 2 * (float)(i + 1), 0);
    nc_session_close(&s);
}

static void steps_and_signals_end_it(void **state)
{
    struct nc_model model = make_model();
    struct nc_session s;
    static volatile sig_atomic_t stop = 1;
    (void)state;
    assert_int_equal(nc_session_open(&s, &model, NC_TRAINS, &err), 0);
    struct nc_train_options o = options_for(100, 0.001);
    o.steps = 5;
    assert_int_equal(nc_train(&s, &samples, &o, &err), 0);
    assert_int_equal(trace.calls, 5);
    assert_int_equal(epochs_ended, 2); /* the second one in part */
    assert_int_equal(last.samples, 8);
    o.steps = 0;
    o.stop = &stop;
    assert_int_equal(nc_train(&s, &samples, &o, &err), 0);
    assert_int_equal(trace.calls, 5);
    nc_session_close(&s);
}

static void a_loss_that_is_not_finite_ends_it(void **state)
{
    struct nc_model model = make_model();
    struct nc_session s;
    (void)state;
    assert_int_equal(nc_session_open(&s, &model, NC_TRAINS, &err), 0);
    const struct nc_train_options o = options_for(20, 1e6);
    assert_int_equal(nc_train(&s, &samples, &o, &err), -1);
    assert_non_null(strstr(err.message, "the loss is "));
    nc_session_close(&s);
}

static void an_epoch_can_refuse_to_go_on(void **state)
{
    struct nc_model model = make_model();
    struct nc_session s;
    (void)state;
    assert_int_equal(nc_session_open(&s, &model, NC_TRAINS, &err), 0);
    struct nc_train_options o = options_for(20, 0);
    o.context = &s;
    assert_int_equal(nc_train(&s, &samples, &o, &err), -1);
    assert_int_equal(epochs_ended, 1);
    nc_session_close(&s);
}

/* Entry points may be exchanged between two steps. */
static void exchange(void *context)
{
    struct nc_model *model = context;
    model->train.run = trace.calls == 2 ? eval : train;
}

static void entry_points_may_change_between_steps(void **state)
{
    struct nc_model model = make_model();
    struct nc_session s;
    (void)state;
    assert_int_equal(nc_session_open(&s, &model, NC_TRAINS, &err), 0);
    s.poll = exchange;
    s.poll_context = &model;
    const struct nc_train_options o = options_for(1, 0);
    assert_int_equal(nc_train(&s, &samples, &o, &err), 0);
    assert_int_equal(trace.calls, 2); /* the third step went to eval */
    assert_int_equal(last.step, 3);
    nc_session_close(&s);
}

static void a_model_larger_than_the_machine_is_refused(void **state)
{
    struct nc_model huge = {.batch = 1, .real_bytes = 4, .weights_bytes = (size_t)1 << 60};
    struct nc_session session;
    struct nc_error refused;
    (void)state;
    assert_int_equal(nc_session_open(&session, &huge, NC_PREDICTS, &refused), -1);
    assert_non_null(strstr(refused.message, "of memory are needed, and this machine has"));
}

/* ---- a stateful model: slot i of the memory adds up what row i of the batches brought ------------- */

static void add_up(const struct nc_call *call, float *out)
{
    float *memory = call->memory;
    for (long i = 0; i < call->n; i++)
        out[i] = memory[i] += ((const float *)call->inputs[0])[i];
}

static void predict_sums(const struct nc_call *call)
{
    add_up(call, call->outputs[0]);
}

/* The loss is the sum of what the rows remember. */
static void sum_memory(const struct nc_call *call)
{
    float out[BATCH];
    float *sum = call->outputs[0];
    add_up(call, out);
    *sum = 0;
    for (long i = 0; i < call->n; i++)
        *sum += out[i];
    trace.calls++;
}

static struct nc_model make_stateful(void)
{
    struct nc_model model = make_model();
    model.memory_bytes = BATCH * sizeof(float);
    model.predict.run = predict_sums;
    model.train.run = model.eval.run = sum_memory;
    return model;
}

/* Rows 1..10 in batches of 4, 4 and 2. */
static const float remembered[SAMPLES] = {1, 2, 3, 4, 6, 8, 10, 12, 15, 18};

static void memory_goes_on_from_batch_to_batch(void **state)
{
    struct nc_model model = make_stateful();
    struct nc_session s;
    float out[SAMPLES];
    void *outputs[] = {out};
    double values[2], mean = 0;
    (void)state;
    for (int i = 0; i < SAMPLES; i++)
        mean += (double)remembered[i] / SAMPLES;
    assert_int_equal(nc_session_open(&s, &model, NC_PREDICTS | NC_EVALUATES, &err), 0);
    for (int again = 0; again < 2; again++) { /* each begins anew */
        assert_int_equal(nc_predict(&s, &samples, outputs, &err), 0);
        assert_memory_equal(out, remembered, sizeof out);
        assert_int_equal(nc_evaluate(&s, &samples, values, &err), 0);
        assert_float_equal(values[0], mean, 1e-6);
    }
    nc_session_close(&s);
}

static int validate(void *context, const struct nc_progress *progress, struct nc_error *error)
{
    double values[2];
    last = *progress;
    return nc_evaluate(context, &samples, values, error);
}

/* An epoch begins anew; what comes between two parts of one leaves the memory of training alone. */
static void an_epoch_forgets_and_a_part_of_one_does_not(void **state)
{
    struct nc_model model = make_stateful();
    struct nc_session s;
    struct nc_progress progress = {0};
    (void)state;
    assert_int_equal(nc_session_open(&s, &model, NC_TRAINS | NC_EVALUATES, &err), 0);
    struct nc_train_options o = options_for(2, 0);
    o.shuffle = 0;
    o.progress = &progress;
    o.context = &s;
    o.epoch = validate;
    for (o.steps = 1; o.steps <= 6; o.steps++) {
        double sum = 0;
        assert_int_equal(nc_train(&s, &samples, &o, &err), 0);
        for (int i = 0; i < last.samples; i++)
            sum += (double)remembered[i];
        assert_float_equal(last.sums[0], sum, 1e-6);
        assert_int_equal(last.iteration, o.steps);
    }
    nc_session_close(&s);
}

static void gradients_need_no_memory(void **state)
{
    struct nc_model model = make_stateful();
    struct nc_session s;
    float out[SAMPLES];
    void *outputs[] = {out};
    struct nc_samples few = {&x_array, &t_array, BATCH};
    (void)state;
    model.grad = (struct nc_entry){predict, 64, 1, &y_port};
    assert_int_equal(nc_session_open(&s, &model, NC_DIFFERENTIATES, &err), 0);
    *(float *)s.weights = 2;
    assert_int_equal(nc_gradient(&s, &few, outputs, &err), 0);
    for (int i = 0; i < BATCH; i++)
        assert_float_equal(out[i], 2 * (float)(i + 1), 0);
    nc_session_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_sample_is_seen_once_an_epoch, make_samples),
        cmocka_unit_test_setup(values_are_means_over_the_epoch, make_samples),
        cmocka_unit_test_setup(it_learns_evaluates_and_predicts, make_samples),
        cmocka_unit_test_setup(steps_and_signals_end_it, make_samples),
        cmocka_unit_test_setup(a_loss_that_is_not_finite_ends_it, make_samples),
        cmocka_unit_test_setup(an_epoch_can_refuse_to_go_on, make_samples),
        cmocka_unit_test_setup(entry_points_may_change_between_steps, make_samples),
        cmocka_unit_test_setup(memory_goes_on_from_batch_to_batch, make_samples),
        cmocka_unit_test_setup(an_epoch_forgets_and_a_part_of_one_does_not, make_samples),
        cmocka_unit_test_setup(gradients_need_no_memory, make_samples),
        cmocka_unit_test(a_model_larger_than_the_machine_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
