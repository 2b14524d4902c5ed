/* expand: composites become primitives.
 *
 * Requires: any graph. Keeps: outputs, updates, names and Locs. Breaks: no composite is left. */
#include <string.h>

#include "expr.h"
#include "passes.h"

Node *expand_node(Graph *graph, const Op *op, Node *const *in, int inputs, const AttrValue *attrs,
                  const char *text, Node *y, Node *g)
{
    static const char *const several[] = {"a", "b", "c"};
    Scope scope = {0};
    for (int i = 0; i < inputs && i < 3; i++)
        scope_set(graph->arena, &scope, inputs == 1 ? "x" : several[i], in[i]);
    if (y)
        scope_set(graph->arena, &scope, "y", y);
    if (g)
        scope_set(graph->arena, &scope, "g", g);
    if (attrs)
        scope_attrs(graph, &scope, op->attrs, attrs);
    return expr_build(graph, NULL, (Loc){0}, text, &scope);
}

Node *apply_op(Graph *graph, const Op *op, Node *const *in, int inputs, const AttrValue *attrs)
{
    if (op->class == OP_COMPOSITE && !op->vjp[0])
        return expand_node(graph, op, in, inputs, attrs, op->expr, NULL, NULL);
    return node_new(graph, op_kind(op), inputs, in, attrs);
}

/* Expressions may use other composites: expands node by node until only primitives are left. */
static Node *expand_deep(Graph *graph, const Node *node, Node *const *in)
{
    Graph *aside = graph_new(graph->arena);
    Node *stand_in[8];
    const Op *op = op_of(node);
    if (node->inputs > 8)
        bug("composite %s of %d inputs", op->name, node->inputs);
    for (int i = 0; i < node->inputs; i++) {
        Shape s = node->in[i]->shape;
        AttrValue values[3] = {
            {.s = "slice"},
            {.i = i},
            {.count = s.rank, .list = ARENA_ARRAY(graph->arena, int64_t, MAX_RANK)}};
        memcpy(values[2].list, s.dim, sizeof s.dim);
        stand_in[i] = node_new(aside, OP_input, 0, NULL, values);
    }
    Node *root = expand_node(aside, op, stand_in, node->inputs, node->attr, op->expr, NULL, NULL);
    Node **copy = ARENA_ARRAY(graph->arena, Node *, aside->count + 1);
    for (int i = 0; i < aside->count; i++) {
        Node *inner = aside->nodes[i], *args[8];
        for (int k = 0; k < inner->inputs; k++)
            args[k] = copy[inner->in[k]->id];
        if (i < node->inputs)
            copy[i] = in[i];
        else if (op_of(inner)->class == OP_COMPOSITE)
            copy[i] = expand_deep(graph, inner, args);
        else
            copy[i] = node_new(graph, inner->op, inner->inputs, args, inner->attr);
    }
    return copy[root->id];
}

typedef struct {
    bool (*wants)(const Node *node); /* NULL: nothing stays */
} Kept;

static Node *expand_composite(Graph *graph, const Node *node, Node *const *in, const void *context)
{
    const Kept *kept = context;
    if (op_of(node)->class != OP_COMPOSITE || (kept->wants && kept->wants(node)))
        return NULL;
    return expand_deep(graph, node, in);
}

Graph *expand(const Graph *old)
{
    return expand_but(old, NULL);
}

Graph *expand_but(const Graph *old, bool (*keep)(const Node *node))
{
    return graph_rewrite(old, expand_composite, &(Kept){keep});
}
