/* Fusion, schedule and plan: every entry is executed on a model of its memory in which each cell
 * knows whose value it holds. A read that finds a foreign cell is an overlap, or a read before the
 * write. Schedule must leave every read with the writer it had. */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "autodiff.h"
#include "random_graph.h"

enum { SLACK_READ = 31 }; /* cells that a tile may read behind its operand */

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct {
    const Entry *entry;
    int64_t batch;
    const Buffer **owner; /* by element of the arena */
} Memory;

static int64_t size_of(const Memory *m, const Buffer *buffer)
{
    return buffer->elements * (buffer->batched ? m->batch : 1);
}

static void take(Memory *m, const Buffer *buffer)
{
    if (buffer->offset < 0 || buffer->offset + size_of(m, buffer) > m->entry->arena_elements)
        fail_msg("%s: buffer %d lies outside the block", m->entry->name, buffer->id);
    for (int64_t i = 0; i < size_of(m, buffer); i++)
        m->owner[buffer->offset + i] = buffer;
}

static void check_read(const Memory *m, const Kernel *kernel, const Buffer *buffer)
{
    if (buffer->offset + size_of(m, buffer) + SLACK_READ > m->entry->arena_elements)
        fail_msg("%s: a tile may read beyond the block", m->entry->name);
    for (int64_t i = 0; i < size_of(m, buffer); i++) {
        const Buffer *owner = m->owner[buffer->offset + i];
        if (owner != buffer)
            fail_msg("%s: %s reads cell %lld of buffer %d and finds %s %d", m->entry->name,
                     kernel->template, (long long)i, buffer->id,
                     owner ? "one of buffer" : "it never written", owner ? owner->id : -1);
    }
}

/* Reads come before writes, but a kernel's results must not lie over its operands either. */
static void execute(Memory *m, Kernel *const *kernels, int count)
{
    for (int i = 0; i < count; i++) {
        const Kernel *kernel = kernels[i];
        for (int64_t step = 0; step < kernel->steps && step < 2; step++)
            execute(m, kernel->body, kernel->body_count);
        for (int k = 0; k < kernel->in_count; k++) {
            if (kernel->in[k].buffer->kind == BUFFER_ARENA)
                check_read(m, kernel, kernel->in[k].buffer);
        }
        for (int k = 0; k < kernel->out_count; k++) {
            if (kernel->out[k].buffer->kind == BUFFER_ARENA)
                take(m, kernel->out[k].buffer);
        }
        for (int k = 0; k < kernel->in_count + kernel->out_count; k++) {
            const BufferRef *ref =
                k < kernel->in_count ? &kernel->in[k] : &kernel->out[k - kernel->in_count];
            if (ref->buffer->kind == BUFFER_ARENA)
                check_read(m, kernel, ref->buffer);
        }
    }
}

static void check_memory(Arena *arena, const Entry *entry, int64_t batch)
{
    Memory m = {entry, batch, ARENA_ARRAY(arena, const Buffer *, entry->arena_elements)};
    execute(&m, entry->kernels, entry->kernels_count);
}

/* ---- order ----------------------------------------------------------------------------------- */

/* What a kernel reads: who wrote it last, and how many writes came before. */
typedef struct {
    const Kernel *reader, *writer;
    const Buffer *buffer;
    int writes;
} Read;

typedef struct {
    Arena *arena;
    const Kernel **writer; /* by buffer id */
    int *writes;
    Read *reads;
    int count;
} Trace;

static void trace_kernels(Trace *t, Kernel *const *kernels, int count)
{
    for (int i = 0; i < count; i++) {
        const Kernel *kernel = kernels[i];
        for (int64_t step = 0; step < kernel->steps && step < 2; step++)
            trace_kernels(t, kernel->body, kernel->body_count);
        for (int k = 0; k < kernel->in_count; k++) {
            const Buffer *buffer = kernel->in[k].buffer;
            Read read = {kernel, t->writer[buffer->id], buffer, t->writes[buffer->id]};
            ARENA_PUSH(t->arena, t->reads, t->count, read);
        }
        for (int k = 0; k < kernel->out_count; k++) {
            t->writer[kernel->out[k].buffer->id] = kernel;
            t->writes[kernel->out[k].buffer->id]++;
        }
    }
}

static Trace trace(Arena *arena, const Entry *entry)
{
    Trace t = {.arena = arena,
               .writer = ARENA_ARRAY(arena, const Kernel *, entry->buffers_count + 1),
               .writes = ARENA_ARRAY(arena, int, entry->buffers_count + 1)};
    trace_kernels(&t, entry->kernels, entry->kernels_count);
    return t;
}

static bool has_read(const Trace *t, const Read *wanted)
{
    for (int i = 0; i < t->count; i++) {
        const Read *read = &t->reads[i];
        if (read->reader == wanted->reader && read->writer == wanted->writer &&
            read->buffer == wanted->buffer && read->writes == wanted->writes)
            return true;
    }
    return false;
}

static void check_order(const Entry *entry, const Trace *before, const Trace *after)
{
    assert_int_equal(before->count, after->count);
    for (int i = 0; i < before->count; i++) {
        if (!has_read(after, &before->reads[i]))
            fail_msg("%s: schedule gives %s another value of buffer %d", entry->name,
                     before->reads[i].reader->template, before->reads[i].buffer->id);
    }
    for (int i = 0; i < entry->buffers_count; i++) {
        assert_int_equal(before->writes[i], after->writes[i]);
        assert_ptr_equal(before->writer[i], after->writer[i]);
    }
}

/* ---- graphs ---------------------------------------------------------------------------------- */

static Entry *planned(Arena *arena, const char *name, Graph *graph, int params, int64_t batch)
{
    Entry *entry = fuse(arena, name, graph, params, batch);
    Trace before = trace(arena, entry);
    schedule(entry);
    Trace after = trace(arena, entry);
    check_order(entry, &before, &after);
    plan(entry, batch);
    check_memory(arena, entry, batch);
    verify_plan(entry, batch);
    return entry;
}

static void add_updates(Case *c, Node *const *gradients)
{
    for (int i = 0; i < c->operands; i++) {
        const Param *param = node_param(c->operand[i]);
        if (!param || !gradients[i])
            continue;
        Node *step = node2(c->graph, OP_mul, gradients[i], constant(c->graph, 0.1));
        update_param(c->graph, param, node2(c->graph, OP_sub, c->operand[i], step));
    }
}

/* A training step of a random graph; its loss also depends on what the parameters become, so that
 * old and new versions live side by side. */
static void random_training_steps(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        Case *c = case_new();
        Node *loss = reduce(c->graph, OP_reduce_sum, random_graph(c, seed * 7919), 1);
        Node *one = constant(c->graph, 1), *gradient[MAX_OPERANDS];
        loss = reshape(c->graph, loss, scalar_shape());
        backward(c->graph, &loss, &one, 1, c->operand, c->operands, gradient);
        graph_output(c->graph, "loss", loss, (Loc){0});
        for (int i = 0; seed % 2 && i < c->operands; i++) {
            if (gradient[i])
                graph_output(c->graph, "gradient", gradient[i], (Loc){0});
        }
        if (seed % 3)
            add_updates(c, gradient);
        Graph *graph = simplify(expand(c->graph));
        lay_out_params(c->arena, c->model->params, &graph, 1, 5);
        planned(c->arena, "random", graph, c->model->params_count, 1 + seed % 5);
        case_free(c);
    }
}

/* ---- graphs of leaves and views -------------------------------------------------------------- */

enum { SMALL_POOL = 40 };

static Node *small_leaf(Case *c, unsigned *seed)
{
    static const Shape shapes[] = {{1, {4}}, {1, {1}}, {2, {BATCH, 4}}, {2, {2, 2}}};
    static const char *const fields[] = {"learning_rate", "iteration", "batch"};
    int kind = (int)(case_random(seed) * 10);
    if (kind < 4 && c->operands < MAX_OPERANDS)
        return case_operand(c, shapes[kind], -1, 1, *seed);
    if (kind < 7) {
        AttrValue field = {.s = fields[kind % 3]};
        return node_new(c->graph, OP_hyper, 0, NULL, &field);
    }
    return kind == 7 ? constant_of(c->graph, 2, shapes[0]) : constant(c->graph, kind);
}

/* x under another shape of as many cells. */
static Node *small_view(Case *c, Node *x, unsigned *seed)
{
    static const Shape shapes[] = {{1, {4}},        {2, {1, 4}},        {2, {2, 2}},
                                   {2, {4, 1}},     {0, {0}},           {1, {1}},
                                   {2, {1, 1}},     {2, {BATCH, 4}},    {3, {BATCH, 2, 2}},
                                   {2, {BATCH, 1}}, {3, {BATCH, 1, 4}}, {1, {BATCH}}};
    enum { COUNT = sizeof shapes / sizeof *shapes };
    for (int i = (int)(case_random(seed) * COUNT), tries = 0; tries < COUNT; tries++, i++) {
        Shape to = shapes[i % COUNT];
        if (shape_has_batch(to) == shape_has_batch(x->shape) &&
            shape_row(to) == shape_row(x->shape) && !shape_equal(to, x->shape))
            return reshape(c->graph, x, to);
    }
    return node1(c->graph, OP_tanh, x);
}

/* A value of the pool that broadcasts with x, or x. */
static Node *small_partner(Node *const *pool, int count, Node *x, unsigned *seed)
{
    Shape shape;
    for (int tries = 0; tries < 8; tries++) {
        Node *y = pool[(int)(case_random(seed) * count)];
        if (shape_broadcast(x->shape, y->shape, &shape) && shape.rank <= 3)
            return y;
    }
    return x;
}

static Node *small_node(Case *c, Node *const *pool, int count, unsigned *seed)
{
    static const OpKind binary[] = {OP_add, OP_sub, OP_mul, OP_max};
    Node *x = pool[(int)(case_random(seed) * count)];
    int kind = (int)(case_random(seed) * 20);
    if (kind < 3)
        return small_leaf(c, seed);
    if (kind < 9)
        return small_view(c, x, seed);
    if (kind == 9)
        return reduce(c->graph, OP_reduce_sum, x, 1u << (int)(case_random(seed) * 2));
    if (kind < 12)
        return node1(c->graph, OP_sin, x);
    return node2(c->graph, binary[kind % 4], x, small_partner(pool, count, x, seed));
}

/* Values of leaves alone wait for their first reader; views end a group. */
static void random_leaves_and_views(void **state)
{
    (void)state;
    for (unsigned first = 1; first <= 400; first++) {
        Case *c = case_new();
        unsigned seed = first * 7919;
        Node *pool[SMALL_POOL];
        for (int i = 0; i < SMALL_POOL; i++)
            pool[i] = i < 3 ? small_leaf(c, &seed) : small_node(c, pool, i, &seed);
        for (int i = SMALL_POOL - 10; i < SMALL_POOL; i++)
            graph_output(c->graph, "y", pool[i], (Loc){0});
        Graph *graph = simplify(c->graph);
        planned(c->arena, arena_printf(c->arena, "leaves %u", first), graph, c->model->params_count,
                1 + first % 5);
        case_free(c);
    }
}

/* ---- specs ----------------------------------------------------------------------------------- */

static const char *const specs[] = {
    "input: [12]\n"
    "layers: [{dense: {units: 20, activation: relu}}, {dropout: 0.3}, {dense: 3}]\n"
    "train: {loss: mse, optimizer: adam, batch_size: 5}\n",
    "input: [7, 6, 2]\n"
    "layers:\n"
    "  - conv2d: {filters: 3, kernel_size: 3, padding: same}\n"
    "  - batch_normalization\n"
    ""
    "  - flatten\n"
    "  - dense: {units: 4, activation: softmax}\n"
    "train: {loss: sparse_categorical_crossentropy, optimizer: {sgd: {momentum: 0.9}},\n"
    "        batch_size: 3, metrics: [accuracy]}\n",
    "input: [9, 5]\n"
    "layers: [{simple_rnn: {units: 6, return_sequences: true}}, {simple_rnn: 4}, {dense: 2}]\n"
    "train: {loss: mse, optimizer: rmsprop, batch_size: 4}\n",
    "input: [9, 5]\n"
    "layers: [{simple_rnn: {units: 6, return_sequences: true, stateful: true}},\n"
    "         {simple_rnn: {units: 4, stateful: true, go_backwards: true}}, {dense: 2}]\n"
    "train: {loss: mse, optimizer: rmsprop, batch_size: 4, shuffle: false}\n",
    "inputs: {a: [8], b: [5]}\n"
    "layers:\n"
    "  - dense: {units: 6, from: a, name: left, activation: tanh}\n"
    "  - dense: {units: 6, from: b, name: right}\n"
    "  - concatenate: {from: [left, right], name: both}\n"
    "  - add: {from: [left, right], name: sum}\n"
    "  - dense: {units: 2, from: both, name: first}\n"
    "  - dense: {units: 1, from: sum, name: second, activation: sigmoid}\n"
    "outputs: [first, second]\n"
    "train: {loss: {first: mse, second: binary_crossentropy}, optimizer: adam, batch_size: 6}\n",
};

static void check_spec(const char *text)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Source source = {.name = "a.yaml", .text = text, .length = strlen(text)};
    Model model = {.arena = arena, .diag = diag, .spec_path = "a.yaml"};
    model.spec = yaml_parse(arena, diag, &source);
    if (!model.spec || !build(&model))
        fail_msg("%s", diag->text.text);
    Graph **slots[] = {&model.predict, &model.train, &model.eval, &model.grad}, *graphs[4];
    static const char *const names[] = {"predict", "train", "eval", "grad"};
    for (int i = 0; i < 4; i++)
        graphs[i] = simplify(expand(*slots[i]));
    lay_out_params(arena, model.params, graphs, 4, 5);
    for (int i = 0; i < 4; i++)
        planned(arena, names[i], graphs[i], model.params_count, model.train_options.batch_size);
    arena_free(arena);
}

static void models_with_training(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        check_spec(specs[i]);
}

/* ---- memory of stateful layers ------------------------------------------------------------------ */

/* Counts how often an entry's kernels write memory, and checks that none reads it afterwards. */
static int memory_writes(Arena *arena, const Entry *entry)
{
    Trace t = trace(arena, entry);
    int writes = 0;
    for (int i = 0; i < t.count; i++) {
        if (t.reads[i].buffer->kind == BUFFER_MEMORY)
            assert_int_equal(t.reads[i].writes, 0);
    }
    for (int i = 0; i < entry->buffers_count; i++) {
        if (entry->buffers[i]->kind == BUFFER_MEMORY)
            writes += t.writes[entry->buffers[i]->id];
    }
    return writes;
}

/* Two layers: train, eval and predict read what each remembers, then write it once; the gradients of
 * one batch know nothing of it. Row i of the batch has a place of its own. */
static void memory_is_read_then_written(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    const char *text = specs[3];
    Source source = {.name = "a.yaml", .text = text, .length = strlen(text)};
    Model model = {.arena = arena, .diag = diag, .spec_path = "a.yaml"};
    model.spec = yaml_parse(arena, diag, &source);
    assert_true(model.spec && build(&model));
    const CompileOptions options = {.batch = 4};
    const Program *program = compile_model(&model, &options);
    assert_int_equal(memory_writes(arena, program->predict), 2);
    assert_int_equal(memory_writes(arena, program->train), 2);
    assert_int_equal(memory_writes(arena, program->eval), 2);
    assert_int_equal(memory_writes(arena, program->grad), 0);
    const Param *first = model_memory(&model);
    assert_string_equal(first->name, "simple_rnn/h");
    assert_int_equal(first->offset, 0);
    int64_t last = 32; /* 4 rows of 6, in lines of 16 */
    for (int i = first->id + 1; i < model.params_count; i++) {
        if (model.params[i]->role == NC_ROLE_MEMORY)
            assert_int_equal(model.params[i]->offset, last);
    }
    assert_int_equal(program->memory_elements, last + 16 + 32);
    const struct nc_model *nc = describe(arena, program, sizeof(float));
    assert_int_equal(nc->memory_bytes, (last + 48) * 4);
    for (int i = 0; i < nc->parameters_count; i++)
        assert_null(strstr(nc->parameters[i].name, "/h"));
    arena_free(arena);
}

/* ---- old and new versions of states -------------------------------------------------------------- */

enum { CELLS = 5, STATES = 3 };

/* States a, b, c of CELLS numbers, under test as one step of a model. */
static Case *three_states(Node **a, Node **b, Node **c)
{
    Case *test = case_new();
    Shape shape = shape_of(1, (int64_t[]){CELLS});
    *a = case_operand(test, shape, -1, 1, 1);
    *b = case_operand(test, shape, -1, 1, 2);
    *c = case_operand(test, shape, -1, 1, 3);
    return test;
}

static void set_next(Case *c, Node *state, Node *value)
{
    update_param(c->graph, node_param(state), value);
}

/* Runs the step; next[i] is what state i has become, out what output 0 is. */
static void run_step(Case *c, float next[STATES][CELLS], float *out)
{
    Runner runner = case_compile(c, RUN_TCC);
    struct nc_hyper hyper = {0};
    float *weights = aligned_alloc(NC_ALIGN, runner.model->weights_bytes + NC_ALIGN);
    void *arena = aligned_alloc(NC_ALIGN, runner.model->grad.arena_bytes + NC_ALIGN);
    void *outputs[] = {out};
    for (int i = 0; i < STATES; i++) {
        for (int k = 0; k < CELLS; k++)
            weights[node_param(c->operand[i])->offset + k] = (float)c->value[i][k];
    }
    const struct nc_call call = {
        .weights = weights, .outputs = outputs, .hyper = &hyper, .n = 1, .arena = arena};
    runner.model->grad.run(&call);
    for (int i = 0; i < STATES; i++)
        memcpy(next[i], weights + node_param(c->operand[i])->offset, sizeof next[i]);
    free(weights);
    free(arena);
    case_close(&runner);
    case_free(c);
}

static void expect_cells(const float *found, const float *wanted)
{
    for (int k = 0; k < CELLS; k++)
        assert_float_equal(found[k], wanted[k], 1e-6);
}

static void old_values(const Case *c, float old[STATES][CELLS])
{
    for (int i = 0; i < STATES * CELLS; i++)
        old[i / CELLS][i % CELLS] = (float)c->value[i / CELLS][i % CELLS];
}

static void states_may_change_places(void **state)
{
    Node *a, *b, *c;
    float old[STATES][CELLS], next[STATES][CELLS], out[CELLS];
    (void)state;
    Case *test = three_states(&a, &b, &c);
    old_values(test, old);
    set_next(test, a, b);
    set_next(test, b, c);
    set_next(test, c, a);
    graph_output(test->graph, "a", a, (Loc){0});
    run_step(test, next, out);
    expect_cells(next[0], old[1]);
    expect_cells(next[1], old[2]);
    expect_cells(next[2], old[0]);
    expect_cells(out, old[0]);
}

/* a' could be written over a, were it not for b' = a and the output. */
static void old_versions_are_read_as_they_were(void **state)
{
    Node *a, *b, *c;
    float old[STATES][CELLS], next[STATES][CELLS], out[CELLS], wanted[CELLS];
    (void)state;
    for (int with_output = 0; with_output < 2; with_output++) {
        Case *test = three_states(&a, &b, &c);
        old_values(test, old);
        for (int k = 0; k < CELLS; k++)
            wanted[k] = tanhf(old[0][k]);
        set_next(test, a, node1(test->graph, OP_tanh, a));
        if (with_output)
            set_next(test, b, node1(test->graph, OP_neg, b));
        else
            set_next(test, b, reshape(test->graph, a, a->shape));
        graph_output(test->graph, "out", with_output ? a : c, (Loc){0});
        run_step(test, next, out);
        expect_cells(next[0], wanted);
        expect_cells(next[2], old[2]);
        expect_cells(out, old[with_output ? 0 : 2]);
        if (!with_output)
            expect_cells(next[1], old[0]);
    }
}

/* ---- the checks themselves ------------------------------------------------------------------- */

/* Buffers that die are used again: three in a row need the room of two. */
static void room_is_used_again(void **state)
{
    (void)state;
    Case *c = case_new();
    Node *x = case_operand(c, shape_of(2, (int64_t[]){BATCH, 64}), -1, 1, 1);
    for (int i = 0; i < 5; i++) {
        Node *w = case_operand(c, shape_of(2, (int64_t[]){64, 64}), -1, 1, 1);
        x = node2(c->graph, OP_matmul, x, w);
    }
    graph_output(c->graph, "y", x, (Loc){0});
    Graph *graph = simplify(c->graph);
    lay_out_params(c->arena, c->model->params, &graph, 1, 5);
    Entry *entry = planned(c->arena, "chain", graph, c->model->params_count, 10);
    assert_int_equal(entry->arena_elements, 2 * 640 + 32);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_training_steps),
        cmocka_unit_test(random_leaves_and_views),
        cmocka_unit_test(models_with_training),
        cmocka_unit_test(memory_is_read_then_written),
        cmocka_unit_test(states_may_change_places),
        cmocka_unit_test(old_versions_are_read_as_they_were),
        cmocka_unit_test(room_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
