/* Element-wise operators: formulas of the expression layer, or layers of ours of the same meaning. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "onnx/onnx.h"

/* Before opset 7, `axis` says where the second input's axes stand among the first's. */
static Value *old_broadcast(Onnx *onnx, Value *a, Value *b)
{
    int64_t axis = attribute_int(onnx, "axis", a->rank - b->rank), dims[MAX_RANK];
    axis += axis < 0 ? a->rank : 0;
    if (onnx->opset >= 7 || axis == a->rank - b->rank || !b->host || axis < 0 ||
        axis + b->rank > a->rank)
        return b;
    int rank = a->rank - (int)axis;
    for (int i = 0; i < rank; i++)
        dims[i] = i < b->rank ? b->dims[i] : 1;
    return host_value(onnx, host_reshape(onnx, b->host, rank, dims));
}

static bool truth_valued(const char *name)
{
    static const char *const names[] = {"Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual",
                                        "And",   "Or",   "Xor",     "Not",         "IsNaN",
                                        "IsInf", NULL};
    for (int i = 0; names[i]; i++) {
        if (!strcmp(names[i], name))
            return true;
    }
    return false;
}

static bool build_elementwise(Onnx *onnx, const OnnxOp *op)
{
    Value *in[3];
    int computed = 0;
    for (int i = 0; i < op->inputs; i++) {
        in[i] = node_input(onnx, i);
        in[i] = i == 1 ? old_broadcast(onnx, in[0], in[i]) : in[i];
        computed += !in[i]->host;
    }
    if (op->kind && computed == op->inputs && op->inputs == 2)
        return give_output(onnx, 0, merged(onnx, op->kind, in, 2));
    int type = truth_valued(op->name) ? NC_ONNX_BOOL : in[op->inputs == 3 ? 1 : 0]->type;
    return give_output(onnx, 0, formula_value(onnx, op->formula, in, op->inputs, type));
}

/* Sum, Max, Min, Mean of any number: two at a time where constants are among them. */
static bool build_many(Onnx *onnx, const OnnxOp *op)
{
    int count = (int)onnx->node->inputs_count, computed = 0;
    Value **in = ARENA_ARRAY(onnx->arena, Value *, count);
    for (int i = 0; i < count; i++) {
        in[i] = node_input(onnx, i);
        if (!in[i])
            return node_fault(onnx, "input %d is missing", i);
        computed += !in[i]->host;
    }
    if (count > 1 && computed == count)
        return give_output(onnx, 0, merged(onnx, op->kind, in, count));
    Value *result = in[0];
    for (int i = 1; i < count && result; i++)
        result = formula_value(onnx, op->formula, (Value *[]){result, in[i]}, 2, in[0]->type);
    if (result && !strcmp(op->name, "Mean") && count > 1) {
        const char *text = arena_printf(onnx->arena, "a / %d", count);
        result = formula_value(onnx, text, &result, 1, in[0]->type);
    }
    return give_output(onnx, 0, result);
}

/* An activation of ours by name, on any order of axes. */
static bool build_activation(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    const char *name;
    if (x->host)
        return node_fault(onnx, "a constant that is too large to be computed at import");
    Yaml *layer = emit1(onnx, "activation", x->layer, &name);
    put_text(onnx, layer, "activation", op->kind);
    return give_output(onnx, 0, like(onnx, name, x));
}

static bool build_layer(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    const char *name;
    if (x->host)
        return node_fault(onnx, "a constant that is too large to be computed at import");
    emit1(onnx, op->kind, x->layer, &name);
    return give_output(onnx, 0, like(onnx, name, x));
}

/* A formula of x alone, with numbers from attributes in it. */
static bool build_text(Onnx *onnx, const char *text)
{
    Value *x = node_input(onnx, 0);
    return give_output(onnx, 0, formula_value(onnx, text, &x, 1, x->type));
}

static const char *float_text(Onnx *onnx, const char *key, double fallback)
{
    return number_text(onnx, attribute_float(onnx, key, fallback));
}

static bool build_leaky(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    double alpha = attribute_float(onnx, "alpha", 0.01);
    const char *name;
    (void)op;
    if (x->host || alpha < 0)
        return build_text(onnx, arena_printf(onnx->arena, "where(a < 0, %.9g * a, a)", alpha));
    Yaml *layer = emit1(onnx, "leaky_relu", x->layer, &name);
    put_number(onnx, layer, "negative_slope", alpha);
    return give_output(onnx, 0, like(onnx, name, x));
}

static bool build_elu(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    return build_text(onnx, arena_printf(onnx->arena, "where(a < 0, %s * expm1(a), a)",
                                         float_text(onnx, "alpha", 1)));
}

static bool build_selu(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    return build_text(onnx, arena_printf(onnx->arena, "%s * where(a < 0, %s * expm1(a), a)",
                                         float_text(onnx, "gamma", 1.0507010221481323),
                                         float_text(onnx, "alpha", 1.6732631921768188)));
}

static bool build_celu(Onnx *onnx, const OnnxOp *op)
{
    const char *alpha = float_text(onnx, "alpha", 1);
    (void)op;
    return build_text(
        onnx, arena_printf(onnx->arena, "max(a, 0) + min(%s * expm1(a / %s), 0)", alpha, alpha));
}

static bool build_thresholded(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    return build_text(
        onnx, arena_printf(onnx->arena, "where(%s < a, a, 0)", float_text(onnx, "alpha", 1)));
}

static bool build_hard_sigmoid(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    return build_text(onnx,
                      arena_printf(onnx->arena, "max(min(%s * a + %s, 1), 0)",
                                   float_text(onnx, "alpha", 0.2), float_text(onnx, "beta", 0.5)));
}

static bool build_shrink(Onnx *onnx, const OnnxOp *op)
{
    const char *lambd = float_text(onnx, "lambd", 0.5), *bias = float_text(onnx, "bias", 0);
    (void)op;
    return build_text(onnx,
                      arena_printf(onnx->arena, "where(a < -%s, a + %s, where(%s < a, a - %s, 0))",
                                   lambd, bias, lambd, bias));
}

static bool build_gelu(Onnx *onnx, const OnnxOp *op)
{
    bool tanh = !strcmp(attribute_text(onnx, "approximate", "none"), "tanh");
    (void)op;
    return build_text(onnx, tanh ? "0.5 * a * (1 + tanh(0.7978845608028654 * (a + 0.044715 * a * a "
                                   "* a)))"
                                 : "0.5 * a * (1 + erf(a * 0.7071067811865476))");
}

static bool build_clip(Onnx *onnx, const OnnxOp *op)
{
    double low = attribute_float(onnx, "min", -INFINITY);
    double high = attribute_float(onnx, "max", INFINITY);
    (void)op;
    if (onnx->opset >= 11 &&
        (!constant_number(onnx, 1, -INFINITY, &low) || !constant_number(onnx, 2, INFINITY, &high)))
        return false;
    Str text = str_new(onnx->arena);
    str_add(&text, "a");
    if (high < FLT_MAX)
        text.text = arena_printf(onnx->arena, "min(%s, %s)", text.text, number_text(onnx, high));
    if (low > -FLT_MAX)
        text.text = arena_printf(onnx->arena, "max(%s, %s)", text.text, number_text(onnx, low));
    return build_text(onnx, text.text);
}

/* Small whole powers by multiplication, which takes negative numbers too. */
static bool build_pow(Onnx *onnx, const OnnxOp *op)
{
    Value *b = node_input(onnx, 1);
    double power = b->host && b->host->count == 1 ? host_at(b->host, 0) : NAN;
    if (power == 0.5)
        return build_text(onnx, "sqrt(a)");
    if (power == -1)
        return build_text(onnx, "1 / a");
    if (power == floor(power) && power >= 1 && power <= 8) {
        Str text = str_new(onnx->arena);
        for (int i = 0; i < (int)power; i++)
            str_add(&text, i ? " * a" : "a");
        return build_text(onnx, text.text);
    }
    return build_elementwise(onnx, op);
}

static bool build_prelu(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0), *slope = node_input(onnx, 1);
    int64_t dims[MAX_RANK];
    if (slope->host && slope->rank == 1 && x->rank > 2 && slope->dims[0] == x->dims[1] &&
        (onnx->opset < 7 || slope->dims[0] != x->dims[x->rank - 1])) {
        for (int i = 0; i < x->rank - 1; i++)
            dims[i] = i ? 1 : slope->dims[0];
        slope = host_value(onnx, host_reshape(onnx, slope->host, x->rank - 1, dims));
    }
    return give_output(onnx, 0,
                       formula_value(onnx, op->formula, (Value *[]){x, slope}, 2, x->type));
}

static bool build_mod(Onnx *onnx, const OnnxOp *op)
{
    Value *in[] = {node_input(onnx, 0), node_input(onnx, 1)};
    const char *cut = "a - b * where(a / b < 0, -floor(-(a / b)), floor(a / b))";
    return give_output(onnx, 0,
                       formula_value(onnx, attribute_int(onnx, "fmod", 0) ? cut : op->formula, in,
                                     2, in[0]->type));
}

static bool build_identity(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    Value *x = node_input(onnx, 0);
    if (x->host) {
        set_output(onnx, 0, x);
        return true;
    }
    set_output(onnx, 0, like(onnx, x->layer, x));
    return true;
}

/* Inference: what enters. In training it drops. */
static bool build_dropout(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    double rate = attribute_float(onnx, "ratio", 0.5);
    const char *name;
    if (node_output_used(onnx, 1))
        return node_fault(onnx, "its mask is not in this build");
    if (onnx->opset >= 12 && !constant_number(onnx, 1, 0.5, &rate))
        return false;
    if (x->host || !(rate >= 0 && rate < 1))
        return build_identity(onnx, op);
    Yaml *layer = emit1(onnx, "dropout", x->layer, &name);
    put_number(onnx, layer, "rate", rate);
    return give_output(onnx, 0, like(onnx, name, x));
}

static bool build_cast(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int to = (int)attribute_int(onnx, "to", NC_ONNX_FLOAT);
    (void)op;
    if (find_attribute(onnx, "to") && find_attribute(onnx, "to")->s &&
        *find_attribute(onnx, "to")->s)
        return node_fault(onnx, "a cast to a type given as text");
    const char *text = is_float_type(to) || !is_float_type(x->type) ? "a"
                       : to == NC_ONNX_BOOL                         ? "1 - (a == 0)"
                                            : "where(a < 0, -floor(-a), floor(a))";
    Value *y = !strcmp(text, "a") && !x->host ? like(onnx, x->layer, x)
                                              : formula_value(onnx, text, &x, 1, to);
    if (y)
        y->type = to;
    return give_output(onnx, 0, y);
}

/* ImageScaler of early exporters: x * scale + bias of its channel */
static bool build_image_scaler(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    const struct nc_onnx_attribute *bias = find_attribute(onnx, "bias");
    int64_t dims[] = {bias ? (int64_t)bias->floats_count : 0, 1, 1};
    (void)op;
    if (!bias || x->rank != 4 || dims[0] != x->dims[1])
        return node_fault(onnx, "expected a bias for every channel of an image");
    Host *host = host_new(onnx, NC_ONNX_FLOAT, 3, dims);
    memcpy(host->f, bias->floats, sizeof(float) * (size_t)dims[0]);
    const char *text = arena_printf(onnx->arena, "a * %s + b", float_text(onnx, "scale", 1));
    return give_output(
        onnx, 0, formula_value(onnx, text, (Value *[]){x, host_value(onnx, host)}, 2, x->type));
}

#define F1(name, text)                                                                             \
    {                                                                                              \
        name, 1, 0, build_elementwise, text, NULL, fold_formula, false                             \
    }
#define F2(name, text, kind)                                                                       \
    {                                                                                              \
        name, 2, 0, build_elementwise, text, kind, fold_formula, false                             \
    }

const OnnxOp onnx_elementwise_ops[] = {
    F1("Abs", "abs(a)"),
    F1("Acosh", "log(a + sqrt(a * a - 1))"),
    F1("Asinh", "sign(a) * log(abs(a) + sqrt(a * a + 1))"),
    F1("Atanh", "0.5 * (log1p(a) - log1p(-a))"),
    F1("Ceil", "-floor(-a)"),
    F1("Cos", "cos(a)"),
    F1("Cosh", "0.5 * (exp(a) + exp(-a))"),
    F1("Erf", "erf(a)"),
    F1("Exp", "exp(a)"),
    F1("Floor", "floor(a)"),
    F1("HardSwish", "a * max(min(a / 6 + 0.5, 1), 0)"),
    F1("IsInf", "3.40282347e38 < abs(a)"),
    F1("IsNaN", "1 - (a == a)"),
    F1("Log", "log(a)"),
    F1("Mish", "a * tanh(softplus(a))"),
    F1("Neg", "-a"),
    F1("Not", "1 - a"),
    F1("Reciprocal", "1 / a"),
    F1("Round", "where(floor(a + 0.5) - a == 0.5, 2 * floor(floor(a + 0.5) / 2), floor(a + 0.5))"),
    F1("Sign", "sign(a)"),
    F1("Sin", "sin(a)"),
    F1("Sinh", "0.5 * (exp(a) - exp(-a))"),
    F1("Sqrt", "sqrt(a)"),
    F1("Tan", "sin(a) / cos(a)"),
    F2("Add", "a + b", "add"),
    F2("And", "a * b", NULL),
    F2("Div", "a / b", NULL),
    F2("Equal", "a == b", NULL),
    F2("Greater", "b < a", NULL),
    F2("GreaterOrEqual", "b <= a", NULL),
    F2("Less", "a < b", NULL),
    F2("LessOrEqual", "a <= b", NULL),
    F2("Mul", "a * b", "multiply"),
    F2("Or", "max(a, b)", NULL),
    F2("Sub", "a - b", "subtract"),
    F2("Xor", "abs(a - b)", NULL),
    {"Where", 3, 0, build_elementwise, "where(a, b, c)", NULL, fold_formula, false},
    {"Pow", 2, 0, build_pow, "pow(a, b)", NULL, fold_formula, false},
    {"Mod", 2, 0, build_mod, "a - b * floor(a / b)", NULL, fold_formula, false},
    {"PRelu", 2, 0, build_prelu, "where(a < 0, b * a, a)", NULL, NULL, false},
    {"Max", 1, -1, build_many, "max(a, b)", "maximum", NULL, false},
    {"Min", 1, -1, build_many, "min(a, b)", "minimum", NULL, false},
    {"Sum", 1, -1, build_many, "a + b", "add", NULL, false},
    {"Mean", 1, -1, build_many, "a + b", "average", NULL, false},
    {"Relu", 1, 0, build_layer, NULL, "relu", NULL, false},
    {"Sigmoid", 1, 0, build_activation, NULL, "sigmoid", NULL, false},
    {"Tanh", 1, 0, build_activation, NULL, "tanh", NULL, false},
    {"Softplus", 1, 0, build_activation, NULL, "softplus", NULL, false},
    {"Softsign", 1, 0, build_activation, NULL, "softsign", NULL, false},
    {"LeakyRelu", 1, 0, build_leaky, NULL, NULL, NULL, false},
    {"Elu", 1, 0, build_elu, NULL, NULL, NULL, false},
    {"Selu", 1, 0, build_selu, NULL, NULL, NULL, false},
    {"Celu", 1, 0, build_celu, NULL, NULL, NULL, false},
    {"ThresholdedRelu", 1, 0, build_thresholded, NULL, NULL, NULL, false},
    {"HardSigmoid", 1, 0, build_hard_sigmoid, NULL, NULL, NULL, false},
    {"Shrink", 1, 0, build_shrink, NULL, NULL, NULL, false},
    {"Gelu", 1, 0, build_gelu, NULL, NULL, NULL, false},
    {"Clip", 1, 3, build_clip, NULL, NULL, NULL, false},
    {"Identity", 1, 0, build_identity, NULL, NULL, NULL, false},
    {"Dropout", 1, 3, build_dropout, NULL, NULL, NULL, false},
    {"Cast", 1, 0, build_cast, NULL, NULL, fold_cast, false},
    {"ImageScaler", 1, 0, build_image_scaler, NULL, NULL, NULL, false},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, false}};
