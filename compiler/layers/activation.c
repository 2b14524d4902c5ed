/* Activations as layers. */
#include "layers/layer.h"

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
    {"axis", ATTR_INT, "-1", "the axis that sums to 1; the last one", 0, 0, NULL}, ATTRS_END};

static Node *build_softmax(LayerBuild *build)
{
    if (!last_axis_only(build))
        return NULL;
    return node1(build->graph, OP_softmax, build->in[0]);
}

LAYER(softmax) = {.record = {.name = "softmax",
                             .doc = "exp(x) over its sum along the last axis.",
                             .attrs = softmax_attrs},
                  .build = build_softmax};
