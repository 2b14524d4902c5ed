/* Pooling, padding and upsampling of images, channels last. */
#include "layers/axes.h"
#include "layers/window.h"

static const AttrDef pool_attrs[] = {
    {"pool_size", ATTR_INTS, "[2, 2]", "height and width of the window", 1, INT32_MAX, NULL},
    {"strides", ATTR_INTS, "[]", "steps of the window; the window's size if not given", 1,
     INT32_MAX, NULL},
    ATTR_PADDING,
    ATTR_PAD,
    ATTRS_END};

static Node *pool(LayerBuild *build, OpKind op)
{
    Window *w = ARENA_NEW(build->arena, Window); /* the node's attributes point into it */
    w->dilation[0] = w->dilation[1] = 1;
    if (!is_image(build) || !read_pair(build, "pool_size", w->kernel))
        return NULL;
    w->strides[0] = w->kernel[0];
    w->strides[1] = w->kernel[1];
    if (layer_attr(build, "strides")->count && !read_pair(build, "strides", w->strides))
        return NULL;
    if (!place_window(build, w))
        return NULL;
    AttrValue values[4] = {pair_value(w->kernel), pair_value(w->strides), pair_value(w->before),
                           pair_value(w->extent)};
    return node_new(build->graph, op, 1, build->in, values);
}

static Node *build_max(LayerBuild *build)
{
    return pool(build, OP_max_pool2d);
}

static Node *build_average(LayerBuild *build)
{
    return pool(build, OP_average_pool2d);
}

LAYER(max_pooling2d) = {
    .record = {.name = "max_pooling2d", .doc = "The largest of each window.", .attrs = pool_attrs},
    .build = build_max};
LAYER(average_pooling2d) = {.record = {.name = "average_pooling2d",
                                       .doc = "The mean of each window; padding does not count.",
                                       .attrs = pool_attrs},
                            .build = build_average};

static const AttrDef global_attrs[] = {
    {"keepdims", ATTR_BOOL, "false", "keep height and width as 1", 0, 0, NULL}, ATTRS_END};

static Node *global_result(LayerBuild *build, Node *y)
{
    int64_t channels = build->in[0]->shape.dim[3];
    if (layer_attr(build, "keepdims")->i)
        return reshape(build->graph, y, shape_of(4, (int64_t[]){BATCH, 1, 1, channels}));
    return reshape(build->graph, y, shape_of(2, (int64_t[]){BATCH, channels}));
}

static Node *build_global_average(LayerBuild *build)
{
    Node *x = build->in[0];
    if (!is_image(build))
        return NULL;
    Node *sum = reduce(build->graph, OP_reduce_sum, x, 6);
    double pixels = (double)(x->shape.dim[1] * x->shape.dim[2]);
    return global_result(build, node2(build->graph, OP_div, sum, constant(build->graph, pixels)));
}

/* Channels first, so that each one's pixels are a row. */
static Node *build_global_max(LayerBuild *build)
{
    Node *x = build->in[0];
    Graph *graph = build->graph;
    if (!is_image(build))
        return NULL;
    int64_t pixels = x->shape.dim[1] * x->shape.dim[2], channels = x->shape.dim[3];
    Node *flat = reshape(graph, x, shape_of(3, (int64_t[]){BATCH, pixels, channels}));
    Node *rows = transpose(graph, flat, (int[]){0, 2, 1});
    return global_result(build, reduce(graph, OP_reduce_max, rows, 4));
}

LAYER(global_average_pooling2d) = {.record = {.name = "global_average_pooling2d",
                                              .doc = "The mean over height and width.",
                                              .attrs = global_attrs},
                                   .build = build_global_average};
LAYER(global_max_pooling2d) = {.record = {.name = "global_max_pooling2d",
                                          .doc = "The largest over height and width.",
                                          .attrs = global_attrs},
                               .build = build_global_max};

static const AttrDef padding_attrs[] = {
    {"padding", ATTR_INTS, "[1, 1]",
     "cells around: one number, [height, width], or [top, bottom, left, right]", 0, INT32_MAX,
     NULL},
    ATTRS_END};

static Node *build_zero_padding(LayerBuild *build)
{
    Border border;
    if (!is_image(build) || !read_border(build, "padding", &border))
        return NULL;
    Node *y = build->in[0];
    for (int i = 0; i < 2; i++)
        y = pad_axis(build->graph, y, i + 1, border.before[i], border.after[i], 0);
    return y;
}

LAYER(zero_padding2d) = {.record = {.name = "zero_padding2d",
                                    .doc = "Zeros around height and width.",
                                    .attrs = padding_attrs},
                         .build = build_zero_padding};

static const AttrDef upsampling_attrs[] = {
    {"size", ATTR_INTS, "[2, 2]", "how often each row and column is repeated", 1, 1024, NULL},
    {"interpolation", ATTR_CHOICE, "nearest", "how new cells get their values", 0, 0, "nearest"},
    ATTRS_END};

/* [n, H, 1, W, 1, C] times ones [a, 1, b, 1]. */
static Node *build_upsampling(LayerBuild *build)
{
    int64_t size[2];
    if (!is_image(build) || !read_pair(build, "size", size))
        return NULL;
    const int64_t *d = build->in[0]->shape.dim;
    Graph *graph = build->graph;
    Node *x = reshape(graph, build->in[0], shape_of(6, (int64_t[]){BATCH, d[1], 1, d[2], 1, d[3]}));
    Node *ones = constant_of(graph, 1, shape_of(4, (int64_t[]){size[0], 1, size[1], 1}));
    Node *y = node2(graph, OP_mul, x, ones);
    return reshape(graph, y, shape_of(4, (int64_t[]){BATCH, d[1] * size[0], d[2] * size[1], d[3]}));
}

LAYER(up_sampling2d) = {.record = {.name = "up_sampling2d",
                                   .doc = "Rows and columns repeated.",
                                   .attrs = upsampling_attrs},
                        .build = build_upsampling};
