/* netcc summary: layers, shapes, parameters, and what the network costs before it runs. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "progress.h"
#include "weights.h"

static const Option options[] = {OPTION_SET, OPTION_JSON, OPTION_END};

/* One row of the table */
typedef struct {
    const char *name;
    const Node *last; /* the node whose shape is the layer's */
    int64_t parameters;
    double multiply_adds; /* per sample */
} Row;

typedef struct {
    Row *rows;
    int count;
    int64_t parameters, trainable;
    double multiply_adds;
    double inference_bytes, training_bytes; /* 0: no training */
} Summary;

static Row *row_of(Arena *arena, Summary *s, const char *name)
{
    for (int i = 0; i < s->count; i++) {
        if (!strcmp(s->rows[i].name, name))
            return &s->rows[i];
    }
    Row row = {.name = name};
    ARENA_PUSH(arena, s->rows, s->count, row);
    return &s->rows[s->count - 1];
}

/* Leaves stand where a layer reads them; what it yields is its last node that is none. */
static void add_layers(Arena *arena, Summary *s, const Graph *graph)
{
    for (int i = 0; i < graph->count; i++) {
        const Node *node = graph->nodes[i];
        if (node->name && op_of(node)->class != OP_LEAF && op_of(node)->class != OP_STATE)
            row_of(arena, s, node->name)->last = node;
    }
}

/* A parameter is called LAYER/...; layers may be called a/b as well. */
static void add_parameters(Summary *s, const Model *model)
{
    for (int i = 0; i < model->params_count; i++) {
        const Param *p = model->params[i];
        if (p->role == NC_ROLE_SLOT)
            continue;
        int64_t elements = shape_row(p->shape);
        s->parameters += elements;
        s->trainable += p->trainable ? elements : 0;
        for (int k = 0; k < s->count; k++) {
            size_t length = strlen(s->rows[k].name);
            if (!strncmp(p->name, s->rows[k].name, length) && p->name[length] == '/')
                s->rows[k].parameters += elements;
        }
    }
}

/* A kernel's work is counted for the layer of its first named node. */
static void add_work(Arena *arena, Summary *s, Kernel *const *kernels, int count, double times)
{
    for (int i = 0; i < count; i++) {
        const Kernel *kernel = kernels[i];
        double work = times * (kernel->flops + kernel->flops_fixed) / 2;
        const char *name = kernel->nodes_count ? kernel->nodes[0]->name : NULL;
        s->multiply_adds += work;
        if (name)
            row_of(arena, s, name)->multiply_adds += work;
        if (kernel->body_count)
            add_work(arena, s, kernel->body, kernel->body_count, times * (double)kernel->steps);
    }
}

static Summary summarise(const Job *job)
{
    Summary s = {0};
    const struct nc_model *nc = job->nc;
    const Entry *predict = job->program->predict;
    add_layers(job->arena, &s, job->model->predict);
    add_parameters(&s, job->model);
    add_work(job->arena, &s, predict->kernels, predict->kernels_count, 1);
    s.inference_bytes = (double)(nc->weights_bytes + nc->predict.arena_bytes);
    if (job->program->train)
        s.training_bytes = (double)(nc->weights_bytes + nc->state_bytes + nc->train.arena_bytes);
    return s;
}

/* ---- printing ---------------------------------------------------------------------------------- */

static const char *size_text(Arena *arena, double bytes)
{
    if (bytes < 1e4)
        return arena_printf(arena, "%.0f bytes", bytes);
    return bytes < 1e7 ? arena_printf(arena, "%.1f KB", bytes / 1e3)
                       : arena_printf(arena, "%.1f MB", bytes / 1e6);
}

static const char *row_shape(Arena *arena, const Row *row)
{
    return row->last ? shape_text(arena, row->last->shape) : "";
}

static void print_plain(const Job *job, const Summary *s)
{
    Arena *a = job->arena;
    printf("%-28s %-22s %12s %14s\n", "layer", "output", "parameters", "multiply-adds");
    for (int i = 0; i < s->count; i++) {
        const Row *row = &s->rows[i];
        printf("%-28s %-22s %12lld %14.0f\n", row->name, row_shape(a, row),
               (long long)row->parameters, row->multiply_adds);
    }
    printf("\nparameters     %lld, %lld of them trainable (%s)\n", (long long)s->parameters,
           (long long)s->trainable, size_text(a, 4.0 * (double)s->parameters));
    printf("multiply-adds  %.0f per sample\n", s->multiply_adds);
    printf("memory         %s for inference in batches of %ld\n", size_text(a, s->inference_bytes),
           job->nc->batch);
    if (s->training_bytes > 0)
        printf("               %s for training in batches of %ld\n",
               size_text(a, s->training_bytes), job->nc->batch);
}

static void print_json(const Job *job, const Summary *s)
{
    printf("{\"event\":\"summary\",\"name\":\"%s\",\"batch\":%ld,\"layers\":[", job->model->name,
           job->nc->batch);
    for (int i = 0; i < s->count; i++) {
        const Row *row = &s->rows[i];
        printf("%s{\"name\":", i ? "," : "");
        nc_json_text(stdout, row->name);
        printf(",\"shape\":");
        nc_json_text(stdout, row_shape(job->arena, row));
        printf(",\"parameters\":%lld,\"multiply_adds\":%.0f}", (long long)row->parameters,
               row->multiply_adds);
    }
    printf("],\"parameters\":%lld,\"trainable\":%lld,\"multiply_adds\":%.0f,"
           "\"inference_bytes\":%.0f,\"training_bytes\":%.0f}\n",
           (long long)s->parameters, (long long)s->trainable, s->multiply_adds, s->inference_bytes,
           s->training_bytes);
}

static bool summary(Job *job)
{
    if (!job_compile(job, 0, NC_PREDICTS | NC_TRAINS))
        return false;
    Summary s = summarise(job);
    (job->args->json ? print_json : print_plain)(job, &s);
    return true;
}

static int run(const Args *args)
{
    Job job;
    job_prepare(&job, args);
    return job_end(&job, job_read(&job) && summary(&job));
}

const Command command_summary = {"summary", "SPEC", "Layers, shapes, parameters and costs.",
                                 options, run};
