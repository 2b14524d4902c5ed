#include "cli/diverge.h"

#include <math.h>
#include <string.h>

#include "checkpoint.h"
#include "cli/pretrained.h"
#include "cli/stage.h"
#include "init.h"
#include "random.h"
#include "weights.h"

/* ---- the step before --------------------------------------------------------------------------- */

#define MOST_SECONDS 60.0 /* an answer that takes longer is not waited for */

typedef struct {
    double until;
    volatile sig_atomic_t late;
} Clock;

static void watch_clock(void *context, const struct nc_progress *progress)
{
    Clock *clock = context;
    (void)progress;
    clock->late = nc_seconds() > clock->until;
}

/* Where the run last stood for certain. */
static bool go_back(const Divergence *d, struct nc_progress *progress)
{
    struct nc_session *s = &d->job->session;
    struct nc_standing standing = {0};
    struct nc_safetensors file;
    struct nc_error err;
    if (!d->checkpoint) {
        *progress = (struct nc_progress){0};
        return nc_init_parameters(d->job->nc, NULL, s->state, s->seed, NULL, &err) == 0 &&
               weights_load(d->job, false);
    }
    if (nc_checkpoint_open(&file, &standing, d->checkpoint, &err) != 0)
        return false;
    *progress = standing.progress;
    bool good = nc_checkpoint_load(&file, s, NULL, d->checkpoint, &err) == 0;
    nc_safetensors_close(&file);
    return good;
}

/* The weights become those that the step found. */
static bool train_again(const Divergence *d)
{
    struct nc_progress progress;
    struct nc_error err;
    Clock clock = {.until = nc_seconds() + MOST_SECONDS};
    const TrainOptions *o = &d->job->model->train_options;
    const struct nc_train_options how = {.epochs = o->epochs,
                                         .steps = d->progress->iteration - 1,
                                         .shuffle = o->shuffle,
                                         .learning_rate = o->learning_rate,
                                         .stop = &clock.late,
                                         .progress = &progress,
                                         .context = &clock,
                                         .step = watch_clock};
    if (!go_back(d, &progress) || progress.iteration > how.steps)
        return false;
    if (progress.iteration < how.steps && nc_train(&d->job->session, d->samples, &how, &err) != 0)
        return false;
    return progress.iteration == how.steps;
}

/* ---- the layers -------------------------------------------------------------------------------- */

/* The batch of the step, as arrays of floats in the order of the shuffled epoch. */
static bool take_batch(const Divergence *d, struct nc_samples *out)
{
    struct nc_error err;
    Arena *arena = d->job->arena;
    const struct nc_progress *p = d->progress;
    int inputs = d->job->model->inputs_count;
    int64_t first = (p->step - 1) * d->job->nc->batch, n = p->samples - first;
    uint32_t *order = ARENA_ARRAY(arena, uint32_t, p->count);
    for (int64_t i = 0; i < p->count; i++)
        order[i] = (uint32_t)i;
    if (d->job->model->train_options.shuffle)
        nc_shuffle(order, p->count, d->job->session.seed, (uint32_t)p->epoch);
    struct nc_array *arrays = ARENA_ARRAY(arena, struct nc_array, inputs);
    for (int i = 0; i < inputs; i++) {
        float *values = ARENA_ARRAY(arena, float, n * d->rows->inputs[i].row_elements);
        if (nc_array_read(&d->rows->inputs[i], order + first, (long)n, values, sizeof *values, NULL,
                          &err) != 0)
            return false;
        arrays[i] = d->rows->inputs[i];
        arrays[i].maker = NULL;
        arrays[i].dtype = NC_F32;
        arrays[i].big_endian = 0;
        arrays[i].shape[0] = n;
        arrays[i].data = (const unsigned char *)values;
    }
    *out = (struct nc_samples){arrays, NULL, n};
    return true;
}

/* The last node of every layer, in their order. */
static Port *list_layers(const Model *model, Node ***nodes, int *count)
{
    Port *layers = NULL;
    int places = 0;
    *nodes = NULL;
    *count = 0;
    for (int i = 0; i < model->predict->count; i++) {
        Node *node = model->predict->nodes[i];
        int at = 0;
        if (!node->name || !shape_has_batch(node->shape) || op_of(node)->class == OP_STATE)
            continue;
        while (at < *count && strcmp(layers[at].name, node->name) != 0)
            at++;
        Port port = {node->name, node->shape, node->loc};
        if (at == *count) {
            ARENA_PUSH(model->arena, layers, *count, port);
            ARENA_PUSH(model->arena, *nodes, places, node);
        }
        layers[at] = port;
        (*nodes)[at] = node;
    }
    return layers;
}

/* The model's outputs become all its layers. */
static void open_up(Model *model)
{
    Node **nodes;
    int count;
    Port *layers = list_layers(model, &nodes, &count);
    model->predict->outputs_count = 0;
    model->predict->outputs = NULL;
    for (int i = 0; i < count; i++)
        graph_output(model->predict, layers[i].name, nodes[i], layers[i].loc);
    model->outputs = layers;
    model->outputs_count = count;
}

static bool is_finite(const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            return false;
    }
    return true;
}

/* The first layer whose output is not finite; -1: none. */
static int evaluate(Job *probe, const struct nc_samples *batch)
{
    const struct nc_entry *entry = &probe->nc->predict;
    void **outputs = ARENA_ARRAY(probe->arena, void *, entry->outputs_count);
    for (int i = 0; i < entry->outputs_count; i++)
        outputs[i] = ARENA_ARRAY(probe->arena, float, batch->count * entry->outputs[i].elements);
    struct nc_error err;
    if (nc_predict(&probe->session, batch, outputs, &err) != 0)
        return -1;
    for (int i = 0; i < entry->outputs_count; i++) {
        if (!is_finite(outputs[i], batch->count * entry->outputs[i].elements))
            return i;
    }
    return -1;
}

static void probe_layers(const Divergence *d)
{
    static const char nowhere[] =
        "before the step all parameters and all layers' outputs were finite: "
        "it began in the loss or in the gradients";
    Args args = *d->job->args;
    Job probe;
    struct nc_samples batch;
    args.backend = BACKEND_TCC;
    job_prepare(&probe, &args);
    bool good = take_batch(d, &batch) && job_read(&probe);
    if (good)
        open_up(probe.model);
    good = good && job_compile(&probe, 0, NC_PREDICTS) && job_start(&probe, NC_PREDICTS) &&
           job_init_weights(&probe, NULL) &&
           stage_move(d->job->nc, d->job->session.weights, probe.nc, probe.session.weights, false);
    int at = good ? evaluate(&probe, &batch) : -1;
    if (at >= 0)
        diag_note(d->job->diag, (Loc){0}, "layer '%s' is the first whose output is not finite",
                  probe.nc->predict.outputs[at].name);
    else if (good)
        diag_note(d->job->diag, (Loc){0}, "%s", nowhere);
    job_end(&probe, good);
}

void diverge_explain(const Divergence *d)
{
    struct nc_session *s = &d->job->session;
    const char *after = nc_weights_not_finite(d->job->nc, s->weights);
    bool again = train_again(d);
    const char *before = again ? nc_weights_not_finite(d->job->nc, s->weights) : NULL;
    if (before)
        diag_note(d->job->diag, (Loc){0},
                  "before the step, '%s' is the first parameter that is not finite", before);
    else if (again)
        probe_layers(d);
    else if (after)
        diag_note(d->job->diag, (Loc){0},
                  "after the step, '%s' is the first parameter that is not finite", after);
    if (d->checkpoint)
        diag_note(d->job->diag, (Loc){0}, "the last good checkpoint is %s", d->checkpoint);
}
