/* Building graphs: nodes, constants that fold, and short hands for common ops. */
#include "graph/graph.h"

#include <string.h>

#include "ops/op.h"

Graph *graph_new(Arena *arena)
{
    Graph *graph = ARENA_NEW(arena, Graph);
    graph->arena = arena;
    return graph;
}

const Op *op_find(const char *name)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (!strcmp(op_table[i]->name, name))
            return op_table[i];
    }
    return NULL;
}

int attr_count(const AttrDef *attrs)
{
    int count = 0;
    while (attrs && attrs[count].type != ATTR_END)
        count++;
    return count;
}

const AttrValue *attr(const Node *node, const char *key)
{
    const AttrDef *defs = op_of(node)->attrs;
    for (int i = 0; defs && defs[i].type != ATTR_END; i++) {
        if (!strcmp(defs[i].key, key))
            return &node->attr[i];
    }
    bug("op %s has no attribute %s", op_of(node)->name, key);
}

/* The value of a primitive whose inputs are all constants. */
static bool fold(const Node *node, double *value)
{
    const Op *op = op_of(node);
    double x[3];
    if (op->class != OP_PRIMITIVE || !op->fold || node->inputs > 3)
        return false;
    for (int i = 0; i < node->inputs; i++) {
        if (!is_constant(node->in[i], &x[i]))
            return false;
    }
    *value = op->fold(x);
    return true;
}

static Node *append(Graph *graph, OpKind op, int inputs, Node *const *in, const AttrValue *attrs)
{
    Node *node = ARENA_NEW(graph->arena, Node);
    node->op = op;
    node->inputs = inputs;
    node->in = ARENA_ARRAY(graph->arena, Node *, inputs ? inputs : 1);
    for (int i = 0; i < inputs; i++)
        node->in[i] = in[i];
    int count = attr_count(op_table[op]->attrs);
    if (count && attrs) {
        node->attr = ARENA_ARRAY(graph->arena, AttrValue, count);
        memcpy(node->attr, attrs, sizeof(AttrValue) * (size_t)count);
    }
    node->name = graph->layer;
    node->loc = graph->loc;
    node->shape = op_table[op]->infer(node);
    return node;
}

Node *node_new(Graph *graph, OpKind op, int inputs, Node *const *in, const AttrValue *attrs)
{
    Node *node = append(graph, op, inputs, in, attrs);
    double value;
    if (fold(node, &value))
        return constant_of(graph, value, node->shape);
    node->id = graph->count;
    ARENA_PUSH(graph->arena, graph->nodes, graph->count, node);
    return node;
}

Node *node1(Graph *graph, OpKind op, Node *a)
{
    return node_new(graph, op, 1, &a, NULL);
}

Node *node2(Graph *graph, OpKind op, Node *a, Node *b)
{
    return node_new(graph, op, 2, (Node *[]){a, b}, NULL);
}

Node *node3(Graph *graph, OpKind op, Node *a, Node *b, Node *c)
{
    return node_new(graph, op, 3, (Node *[]){a, b, c}, NULL);
}

static AttrValue ints_value(Graph *graph, int count, const int64_t *values)
{
    AttrValue value = {.count = count, .list = ARENA_ARRAY(graph->arena, int64_t, count + 1)};
    for (int i = 0; i < count; i++)
        value.list[i] = values[i];
    return value;
}

Node *constant_of(Graph *graph, double value, Shape shape)
{
    AttrValue attrs[2] = {{.f = value}, ints_value(graph, shape.rank, shape.dim)};
    return node_new(graph, OP_const, 0, NULL, attrs);
}

Node *constant(Graph *graph, double value)
{
    return constant_of(graph, value, scalar_shape());
}

bool is_constant(const Node *node, double *value)
{
    if (!plays(node, ROLE_CONSTANT))
        return false;
    *value = node->attr[0].f;
    return true;
}

Node *read_param(Graph *graph, const Param *param)
{
    AttrValue value = {.ptr = param};
    return node_new(graph, OP_param, 0, NULL, &value);
}

Node *update_param(Graph *graph, const Param *param, Node *value)
{
    AttrValue attrs = {.ptr = param};
    if (!shape_equal(param->shape, value->shape))
        bug("update of %s with a value of another shape", param->name);
    Node *node = node_new(graph, OP_update, 1, &value, &attrs);
    ARENA_PUSH(graph->arena, graph->updates, graph->updates_count, node);
    return node;
}

const Param *node_param(const Node *node)
{
    return plays(node, ROLE_PARAM) || op_of(node)->class == OP_STATE ? node->attr[0].ptr : NULL;
}

Node *read_hyper(Graph *graph, const char *field)
{
    AttrValue value = {.s = field};
    return node_new(graph, OP_hyper, 0, NULL, &value);
}

Node *reshape(Graph *graph, Node *x, Shape shape)
{
    if (shape_equal(x->shape, shape))
        return x;
    AttrValue value = ints_value(graph, shape.rank, shape.dim);
    return node_new(graph, OP_reshape, 1, &x, &value);
}

/* One node for each run of adjacent axes (axes of extent 1 belong to any run), from the last. */
Node *reduce(Graph *graph, OpKind op, Node *x, unsigned axes)
{
    for (int i = x->shape.rank - 1; i >= 0; i--) {
        int64_t list[MAX_RANK];
        int count = 0, from = i;
        while (from >= 0 && (axes >> from & 1 || x->shape.dim[from] == 1))
            from--;
        for (int axis = from + 1; axis <= i; axis++) {
            if (axes >> axis & 1 && x->shape.dim[axis] != 1)
                list[count++] = axis;
        }
        if (count) {
            AttrValue value = ints_value(graph, count, list);
            x = node_new(graph, op, 1, &x, &value);
        }
        if (from < i)
            i = from + 1;
    }
    return x;
}

Node *matrix_transpose(Graph *graph, Node *x)
{
    return node_new(graph, OP_matrix_transpose, 1, &x, NULL);
}

Node *transpose(Graph *graph, Node *x, const int *perm)
{
    int64_t list[MAX_RANK];
    for (int i = 0; i < x->shape.rank; i++)
        list[i] = perm[i];
    AttrValue value = ints_value(graph, x->shape.rank, list);
    return node_new(graph, OP_transpose, 1, &x, &value);
}

void graph_output(Graph *graph, const char *name, Node *node, Loc loc)
{
    Output output = {.name = name, .node = node, .loc = loc};
    ARENA_PUSH(graph->arena, graph->outputs, graph->outputs_count, output);
}

static Node *copy_node(Graph *graph, const Node *node, Node *const *in, Rewrite *rewrite,
                       const void *context)
{
    Node *copy = rewrite(graph, node, in, context);
    if (copy)
        return copy;
    if (op_of(node)->class == OP_STATE)
        return update_param(graph, node_param(node), in[0]);
    copy = node_new(graph, node->op, node->inputs, in, node->attr);
    if (plays(node, ROLE_LOOP))
        copy->attr[0].ptr = graph_rewrite(node->attr[0].ptr, rewrite, context);
    return copy;
}

Graph *graph_rewrite(const Graph *old, Rewrite *rewrite, const void *context)
{
    Graph *graph = graph_new(old->arena);
    Node **copy = ARENA_ARRAY(old->arena, Node *, old->count + 1);
    for (int i = 0; i < old->count; i++) {
        const Node *node = old->nodes[i];
        Node **in = ARENA_ARRAY(old->arena, Node *, node->inputs + 1);
        for (int k = 0; k < node->inputs; k++)
            in[k] = copy[node->in[k]->id];
        graph->layer = node->name;
        graph->loc = node->loc;
        copy[i] = copy_node(graph, node, in, rewrite, context);
    }
    for (int i = 0; i < old->outputs_count; i++) {
        Output output = old->outputs[i];
        graph_output(graph, output.name, copy[output.node->id], output.loc);
    }
    return graph;
}
