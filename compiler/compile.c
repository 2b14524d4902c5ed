/* The passes, in order. Each one's contract stands at the top of its file. */
#include "compile.h"

#include <string.h>

#include "layout.h"
#include "passes.h"
#include "train.h"

const char *const pass_names[] = {"build",    "autodiff", "expand", "fold",     "select",
                                  "simplify", "layout",   "fuse",   "schedule", "prepare",
                                  "band",     "slice",    "plan",   "emit",     NULL};

typedef struct {
    const CompileOptions *options;
    Model *model;
    Program *program;
} Compilation;

static Graph **graph_slot(Model *model, int i)
{
    Graph **slots[] = {&model->predict, &model->train, &model->eval, &model->grad};
    return slots[i];
}

static const char *const graph_names[] = {"predict", "train", "eval", "grad"};

/* Only the entries that a command calls are compiled. */
static void drop_unused_graphs(Model *model, unsigned uses)
{
    static const unsigned use_of[] = {NC_PREDICTS, NC_TRAINS, NC_EVALUATES, NC_DIFFERENTIATES};
    for (int i = 0; uses && i < 4; i++) {
        bool is_trunk = i == 0 && model->features_count;
        if (!(uses & use_of[i]) && !is_trunk)
            *graph_slot(model, i) = NULL;
    }
}

static bool dumps(const Compilation *c, const char *pass)
{
    return c->options->dump_after && !strcmp(c->options->dump_after, pass);
}

/* After a pass over graphs: verify, and dump if this is the pass asked for. */
static void after_graphs(const Compilation *c, const char *pass)
{
    for (int i = 0; i < 4; i++) {
        const Graph *graph = *graph_slot(c->model, i);
        if (!graph)
            continue;
        graph_verify(graph, pass);
        if (dumps(c, pass)) {
            str_printf(c->options->dump, "graph %s\n", graph_names[i]);
            graph_print(c->options->dump, graph);
        }
    }
}

static void after_entries(const Compilation *c, const char *pass)
{
    const Entry *entries[] = {c->program->prepare, c->program->predict, c->program->train,
                              c->program->eval, c->program->grad};
    for (int i = 0; dumps(c, pass) && i < 5; i++) {
        if (entries[i])
            entry_print(c->options->dump, entries[i]);
    }
}

static void dump_layouts(const Compilation *c)
{
    for (int i = 0; dumps(c, "layout") && i < c->model->params_count; i++) {
        const Param *param = c->model->params[i];
        str_printf(c->options->dump, "%s %s at %lld: ", param->name,
                   shape_text(c->model->arena, param->shape), (long long)param->offset);
        layout_print(c->options->dump, param->layout);
        str_add(c->options->dump, param->layout ? "\n" : "row-major\n");
    }
}

static int64_t *block_of(Program *program, const Param *param)
{
    if (param->role == NC_ROLE_MEMORY)
        return &program->memory_elements;
    return param->role == NC_ROLE_SLOT ? &program->state_elements : &program->weights_elements;
}

static void place_params(Program *program)
{
    for (int i = 0; i < program->model->params_count; i++) {
        Param *param = program->model->params[i];
        int64_t *end = block_of(program, param), rows = 1;
        param->offset = *end;
        if (shape_has_batch(param->shape))
            rows = program->batch;
        int64_t size = layout_elements(param->layout, param->shape) * rows;
        *end += block_elements(size);
    }
    program->weights_elements += BLOCK_SLACK;
    program->state_elements += BLOCK_SLACK;
    program->memory_elements += program->memory_elements ? BLOCK_SLACK : 0;
}

static bool is_strict(const Model *model, const CompileOptions *options)
{
    return model->numerics == NUMERICS_STRICT ||
           (model->numerics == NUMERICS_AUTO && options->product);
}

/* ---- passes over graphs ------------------------------------------------------------------------ */

static Graph *differentiate_graph(const Compilation *c, Graph *graph)
{
    differentiate(c->model, graph);
    return graph;
}

static Graph *expand_graph(const Compilation *c, Graph *graph)
{
    (void)c;
    return expand(graph);
}

static Graph *fold_graph(const Compilation *c, Graph *graph)
{
    return fold(graph, graph == c->model->predict);
}

static Graph *select_in_graph(const Compilation *c, Graph *graph)
{
    if (is_strict(c->model, c->options))
        return graph;
    return select_algorithms(graph, graph == c->model->predict ? 1 : c->program->batch);
}

static Graph *simplify_graph(const Compilation *c, Graph *graph)
{
    (void)c;
    return simplify(graph);
}

static void each_graph(const Compilation *c, const char *name,
                       Graph *(*pass)(const Compilation *, Graph *))
{
    for (int i = 0; i < 4; i++) {
        Graph **graph = graph_slot(c->model, i);
        if (*graph)
            *graph = pass(c, *graph);
    }
    after_graphs(c, name);
}

static void lay_out_graphs(const Compilation *c)
{
    Graph *graphs[4];
    int count = 0;
    for (int i = 0; i < 4; i++) {
        if (*graph_slot(c->model, i))
            graphs[count++] = *graph_slot(c->model, i);
    }
    lay_out_params(c->model->arena, c->model->params, graphs, count, c->program->batch);
    place_params(c->program);
    dump_layouts(c);
}

/* ---- passes over entries ----------------------------------------------------------------------- */

static Entry *fuse_graph(const Compilation *c, const char *name, Graph *graph)
{
    const Model *model = c->model;
    return graph ? fuse(model->arena, name, graph, model->params_count, c->program->batch) : NULL;
}

static void fuse_graphs(const Compilation *c)
{
    Program *program = c->program;
    program->predict = fuse_graph(c, "predict", c->model->predict);
    program->train = fuse_graph(c, "train", c->model->train);
    program->eval = fuse_graph(c, "eval", c->model->eval);
    program->grad = fuse_graph(c, "grad", c->model->grad);
    after_entries(c, "fuse");
}

static void schedule_entry(const Compilation *c, Entry *entry)
{
    (void)c;
    schedule(entry);
}

static void prepare_predictions(const Compilation *c)
{
    Program *program = c->program;
    if (program->predict && !c->options->product)
        program->prepare = prepare(program->predict, &program->prepared_elements);
    if (program->prepare)
        verify_prepared(program->prepare, program->predict, program->prepared_elements);
    after_entries(c, "prepare");
}

static void band_entry(const Compilation *c, Entry *entry)
{
    if (entry != c->program->prepare)
        band(entry, c->program->batch, c->options->band_cache);
}

static void slice_entry(const Compilation *c, Entry *entry)
{
    if (entry != c->program->prepare)
        slice(entry, c->program->batch, c->options->cache);
}

static void plan_entry(const Compilation *c, Entry *entry)
{
    plan(entry, c->program->batch);
    verify_plan(entry, c->program->batch);
}

static void each_entry(const Compilation *c, const char *name,
                       void (*pass)(const Compilation *, Entry *))
{
    Entry *const entries[] = {c->program->prepare, c->program->predict, c->program->train,
                              c->program->eval, c->program->grad};
    for (int i = 0; i < 5; i++) {
        if (entries[i])
            pass(c, entries[i]);
    }
    after_entries(c, name);
}

Program *compile_model(Model *model, const CompileOptions *options)
{
    Program *program = ARENA_NEW(model->arena, Program);
    const Compilation c = {options, model, program};
    program->model = model;
    program->batch = options->batch                 ? options->batch
                     : model->train_options.present ? model->train_options.batch_size
                                                    : 1;
    drop_unused_graphs(model, options->uses);
    after_graphs(&c, "build");
    each_graph(&c, "autodiff", differentiate_graph);
    each_graph(&c, "expand", expand_graph);
    each_graph(&c, "fold", fold_graph);
    each_graph(&c, "select", select_in_graph);
    each_graph(&c, "simplify", simplify_graph);
    lay_out_graphs(&c);

    fuse_graphs(&c);
    each_entry(&c, "schedule", schedule_entry);
    prepare_predictions(&c);
    each_entry(&c, "band", band_entry);
    each_entry(&c, "slice", slice_entry);
    each_entry(&c, "plan", plan_entry);
    if (dumps(&c, "emit"))
        str_add(options->dump, emit_unit(model->arena, program, EMIT_JIT_CC));
    return program;
}

static Yaml *read_spec(Arena *arena, Diag *diag, const CompileOptions *options)
{
    const Source *source = options->spec_text
                               ? source_given(arena, options->spec_path, options->spec_text)
                               : source_read(arena, diag, options->spec_path);
    Yaml *spec = source ? yaml_parse(arena, diag, source) : NULL;
    for (int i = 0; spec && i < options->sets_count; i++) {
        if (!yaml_set(arena, diag, spec, options->sets[i]))
            return NULL;
    }
    return spec;
}

Model *read_model(Arena *arena, Diag *diag, const CompileOptions *options)
{
    const Yaml *spec = options->spec ? options->spec : read_spec(arena, diag, options);
    if (!spec)
        return NULL;
    Model *model = ARENA_NEW(arena, Model);
    *model = (Model){.arena = arena,
                     .diag = diag,
                     .spec_path = options->spec_path,
                     .spec = spec,
                     .reads_data = options->reads_data,
                     .trains = options->trains,
                     .thawed = options->thaw,
                     .splits = options->split,
                     .epoch = options->epoch,
                     .weights_path = options->weights};
    return build(model) && !diag->errors ? model : NULL;
}
