/* Layers that differ between training and inference, and scaling. */
#include "layers/layer.h"

#include <string.h>

static const AttrDef dropout_attrs[] = {
    {"rate", ATTR_NUMBER, NULL, "share of the elements that become 0", 0, BELOW_ONE, NULL},
    {"noise_shape", ATTR_INTS, "[]",
     "sizes of the mask without the batch; along an axis of 1 all elements share their fate", 1,
     INT32_MAX, NULL},
    ATTRS_END};

static Node *uniform(LayerBuild *build, Shape shape)
{
    AttrValue values[2] = {
        {.i = (*build->streams)++},
        {.count = shape.rank, .list = ARENA_ARRAY(build->arena, int64_t, MAX_RANK)}};
    memcpy(values[1].list, shape.dim, sizeof shape.dim);
    return node_new(build->graph, OP_uniform, 0, NULL, values);
}

static bool read_mask(LayerBuild *build, Shape *mask)
{
    const AttrValue *noise = layer_attr(build, "noise_shape");
    *mask = build->in[0]->shape;
    if (!noise->count)
        return true;
    bool fits = noise->count == mask->rank - 1;
    for (int i = 1; i < mask->rank && fits; i++) {
        fits = noise->list[i - 1] == 1 || noise->list[i - 1] == mask->dim[i];
        mask->dim[i] = noise->list[i - 1];
    }
    if (!fits)
        input_fault(build, "noise_shape: expected %d sizes, each 1 or the input's", mask->rank - 1);
    return fits;
}

/* In training, x where the mask lets it through. */
static Node *drop(LayerBuild *build, Shape mask)
{
    double rate = layer_attr(build, "rate")->f;
    Graph *graph = build->graph;
    Node *x = build->in[0];
    if (build->purpose != FOR_TRAIN || rate == 0)
        return x;
    Node *dropped = node2(graph, OP_lt, uniform(build, mask), constant(graph, rate));
    Node *factor =
        node3(graph, OP_where, dropped, constant(graph, 0), constant(graph, 1 / (1 - rate)));
    return node2(graph, OP_mul, x, factor);
}

static Node *build_dropout(LayerBuild *build)
{
    Shape mask;
    return read_mask(build, &mask) ? drop(build, mask) : NULL;
}

LAYER(dropout) = {.record = {.name = "dropout",
                             .doc = "In training a random share of the elements is 0 and the rest "
                                    "grows to make up for it.",
                             .attrs = dropout_attrs},
                  .build = build_dropout};

/* ---- spatial dropout: all cells of a channel share their fate ---- */

static const AttrDef spatial_attrs[] = {
    {"rate", ATTR_NUMBER, NULL, "share of the channels that become 0", 0, BELOW_ONE, NULL},
    ATTRS_END};

static Node *drop_channels(LayerBuild *build, int rank)
{
    Shape mask = build->in[0]->shape;
    if (mask.rank != rank)
        return input_fault(build, "expected an input of %d axes behind the batch", rank - 1);
    for (int i = 1; i < rank - 1; i++)
        mask.dim[i] = 1;
    return drop(build, mask);
}

static Node *build_spatial_dropout1d(LayerBuild *build)
{
    return drop_channels(build, 3);
}

static Node *build_spatial_dropout2d(LayerBuild *build)
{
    return drop_channels(build, 4);
}

static Node *build_spatial_dropout3d(LayerBuild *build)
{
    return drop_channels(build, 5);
}

#define SPATIAL(ident, axes)                                                                       \
    .record = {.name = #ident,                                                                     \
               .doc = "Dropout of whole channels, " axes ".",                                      \
               .attrs = spatial_attrs},                                                            \
    .build = build_##ident

LAYER(spatial_dropout1d) = {SPATIAL(spatial_dropout1d, "over one axis (Tompson et al. 2015)")};
LAYER(spatial_dropout2d) = {
    SPATIAL(spatial_dropout2d, "over height and width (Tompson et al. 2015)")};
LAYER(spatial_dropout3d) = {SPATIAL(spatial_dropout3d, "over three axes (Tompson et al. 2015)")};

static const AttrDef normalization_attrs[] = {
    {"axis", ATTR_INT, "-1", "the axis of the channels; the last one", 0, 0, NULL},
    {"momentum", ATTR_NUMBER, "0.99", "decay of the moving statistics", 0, 1, NULL},
    {"epsilon", ATTR_NUMBER, "1e-3", "added to the variance", 0, UNBOUNDED, NULL},
    {"center", ATTR_BOOL, "true", "add beta", 0, 0, NULL},
    {"scale", ATTR_BOOL, "true", "multiply by gamma", 0, 0, NULL},
    ATTR_INITIALIZE("beta", "zeros"),
    ATTR_INITIALIZE("gamma", "ones"),
    ATTR_INITIALIZE("moving_mean", "zeros"),
    ATTR_INITIALIZE("moving_variance", "ones"),
    ATTRS_END};

/* gamma and beta are NULL where the layer has none. */
typedef struct {
    Node *gamma, *beta, *mean, *variance;
} Normalization;

static bool read_normalization(LayerBuild *build, Normalization *out)
{
    Shape x = build->in[0]->shape, shape = shape_of(1, &x.dim[x.rank - 1]);
    bool scale = layer_attr(build, "scale")->i, center = layer_attr(build, "center")->i;
    *out = (Normalization){0};
    if (scale && !(out->gamma = layer_weight(build, "gamma", shape, "gamma_initializer")))
        return false;
    if (center && !(out->beta = layer_weight(build, "beta", shape, "beta_initializer")))
        return false;
    out->mean = layer_state(build, "moving_mean", shape, "moving_mean_initializer");
    out->variance = layer_state(build, "moving_variance", shape, "moving_variance_initializer");
    return out->mean && out->variance;
}

/* Mean over all axes but the last, [1, .., 1, C]. */
static Node *channel_mean(Graph *graph, Node *x)
{
    Shape shape = x->shape;
    AttrValue batch = {.s = "batch", .i = 2};
    int64_t pixels = shape_row(shape) / shape.dim[shape.rank - 1];
    Node *rows = node_new(graph, OP_hyper, 0, NULL, &batch);
    Node *count = node2(graph, OP_mul, rows, constant(graph, (double)pixels));
    Node *sum = reduce(graph, OP_reduce_sum, x, (1u << (shape.rank - 1)) - 1);
    return node2(graph, OP_div, sum, count);
}

/* old * momentum + now * (1 - momentum) */
static void move_statistic(LayerBuild *build, Node *old, Node *now)
{
    Graph *graph = build->graph;
    double momentum = layer_attr(build, "momentum")->f;
    Node *kept = node2(graph, OP_mul, old, constant(graph, momentum));
    Node *added =
        node2(graph, OP_mul, reshape(graph, now, old->shape), constant(graph, 1 - momentum));
    update_param(graph, node_param(old), node2(graph, OP_add, kept, added));
}

/* gamma / sqrt(variance + epsilon) */
static Node *normalization_factor(LayerBuild *build, Node *variance, Node *gamma)
{
    Graph *graph = build->graph;
    Node *epsilon = constant(graph, layer_attr(build, "epsilon")->f);
    Node *deviation = node1(graph, OP_sqrt, node2(graph, OP_add, variance, epsilon));
    return node2(graph, OP_div, gamma ? gamma : constant(graph, 1), deviation);
}

static Node *normalize_batch(LayerBuild *build, const Normalization *state)
{
    Graph *graph = build->graph;
    Node *x = build->in[0];
    Node *mean = channel_mean(graph, x);
    Node *centered = node2(graph, OP_sub, x, mean);
    Node *variance = channel_mean(graph, node2(graph, OP_mul, centered, centered));
    if (build->purpose == FOR_TRAIN) {
        move_statistic(build, state->mean, mean);
        move_statistic(build, state->variance, variance);
    }
    Node *factor = normalization_factor(build, variance, state->gamma);
    Node *y = node2(graph, OP_mul, centered, factor);
    return state->beta ? node2(graph, OP_add, y, state->beta) : y;
}

/* x * factor + (beta - mean * factor): one multiply-add an element. */
static Node *normalize_moving(LayerBuild *build, const Normalization *state)
{
    Graph *graph = build->graph;
    Node *factor = normalization_factor(build, state->variance, state->gamma);
    Node *moved = node2(graph, OP_mul, state->mean, factor);
    Node *shift =
        state->beta ? node2(graph, OP_sub, state->beta, moved) : node1(graph, OP_neg, moved);
    return node2(graph, OP_add, node2(graph, OP_mul, build->in[0], factor), shift);
}

static Node *build_normalization(LayerBuild *build)
{
    Normalization state;
    if (!last_axis_only(build) || !read_normalization(build, &state))
        return NULL;
    bool batch = build->purpose == FOR_TRAIN || build->purpose == FOR_GRAD;
    return batch && build->trainable ? normalize_batch(build, &state)
                                     : normalize_moving(build, &state);
}

LAYER(batch_normalization) = {
    .record = {.name = "batch_normalization",
               .doc = "Each channel shifted and scaled to mean 0 and variance 1, over the batch in "
                      "training and by moving statistics after (Ioffe and Szegedy 2015).",
               .attrs = normalization_attrs},
    .build = build_normalization};

static const AttrDef fixed_attrs[] = {
    {"axis", ATTR_INT, "-1", "the axis of the channels; the last one", 0, 0, NULL},
    {"invert", ATTR_BOOL, "false", "x * deviation + mean instead", 0, 0, NULL},
    ATTR_INITIALIZE("mean", "zeros"),
    ATTR_INITIALIZE("variance", "ones"),
    ATTRS_END};

static Node *build_fixed_normalization(LayerBuild *build)
{
    Graph *graph = build->graph;
    Node *x = build->in[0];
    if (!last_axis_only(build))
        return NULL;
    Shape shape = shape_of(1, &x->shape.dim[x->shape.rank - 1]);
    Node *mean = layer_state(build, "mean", shape, "mean_initializer");
    Node *variance = layer_state(build, "variance", shape, "variance_initializer");
    if (!mean || !variance)
        return NULL;
    Node *least = constant(graph, 1e-7);
    Node *deviation = node2(graph, OP_max, node1(graph, OP_sqrt, variance), least);
    if (layer_attr(build, "invert")->i)
        return node2(graph, OP_add, node2(graph, OP_mul, x, deviation), mean);
    return node2(graph, OP_div, node2(graph, OP_sub, x, mean), deviation);
}

LAYER(normalization) = {
    .record = {.name = "normalization",
               .doc = "(x - mean) / sqrt(variance) of each channel, both fixed numbers that come "
                      "with the weights. `standardise` of data finds them itself.",
               .attrs = fixed_attrs},
    .build = build_fixed_normalization};

static const AttrDef rescaling_attrs[] = {{"scale", ATTR_NUMBER, NULL, "factor", 0, 0, NULL},
                                          {"offset", ATTR_NUMBER, "0", "added after", 0, 0, NULL},
                                          ATTRS_END};

static Node *build_rescaling(LayerBuild *build)
{
    Graph *graph = build->graph;
    Node *scale = constant(graph, layer_attr(build, "scale")->f);
    Node *offset = constant(graph, layer_attr(build, "offset")->f);
    return node2(graph, OP_add, node2(graph, OP_mul, build->in[0], scale), offset);
}

LAYER(rescaling) = {
    .record = {.name = "rescaling", .doc = "x * scale + offset.", .attrs = rescaling_attrs},
    .build = build_rescaling};
