/* fold: a normalization by fixed statistics becomes one multiply-add per element.
 *
 * Requires: no composites. Finds x * f + s, and (x + b) * f + s with the bias of a convolution or a
 * dense layer, where x is data and b, f and s are made of fixed parameters: those of frozen layers,
 * and in inference all. Adds fma(x, f, s), or fma(x, f, fma(b, f, s)): per channel one factor and
 * one shift, which ride in the epilogue of the product before them, so that weights in files and in
 * memory stay as they were trained. Keeps: outputs, updates, and nodes that others read. Breaks: node
 * identity (a new graph). */
#include <string.h>

#include "passes.h"

typedef struct {
    const Graph *old;
    Graph *graph;
    Node **copy;  /* by old id */
    bool *fixed;  /* by old id: made of constants and fixed parameters alone */
    int *readers; /* by old id */
} Folder;

static bool is_fixed(const Folder *f, const Node *node, bool inference)
{
    const Param *param = node_param(node);
    bool fixed = node->inputs > 0 && op_of(node)->class != OP_STATE;
    if (plays(node, ROLE_PARAM))
        return param->role != NC_ROLE_MEMORY && (inference || param->frozen);
    if (plays(node, ROLE_CONSTANT))
        return true;
    for (int i = 0; i < node->inputs; i++)
        fixed &= f->fixed[node->in[i]->id];
    return fixed;
}

static void look_around(Folder *f, bool inference)
{
    for (int i = 0; i < f->old->count; i++) {
        const Node *node = f->old->nodes[i];
        f->fixed[i] = is_fixed(f, node, inference);
        for (int k = 0; k < node->inputs; k++)
            f->readers[node->in[k]->id]++;
    }
    for (int i = 0; i < f->old->outputs_count; i++)
        f->readers[f->old->outputs[i].node->id]++;
}

/* `op` of data and something fixed, in this order */
static bool is_step(const Folder *f, const Node *node, OpKind op)
{
    return node->op == op && shape_has_batch(node->in[0]->shape) && !f->fixed[node->in[0]->id] &&
           f->fixed[node->in[1]->id];
}

static bool is_inner_step(const Folder *f, const Node *node, OpKind op)
{
    return f->readers[node->id] == 1 && is_step(f, node, op);
}

/* The multiply-add that stands for an old node, or NULL. A factor of 1 or a shift of 0 is left to
 * simplify. */
static Node *multiply_add(Folder *f, const Node *add)
{
    double value;
    if (!is_step(f, add, OP_add) || !is_inner_step(f, add->in[0], OP_mul))
        return NULL;
    const Node *product = add->in[0], *x = product->in[0];
    if (is_constant(product->in[1], &value) || is_constant(add->in[1], &value))
        return NULL;
    Node *factor = f->copy[product->in[1]->id], *shift = f->copy[add->in[1]->id];
    if (is_inner_step(f, x, OP_add)) {
        shift = node3(f->graph, OP_fma, f->copy[x->in[1]->id], factor, shift);
        x = x->in[0];
    }
    return node3(f->graph, OP_fma, f->copy[x->id], factor, shift);
}

static Node *copy_node(Folder *f, const Node *node)
{
    Node **in = ARENA_ARRAY(f->graph->arena, Node *, node->inputs + 1);
    Node *folded = multiply_add(f, node);
    if (folded)
        return folded;
    for (int k = 0; k < node->inputs; k++)
        in[k] = f->copy[node->in[k]->id];
    if (op_of(node)->class == OP_STATE)
        return update_param(f->graph, node_param(node), in[0]);
    return node_new(f->graph, node->op, node->inputs, in, node->attr);
}

Graph *fold(const Graph *old, bool inference)
{
    Arena *arena = old->arena;
    Folder f = {old, graph_new(arena), ARENA_ARRAY(arena, Node *, old->count + 1),
                ARENA_ARRAY(arena, bool, old->count + 1), ARENA_ARRAY(arena, int, old->count + 1)};
    look_around(&f, inference);
    for (int i = 0; i < old->count; i++) {
        f.graph->layer = old->nodes[i]->name;
        f.graph->loc = old->nodes[i]->loc;
        f.copy[i] = copy_node(&f, old->nodes[i]);
    }
    for (int i = 0; i < old->outputs_count; i++) {
        Output output = old->outputs[i];
        graph_output(f.graph, output.name, f.copy[output.node->id], output.loc);
    }
    return f.graph;
}
