/* Convolutions, channels last. */
#include "layers/window.h"

static const AttrDef conv2d_attrs[] = {
    ATTR_EXTENT("filters", "channels of the result"),
    {"kernel_size", ATTR_INTS, NULL, "height and width of the window", 1, INT32_MAX, NULL},
    {"strides", ATTR_INTS, "[1, 1]", "steps of the window", 1, INT32_MAX, NULL},
    ATTR_PADDING,
    ATTR_PAD,
    {"dilation_rate", ATTR_INTS, "[1, 1]", "distance between the cells of the window", 1, INT32_MAX,
     NULL},
    {"groups", ATTR_INT, "1", "channels are split into so many groups, each with its own filters",
     1, INT32_MAX, NULL},
    ATTR_LAYER_ACTIVATION("null"),
    ATTR_USE_BIAS,
    ATTR_INITIALIZE("kernel", "glorot_uniform"),
    ATTR_INITIALIZE("bias", "zeros"),
    ATTRS_END};

static bool read_window(LayerBuild *build, Window *w)
{
    return read_pair(build, "kernel_size", w->kernel) && read_pair(build, "strides", w->strides) &&
           read_pair(build, "dilation_rate", w->dilation) && place_window(build, w);
}

static Node *window_node(LayerBuild *build, OpKind op, Node *x, Node *kernel, Window *w)
{
    AttrValue values[4] = {pair_value(w->strides), pair_value(w->before), pair_value(w->dilation),
                           pair_value(w->extent)};
    return node_new(build->graph, op, 2, (Node *[]){x, kernel}, values);
}

/* Position `part` of `parts` along an axis. */
static Node *slice_part(Graph *graph, Node *x, int axis, int64_t part, int64_t parts)
{
    int64_t size = x->shape.dim[axis] / parts;
    AttrValue values[3] = {{.i = axis}, {.i = part * size}, {.i = size}};
    return node_new(graph, OP_slice, 1, &x, values);
}

/* Each group of channels has its own filters; the results stand one after another. */
static Node *convolve_groups(LayerBuild *build, Node *x, Node *kernel, Window *w, int64_t groups)
{
    if (groups == 1)
        return window_node(build, OP_conv2d, x, kernel, w);
    Node **part = ARENA_ARRAY(build->arena, Node *, groups);
    for (int64_t i = 0; i < groups; i++)
        part[i] = window_node(build, OP_conv2d, slice_part(build->graph, x, 3, i, groups),
                              slice_part(build->graph, kernel, 3, i, groups), w);
    AttrValue axis = {.i = 3};
    return node_new(build->graph, OP_concatenate, (int)groups, part, &axis);
}

static bool check_groups(LayerBuild *build, int64_t channels, int64_t filters)
{
    const AttrValue *groups = layer_attr(build, "groups");
    if (channels % groups->i == 0 && filters % groups->i == 0)
        return true;
    return diag_error(build->diag, groups->loc,
                      "groups: %lld divides neither or only one of %lld channels and %lld filters",
                      (long long)groups->i, (long long)channels, (long long)filters);
}

static Node *build_conv2d(LayerBuild *build)
{
    Node *x = build->in[0];
    Window *w = ARENA_NEW(build->arena, Window); /* the node's attributes point into it */
    int64_t filters = layer_attr(build, "filters")->i, groups = layer_attr(build, "groups")->i;
    if (!is_image(build) || !read_window(build, w) ||
        !check_groups(build, x->shape.dim[3], filters))
        return NULL;
    Shape shape =
        shape_of(4, (int64_t[]){w->kernel[0], w->kernel[1], x->shape.dim[3] / groups, filters});
    Node *kernel = layer_weight(build, "kernel", shape, "kernel_initializer");
    if (!kernel)
        return NULL;
    Node *y = convolve_groups(build, x, kernel, w, groups);
    return layer_activate(build, "activation", layer_bias(build, y));
}

LAYER(conv2d) = {.record = {.name = "conv2d",
                            .doc = "A window of weights slid over height and width.",
                            .attrs = conv2d_attrs},
                 .build = build_conv2d};

static const AttrDef depthwise_attrs[] = {
    {"kernel_size", ATTR_INTS, NULL, "height and width of the window", 1, INT32_MAX, NULL},
    {"strides", ATTR_INTS, "[1, 1]", "steps of the window", 1, INT32_MAX, NULL},
    ATTR_PADDING,
    ATTR_PAD,
    {"depth_multiplier", ATTR_INT, "1", "results of each channel", 1, INT32_MAX, NULL},
    {"dilation_rate", ATTR_INTS, "[1, 1]", "distance between the cells of the window", 1, INT32_MAX,
     NULL},
    ATTR_LAYER_ACTIVATION("null"),
    ATTR_USE_BIAS,
    ATTR_INITIALIZE("depthwise", "glorot_uniform"),
    ATTR_INITIALIZE("bias", "zeros"),
    ATTRS_END};

/* Each channel `times` times over, one after another. */
static Node *repeat_channels(Graph *graph, Node *x, int64_t times)
{
    Shape apart = x->shape, together = x->shape;
    if (times == 1)
        return x;
    apart.dim[apart.rank++] = 1;
    together.dim[together.rank - 1] *= times;
    Node *ones = constant_of(graph, 1, shape_of(1, &times));
    return reshape(graph, node2(graph, OP_mul, reshape(graph, x, apart), ones), together);
}

static Node *depthwise(LayerBuild *build, const char *weight, Window *w)
{
    Node *x = build->in[0];
    if (!is_image(build) || !read_window(build, w))
        return NULL;
    int64_t channels = x->shape.dim[3], times = layer_attr(build, "depth_multiplier")->i;
    Shape shape = shape_of(4, (int64_t[]){w->kernel[0], w->kernel[1], channels, times});
    Node *kernel = layer_weight(build, weight, shape, "depthwise_initializer");
    if (!kernel)
        return NULL;
    Shape flat = shape_of(3, (int64_t[]){w->kernel[0], w->kernel[1], channels * times});
    return window_node(build, OP_depthwise_conv2d, repeat_channels(build->graph, x, times),
                       reshape(build->graph, kernel, flat), w);
}

static Node *build_depthwise(LayerBuild *build)
{
    Node *y = depthwise(build, "kernel", ARENA_NEW(build->arena, Window));
    return y ? layer_activate(build, "activation", layer_bias(build, y)) : NULL;
}

LAYER(depthwise_conv2d) = {.record = {.name = "depthwise_conv2d",
                                      .doc = "A window of weights for each channel alone.",
                                      .attrs = depthwise_attrs},
                           .build = build_depthwise};

static const AttrDef separable_attrs[] = {
    ATTR_EXTENT("filters", "channels of the result"),
    {"kernel_size", ATTR_INTS, NULL, "height and width of the window", 1, INT32_MAX, NULL},
    {"strides", ATTR_INTS, "[1, 1]", "steps of the window", 1, INT32_MAX, NULL},
    ATTR_PADDING,
    ATTR_PAD,
    {"depth_multiplier", ATTR_INT, "1", "results of each channel before they are mixed", 1,
     INT32_MAX, NULL},
    {"dilation_rate", ATTR_INTS, "[1, 1]", "distance between the cells of the window", 1, INT32_MAX,
     NULL},
    ATTR_LAYER_ACTIVATION("null"),
    ATTR_USE_BIAS,
    ATTR_INITIALIZE("depthwise", "glorot_uniform"),
    ATTR_INITIALIZE("pointwise", "glorot_uniform"),
    ATTR_INITIALIZE("bias", "zeros"),
    ATTRS_END};

static Node *build_separable(LayerBuild *build)
{
    Node *y = depthwise(build, "depthwise_kernel", ARENA_NEW(build->arena, Window));
    if (!y)
        return NULL;
    Shape shape = shape_of(4, (int64_t[]){1, 1, y->shape.dim[3], layer_attr(build, "filters")->i});
    Node *kernel = layer_weight(build, "pointwise_kernel", shape, "pointwise_initializer");
    if (!kernel)
        return NULL;
    Window *point = ARENA_NEW(build->arena, Window);
    *point = (Window){{1, 1}, {1, 1}, {1, 1}, {0, 0}, {y->shape.dim[1], y->shape.dim[2]}};
    y = window_node(build, OP_conv2d, y, kernel, point);
    return layer_activate(build, "activation", layer_bias(build, y));
}

LAYER(separable_conv2d) = {
    .record = {.name = "separable_conv2d",
               .doc = "A depthwise convolution, then a 1 x 1 convolution that mixes its channels.",
               .attrs = separable_attrs},
    .build = build_separable};
