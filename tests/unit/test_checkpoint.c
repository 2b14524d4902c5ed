/* Checkpoints: what is saved comes back bit for bit, training goes on from within an epoch as if
 * nothing had happened, damage is refused; and the rules by which epochs are judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "log.h"

enum { SAMPLES = 10, BATCH = 4, WIDTH = 3 };

/* w[i], its slot m[i] and the memory take up the order of the samples, so that any other shows. */
static void train(const struct nc_call *call)
{
    float *w = call->weights, *m = call->state, *memory = call->memory;
    const float *x = call->inputs[0];
    *(float *)call->outputs[0] = 0;
    for (long r = 0; r < call->n; r++) {
        for (int i = 0; i < WIDTH; i++) {
            m[i] = 0.9f * m[i] + x[r] * (float)(i + 1);
            w[i] += call->hyper->learning_rate * m[i] / call->hyper->iteration + memory[r];
        }
        memory[r] = 0.5f * memory[r] + 0.01f * w[0];
        *(float *)call->outputs[0] += w[0] / 3;
    }
}

static const struct nc_port port = {"x", 0, {0}, 1, 1}, loss = {"loss", 0, {0}, 1, 0};
static const struct nc_parameter parameters[] = {{.name = "a/w",
                                                  .role = NC_ROLE_WEIGHT,
                                                  .rank = 1,
                                                  .shape = {WIDTH},
                                                  .elements = WIDTH,
                                                  .packed_elements = WIDTH,
                                                  .trainable = 1},
                                                 {.name = "a/w/m",
                                                  .role = NC_ROLE_SLOT,
                                                  .rank = 1,
                                                  .shape = {WIDTH},
                                                  .elements = WIDTH,
                                                  .packed_elements = WIDTH}};

static struct nc_model model = {.abi = NC_ABI,
                                .name = "line",
                                .batch = BATCH,
                                .real_bytes = sizeof(float),
                                .weights_bytes = WIDTH * sizeof(float),
                                .state_bytes = WIDTH * sizeof(float),
                                .memory_bytes = BATCH * sizeof(float),
                                .inputs_count = 1,
                                .parameters_count = 2,
                                .inputs = &port,
                                .parameters = parameters,
                                .train = {train, 64, 1, &loss}};

static unsigned char xs[SAMPLES];
static struct nc_array array = {
    .dtype = NC_U8, .rank = 1, .shape = {SAMPLES}, .row_elements = 1, .data = xs};
static const struct nc_samples samples = {&array, NULL, SAMPLES};
static struct nc_error err;
static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++)
        xs[i] = (unsigned char)(i * i + 1);
    snprintf(folder, sizeof folder, "/tmp/netcc-checkpoint-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/c.safetensors", folder);
    return 0;
}

static int remove_folder(void **state)
{
    char command[96];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static struct nc_session open_session(void)
{
    struct nc_session s;
    assert_int_equal(nc_session_open(&s, &model, NC_TRAINS, &err), 0);
    s.seed = 11;
    return s;
}

static void train_to(struct nc_session *s, struct nc_progress *progress, int64_t steps)
{
    const struct nc_train_options o = {
        .epochs = 3, .steps = steps, .shuffle = 1, .learning_rate = 0.01, .progress = progress};
    assert_int_equal(nc_train(s, &samples, &o, &err), 0);
}

static const struct nc_watch watch = {.monitor = "loss", .baseline = INFINITY};

/* Into a fresh session and back into a standing. */
static struct nc_standing reload(struct nc_session *s, void *best)
{
    struct nc_standing standing = {.keep = watch, .stop = watch};
    struct nc_safetensors file;
    assert_int_equal(nc_checkpoint_open(&file, &standing, path, &err), 0);
    assert_string_equal(standing.spec, "a: b\n");
    standing.spec = "a: b\n";
    assert_int_equal(nc_checkpoint_has_best(&file), best != NULL);
    assert_int_equal(nc_checkpoint_load(&file, s, best, path, &err), 0);
    nc_safetensors_close(&file);
    return standing;
}

static void training_goes_on_bit_for_bit(void **state)
{
    struct nc_session whole = open_session();
    struct nc_progress end = {0};
    (void)state;
    train_to(&whole, &end, 0);
    for (int64_t at = 1; at < 9; at++) {
        struct nc_session first = open_session(), second = open_session();
        struct nc_standing s = {.seed = 11, .spec = "a: b\n", .keep = watch};
        train_to(&first, &s.progress, at);
        assert_int_equal(nc_checkpoint_save(&first, &s, path, &err), 0);
        s = reload(&second, NULL);
        assert_int_equal(s.seed, 11);
        assert_int_equal(s.progress.iteration, at);
        train_to(&second, &s.progress, 0);
        assert_memory_equal(second.weights, whole.weights, model.weights_bytes);
        assert_memory_equal(second.state, whole.state, model.state_bytes);
        assert_memory_equal(second.train_memory, whole.train_memory, model.memory_bytes);
        assert_memory_equal(s.progress.sums, end.sums, sizeof(double));
        nc_session_close(&first);
        nc_session_close(&second);
    }
    nc_session_close(&whole);
}

static void what_was_judged_comes_back(void **state)
{
    struct nc_session s = open_session();
    float best[WIDTH] = {1, -2, FLT_MIN}, back[WIDTH];
    struct nc_standing standing = {
        .seed = UINT32_MAX,
        .spec = "a: b\n",
        .keep = {.monitor = "other", .best = 3, .best_epoch = 2},
        .stop = {.monitor = "loss", .best = 0.1, .best_epoch = 4, .wait = 3},
        .best = best};
    (void)state;
    assert_int_equal(nc_checkpoint_save(&s, &standing, path, &err), 0);
    struct nc_standing read = reload(&s, back);
    assert_memory_equal(back, best, sizeof best);
    assert_int_equal(read.seed, UINT32_MAX);
    assert_true(read.stop.best == 0.1);
    assert_int_equal(read.stop.wait, 3);
    assert_int_equal(read.keep.best_epoch, 0); /* another value was watched */
    nc_session_close(&s);
}

static void other_files_are_refused(void **state)
{
    struct nc_standing standing = {.keep = watch};
    struct nc_safetensors file;
    const float w[WIDTH] = {0};
    const struct nc_named tensor = {.name = "a/w", .rank = 1, .shape = {WIDTH}, .data = w};
    (void)state;
    assert_int_equal(nc_safetensors_write(path, &tensor, 1, NULL, 0, &err), 0);
    assert_int_equal(nc_checkpoint_open(&file, &standing, path, &err), -1);
    assert_non_null(strstr(err.message, "no checkpoint"));
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(nc_checkpoint_open(&file, &standing, path, &err), -1);
}

static void a_missing_tensor_is_named(void **state)
{
    struct nc_session s = open_session();
    struct nc_standing standing = {.spec = "a: b\n"};
    struct nc_safetensors file;
    float best[WIDTH];
    (void)state;
    assert_int_equal(nc_checkpoint_save(&s, &standing, path, &err), 0);
    assert_int_equal(nc_checkpoint_open(&file, &standing, path, &err), 0);
    assert_int_equal(nc_checkpoint_load(&file, &s, best, path, &err), -1);
    assert_non_null(strstr(err.message, "best:a/w is missing"));
    nc_safetensors_close(&file);
    nc_session_close(&s);
}

/* Runs a watch over values; the epoch in which it is over, or 0. */
static int64_t follow(struct nc_watch *w, const double *values, int count)
{
    for (int i = 0; i < count; i++) {
        nc_watch_epoch(w, i + 1, values[i]);
        if (nc_watch_is_over(w, i + 1))
            return i + 1;
    }
    return 0;
}

static void epochs_are_judged_as_keras_does(void **state)
{
    const double falling[] = {5, 4, 4.5, 3.9, 4, 4.1, 3.8};
    struct nc_watch w = watch;
    (void)state;
    w.patience = 2;
    assert_int_equal(follow(&w, falling, 7), 6);
    assert_int_equal(w.best_epoch, 4);
    w = watch;
    assert_int_equal(follow(&w, falling, 7), 3); /* patience 0 */
    w = watch;
    w.patience = 3;
    w.min_delta = 0.5;
    assert_int_equal(follow(&w, falling, 7), 5); /* 3.9 is too little less than 4 */
    w = watch;
    w.patience = 2;
    w.rises = 1;
    assert_int_equal(follow(&w, falling, 7), 3);
    assert_int_equal(w.best_epoch, 1);
    w = watch;
    w.patience = 2;
    w.start_from_epoch = 4;
    assert_int_equal(follow(&w, falling, 7), 0);
    assert_int_equal(w.best_epoch, 7);
    w = watch;
    w.patience = 2;
    w.baseline = 3;
    assert_int_equal(follow(&w, falling, 7), 3); /* 5 and 4 improve, but not on 3 */
}

static void the_log_is_cut_where_a_run_goes_on(void **state)
{
    struct nc_progress p = {.samples = 1};
    char name[96], text[200] = "";
    (void)state;
    snprintf(name, sizeof name, "%s/log.csv", folder);
    for (p.epoch = 1; p.epoch <= 3; p.epoch++)
        assert_int_equal(nc_log_epoch(folder, &model, &p, NULL, &err), 0);
    FILE *file = fopen(name, "a");
    fputs("4,0.", file); /* a kill */
    fclose(file);
    assert_int_equal(nc_log_cut(folder, 3, &err), 0);
    file = fopen(name, "r");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, "epoch,loss,seconds,samples_per_second\n1,0,0,0\n2,0,0,0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_goes_on_bit_for_bit),
        cmocka_unit_test(what_was_judged_comes_back),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(a_missing_tensor_is_named),
        cmocka_unit_test(epochs_are_judged_as_keras_does),
        cmocka_unit_test(the_log_is_cut_where_a_run_goes_on),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
