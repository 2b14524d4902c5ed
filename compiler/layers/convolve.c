/* Convolutions, channels last. */
#include "layers/layer.h"

static const AttrDef conv2d_attrs[] = {
    ATTR_EXTENT("filters", "channels of the result"),
    {"kernel_size", ATTR_INTS, NULL, "height and width of the window", 1, INT32_MAX, NULL},
    {"strides", ATTR_INTS, "[1, 1]", "steps of the window", 1, INT32_MAX, NULL},
    {"padding", ATTR_CHOICE, "valid", "same: zeros around, so that stride 1 keeps the size", 0, 0,
     "valid|same"},
    {"dilation_rate", ATTR_INTS, "[1, 1]", "distance between the cells of the window", 1, INT32_MAX,
     NULL},
    {"groups", ATTR_INT, "1", "groups of channels; 1", 1, INT32_MAX, NULL},
    ATTR_LAYER_ACTIVATION("null"),
    ATTR_USE_BIAS,
    ATTR_INITIALIZE("kernel", "glorot_uniform"),
    ATTR_INITIALIZE("bias", "zeros"),
    ATTRS_END};

/* Height and width of everything. */
typedef struct {
    int64_t kernel[2], strides[2], dilation[2];
    int64_t before[2]; /* padding */
    int64_t extent[2]; /* of the result */
} Window;

/* One integer stands for both. */
static bool read_pair(LayerBuild *build, const char *key, int64_t *out)
{
    const AttrValue *value = layer_attr(build, key);
    if (value->count != 1 && value->count != 2)
        return diag_error(build->diag, value->loc, "%s: expected 1 or 2 integers, found %d", key,
                          value->count);
    out[0] = value->list[0];
    out[1] = value->list[value->count - 1];
    return true;
}

/* Keras's 'same' puts the odd cell at the end. */
static bool place_window(LayerBuild *build, Window *w)
{
    bool same = layer_attr(build, "padding")->i == 1;
    Shape x = build->in[0]->shape;
    for (int i = 0; i < 2; i++) {
        int64_t size = x.dim[i + 1], span = (w->kernel[i] - 1) * w->dilation[i] + 1;
        if (!same && span > size) {
            input_fault(build, "a window of %lld x %lld does not fit into %lld x %lld",
                        (long long)((w->kernel[0] - 1) * w->dilation[0] + 1),
                        (long long)((w->kernel[1] - 1) * w->dilation[1] + 1), (long long)x.dim[1],
                        (long long)x.dim[2]);
            return false;
        }
        w->extent[i] = same ? (size - 1) / w->strides[i] + 1 : (size - span) / w->strides[i] + 1;
        int64_t padding = (w->extent[i] - 1) * w->strides[i] + span - size;
        w->before[i] = same && padding > 0 ? padding / 2 : 0;
    }
    return true;
}

static bool read_window(LayerBuild *build, Window *w)
{
    const AttrValue *groups = layer_attr(build, "groups");
    bool ok = read_pair(build, "kernel_size", w->kernel) &&
              read_pair(build, "strides", w->strides) &&
              read_pair(build, "dilation_rate", w->dilation);
    if (groups->i != 1)
        ok = diag_error(build->diag, groups->loc, "groups are not supported in this build");
    return ok && place_window(build, w);
}

static AttrValue pair_value(int64_t *pair)
{
    return (AttrValue){.list = pair, .count = 2};
}

static Node *build_conv2d(LayerBuild *build)
{
    Node *x = build->in[0];
    Window *w = ARENA_NEW(build->arena, Window); /* the node's attributes point into it */
    if (x->shape.rank != 4)
        return input_fault(build, "expected [n, height, width, channels], found %s",
                           shape_text(build->arena, x->shape));
    if (!read_window(build, w))
        return NULL;
    Shape shape = shape_of(4, (int64_t[]){w->kernel[0], w->kernel[1], x->shape.dim[3],
                                          layer_attr(build, "filters")->i});
    Node *kernel = layer_weight(build, "kernel", shape, "kernel_initializer");
    if (!kernel)
        return NULL;
    AttrValue values[4] = {pair_value(w->strides), pair_value(w->before), pair_value(w->dilation),
                           pair_value(w->extent)};
    Node *y = node_new(build->graph, OP_conv2d, 2, (Node *[]){x, kernel}, values);
    return layer_activate(build, "activation", layer_bias(build, y));
}

LAYER(conv2d) = {.record = {.name = "conv2d",
                            .doc = "A window of weights slid over height and width.",
                            .attrs = conv2d_attrs},
                 .build = build_conv2d};
