/* Reductions over any axes but the batch. */
#include "layers/axes.h"

#define FUNCTIONS "sum|mean|max|min|l1|l2|sum_square|log_sum|log_sum_exp"
enum { SUM, MEAN, MAX, MIN, L1, L2, SUM_SQUARE, LOG_SUM, LOG_SUM_EXP };

#define ATTR_AXES(fallback)                                                                        \
    {                                                                                              \
        "axis", ATTR_INTS, fallback, "axes to reduce; the batch is axis 0", -MAX_RANK,             \
            MAX_RANK - 1, NULL                                                                     \
    }
#define ATTR_KEEPDIMS                                                                              \
    {                                                                                              \
        "keepdims", ATTR_BOOL, "false", "keep the axes as 1", 0, 0, NULL                           \
    }

static const AttrDef reduce_attrs[] = {
    {"function", ATTR_CHOICE, NULL, "what the cells become", 0, 0, FUNCTIONS},
    ATTR_AXES("[-1]"),
    ATTR_KEEPDIMS,
    ATTRS_END};

static bool read_axes(LayerBuild *build, unsigned *axes)
{
    const AttrValue *value = layer_attr(build, "axis");
    int rank = build->in[0]->shape.rank;
    *axes = 0;
    for (int i = 0; i < value->count; i++) {
        int64_t axis = value->list[i] + (value->list[i] < 0 ? rank : 0);
        if (axis <= 0 || axis >= rank) {
            input_fault(build, axis == 0 ? "axis %lld is the batch" : "there is no axis %lld",
                        (long long)value->list[i]);
            return false;
        }
        *axes |= 1u << axis;
    }
    return true;
}

/* Without the reduced axes; one of 1 stays where there would be none but the batch. */
static Node *drop_axes(Graph *graph, Node *x, unsigned axes)
{
    Shape shape = {0};
    for (int i = 0; i < x->shape.rank; i++) {
        if (!(axes >> i & 1))
            shape.dim[shape.rank++] = x->shape.dim[i];
    }
    if (shape.rank == 1)
        shape.dim[shape.rank++] = 1;
    return reshape(graph, x, shape);
}

static Node *sum(Graph *graph, Node *x, unsigned axes)
{
    return reduce_axes(graph, OP_reduce_sum, x, axes);
}

static Node *mean(Graph *graph, Node *x, unsigned axes)
{
    Node *total = sum(graph, x, axes);
    double cells = (double)shape_row(x->shape) / (double)shape_row(total->shape);
    return node2(graph, OP_div, total, constant(graph, cells));
}

static Node *log_sum_exp(Graph *graph, Node *x, unsigned axes)
{
    Node *top = reduce_axes(graph, OP_reduce_max, x, axes);
    Node *spread = sum(graph, node1(graph, OP_exp, node2(graph, OP_sub, x, top)), axes);
    return node2(graph, OP_add, top, node1(graph, OP_log, spread));
}

static Node *smallest(Graph *graph, Node *x, unsigned axes)
{
    Node *turned = reduce_axes(graph, OP_reduce_max, node1(graph, OP_neg, x), axes);
    return node1(graph, OP_neg, turned);
}

static Node *apply_function(Graph *graph, int64_t function, Node *x, unsigned axes)
{
    switch (function) {
    case SUM:
        return sum(graph, x, axes);
    case MEAN:
        return mean(graph, x, axes);
    case MAX:
        return reduce_axes(graph, OP_reduce_max, x, axes);
    case MIN:
        return smallest(graph, x, axes);
    case L1:
        return sum(graph, node1(graph, OP_abs, x), axes);
    case L2:
        return node1(graph, OP_sqrt, sum(graph, node2(graph, OP_mul, x, x), axes));
    case SUM_SQUARE:
        return sum(graph, node2(graph, OP_mul, x, x), axes);
    case LOG_SUM:
        return node1(graph, OP_log, sum(graph, x, axes));
    case LOG_SUM_EXP:
        return log_sum_exp(graph, x, axes);
    }
    bug("reduction %lld", (long long)function);
}

static Node *build_reduce(LayerBuild *build)
{
    unsigned axes;
    if (!read_axes(build, &axes))
        return NULL;
    Node *y = apply_function(build->graph, layer_attr(build, "function")->i, build->in[0], axes);
    return layer_attr(build, "keepdims")->i ? y : drop_axes(build->graph, y, axes);
}

LAYER(reduce) = {.record = {.name = "reduce",
                            .doc = "Sums, means, extremes and norms along axes.",
                            .attrs = reduce_attrs},
                 .build = build_reduce};

static const AttrDef argmax_attrs[] = {
    {"axis", ATTR_INT, "-1", "the axis to search; the batch is axis 0", 0, 0, NULL},
    ATTR_KEEPDIMS,
    ATTRS_END};

static Node *build_argmax(LayerBuild *build)
{
    int axis = layer_axis(build, "axis");
    if (axis < 0)
        return NULL;
    Node *y = reduce_axes(build->graph, OP_argmax, build->in[0], 1u << axis);
    return layer_attr(build, "keepdims")->i ? y : drop_axes(build->graph, y, 1u << axis);
}

LAYER(argmax) = {.record = {.name = "argmax",
                            .doc = "The position of the first largest cell along an axis.",
                            .attrs = argmax_attrs},
                 .build = build_argmax};
