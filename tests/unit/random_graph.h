/* Random graphs of ops: a pool of values, all [n, C] or [n, 1], grown from one input. */
#ifndef NETCC_TEST_RANDOM_GRAPH_H
#define NETCC_TEST_RANDOM_GRAPH_H

#include "harness.h"

enum { POOL = 24 };

typedef struct {
    Case *c;
    Node *pool[POOL];
    int count;
    unsigned seed;
} Growth;

static int pick_below(Growth *g, int limit)
{
    return (int)(case_random(&g->seed) * limit) % limit;
}

static Node *pick_wide(Growth *g)
{
    Node *node = NULL;
    while (!node || node->shape.dim[1] == 1)
        node = g->pool[pick_below(g, g->count)];
    return node;
}

static Node *pick_fitting(Growth *g, Node *like)
{
    for (int tries = 0; tries < 50; tries++) {
        Node *node = g->pool[pick_below(g, g->count)];
        if (node->shape.dim[1] == 1 || node->shape.dim[1] == like->shape.dim[1])
            return node;
    }
    return like;
}

static Node *grow_product(Growth *g, Node *x)
{
    int64_t units = 3 + pick_below(g, 40);
    Shape kernel = {.rank = 2, .dim = {x->shape.dim[1], units}};
    if (g->c->operands == MAX_OPERANDS - 2)
        return node1(g->c->graph, OP_tanh, x);
    Node *w = case_operand(g->c, kernel, -0.5, 0.5, g->seed);
    return node2(g->c->graph, OP_matmul, x, w);
}

static Node *grow(Growth *g)
{
    static const OpKind unary[] = {OP_tanh, OP_sigmoid, OP_relu, OP_softmax, OP_softplus,
                                   OP_sin,  OP_elu,     OP_gelu, OP_abs,     OP_log_softmax};
    static const OpKind binary[] = {OP_add, OP_sub, OP_mul, OP_max, OP_min};
    Graph *graph = g->c->graph;
    Node *x = pick_wide(g);
    switch (pick_below(g, 6)) {
    case 0:
        return grow_product(g, x);
    case 1:
        return reduce(graph, OP_reduce_sum, node1(graph, OP_tanh, x), 2);
    case 2:
    case 3: {
        const Op *op = op_table[unary[pick_below(g, 10)]];
        return apply_op(graph, op, &x, 1, op_defaults(graph->arena, op));
    }
    default:
        return node2(graph, binary[pick_below(g, 5)], x, pick_fitting(g, x));
    }
}

/* A value [n, 1] that depends on the last ones of the pool. */
static Node *random_graph(Case *c, unsigned seed)
{
    Growth g = {.c = c, .seed = seed};
    Shape shape = {.rank = 2, .dim = {BATCH, 5 + (int64_t)(seed % 37)}};
    g.pool[g.count++] = case_operand(c, shape, -1.5, 1.5, seed);
    while (g.count < POOL)
        g.pool[g.count] = grow(&g), g.count++;
    Node *sum = NULL;
    for (int i = POOL - 6; i < POOL; i++) {
        Node *part = reduce(c->graph, OP_reduce_sum, g.pool[i], 2);
        sum = sum ? node2(c->graph, OP_add, sum, part) : part;
    }
    return sum;
}

#endif
