/* autodiff: the phases of a graph become gradients and updates.
 *
 * Requires: built graphs; a training step is a list of phases, each with a loss, what it trains and
 * by which optimizer. Keeps: all nodes. Adds: gradient nodes, and then either the optimizer's update
 * of every state (slots included, which it adds to the model's table), or the gradients as outputs.
 * Breaks: the phases, which are done with. */
#include <math.h>

#include "attributes.h"
#include "autodiff.h"
#include "expr.h"
#include "layers/layer.h"
#include "model.h"
#include "passes.h"
#include "records/record.h"

/* The gradients that a phase wants; zero where nothing flows. */
static Node **gradients_of(Graph *graph, const Phase *phase)
{
    int count = phase->wanted_count;
    Node **wanted = ARENA_ARRAY(graph->arena, Node *, count + 1);
    Node **result = ARENA_ARRAY(graph->arena, Node *, count + 1);
    Node *loss = phase->loss, *one = constant(graph, 1);
    for (int i = 0; i < count; i++)
        wanted[i] = phase->wanted[i].node;
    backward(graph, &loss, &one, 1, wanted, count, result);
    for (int i = 0; i < count; i++) {
        if (!result[i])
            result[i] = constant_of(graph, 0, wanted[i]->shape);
    }
    return result;
}

/* The optimizer */

typedef struct {
    Model *model;
    Graph *graph;
    const OptimizerUse *use;
    Node *base_rate, *learning_rate; /* of the optimizer; of the parameter at hand */
    Node *iteration, *step;          /* of the run; since the parameter trains */
    Node *clip;                      /* factor of global_clipnorm, or NULL */
} Updater;

static double option(const Updater *u, const char *key)
{
    const AttrValue *value = find_attr(u->use->defs, u->use->attrs, key);
    const AttrDef *def = &u->use->defs[value - u->use->attrs];
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

static Node *global_factor(Updater *u, Node *const *gradients, int count)
{
    double limit = option(u, "global_clipnorm");
    if (isinf(limit) || !count)
        return NULL;
    Node *total = NULL;
    for (int i = 0; i < count; i++) {
        Node *squares = square_sum(u->graph, gradients[i]);
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
    const char *name = arena_printf(u->graph->arena, "%s/%s", of->name, slot->name);
    Param *param = model_param(u->model, name, of->shape);
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
    Arena *arena = u->graph->arena;
    Scope scope = {0};
    scope_attrs(u->graph, &scope, u->use->defs, u->use->attrs);
    scope_set(arena, &scope, "learning_rate", u->learning_rate);
    scope_set(arena, &scope, "t", u->step);
    scope_set(arena, &scope, "p", p);
    scope_set(arena, &scope, "g", g);
    return scope;
}

static Node *next_of(Updater *u, const Scope *scope, const char *name)
{
    return scope_get(scope, arena_printf(u->graph->arena, "%s'", name));
}

/* The learning rate of one parameter */
static Node *rate_of(Updater *u, const Param *param)
{
    double factor = param->rate;
    if (factor == 1)
        return u->base_rate;
    return node2(u->graph, OP_mul, u->base_rate, constant(u->graph, factor));
}

/* The optimizer's t: 1 in the first step that trains the parameter. Those that begin in a later epoch
 * count the steps since then, in a state that they share. */
static Node *step_of(Updater *u, const Param *param)
{
    Graph *graph = u->graph;
    if (param->since <= 1 || u->model->thawed)
        return u->iteration;
    const char *name =
        arena_printf(graph->arena, "unfreeze_%lld/iteration", (long long)param->since);
    Param *counter = model_param(u->model, name, scalar_shape());
    counter->role = NC_ROLE_SLOT;
    for (int i = 0; i < graph->updates_count; i++) {
        if (node_param(graph->updates[i]) == counter)
            return graph->updates[i]->in[0];
    }
    Node *step = node2(graph, OP_add, read_param(graph, counter), constant(graph, 1));
    update_param(graph, counter, step);
    return step;
}

static void update_one(Updater *u, const Param *param, Node *p, Node *gradient)
{
    const Optimizer *optimizer = u->use->optimizer;
    Graph *graph = u->graph;
    Param *state[4] = {0};
    graph->layer = param->name;
    graph->loc = param->loc;
    u->learning_rate = rate_of(u, param);
    u->step = step_of(u, param);
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

static void update_all(Model *model, Graph *graph, const Phase *phase, Node *const *gradients)
{
    Updater u = {.model = model, .graph = graph, .use = phase->optimizer};
    graph->layer = phase->optimizer->optimizer->record.name;
    graph->loc = (Loc){0};
    u.base_rate = read_hyper(graph, "learning_rate");
    u.iteration = read_hyper(graph, "iteration");
    u.clip = global_factor(&u, gradients, phase->wanted_count);
    for (int i = 0; i < phase->wanted_count; i++) {
        Node *p = phase->wanted[i].node;
        update_one(&u, node_param(p), p, gradients[i]);
    }
}

static void run_phase(Model *model, Graph *graph, const Phase *phase)
{
    Node **gradients = gradients_of(graph, phase);
    if (phase->optimizer) {
        update_all(model, graph, phase, gradients);
        return;
    }
    for (int i = 0; i < phase->wanted_count; i++)
        graph_output(graph, phase->wanted[i].name, gradients[i], phase->wanted[i].loc);
}

void differentiate(Model *model, Graph *graph)
{
    for (int i = 0; i < graph->phases_count; i++)
        run_phase(model, graph, &graph->phases[i]);
    graph->phases_count = 0;
}
