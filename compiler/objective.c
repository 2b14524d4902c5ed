/* The graphs that a train section asks for: the forward graph, its loss and metrics, the gradients
 * and what the optimizer makes of them. */
#include "autodiff.h"

#include <math.h>
#include <string.h>

#include "build.h"
#include "expr.h"

static Node *hyper(Graph *graph, int field)
{
    static const char *const names[] = {"learning_rate", "iteration", "batch"};
    AttrValue value = {.s = names[field], .i = field};
    return node_new(graph, OP_hyper, 0, NULL, &value);
}
enum { HYPER_LEARNING_RATE, HYPER_ITERATION, HYPER_BATCH };

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
    return reshape(graph, target, shape);
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
    return node2(graph, OP_div, measures->loss, hyper(graph, HYPER_BATCH));
}

/* Gradients */

/* The trainable parameters of a graph, their nodes and gradients. */
typedef struct {
    Param **params;
    Node **nodes, **gradients;
    int count;
} Trained;

/* The nodes that read parameters, by the parameters' ids. */
static Node **param_nodes(const Build *build, const Graph *graph)
{
    Node **nodes = ARENA_ARRAY(build->arena, Node *, build->model->params_count + 1);
    for (int i = 0; i < graph->count; i++) {
        if (graph->nodes[i]->op == OP_param)
            nodes[node_param(graph->nodes[i])->id] = graph->nodes[i];
    }
    return nodes;
}

static Trained find_trained(Build *build, const Graph *graph)
{
    const Model *model = build->model;
    Node **nodes = param_nodes(build, graph);
    Trained out = {ARENA_ARRAY(build->arena, Param *, model->params_count + 1),
                   ARENA_ARRAY(build->arena, Node *, model->params_count + 1),
                   ARENA_ARRAY(build->arena, Node *, model->params_count + 1), 0};
    for (int i = 0; i < model->params_count; i++) {
        Param *param = model->params[i];
        if (param->role != NC_ROLE_WEIGHT || !param->trainable)
            continue;
        out.params[out.count] = param;
        out.nodes[out.count++] = nodes[i];
    }
    return out;
}

/* The gradients of `loss` for `wanted`; zero where nothing flows. */
static void differentiate(Graph *graph, Node *loss, Node *const *wanted, int count, Node **result)
{
    Node *one = constant(graph, 1);
    backward(graph, &loss, &one, 1, wanted, count, result);
    for (int i = 0; i < count; i++) {
        if (!result[i])
            result[i] = constant_of(graph, 0, wanted[i]->shape);
    }
}

/* The optimizer */

typedef struct {
    Build *build;
    Graph *graph;
    Node *learning_rate, *step;
    Node *clip; /* factor of global_clipnorm, or NULL */
} Updater;

static double option(const Updater *u, const char *key)
{
    const TrainSpec *train = &u->build->train;
    const AttrValue *value = find_attr(train->optimizer_defs, train->optimizer_attrs, key);
    const AttrDef *def = &train->optimizer_defs[value - train->optimizer_attrs];
    return def->type == ATTR_NUMBER ? value->f : (double)value->i;
}

static Node *square_sum(Graph *graph, Node *g)
{
    unsigned all = (1u << g->shape.rank) - 1;
    Node *sum = reduce(graph, OP_reduce_sum, node2(graph, OP_mul, g, g), all);
    return reshape(graph, sum, scalar_shape());
}

/* limit / max(norm, limit) */
static Node *norm_factor(Graph *graph, Node *squares, double limit)
{
    Node *bound = constant(graph, limit);
    Node *norm = node1(graph, OP_sqrt, squares);
    return node2(graph, OP_div, bound, node2(graph, OP_max, norm, bound));
}

static Node *global_factor(Updater *u, const Trained *trained)
{
    double limit = option(u, "global_clipnorm");
    if (isinf(limit) || !trained->count)
        return NULL;
    Node *total = NULL;
    for (int i = 0; i < trained->count; i++) {
        Node *squares = square_sum(u->graph, trained->gradients[i]);
        total = total ? node2(u->graph, OP_add, total, squares) : squares;
    }
    return norm_factor(u->graph, total, limit);
}

static Node *clipped(Updater *u, Node *g)
{
    double norm = option(u, "clipnorm"), value = option(u, "clipvalue");
    Graph *graph = u->graph;
    if (u->clip)
        return node2(graph, OP_mul, g, u->clip);
    if (!isinf(norm))
        return node2(graph, OP_mul, g, norm_factor(graph, square_sum(graph, g), norm));
    if (isinf(value))
        return g;
    Node *low = node2(graph, OP_max, g, constant(graph, -value));
    return node2(graph, OP_min, low, constant(graph, value));
}

/* p - p * (weight_decay * learning_rate) */
static Node *decayed(Updater *u, Node *p)
{
    double decay = option(u, "weight_decay");
    if (isinf(decay) || decay == 0)
        return p;
    Node *share = node2(u->graph, OP_mul, u->learning_rate, constant(u->graph, decay));
    return node2(u->graph, OP_sub, p, node2(u->graph, OP_mul, p, share));
}

static Param *slot_param(Updater *u, const Slot *slot, const Param *of)
{
    const char *name = arena_printf(u->build->arena, "%s/%s", of->name, slot->name);
    Param *param = model_param(u->build->model, name, of->shape);
    double first = slot->init ? option(u, slot->init) : 0;
    param->role = NC_ROLE_SLOT;
    param->init = (struct nc_init){NC_INIT_CONSTANT, first, 0};
    param->loc = of->loc;
    return param;
}

static bool slot_in_use(const Updater *u, const Slot *slot)
{
    return !slot->unless_zero || option(u, slot->unless_zero) != 0;
}

static Scope update_scope(Updater *u, Node *p, Node *g)
{
    const TrainSpec *train = &u->build->train;
    Arena *arena = u->build->arena;
    Scope scope = {0};
    scope_attrs(u->graph, &scope, train->optimizer_defs, train->optimizer_attrs);
    scope_set(arena, &scope, "learning_rate", u->learning_rate);
    scope_set(arena, &scope, "t", u->step);
    scope_set(arena, &scope, "p", p);
    scope_set(arena, &scope, "g", g);
    return scope;
}

static Node *next_of(Updater *u, const Scope *scope, const char *name)
{
    return scope_get(scope, arena_printf(u->build->arena, "%s'", name));
}

static void update_one(Updater *u, Param *param, Node *p, Node *gradient)
{
    const Optimizer *optimizer = u->build->train.optimizer;
    Graph *graph = u->graph;
    Param *state[4] = {0};
    graph->layer = param->name;
    graph->loc = param->loc;
    Scope scope = update_scope(u, decayed(u, p), clipped(u, gradient));
    for (int i = 0; i < 4 && optimizer->slots[i].name; i++) {
        const Slot *slot = &optimizer->slots[i];
        bool used = slot_in_use(u, slot);
        state[i] = used ? slot_param(u, slot, param) : NULL;
        scope_set(graph->arena, &scope, slot->name,
                  used ? read_param(graph, state[i]) : constant(graph, 0));
    }
    expr_build(graph, NULL, (Loc){0}, optimizer->expr, &scope);
    for (int i = 0; i < 4 && optimizer->slots[i].name; i++) {
        if (state[i])
            update_param(graph, state[i], next_of(u, &scope, optimizer->slots[i].name));
    }
    update_param(graph, param, next_of(u, &scope, "p"));
}

static void update_all(Build *build, Graph *graph, const Trained *trained)
{
    Updater u = {.build = build, .graph = graph};
    graph->layer = build->train.optimizer->record.name;
    graph->loc = (Loc){0};
    u.learning_rate = hyper(graph, HYPER_LEARNING_RATE);
    u.step = hyper(graph, HYPER_ITERATION);
    u.clip = global_factor(&u, trained);
    for (int i = 0; i < trained->count; i++)
        update_one(&u, trained->params[i], trained->nodes[i], trained->gradients[i]);
}

/* The graphs */

static Graph *train_graph(Build *build)
{
    GraphParts parts;
    build_forward(build, FOR_TRAIN, &parts);
    Measures measures = measure(build, &parts);
    Node *loss = mean_loss(build, parts.graph, &measures);
    Trained trained = find_trained(build, parts.graph);
    differentiate(parts.graph, loss, trained.nodes, trained.count, trained.gradients);
    update_all(build, parts.graph, &trained);
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
    Trained trained = find_trained(build, parts.graph);
    int count = trained.count + model->inputs_count;
    Node **wanted = ARENA_ARRAY(build->arena, Node *, count);
    Node **result = ARENA_ARRAY(build->arena, Node *, count);
    memcpy(wanted, trained.nodes, sizeof(Node *) * (size_t)trained.count);
    memcpy(wanted + trained.count, parts.inputs, sizeof(Node *) * (size_t)model->inputs_count);
    differentiate(parts.graph, loss, wanted, count, result);
    graph_output(parts.graph, "loss", loss, build->train.losses[0].loc);
    for (int i = 0; i < trained.count; i++)
        graph_output(parts.graph, trained.params[i]->name, result[i], trained.params[i]->loc);
    for (int i = 0; i < model->inputs_count; i++)
        graph_output(parts.graph, model->inputs[i].name, result[trained.count + i],
                     model->inputs[i].loc);
    return parts.graph;
}

bool build_train_graphs(Build *build)
{
    Model *model = build->model;
    model->train = train_graph(build);
    model->eval = eval_graph(build);
    model->grad = grad_graph(build);
    return build->diag->errors == 0;
}
