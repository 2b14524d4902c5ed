/* Activations as layers. */
#include "layers/axes.h"

#include "passes.h"

extern OP(relu);
extern OP(elu);

static const AttrDef activation_attrs[] = {
    {"activation", ATTR_ACTIVATION, NULL, "the activation", 0, 0, NULL}, ATTRS_END};

static Node *build_activation(LayerBuild *build)
{
    return layer_activate(build, "activation", build->in[0]);
}

LAYER(activation) = {.record = {.name = "activation",
                                .doc = "Any activation as a layer of its own.",
                                .attrs = activation_attrs},
                     .build = build_activation};

/* A layer named like its op, whose attributes it has. */
static Node *build_same(LayerBuild *build)
{
    return apply_op(build->graph, op_find(build->layer->record.name), build->in, 1, build->attrs);
}

LAYER(relu) = {.record = {.name = "relu", .doc = "Rectified linear unit.", .like = &op_relu},
               .build = build_same};
LAYER(elu) = {.record = {.name = "elu", .doc = "Exponential linear unit.", .like = &op_elu},
              .build = build_same};

static const AttrDef leaky_attrs[] = {
    {"negative_slope", ATTR_NUMBER, "0.3", "slope below 0", 0, 1e9, NULL}, ATTRS_END};
LAYER(leaky_relu) = {.record = {.name = "leaky_relu",
                                .doc = "x above 0, negative_slope * x below.",
                                .attrs = leaky_attrs},
                     .build = build_same};

static const AttrDef softmax_attrs[] = {
    {"axis", ATTR_INT, "-1", "the axis that sums to 1", 0, 0, NULL}, ATTRS_END};

static Node *build_softmax(LayerBuild *build)
{
    int axis = layer_axis(build, "axis"), last = build->in[0]->shape.rank - 1, perm[MAX_RANK];
    if (axis < 0)
        return NULL;
    for (int i = 0; i <= last; i++)
        perm[i] = i == axis ? last : i == last ? axis : i;
    Node *y = node1(build->graph, OP_softmax, permute_axes(build->graph, build->in[0], perm));
    return permute_axes(build->graph, y, perm);
}

LAYER(softmax) = {.record = {.name = "softmax",
                             .doc = "exp(x) over its sum along an axis.",
                             .attrs = softmax_attrs},
                  .build = build_softmax};
