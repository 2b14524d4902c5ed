#include "autodiff.h"

#include "expr.h"
#include "passes.h"

struct Gradients {
    Graph *graph;
    int count;     /* nodes that the sweep may reach */
    Node **grad;   /* by node id: what has flowed in so far */
    Node ***tuple; /* by node id, for nodes of several results: 64 of them */
    bool *needed;  /* by node id: a wanted node is among its ancestors, or it is one */
};

enum { MAX_RESULTS = 64 };

Graph *gradient_graph(Gradients *to)
{
    return to->graph;
}

bool gradient_wanted(const Gradients *to, const Node *y, int index)
{
    return to->needed[y->in[index]->id];
}

/* Sums `grad` over the axes along which `shape` was broadcast. */
static Node *unbroadcast(Graph *graph, Node *grad, Shape shape)
{
    int extra = grad->shape.rank - shape.rank;
    unsigned axes = 0;
    for (int i = 0; i < grad->shape.rank; i++) {
        if (i < extra || (shape.dim[i - extra] == 1 && grad->shape.dim[i] != 1))
            axes |= 1u << i;
    }
    return reshape(graph, reduce(graph, OP_reduce_sum, grad, axes), shape);
}

/* A gradient whose shape is smaller than its node's is the same along the missing axes. */
static Node *broadcast_to(Graph *graph, Node *grad, Shape shape)
{
    if (shape_equal(grad->shape, shape))
        return grad;
    return node2(graph, OP_add, grad, constant_of(graph, 0, shape));
}

static void accumulate(Graph *graph, Node **slot, Node *grad)
{
    *slot = *slot ? node2(graph, OP_add, *slot, grad) : grad;
}

void gradient_add(Gradients *to, Node *y, int index, Node *grad)
{
    Node *x = y->in[index];
    double value;
    if (!to->needed[x->id] || (is_constant(grad, &value) && value == 0))
        return;
    grad = unbroadcast(to->graph, grad, x->shape);
    accumulate(to->graph, &to->grad[x->id], broadcast_to(to->graph, grad, x->shape));
}

void gradient_add_result(Gradients *to, Node *tuple, int index, Node *grad)
{
    if (!to->tuple[tuple->id])
        to->tuple[tuple->id] = ARENA_ARRAY(to->graph->arena, Node *, MAX_RESULTS);
    if (index >= MAX_RESULTS)
        bug("a node with more than %d results", MAX_RESULTS);
    accumulate(to->graph, &to->tuple[tuple->id][index], grad);
}

Node *gradient_result(Gradients *to, const Node *tuple, int index)
{
    return to->tuple[tuple->id] ? to->tuple[tuple->id][index] : NULL;
}

/* The record's derivative texts. */
static void text_rule(Gradients *to, Node *y, Node *g)
{
    const Op *op = op_of(y);
    for (int i = 0; i < y->inputs; i++) {
        if (!gradient_wanted(to, y, i))
            continue;
        if (!op->vjp[i])
            bug("op %s has no derivative for input %d", op->name, i);
        gradient_add(to, y, i,
                     expand_node(to->graph, op, y->in, y->inputs, y->attr, op->vjp[i], y, g));
    }
}

static void sweep_node(Gradients *to, Node *y)
{
    const Op *op = op_of(y);
    Node *g = to->grad[y->id];
    if (!to->needed[y->id] || (!g && !to->tuple[y->id]) || !y->inputs)
        return;
    to->graph->layer = y->name;
    to->graph->loc = y->loc;
    if (op->gradient)
        op->gradient(to, y, g);
    else if (op->not_differentiable)
        bug("op %s cannot be differentiated", op->name);
    else
        text_rule(to, y, g);
}

static void mark_needed(Gradients *to, Node *const *wanted, int wanted_count)
{
    for (int i = 0; i < wanted_count; i++)
        to->needed[wanted[i]->id] = true;
    for (int i = 0; i < to->count; i++) {
        const Node *node = to->graph->nodes[i];
        for (int k = 0; k < node->inputs; k++)
            to->needed[i] |= to->needed[node->in[k]->id];
    }
}

void backward(Graph *graph, Node *const *seeds, Node *const *seed_gradients, int seeds_count,
              Node *const *wanted, int wanted_count, Node **result)
{
    int count = graph->count;
    Gradients to = {.graph = graph,
                    .count = count,
                    .grad = ARENA_ARRAY(graph->arena, Node *, count),
                    .tuple = ARENA_ARRAY(graph->arena, Node **, count),
                    .needed = ARENA_ARRAY(graph->arena, bool, count)};
    mark_needed(&to, wanted, wanted_count);
    for (int i = 0; i < seeds_count; i++)
        accumulate(graph, &to.grad[seeds[i]->id], seed_gradients[i]);
    for (int i = count - 1; i >= 0; i--)
        sweep_node(&to, graph->nodes[i]);
    for (int i = 0; i < wanted_count; i++)
        result[i] = to.grad[wanted[i]->id];
}
