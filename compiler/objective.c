/* The graphs that a train section asks for: the forward graph, its loss and metrics, and the phase
 * that says what is to be minimised. autodiff (differentiate.c) makes gradients and updates of it. */
#include <string.h>

#include "build.h"
#include "expr.h"

/* Losses and metrics */

/* The target, of the prediction's rank: class numbers get a last axis of 1. */
static Node *target_node(Build *build, Graph *graph, int index)
{
    const Port *port = &build->model->targets[index];
    Shape shape = port->shape;
    AttrValue values[3] = {
        {.s = "target", .i = 1},
        {.i = index},
        {.count = shape.rank, .list = ARENA_ARRAY(build->arena, int64_t, MAX_RANK)}};
    memcpy(values[2].list, shape.dim, sizeof shape.dim);
    graph->layer = "target";
    graph->loc = port->loc;
    Node *target = node_new(graph, OP_input, 0, NULL, values);
    if (build->train.losses[index].loss->sparse)
        shape.dim[shape.rank++] = 1;
    target = reshape(graph, target, shape);
    if (build->target_scale == 1)
        return target;
    return node2(graph, OP_mul, target, constant(graph, build->target_scale));
}

/* The sum over the batch of each sample's mean. */
static Node *sum_of_means(Graph *graph, Node *value)
{
    unsigned all = (1u << value->shape.rank) - 1;
    double elements = (double)shape_row(value->shape);
    Node *rows = reduce(graph, OP_reduce_sum, value, all & ~1u);
    if (elements != 1)
        rows = node2(graph, OP_div, rows, constant(graph, elements));
    return reshape(graph, reduce(graph, OP_reduce_sum, rows, 1), scalar_shape());
}

static Node *compare(Graph *graph, const char *expr, const AttrDef *defs, const AttrValue *attrs,
                     Node *prediction, Node *target)
{
    Scope scope = {0};
    int64_t classes = prediction->shape.dim[prediction->shape.rank - 1];
    scope_attrs(graph, &scope, defs, attrs);
    scope_set(graph->arena, &scope, "a", prediction);
    scope_set(graph->arena, &scope, "b", target);
    scope_set(graph->arena, &scope, "classes", constant(graph, (double)classes));
    return sum_of_means(graph, expr_build(graph, NULL, (Loc){0}, expr, &scope));
}

static bool from_logits(const LossSpec *spec)
{
    const AttrDef *defs = spec->loss->record.attrs;
    return spec->loss->logits_op && find_attr(defs, spec->attrs, "from_logits")->i;
}

/* From the logits where they are at hand: asked for, or the output is their softmax or sigmoid. */
static Node *loss_value(Graph *graph, const LossSpec *spec, Node *output, Node *target)
{
    const Loss *loss = spec->loss;
    const AttrDef *defs = loss->record.attrs;
    graph->layer = "loss";
    graph->loc = spec->loc;
    if (from_logits(spec))
        return compare(graph, loss->logits_expr, defs, spec->attrs, output, target);
    if (loss->logits_op && !strcmp(loss->logits_op, op_of(output)->name))
        return compare(graph, loss->logits_expr, defs, spec->attrs, output->in[0], target);
    return compare(graph, loss->expr, defs, spec->attrs, output, target);
}

typedef struct {
    Node *loss; /* the weighted sum over outputs, and over the batch's rows */
    Node **metrics;
} Measures;

static Measures measure(Build *build, const GraphParts *parts)
{
    const TrainSpec *train = &build->train;
    Graph *graph = parts->graph;
    Node **target = ARENA_ARRAY(build->arena, Node *, train->losses_count);
    Measures out = {NULL, ARENA_ARRAY(build->arena, Node *, train->metrics_count + 1)};
    for (int i = 0; i < train->losses_count; i++) {
        const LossSpec *spec = &train->losses[i];
        target[i] = target_node(build, graph, i);
        Node *value = loss_value(graph, spec, parts->outputs[spec->output], target[i]);
        if (spec->weight != 1)
            value = node2(graph, OP_mul, value, constant(graph, spec->weight));
        out.loss = out.loss ? node2(graph, OP_add, out.loss, value) : value;
    }
    for (int i = 0; i < train->metrics_count && parts->purpose != FOR_GRAD; i++) {
        const MetricSpec *spec = &train->metrics[i];
        graph->layer = spec->name;
        graph->loc = spec->loc;
        out.metrics[i] =
            compare(graph, spec->metric->expr, spec->metric->record.attrs, spec->attrs,
                    parts->outputs[train->losses[spec->loss].output], target[spec->loss]);
    }
    return out;
}

static void add_outputs(Build *build, Graph *graph, const Measures *measures)
{
    const TrainSpec *train = &build->train;
    graph_output(graph, "loss", measures->loss, train->losses[0].loc);
    for (int i = 0; i < train->metrics_count; i++)
        graph_output(graph, train->metrics[i].name, measures->metrics[i], train->metrics[i].loc);
}

static Node *mean_loss(const Build *build, Graph *graph, const Measures *measures)
{
    graph->layer = "loss";
    graph->loc = build->train.losses[0].loc;
    return node2(graph, OP_div, measures->loss, read_hyper(graph, "batch"));
}

/* What is trained */

/* The nodes that read parameters, by the parameters' ids. */
static Node **param_nodes(const Build *build, const Graph *graph)
{
    Node **nodes = ARENA_ARRAY(build->arena, Node *, build->model->params_count + 1);
    for (int i = 0; i < graph->count; i++) {
        if (plays(graph->nodes[i], ROLE_PARAM))
            nodes[node_param(graph->nodes[i])->id] = graph->nodes[i];
    }
    return nodes;
}

static void want(Graph *graph, Phase *phase, const char *name, Node *node, Loc loc)
{
    Wanted wanted = {name, node, loc};
    ARENA_PUSH(graph->arena, phase->wanted, phase->wanted_count, wanted);
}

/* A phase that wants the gradients of all trainable parameters. */
static Phase phase_of(Build *build, Graph *graph, Node *loss)
{
    const Model *model = build->model;
    Node **nodes = param_nodes(build, graph);
    Phase phase = {.loss = loss};
    for (int i = 0; i < model->params_count; i++) {
        const Param *param = model->params[i];
        if (param->role == NC_ROLE_WEIGHT && param->trainable)
            want(graph, &phase, param->name, nodes[i], param->loc);
    }
    return phase;
}

static void add_phase(Graph *graph, Phase phase)
{
    ARENA_PUSH(graph->arena, graph->phases, graph->phases_count, phase);
}

/* The graphs */

static Graph *train_graph(Build *build)
{
    GraphParts parts;
    build_forward(build, FOR_TRAIN, &parts);
    Measures measures = measure(build, &parts);
    Phase phase = phase_of(build, parts.graph, mean_loss(build, parts.graph, &measures));
    OptimizerUse *optimizer = ARENA_NEW(build->arena, OptimizerUse);
    *optimizer = build->train.optimizer;
    phase.optimizer = optimizer;
    add_phase(parts.graph, phase);
    add_outputs(build, parts.graph, &measures);
    return parts.graph;
}

static Graph *eval_graph(Build *build)
{
    GraphParts parts;
    build_forward(build, FOR_EVAL, &parts);
    Measures measures = measure(build, &parts);
    add_outputs(build, parts.graph, &measures);
    return parts.graph;
}

static Graph *grad_graph(Build *build)
{
    GraphParts parts;
    const Model *model = build->model;
    build_forward(build, FOR_GRAD, &parts);
    Measures measures = measure(build, &parts);
    Node *loss = mean_loss(build, parts.graph, &measures);
    Phase phase = phase_of(build, parts.graph, loss);
    for (int i = 0; i < model->inputs_count; i++)
        want(parts.graph, &phase, model->inputs[i].name, parts.inputs[i], model->inputs[i].loc);
    add_phase(parts.graph, phase);
    graph_output(parts.graph, "loss", loss, build->train.losses[0].loc);
    return parts.graph;
}

bool build_train_graphs(Build *build)
{
    Model *model = build->model;
    model->train = train_graph(build);
    model->eval = eval_graph(build);
    if (!build->split)
        model->grad = grad_graph(build);
    return build->diag->errors == 0;
}
