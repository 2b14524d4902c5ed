/* Layers that shift and scale by statistics of the sample itself. */
#include "layers/axes.h"

/* x - mean over the axes, divided by the root of the variance + epsilon */
static Node *standardise(LayerBuild *build, Node *x, unsigned axes)
{
    Graph *graph = build->graph;
    Node *sum = reduce_axes(graph, OP_reduce_sum, x, axes);
    Node *cells = constant(graph, (double)shape_row(x->shape) / (double)shape_row(sum->shape));
    Node *centered = node2(graph, OP_sub, x, node2(graph, OP_div, sum, cells));
    Node *squares =
        reduce_axes(graph, OP_reduce_sum, node2(graph, OP_mul, centered, centered), axes);
    Node *variance = node2(graph, OP_div, squares, cells);
    Node *epsilon = constant(graph, layer_attr(build, "epsilon")->f);
    return node2(graph, OP_div, centered,
                 node1(graph, OP_sqrt, node2(graph, OP_add, variance, epsilon)));
}

/* y * gamma + beta, each where the layer has it */
static Node *scale_and_center(LayerBuild *build, Node *y, Shape shape)
{
    if (layer_attr(build, "scale")->i) {
        Node *gamma = layer_weight(build, "gamma", shape, "gamma_initializer");
        y = gamma ? node2(build->graph, OP_mul, y, gamma) : NULL;
    }
    if (y && layer_attr(build, "center")->i) {
        Node *beta = layer_weight(build, "beta", shape, "beta_initializer");
        y = beta ? node2(build->graph, OP_add, y, beta) : NULL;
    }
    return y;
}

#define ATTRS_SCALED(value)                                                                        \
    {"epsilon", ATTR_NUMBER, value, "added to the variance", 0, UNBOUNDED, NULL},                  \
        {"center", ATTR_BOOL, "true", "add beta", 0, 0, NULL},                                     \
        {"scale", ATTR_BOOL, "true", "multiply by gamma", 0, 0, NULL},                             \
        ATTR_INITIALIZE("beta", "zeros"), ATTR_INITIALIZE("gamma", "ones"), ATTRS_END

static const AttrDef layer_normalization_attrs[] = {
    {"axis", ATTR_INTS, "[-1]", "the axes to normalise: the last one, or several last ones", -8, 7,
     NULL},
    ATTRS_SCALED("1e-3")};

static Node *build_layer_normalization(LayerBuild *build)
{
    const AttrValue *axis = layer_attr(build, "axis");
    Node *x = build->in[0];
    int rank = x->shape.rank;
    unsigned axes = 0;
    for (int i = 0; i < axis->count; i++) {
        int64_t at = axis->list[i] + (axis->list[i] < 0 ? rank : 0);
        if (at > 0 && at < rank)
            axes |= 1u << at;
    }
    unsigned last = ((1u << axis->count) - 1) << (rank > axis->count ? rank - axis->count : 0);
    if (!axis->count || axis->count >= rank || axes != last)
        return input_fault(build, "axis: expected the last axis, or several last ones in order");
    Shape shape = shape_of(axis->count, &x->shape.dim[rank - axis->count]);
    return scale_and_center(build, standardise(build, x, axes), shape);
}

LAYER(layer_normalization) = {
    .record = {.name = "layer_normalization",
               .doc = "Each sample's last axes shifted and scaled to mean 0 and variance 1 (Ba et "
                      "al. 2016).",
               .attrs = layer_normalization_attrs},
    .build = build_layer_normalization};

static const AttrDef group_normalization_attrs[] = {
    {"groups", ATTR_INT, "32", "groups of channels; -1: one channel each", -1, INT32_MAX, NULL},
    {"axis", ATTR_INT, "-1", "the axis of the channels; the last one", 0, 0, NULL},
    ATTRS_SCALED("1e-3")};

/* [n, cells, groups, channels of a group] */
static Node *build_group_normalization(LayerBuild *build)
{
    Node *x = build->in[0];
    if (!last_axis_only(build))
        return NULL;
    int64_t channels = x->shape.dim[x->shape.rank - 1], groups = layer_attr(build, "groups")->i;
    groups = groups == -1 ? channels : groups;
    if (groups < 1 || channels % groups)
        return input_fault(build, "groups: %lld does not divide %lld channels", (long long)groups,
                           (long long)channels);
    Shape parts =
        shape_of(4, (int64_t[]){BATCH, shape_row(x->shape) / channels, groups, channels / groups});
    Node *y = standardise(build, reshape(build->graph, x, parts), 1u << 1 | 1u << 3);
    return scale_and_center(build, reshape(build->graph, y, x->shape), shape_of(1, &channels));
}

LAYER(group_normalization) = {
    .record = {.name = "group_normalization",
               .doc =
                   "Each sample's groups of channels shifted and scaled to mean 0 and variance 1 "
                   "(Wu and He 2018).",
               .attrs = group_normalization_attrs},
    .build = build_group_normalization};

static const AttrDef response_attrs[] = {
    {"size", ATTR_INT, "5", "channels that are summed", 1, INT32_MAX, NULL},
    {"alpha", ATTR_NUMBER, "1e-4", "factor of the mean square", 0, UNBOUNDED, NULL},
    {"beta", ATTR_NUMBER, "0.75", "exponent", 0, UNBOUNDED, NULL},
    {"bias", ATTR_NUMBER, "1", "added before the power", ABOVE_ZERO, UNBOUNDED, NULL},
    ATTRS_END};

/* Sum over the window as a sum of shifted copies */
static Node *window_sum(LayerBuild *build, Node *x, int64_t size)
{
    int axis = x->shape.rank - 1;
    int64_t channels = x->shape.dim[axis], before = (size - 1) / 2;
    Node *wide = pad_axis(build->graph, x, axis, before, size - 1 - before, 0), *sum = NULL;
    for (int64_t i = 0; i < size; i++) {
        Node *part = slice_axis(build->graph, wide, axis, (Range){i, channels, 1});
        sum = sum ? node2(build->graph, OP_add, sum, part) : part;
    }
    return sum;
}

static Node *build_response(LayerBuild *build)
{
    Graph *graph = build->graph;
    Node *x = build->in[0];
    int64_t size = layer_attr(build, "size")->i;
    if (size > 2 * x->shape.dim[x->shape.rank - 1])
        return input_fault(build, "size: %lld is more than twice the channels", (long long)size);
    Node *squares = window_sum(build, node2(graph, OP_mul, x, x), size);
    Node *factor = constant(graph, layer_attr(build, "alpha")->f / (double)size);
    Node *base = node2(graph, OP_add, node2(graph, OP_mul, squares, factor),
                       constant(graph, layer_attr(build, "bias")->f));
    return node2(graph, OP_div, x,
                 node2(graph, OP_pow, base, constant(graph, layer_attr(build, "beta")->f)));
}

LAYER(local_response_normalization) = {
    .record = {.name = "local_response_normalization",
               .doc = "x / (bias + alpha * mean square over near channels) ^ beta (Krizhevsky et "
                      "al. 2012).",
               .attrs = response_attrs},
    .build = build_response};
