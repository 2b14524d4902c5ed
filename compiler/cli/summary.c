/* netcc summary: layers, shapes, parameters, and what the network costs before it runs. Memory is what
 * the header of `netcc emit` says: for inference of one sample a call, for training that of --train;
 * and what predicting takes where netcc or an executable prepares for it. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "progress.h"
#include "work.h"

static const Option options[] = {OPTION_SET, OPTION_JSON, OPTION_END};

/* One row of the table */
typedef struct {
    const char *name;
    const Node *last; /* the node whose shape is the layer's */
    int64_t parameters;
    double multiply_adds; /* per sample */
} Row;

/* What a product takes, in bytes */
typedef struct {
    long batch;
    int64_t param, state, memory, arena, prepared;
    double multiply_adds; /* per sample of a full batch */
} Costs;

typedef struct {
    Row *rows;
    int count;
    int64_t parameters, trainable;
    int64_t weights; /* parameters that could be trainable */
    double multiply_adds;
    Costs inference, training; /* batch 0: no training */
    Costs prepared;            /* inference where what depends on weights alone is kept */
    Costs head;                /* once the features of a frozen trunk are known; batch 0: none is */
    Costs unfrozen;            /* training if nothing were frozen; batch 0: nothing is */
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
        if (p->role == NC_ROLE_SLOT || p->role == NC_ROLE_MEMORY)
            continue;
        int64_t elements = shape_row(p->shape);
        s->parameters += elements;
        s->trainable += p->trainable ? elements : 0;
        s->weights += p->role == NC_ROLE_WEIGHT ? elements : 0;
        for (int k = 0; k < s->count; k++) {
            size_t length = strlen(s->rows[k].name);
            if (!strncmp(p->name, s->rows[k].name, length) && p->name[length] == '/')
                s->rows[k].parameters += elements;
        }
    }
}

/* Multiply-adds of products are counted for the layer of a kernel's first node. */
static void add_work(Arena *arena, Summary *s, Kernel *const *kernels, int count, double times)
{
    for (int i = 0; i < count; i++) {
        const Kernel *kernel = kernels[i];
        add_work(arena, s, kernel->body, kernel->body_count, times * loop_times(kernel));
        add_work(arena, s, kernel->stages, kernel->stages_count, times);
        if (kernel->stages_count)
            continue;
        const char *name = kernel->nodes_count ? kernel->nodes[0]->name : NULL;
        Work work = kernel_products(kernel);
        double products = times * (work.row + work.fixed) / 2;
        s->multiply_adds += products;
        if (name && products > 0)
            row_of(arena, s, name)->multiply_adds += products;
    }
}

/* No array of a product is empty. */
static int64_t block_bytes(int64_t elements)
{
    int64_t bytes = elements * (int64_t)sizeof(float);
    return bytes > NC_ALIGN ? bytes : NC_ALIGN;
}

static Costs costs_of(const Program *program)
{
    const Entry *train = program->train, *eval = program->eval;
    Costs c = {.batch = (long)program->batch, .param = block_bytes(program->weights_elements)};
    int64_t arena = train ? train->arena_elements : program->predict->arena_elements;
    if (train && eval->arena_elements > arena)
        arena = eval->arena_elements;
    c.arena = block_bytes(arena);
    c.state = train ? block_bytes(program->state_elements) : 0;
    c.prepared = program->prepared_elements * (int64_t)sizeof(float);
    c.memory = program->memory_elements ? block_bytes(program->memory_elements) : 0;
    Work work = train ? entry_products(train) : (Work){0, 0};
    c.multiply_adds = (work.row + work.fixed / (double)c.batch) / 2;
    return c;
}

static void summarise(const Job *job, Summary *s)
{
    const Entry *predict = job->program->predict;
    add_layers(job->arena, s, job->model->predict);
    add_parameters(s, job->model);
    add_work(job->arena, s, predict->kernels, predict->kernels_count, 1);
    s->inference = costs_of(job->program);
}

/* The graphs were used up: the spec is read again. */
static bool prepared_costs(const Args *args, Costs *out)
{
    Job job;
    job_prepare(&job, args);
    bool good = job_read(&job) && job_compile(&job, 1, NC_PREDICTS);
    if (good)
        *out = costs_of(job.program);
    return job_end(&job, good) == EXIT_DONE;
}

/* `split`: of the head alone, where there is a frozen trunk. */
static bool training_costs(const Args *args, bool thaw, bool split, Costs *out)
{
    Job job;
    job_prepare(&job, args);
    job.options.product = true;
    job.options.thaw = thaw;
    job.options.split = split;
    bool good = job_read(&job) && job_compile(&job, 0, NC_PREDICTS | NC_TRAINS | NC_EVALUATES);
    if (good && (!split || job.model->features_count))
        *out = costs_of(job.program);
    return job_end(&job, good) == EXIT_DONE;
}

static bool summarise_training(const Args *args, Summary *s)
{
    return training_costs(args, false, false, &s->training) &&
           (s->trainable == s->weights || (training_costs(args, true, false, &s->unfrozen) &&
                                           training_costs(args, false, true, &s->head)));
}

static int64_t training_bytes(const Costs *c)
{
    return c->param + c->state + c->memory + c->arena;
}

/* What is written when it predicts: scratch, what stateful layers remember, what is prepared. */
static int64_t inference_bytes(const Costs *c)
{
    return c->memory + c->arena + c->prepared;
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

static void print_training(Arena *a, const char *what, const Costs *c)
{
    const char *memory =
        c->memory ? arena_printf(a, "memory %s, ", size_text(a, (double)c->memory)) : "";
    if (c->batch)
        printf("%-14s %s of RAM in batches of %ld: parameters %s, optimizer %s, %sscratch %s; "
               "%.0f multiply-adds per sample\n",
               what, size_text(a, (double)training_bytes(c)), c->batch,
               size_text(a, (double)c->param), size_text(a, (double)c->state), memory,
               size_text(a, (double)c->arena), c->multiply_adds);
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
    printf("inference      %s of flash, %s of RAM, one sample a call\n",
           size_text(a, (double)s->inference.param),
           size_text(a, (double)inference_bytes(&s->inference)));
    if (s->inference.memory)
        printf("memory         %s of it, what stateful layers remember\n",
               size_text(a, (double)s->inference.memory));
    if (s->prepared.prepared)
        printf("prepared       %s of RAM in netcc and executables, %s of it made once from the "
               "weights\n",
               size_text(a, (double)inference_bytes(&s->prepared)),
               size_text(a, (double)s->prepared.prepared));
    print_training(a, "training", &s->training);
    print_training(a, "head alone", &s->head);
    print_training(a, "unfrozen", &s->unfrozen);
}

static void print_training_json(const char *what, const Costs *c)
{
    if (c->batch)
        printf(",\"%s\":{\"batch\":%ld,\"param_bytes\":%lld,\"state_bytes\":%lld,"
               "\"memory_bytes\":%lld,\"arena_bytes\":%lld,\"ram_bytes\":%lld,"
               "\"multiply_adds\":%.0f}",
               what, c->batch, (long long)c->param, (long long)c->state, (long long)c->memory,
               (long long)c->arena, (long long)training_bytes(c), c->multiply_adds);
}

static void print_json(const Job *job, const Summary *s)
{
    printf("{\"event\":\"summary\",\"name\":\"%s\",\"layers\":[", job->model->name);
    for (int i = 0; i < s->count; i++) {
        const Row *row = &s->rows[i];
        printf("%s{\"name\":", i ? "," : "");
        nc_json_text(stdout, row->name);
        printf(",\"shape\":");
        nc_json_text(stdout, row_shape(job->arena, row));
        printf(",\"parameters\":%lld,\"multiply_adds\":%.0f}", (long long)row->parameters,
               row->multiply_adds);
    }
    printf("],\"parameters\":%lld,\"trainable\":%lld,\"multiply_adds\":%.0f,",
           (long long)s->parameters, (long long)s->trainable, s->multiply_adds);
    printf("\"inference\":{\"batch\":%ld,\"flash_bytes\":%lld,\"ram_bytes\":%lld,"
           "\"memory_bytes\":%lld}",
           s->inference.batch, (long long)s->inference.param,
           (long long)inference_bytes(&s->inference), (long long)s->inference.memory);
    if (s->prepared.prepared)
        printf(",\"prepared\":{\"prepared_bytes\":%lld,\"ram_bytes\":%lld}",
               (long long)s->prepared.prepared, (long long)inference_bytes(&s->prepared));
    print_training_json("training", &s->training);
    print_training_json("head", &s->head);
    print_training_json("unfrozen", &s->unfrozen);
    puts("}");
}

static bool summary(Job *job)
{
    Summary s = {0};
    job->options.product = true;
    if (!job_compile(job, 1, NC_PREDICTS) || !prepared_costs(job->args, &s.prepared))
        return false;
    summarise(job, &s);
    if (job->model->train_options.present && !summarise_training(job->args, &s))
        return false;
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
