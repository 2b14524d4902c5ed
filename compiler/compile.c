/* The passes, in order. Each one's contract stands at the top of its file. */
#include "compile.h"

#include <string.h>

#include "layout.h"
#include "passes.h"
#include "train.h"

const char *const pass_names[] = {"build",    "autodiff", "expand", "fold",     "select",
                                  "simplify", "layout",   "fuse",   "schedule", "prepare",
                                  "slice",    "plan",     "emit",   NULL};

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
    enum { ALIGN = NC_ALIGN / 4, SLACK = 32 };
    for (int i = 0; i < program->model->params_count; i++) {
        Param *param = program->model->params[i];
        int64_t *end = block_of(program, param), rows = 1;
        param->offset = *end;
        if (shape_has_batch(param->shape))
            rows = program->batch;
        int64_t size = layout_elements(param->layout, param->shape) * rows;
        *end += (size + ALIGN - 1) / ALIGN * ALIGN;
    }
    program->weights_elements += SLACK;
    program->state_elements += SLACK;
    program->memory_elements += program->memory_elements ? SLACK : 0;
}

static Entry *compile_graph(const char *name, Graph *graph, const Program *program)
{
    const Model *model = program->model;
    return graph ? fuse(model->arena, name, graph, model->params_count, program->batch) : NULL;
}

static void each_entry(const Program *program, void (*pass)(Entry *, int64_t))
{
    Entry *const entries[] = {program->prepare, program->predict, program->train, program->eval,
                              program->grad};
    for (int i = 0; i < 5; i++) {
        if (entries[i])
            pass(entries[i], program->batch);
    }
}

static void schedule_entry(Entry *entry, int64_t batch)
{
    (void)batch;
    schedule(entry);
}

static void prepare_predictions(Program *program, const CompileOptions *options)
{
    if (!program->predict || options->product)
        return;
    program->prepare = prepare(program->predict, &program->prepared_elements);
    if (program->prepare)
        verify_prepared(program->prepare, program->predict, program->prepared_elements);
}

static void check_plan(Entry *entry, int64_t batch)
{
    verify_plan(entry, batch);
}

static bool is_strict(const Model *model, const CompileOptions *options)
{
    return model->numerics == NUMERICS_STRICT ||
           (model->numerics == NUMERICS_AUTO && options->product);
}

Program *compile_model(Model *model, const CompileOptions *options)
{
    Arena *arena = model->arena;
    Program *program = ARENA_NEW(arena, Program);
    Compilation c = {options, model, program};
    program->model = model;
    program->batch = options->batch                 ? options->batch
                     : model->train_options.present ? model->train_options.batch_size
                                                    : 1;
    drop_unused_graphs(model, options->uses);
    after_graphs(&c, "build");
    for (int i = 0; i < 4; i++) {
        if (*graph_slot(model, i))
            differentiate(model, *graph_slot(model, i));
    }
    after_graphs(&c, "autodiff");

    Graph *graphs[4];
    int count = 0;
    for (int i = 0; i < 4; i++) {
        Graph **graph = graph_slot(model, i);
        if (*graph)
            *graph = expand(*graph);
    }
    after_graphs(&c, "expand");
    for (int i = 0; i < 4; i++) {
        Graph **graph = graph_slot(model, i);
        if (*graph)
            *graph = fold(*graph, *graph == model->predict);
    }
    after_graphs(&c, "fold");
    for (int i = 0; i < 4; i++) {
        Graph **graph = graph_slot(model, i);
        if (*graph && !is_strict(model, options))
            *graph = select_algorithms(*graph, *graph == model->predict ? 1 : program->batch);
    }
    after_graphs(&c, "select");
    for (int i = 0; i < 4; i++) {
        Graph **graph = graph_slot(model, i);
        if (*graph)
            graphs[count++] = *graph = simplify(*graph);
    }
    after_graphs(&c, "simplify");

    lay_out_params(arena, model->params, graphs, count, program->batch);
    place_params(program);
    dump_layouts(&c);

    program->predict = compile_graph("predict", model->predict, program);
    program->train = compile_graph("train", model->train, program);
    program->eval = compile_graph("eval", model->eval, program);
    program->grad = compile_graph("grad", model->grad, program);
    after_entries(&c, "fuse");
    each_entry(program, schedule_entry);
    after_entries(&c, "schedule");
    prepare_predictions(program, options);
    after_entries(&c, "prepare");
    Entry *const entries[] = {program->predict, program->train, program->eval, program->grad};
    for (int i = 0; i < 4; i++) {
        if (entries[i])
            slice(entries[i], program->batch, options->cache);
    }
    after_entries(&c, "slice");
    each_entry(program, plan);
    each_entry(program, check_plan);
    after_entries(&c, "plan");
    if (dumps(&c, "emit"))
        str_add(options->dump, emit_unit(arena, program, EMIT_JIT_CC));
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
