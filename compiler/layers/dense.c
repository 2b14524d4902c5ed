/* Fully connected layers. */
#include "layers/layer.h"

static const AttrDef dense_attrs[] = {ATTR_EXTENT("units", "size of the last axis of the result"),
                                      ATTR_LAYER_ACTIVATION("null"),
                                      ATTR_USE_BIAS,
                                      ATTR_INITIALIZE("kernel", "glorot_uniform"),
                                      ATTR_INITIALIZE("bias", "zeros"),
                                      ATTRS_END};

static Node *build_dense(LayerBuild *build)
{
    Node *x = build->in[0];
    Shape kernel =
        shape_of(2, (int64_t[]){x->shape.dim[x->shape.rank - 1], layer_attr(build, "units")->i});
    Node *weights = layer_weight(build, "kernel", kernel, "kernel_initializer");
    if (!weights)
        return NULL;
    x = layer_bias(build, node2(build->graph, OP_matmul, x, weights));
    return layer_activate(build, "activation", x);
}

LAYER(dense) = {.record = {.name = "dense",
                           .doc = "activation(x . kernel + bias) along the last axis.",
                           .attrs = dense_attrs},
                .build = build_dense};
