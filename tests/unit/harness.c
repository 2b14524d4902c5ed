#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autodiff.h"
#include "layout.h"

Case *case_new(void)
{
    Arena *arena = arena_new();
    Case *c = ARENA_NEW(arena, Case);
    c->arena = arena;
    c->diag = diag_new(arena);
    c->model = ARENA_NEW(arena, Model);
    c->model->arena = arena;
    c->model->diag = c->diag;
    c->model->name = "test";
    c->graph = graph_new(arena);
    c->model->grad = c->graph;
    return c;
}

void case_free(Case *c)
{
    arena_free(c->arena);
}

double case_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) / 16777216.0;
}

static Node *input_node(Case *c, Shape shape)
{
    Model *model = c->model;
    AttrValue values[3] = {{.s = "input"},
                           {.i = model->inputs_count},
                           {.count = shape.rank, .list = ARENA_ARRAY(c->arena, int64_t, MAX_RANK)}};
    memcpy(values[2].list, shape.dim, sizeof shape.dim);
    Port port = {.name = "x", .shape = shape};
    ARENA_PUSH(c->arena, model->inputs, model->inputs_count, port);
    return node_new(c->graph, OP_input, 0, NULL, values);
}

static Node *param_node(Case *c, Shape shape)
{
    Model *model = c->model;
    Param *param = ARENA_NEW(c->arena, Param);
    *param = (Param){.name = arena_printf(c->arena, "p%d", model->params_count),
                     .id = model->params_count,
                     .shape = shape,
                     .trainable = true,
                     .rate = 1};
    ARENA_PUSH(c->arena, model->params, model->params_count, param);
    return read_param(c->graph, param);
}

Node *case_operand(Case *c, Shape shape, double low, double high, unsigned seed)
{
    int i = c->operands++;
    bool batched = shape_has_batch(shape);
    c->elements[i] = shape_row(shape) * (batched ? ROWS : 1);
    c->value[i] = ARENA_ARRAY(c->arena, double, c->elements[i] + 1);
    for (int64_t k = 0; k < c->elements[i]; k++)
        c->value[i][k] = low + (high - low) * case_random(&seed);
    c->operand[i] = batched ? input_node(c, shape) : param_node(c, shape);
    return c->operand[i];
}

static void print_diag(const Case *c)
{
    if (c->diag->errors)
        fputs(c->diag->text.text, stderr);
}

Runner case_compile(Case *c, RunKind kind)
{
    Str dump = str_new(c->arena);
    CompileOptions options = {
        .batch = ROWS + 2, .dump_after = getenv("NETCC_TEST_DUMP"), .dump = &dump};
    Runner runner = {.program = compile_model(c->model, &options)};
    fputs(dump.text, stderr);
    runner.model = describe(c->arena, runner.program, kind == RUN_DOUBLE ? 8 : 4);
    LoadRequest request = {c->arena, c->diag, runner.program, runner.model, emit_unit};
    runner.backend = kind == RUN_CC
                         ? load_cc(&request)
                         : load_tcc(&request, kind == RUN_DOUBLE ? EMIT_CHECK : EMIT_JIT_TCC);
    print_diag(c);
    return runner;
}

static void put(void *block, size_t real_bytes, int64_t at, double value)
{
    if (real_bytes == 8)
        ((double *)block)[at] = value;
    else
        ((float *)block)[at] = (float)value;
}

static double get(const void *block, size_t real_bytes, int64_t at)
{
    return real_bytes == 8 ? ((const double *)block)[at] : (double)((const float *)block)[at];
}

static void *aligned_block(size_t bytes)
{
    void *block = aligned_alloc(NC_ALIGN, (bytes + 128 + NC_ALIGN - 1) / NC_ALIGN * NC_ALIGN);
    memset(block, 0, bytes + 128);
    return block;
}

static void pack_param(const Case *c, const Runner *r, int operand, void *weights)
{
    const Param *param = node_param(c->operand[operand]);
    int64_t index[MAX_RANK] = {0};
    for (int64_t k = 0; k < c->elements[operand]; k++) {
        int64_t at = param->offset + layout_offset(param->layout, param->shape, index);
        put(weights, r->model->real_bytes, at, c->value[operand][k]);
        for (int d = param->shape.rank - 1; d >= 0 && ++index[d] == param->shape.dim[d]; d--)
            index[d] = 0;
    }
}

void case_run(const Case *c, const Runner *r, double **out)
{
    size_t real = r->model->real_bytes;
    void *weights = aligned_block(r->model->weights_bytes);
    void *arena = aligned_block(r->model->grad.arena_bytes);
    memset(arena, 0x7f, r->model->grad.arena_bytes);
    const void *inputs[MAX_OPERANDS];
    void *outputs[MAX_OPERANDS + 1];
    int inputs_count = 0, outputs_count = r->model->grad.outputs_count;
    for (int i = 0; i < c->operands; i++) {
        if (node_param(c->operand[i])) {
            pack_param(c, r, i, weights);
            continue;
        }
        void *block = aligned_block((size_t)c->elements[i] * real);
        for (int64_t k = 0; k < c->elements[i]; k++)
            put(block, real, k, c->value[i][k]);
        inputs[inputs_count++] = block;
    }
    for (int i = 0; i < outputs_count; i++) {
        const struct nc_port *port = &r->model->grad.outputs[i];
        outputs[i] = aligned_block((size_t)port->elements * (port->batched ? ROWS : 1) * real);
    }
    struct nc_hyper hyper = {.seed = 1};
    struct nc_call call = {.weights = weights,
                           .inputs = inputs,
                           .outputs = outputs,
                           .hyper = &hyper,
                           .n = ROWS,
                           .arena = arena};
    r->model->grad.run(&call);
    for (int i = 0; i < outputs_count; i++) {
        const struct nc_port *port = &r->model->grad.outputs[i];
        for (int64_t k = 0; k < port->elements * (port->batched ? ROWS : 1); k++)
            out[i][k] = get(outputs[i], real, k);
        free(outputs[i]);
    }
    for (int i = 0; i < inputs_count; i++)
        free((void *)(uintptr_t)inputs[i]);
    free(weights);
    free(arena);
}

void case_close(Runner *runner)
{
    backend_close(runner->backend);
}

static void add_gradients(Case *c, Node *y)
{
    Node *weights = case_operand(c, y->shape, 0.5, 1.5, 99);
    Node *weighted = node2(c->graph, OP_mul, y, weights);
    Node *loss = reduce(c->graph, OP_reduce_sum, weighted, ~0u >> (32 - MAX_RANK));
    loss = reshape(c->graph, loss, scalar_shape());
    Node *one = constant(c->graph, 1), *result[MAX_OPERANDS];
    backward(c->graph, &loss, &one, 1, c->operand, c->operands, result);
    graph_output(c->graph, "loss", loss, (Loc){0});
    for (int i = 0; i < c->operands; i++) {
        Node *g = result[i] ? result[i] : constant_of(c->graph, 0, c->operand[i]->shape);
        graph_output(c->graph, "gradient", g, (Loc){0});
    }
}

static double loss_at(Case *c, const Runner *runner, double **out, double *cell, double value)
{
    double old = *cell;
    *cell = value;
    case_run(c, runner, out);
    *cell = old;
    return out[0][0];
}

double case_check_gradient(Case *c, Node *y, const char *label)
{
    add_gradients(c, y);
    Runner runner = case_compile(c, RUN_DOUBLE);
    double loss, *gradient[MAX_OPERANDS + 1], *scratch[MAX_OPERANDS + 1], worst = 0;
    gradient[0] = &loss;
    scratch[0] = ARENA_ARRAY(c->arena, double, 1);
    for (int i = 0; i < c->operands; i++) {
        gradient[i + 1] = ARENA_ARRAY(c->arena, double, c->elements[i] + 1);
        scratch[i + 1] = ARENA_ARRAY(c->arena, double, c->elements[i] + 1);
    }
    case_run(c, &runner, gradient);
    for (int i = 0; i < c->operands; i++) {
        for (int64_t k = 0; k < c->elements[i]; k++) {
            double x = c->value[i][k], step = 1e-5;
            double up = loss_at(c, &runner, scratch, &c->value[i][k], x + step);
            double down = loss_at(c, &runner, scratch, &c->value[i][k], x - step);
            double numeric = (up - down) / (2 * step), exact = gradient[i + 1][k];
            double error = fabs(numeric - exact) / fmax(1, fmax(fabs(numeric), fabs(exact)));
            if (!(error <= worst))
                worst = error;
            if (!(error < 1e-6))
                fprintf(stderr,
                        "%s: operand %d cell %lld: %.9g by differences, %.9g by the graph\n", label,
                        i, (long long)k, numeric, exact);
        }
    }
    case_close(&runner);
    return worst;
}
