#include "bench.h"

#include "fit.h"
#include "float_mode.h"

#include <stdlib.h>
#include <string.h>

#define WARM_UP 0.1 /* seconds */
enum { LEAST_CALLS = 3, MOST_CALLS = 1 << 20 };

/* ---- data ------------------------------------------------------------------------------------- */

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void fill_uniform(float *d, int64_t count, uint32_t *state)
{
    for (int64_t i = 0; i < count; i++)
        d[i] = (float)draw(state) / (float)(1 << 24);
}

static void fill_classes(float *d, int64_t count, int64_t classes, uint32_t *state)
{
    for (int64_t i = 0; i < count; i++)
        d[i] = (float)(draw(state) % classes);
}

/* One 1 in each row; rows of one cell are 0 or 1. */
static void fill_one_hot(float *d, int64_t rows, int64_t width, uint32_t *state)
{
    memset(d, 0, (size_t)(rows * width) * sizeof *d);
    for (int64_t i = 0; i < rows; i++)
        d[i * width + draw(state) % width] = width > 1 || draw(state) % 2 ? 1 : 0;
}

static void fill_target(const struct nc_model *model, int k, float *d, uint32_t *state)
{
    const struct nc_port *port = &model->targets[k];
    int64_t count = port->elements * model->batch, classes = nc_sparse_classes(model, k);
    int64_t width = port->rank ? port->shape[port->rank - 1] : 1;
    if (classes)
        fill_classes(d, count, classes, state);
    else
        fill_one_hot(d, count / width, width, state);
}

void nc_bench_fill(struct nc_session *s)
{
    const struct nc_model *model = s->model;
    uint32_t state = 1;
    for (int i = 0; i < model->inputs_count; i++)
        fill_uniform(s->inputs[i], model->inputs[i].elements * model->batch, &state);
    for (int i = 0; i < model->targets_count; i++) {
        if (s->targets[i])
            fill_target(model, i, s->targets[i], &state);
    }
}

/* ---- runs ------------------------------------------------------------------------------------- */

struct run {
    struct nc_session *session;
    const struct nc_entry *entry;
    struct nc_hyper hyper;
    long n;
    float *results; /* of predict */
};

static void point_outputs(struct run *run, int train)
{
    struct nc_session *s = run->session;
    float *next = run->results;
    for (int i = 0; i < run->entry->outputs_count; i++) {
        s->outputs[i] = train ? (float *)s->values + i : next;
        next += run->entry->outputs[i].elements * (train ? 0 : run->n);
    }
}

static double call(struct run *run)
{
    struct nc_session *s = run->session;
    run->hyper.iteration++;
    const struct nc_call call = nc_session_call(s, run->entry, &run->hyper, run->n);
    double start = nc_seconds();
    run->entry->run(&call);
    return nc_seconds() - start;
}

/* In memory that has been touched */
static void prepare(struct nc_session *s, struct nc_bench *out)
{
    nc_session_prepare(s);
    double start = nc_seconds();
    nc_session_prepare(s);
    out->prepare = s->model->prepared_bytes ? nc_seconds() - start : 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_calls(struct run *run, double seconds, double *times, struct nc_bench *out)
{
    unsigned mode = nc_float_mode_fast();
    for (double start = nc_seconds(); nc_seconds() - start < WARM_UP;)
        call(run);
    while (out->calls < MOST_CALLS && (out->calls < LEAST_CALLS || out->seconds < seconds)) {
        times[out->calls] = call(run);
        out->seconds += times[out->calls++];
    }
    nc_float_mode_restore(mode);
    qsort(times, (size_t)out->calls, sizeof *times, by_value);
    out->latency = times[out->calls / 2];
}

int nc_bench_run(struct nc_session *session, int train, long n, double seconds,
                 double learning_rate, struct nc_bench *out, struct nc_error *err)
{
    const struct nc_model *model = session->model;
    struct run run = {.session = session,
                      .entry = train ? &model->train : &model->predict,
                      .hyper = {.learning_rate = (float)learning_rate, .seed = session->seed},
                      .n = n};
    size_t cells = 1;
    for (int i = 0; i < run.entry->outputs_count; i++)
        cells += (size_t)run.entry->outputs[i].elements * (size_t)n;
    double *times = malloc(MOST_CALLS * sizeof *times);
    run.results = malloc(cells * sizeof *run.results);
    *out = (struct nc_bench){.n = n};
    if (times && run.results) {
        point_outputs(&run, train);
        if (!train)
            prepare(session, out);
        time_calls(&run, seconds, times, out);
    }
    free(times);
    free(run.results);
    return out->calls ? 0 : nc_fail(err, NULL, "out of memory");
}
