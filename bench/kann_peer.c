/* kann's side of `make bench`: one JSON line on stdout, behind one that says when it is warm.
 *
 * usage: kann_peer BATCH THREADS SECONDS
 *
 * Trains mlp128 (784-128-10, dropout 0.2) by RMSprop, the optimizer that kann has, on one batch of
 * random samples in memory, again and again: milliseconds of a step, the median over SECONDS. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kann.h"

enum { INPUTS = 784, HIDDEN = 128, CLASSES = 10, MOST_STEPS = 1 << 20 };

static const float dropout = 0.2f, rate = 0.001f, decay = 0.9f;
static const double warm_up = 0.3; /* seconds, before it counts */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static kann_t *network(void)
{
    kad_node_t *hidden = kad_relu(kann_layer_dense(kann_layer_input(INPUTS), HIDDEN));
    kad_node_t *kept = kann_layer_dropout(hidden, dropout);
    return kann_new(kann_layer_cost(kept, CLASSES, KANN_C_CEM), 0);
}

static void random_batch(float *x, float *y, int batch)
{
    for (int i = 0; i < batch * INPUTS; i++)
        x[i] = (float)kann_drand();
    for (int i = 0; i < batch; i++)
        y[i * CLASSES + i % CLASSES] = 1;
}

static void step(kann_t *model, float *squares)
{
    kann_cost(model, 0, 1);
    kann_RMSprop(kann_size_var(model), rate, NULL, decay, model->g, model->x, squares);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int batch = argc == 4 ? atoi(argv[1]) : 0, threads = argc == 4 ? atoi(argv[2]) : 0;
    double seconds = argc == 4 ? atof(argv[3]) : 0;
    if (batch < 1 || threads < 1 || !(seconds > 0)) {
        fprintf(stderr, "usage: kann_peer BATCH THREADS SECONDS\n");
        return 2;
    }
    kann_t *model = network();
    float *x = calloc((size_t)batch * INPUTS, sizeof *x);
    float *y = calloc((size_t)batch * CLASSES, sizeof *y);
    float *squares = calloc((size_t)kann_size_var(model), sizeof *squares);
    double *times = calloc(MOST_STEPS, sizeof *times);
    if (!x || !y || !squares || !times)
        return 1;
    random_batch(x, y, batch);
    if (threads > 1)
        kann_mt(model, threads, batch);
    kann_set_batch_size(model, batch);
    kann_switch(model, 1);
    kann_feed_bind(model, KANN_F_IN, 0, &x);
    kann_feed_bind(model, KANN_F_TRUTH, 0, &y);
    for (double start = now(); now() < start + warm_up;)
        step(model, squares);
    puts("{\"warm\": true}");
    fflush(stdout);
    int steps = 0;
    for (double start = now(), begin = start; begin < start + seconds && steps < MOST_STEPS;) {
        step(model, squares);
        double end = now();
        times[steps++] = end - begin;
        begin = end;
    }
    qsort(times, (size_t)steps, sizeof *times, ascending);
    printf("{\"ms\": %.6f, \"steps\": %d}\n", 1e3 * times[steps / 2], steps);
    return 0;
}
