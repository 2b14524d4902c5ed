/* Activations: expressions over the primitives, with Keras's names, arguments and defaults. Where a
 * derivative is given in terms of y the input need not be kept. */
#include <math.h>

#include "onnx/exporter.h"
#include "ops/infer.h"

#define ACTIVATION(ident)                                                                          \
    .name = #ident, .arity = 1, .class = OP_COMPOSITE, .activation = true, .infer = infer_same

static const AttrDef relu_attrs[] = {
    {"negative_slope", ATTR_NUMBER, "0", "slope below the threshold", 0, 1e9, NULL},
    {"max_value", ATTR_NUMBER, "null", "the output is cut here; null: nowhere", 0, 1e30, NULL},
    {"threshold", ATTR_NUMBER, "0", "below it the output is negative_slope * (x - threshold)", 0,
     1e30, NULL},
    {.type = ATTR_END}};

static bool is_plain_relu(const Node *node)
{
    return attr(node, "negative_slope")->f == 0 && attr(node, "threshold")->f == 0 &&
           isinf(attr(node, "max_value")->f);
}

OP(relu) = {ACTIVATION(relu),
            .onnx = "Relu",
            .onnx_if = is_plain_relu,
            .doc = "Rectified linear unit: max(x, 0) by default.",
            .attrs = relu_attrs,
            .expr = "where(x < threshold, negative_slope * (x - threshold), min(x, max_value))",
            .vjp = {"where(y < max_value, where(0 < y, g, negative_slope * g), 0)"}};

/* The op's one number is ONNX's alpha. */
static bool export_alpha(OnnxExport *e)
{
    OnnxOrder order = onnx_order(e);
    const char *name = onnx_same(e, order);
    onnx_float(e, "alpha", e->node->attr[0].f);
    return onnx_is(e, order, name);
}

static const AttrDef leaky_attrs[] = {
    {"negative_slope", ATTR_NUMBER, "0.2", "slope below 0", 0, 1e9, NULL}, {.type = ATTR_END}};

OP(leaky_relu) = {ACTIVATION(leaky_relu),
                  .onnx = "LeakyRelu",
                  .to_onnx = export_alpha,
                  .doc = "x above 0, negative_slope * x below.",
                  .attrs = leaky_attrs,
                  .expr = "where(x < 0, negative_slope * x, x)",
                  .vjp = {"where(0 < y, g, negative_slope * g)"}};

static const AttrDef elu_attrs[] = {
    {"alpha", ATTR_NUMBER, "1", "scale of the negative part", 0, 1e9, NULL}, {.type = ATTR_END}};

OP(elu) = {ACTIVATION(elu),
           .onnx = "Elu",
           .to_onnx = export_alpha,
           .doc = "x above 0, alpha * (exp(x) - 1) below (Clevert et al. 2015).",
           .attrs = elu_attrs,
           .expr = "where(x < 0, alpha * expm1(x), x)",
           .vjp = {"where(0 < y, g, g * (y + alpha))"}};

OP(selu) = {ACTIVATION(selu), .doc = "Scaled elu (Klambauer et al. 2017).",
            .expr = "1.0507009873554805 * where(x < 0, 1.6732632423543772 * expm1(x), x)"};
OP(linear) = {ACTIVATION(linear), .doc = "x itself.", .expr = "x", .vjp = {"g"}};
OP(sigmoid) = {ACTIVATION(sigmoid), .onnx = "Sigmoid", .doc = "Logistic function.",
               .expr = "1 / (1 + exp(-x))", .vjp = {"g * y * (1 - y)"}};
OP(hard_sigmoid) = {ACTIVATION(hard_sigmoid), .doc = "relu6(x + 3) / 6.",
                    .expr = "max(min(x + 3, 6), 0) / 6"};
OP(softplus) = {ACTIVATION(softplus), .onnx = "Softplus",
                .doc = "log(1 + exp(x)), without overflow.",
                .expr = "max(x, 0) + log1p(exp(-abs(x)))", .vjp = {"g * sigmoid(x)"}};
OP(softsign) = {ACTIVATION(softsign), .onnx = "Softsign", .doc = "x / (1 + |x|).",
                .expr = "x / (1 + abs(x))"};
OP(relu6) = {ACTIVATION(relu6), .doc = "relu cut at 6.", .expr = "max(min(x, 6), 0)",
             .vjp = {"where(0 < y, where(y < 6, g, 0), 0)"}};
OP(exponential) = {ACTIVATION(exponential), .doc = "exp(x).", .expr = "exp(x)"};
OP(silu) = {ACTIVATION(silu), .doc = "x * sigmoid(x).", .expr = "x * sigmoid(x)"};
OP(swish) = {ACTIVATION(swish), .doc = "Another name of silu.", .expr = "x * sigmoid(x)"};
OP(hard_silu) = {ACTIVATION(hard_silu), .doc = "x * hard_sigmoid(x) (Howard et al. 2019).",
                 .expr = "x * (max(min(x + 3, 6), 0) / 6)"};
OP(hard_swish) = {ACTIVATION(hard_swish), .doc = "Another name of hard_silu.",
                  .expr = "x * (max(min(x + 3, 6), 0) / 6)"};
OP(mish) = {ACTIVATION(mish), .doc = "x * tanh(softplus(x)).", .expr = "x * tanh(softplus(x))"};

static const AttrDef gelu_attrs[] = {
    {"approximate", ATTR_BOOL, "false", "by tanh instead of erf", 0, 0, NULL}, {.type = ATTR_END}};

OP(gelu) = {ACTIVATION(gelu),
            .doc = "x times the normal distribution function (Hendrycks and Gimpel 2016).",
            .attrs = gelu_attrs,
            .expr = "where(approximate,"
                    " 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))),"
                    " 0.5 * x * (1 + erf(x * 0.7071067811865476)))"};

OP(softmax) = {ACTIVATION(softmax),
               .onnx = "Softmax",
               .to_onnx = onnx_in_our_order,
               .doc = "exp(x) over its sum along the last axis.",
               .expr = "e = exp(x - reduce_max(x)); e / reduce_sum(e)",
               .vjp = {"y * (g - reduce_sum(g * y))"}};
OP(log_softmax) = {ACTIVATION(log_softmax),
                   .onnx = "LogSoftmax",
                   .to_onnx = onnx_in_our_order,
                   .doc = "Logarithm of softmax along the last axis.",
                   .expr = "s = x - reduce_max(x); s - log(reduce_sum(exp(s)))",
                   .vjp = {"g - exp(y) * reduce_sum(g)"}};

/* Cross-entropies of softmax and sigmoid, from logits: one value per row. */

#define FUSED_LOSS(ident) .name = #ident, .arity = 2, .class = OP_COMPOSITE

OP(sparse_softmax_crossentropy) = {
    FUSED_LOSS(sparse_softmax_crossentropy),
    .doc = "-log softmax(a)[b] along the last axis; b holds class numbers.",
    .infer = infer_row,
    .expr = "m = reduce_max(a);"
            "m + log(reduce_sum(exp(a - m))) - reduce_sum(where(index(a) == b, a, 0))",
    .vjp = {"g * (softmax(a) - (index(a) == b))", "0"},
    .sample = "{in: [[n, 5], [n, 1]], labels: 5}"};

OP(softmax_crossentropy) = {
    FUSED_LOSS(softmax_crossentropy),
    .doc = "-sum(b * log softmax(a)) along the last axis; b is a distribution.", .infer = infer_row,
    .expr = "-reduce_sum(b * log_softmax(a))",
    .vjp = {"g * (softmax(a) * reduce_sum(b) - b)", "-g * log_softmax(a)"}};

OP(sigmoid_crossentropy) = {
    FUSED_LOSS(sigmoid_crossentropy),
    .doc = "-(b log sigmoid(a) + (1 - b) log(1 - sigmoid(a))), element-wise.",
    .infer = infer_broadcast, .expr = "max(a, 0) - a * b + log1p(exp(-abs(a)))",
    .vjp = {"g * (sigmoid(a) - b)", "-g * a"}};
