/* Leaves and states: where values come from and where the next version of a state goes. */
#include "ops/infer.h"

static Shape infer_scalar(const Node *node)
{
    (void)node;
    return scalar_shape();
}

static Shape infer_param(const Node *node)
{
    return node_param(node)->shape;
}

static Shape infer_iota(const Node *node)
{
    return shape_of(1, &attr(node, "size")->i);
}

static const AttrDef const_attrs[] = {{"value", ATTR_NUMBER, NULL, "", 0, 0, NULL},
                                      {"shape", ATTR_INTS, NULL, "", 0, 0, NULL},
                                      {.type = ATTR_END}};
OP(const) = {.name = "const",
             .doc = "One number everywhere.",
             .class = OP_LEAF,
             .role = ROLE_CONSTANT,
             .attrs = const_attrs,
             .infer = infer_dims,
             .not_differentiable = true};

static const AttrDef param_attrs[] = {{"of", ATTR_POINTER, NULL, "", 0, 0, NULL},
                                      {.type = ATTR_END}};
OP(param) = {.name = "param",
             .doc = "A state at the step's entry.",
             .class = OP_LEAF,
             .role = ROLE_PARAM,
             .attrs = param_attrs,
             .infer = infer_param,
             .not_differentiable = true};
OP(update) = {.name = "update",
              .doc = "The next version of a state.",
              .arity = 1,
              .class = OP_STATE,
              .impure = true,
              .attrs = param_attrs,
              .infer = infer_param,
              .not_differentiable = true};

static const AttrDef input_attrs[] = {{"port", ATTR_CHOICE, NULL, "", 0, 0, "input|target|slice"},
                                      {"index", ATTR_INT, NULL, "", 0, 0, NULL},
                                      {"shape", ATTR_INTS, NULL, "", 0, 0, NULL},
                                      {.type = ATTR_END}};
OP(input) = {.name = "input",
             .doc = "A tensor that the caller hands in, or a slice in the body of a scan.",
             .class = OP_LEAF,
             .role = ROLE_PORT,
             .attrs = input_attrs,
             .infer = infer_dims,
             .not_differentiable = true};

static const AttrDef hyper_attrs[] = {
    {"field", ATTR_CHOICE, NULL, "", 0, 0, "learning_rate|iteration|batch"}, {.type = ATTR_END}};
OP(hyper) = {.name = "hyper",
             .doc = "A number that the caller hands in at every step; batch is the number of rows.",
             .class = OP_LEAF,
             .role = ROLE_HYPER,
             .attrs = hyper_attrs,
             .infer = infer_scalar,
             .not_differentiable = true};

static const AttrDef iota_attrs[] = {{"size", ATTR_INT, NULL, "", 0, 0, NULL}, {.type = ATTR_END}};
OP(iota) = {.name = "iota",
            .doc = "0, 1, 2, ...",
            .class = OP_LEAF,
            .role = ROLE_POSITIONS,
            .attrs = iota_attrs,
            .infer = infer_iota,
            .not_differentiable = true};

static const AttrDef uniform_attrs[] = {{"stream", ATTR_INT, NULL, "", 0, 0, NULL},
                                        {"shape", ATTR_INTS, NULL, "", 0, 0, NULL},
                                        {.type = ATTR_END}};
OP(uniform) = {
    .name = "uniform",
    .doc = "Uniform in [0, 1) by Philox4x32-10 of (seed, epoch, sample, stream, element).",
    .class = OP_LEAF,
    .role = ROLE_RANDOM,
    .impure = true,
    .attrs = uniform_attrs,
    .infer = infer_dims,
    .not_differentiable = true};
