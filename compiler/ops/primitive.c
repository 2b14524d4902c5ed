/* Element-wise primitives: what every expression is lowered to. Each has one C expression (infix,
 * or a call of nc_NAME) and one block call nc_v_NAME in the vocabulary. Inputs broadcast as in
 * numpy. At a kink the gradient is that of the side where the comparison is false. */
#include <math.h>

#include "onnx/exporter.h"
#include "ops/infer.h"

#define FOLD1(ident, text)                                                                         \
    static double fold_##ident(const double *v)                                                    \
    {                                                                                              \
        double x = v[0];                                                                           \
        return text;                                                                               \
    }
#define FOLD2(ident, text)                                                                         \
    static double fold_##ident(const double *v)                                                    \
    {                                                                                              \
        double a = v[0], b = v[1];                                                                 \
        return text;                                                                               \
    }

FOLD1(neg, -x)
FOLD1(abs, fabs(x))
FOLD1(sign, (x > 0) - (x < 0))
FOLD1(sqrt, sqrt(x))
FOLD1(exp, exp(x))
FOLD1(expm1, expm1(x))
FOLD1(log, log(x))
FOLD1(log1p, log1p(x))
FOLD1(tanh, tanh(x))
FOLD1(erf, erf(x))
FOLD1(floor, floor(x))
FOLD1(sin, sin(x))
FOLD1(cos, cos(x))
FOLD2(add, a + b)
FOLD2(sub, a - b)
FOLD2(mul, a *b)
FOLD2(div, a / b)
FOLD2(min, a < b ? a : b)
FOLD2(max, a > b ? a : b)
FOLD2(pow, pow(a, b))
FOLD2(lt, a < b)
FOLD2(le, a <= b)
FOLD2(eq, a == b)

static double fold_where(const double *v)
{
    return v[0] != 0 ? v[1] : v[2];
}

static double fold_fma(const double *v)
{
    return fma(v[0], v[1], v[2]);
}

static bool is_value(const Node *node, double value)
{
    double x;
    return is_constant(node, &x) && x == value;
}

/* `x` where it has y's shape, else NULL: an identity must not change the shape. */
static Node *same(Node *x, const Node *y)
{
    return shape_equal(x->shape, y->shape) ? x : NULL;
}

static Node *identity_add(Graph *graph, const Node *y, Node *const *in)
{
    (void)graph;
    return is_value(in[0], 0) ? same(in[1], y) : is_value(in[1], 0) ? same(in[0], y) : NULL;
}

static Node *identity_sub(Graph *graph, const Node *y, Node *const *in)
{
    (void)graph;
    return is_value(in[1], 0) ? same(in[0], y) : NULL;
}

static Node *identity_mul(Graph *graph, const Node *y, Node *const *in)
{
    if (is_value(in[0], 0) || is_value(in[1], 0))
        return constant_of(graph, 0, y->shape);
    return is_value(in[0], 1) ? same(in[1], y) : is_value(in[1], 1) ? same(in[0], y) : NULL;
}

static Node *identity_div(Graph *graph, const Node *y, Node *const *in)
{
    (void)graph;
    return is_value(in[1], 1) ? same(in[0], y) : NULL;
}

static Node *identity_min(Graph *graph, const Node *y, Node *const *in)
{
    (void)graph;
    return is_value(in[1], INFINITY) ? same(in[0], y) : NULL;
}

static Node *identity_lt(Graph *graph, const Node *y, Node *const *in)
{
    return is_value(in[1], INFINITY) ? constant_of(graph, 1, y->shape) : NULL;
}

static Node *identity_where(Graph *graph, const Node *y, Node *const *in)
{
    double value;
    (void)graph;
    if (is_constant(in[0], &value))
        return same(in[value != 0 ? 1 : 2], y);
    return in[1] == in[2] ? same(in[1], y) : NULL;
}

static Node *identity_neg(Graph *graph, const Node *y, Node *const *in)
{
    (void)graph, (void)y;
    return in[0]->op == OP_neg ? in[0]->in[0] : NULL;
}

static bool export_add(OnnxExport *e)
{
    OnnxOrder order = onnx_order(e);
    return onnx_joins_window(e) || onnx_is(e, order, onnx_same(e, order));
}

static bool export_comparison(OnnxExport *e)
{
    OnnxOrder order = onnx_order(e);
    return onnx_is_truth(e, order, onnx_same(e, order));
}

static bool export_where(OnnxExport *e)
{
    Node *const *in = e->node->in;
    OnnxOrder order = onnx_order(e);
    const char *inputs[] = {onnx_truth(e, in[0], order), onnx_value(e, in[1], order),
                            onnx_value(e, in[2], order)};
    return onnx_is(e, order, onnx_add(e, "Where", inputs, 3));
}

static bool export_expm1(OnnxExport *e)
{
    OnnxOrder order = onnx_order(e);
    const char *power = onnx_add1(e, "Exp", onnx_value(e, e->node->in[0], order));
    return onnx_is(e, order, onnx_add2(e, "Sub", power, onnx_number(e, 1)));
}

static bool export_log1p(OnnxExport *e)
{
    OnnxOrder order = onnx_order(e);
    const char *x = onnx_value(e, e->node->in[0], order);
    return onnx_is(e, order, onnx_add1(e, "Log", onnx_add2(e, "Add", x, onnx_number(e, 1))));
}

static bool export_fma(OnnxExport *e)
{
    Node *const *in = e->node->in;
    OnnxOrder order = onnx_order(e);
    const char *product =
        onnx_add2(e, "Mul", onnx_value(e, in[0], order), onnx_value(e, in[1], order));
    return onnx_is(e, order, onnx_add2(e, "Add", product, onnx_value(e, in[2], order)));
}

#define PRIMITIVE(ident, n)                                                                        \
    .name = #ident, .arity = (n), .class = OP_PRIMITIVE, .infer = infer_broadcast,                 \
    .fold = fold_##ident

OP(neg) = {.identity = identity_neg,
           PRIMITIVE(neg, 1),
           .onnx = "Neg",
           .cheap = true,
           .doc = "-x",
           .infix = "-$0",
           .vjp = {"-g"}};
OP(abs) = {PRIMITIVE(abs, 1), .onnx = "Abs", .cheap = true, .doc = "Absolute value.",
           .vjp = {"g * sign(x)"}};
OP(sign) = {PRIMITIVE(sign, 1), .onnx = "Sign", .cheap = true, .doc = "-1, 0 or 1.", .vjp = {"0"}};
OP(sqrt) = {PRIMITIVE(sqrt, 1), .onnx = "Sqrt", .doc = "Square root.", .vjp = {"g * 0.5 / y"},
            .sample = "{in: [[n, 6]], low: 0.3, high: 2}"};
OP(exp) = {PRIMITIVE(exp, 1), .onnx = "Exp", .doc = "e to the x.", .vjp = {"g * y"}};
OP(expm1) = {PRIMITIVE(expm1, 1), .to_onnx = export_expm1, .doc = "exp(x) - 1, exact near 0.",
             .vjp = {"g * (y + 1)"}};
OP(log) = {PRIMITIVE(log, 1), .onnx = "Log", .doc = "Natural logarithm.", .vjp = {"g / x"},
           .sample = "{in: [[n, 6]], low: 0.3, high: 2}"};
OP(log1p) = {PRIMITIVE(log1p, 1), .to_onnx = export_log1p, .doc = "log(1 + x), exact near 0.",
             .vjp = {"g / (1 + x)"}, .sample = "{in: [[n, 6]], low: -0.5, high: 2}"};
OP(tanh) = {PRIMITIVE(tanh, 1), .onnx = "Tanh", .doc = "Hyperbolic tangent.", .activation = true,
            .vjp = {"g * (1 - y * y)"}};
OP(erf) = {PRIMITIVE(erf, 1), .onnx = "Erf", .doc = "Gauss error function.",
           .vjp = {"g * 1.1283791670955126 * exp(-x * x)"}};
OP(floor) = {PRIMITIVE(floor, 1), .onnx = "Floor", .doc = "Largest integer not above x.",
             .vjp = {"0"}};
OP(sin) = {PRIMITIVE(sin, 1), .onnx = "Sin", .doc = "Sine of x in radians.", .vjp = {"g * cos(x)"}};
OP(cos) = {PRIMITIVE(cos, 1), .onnx = "Cos", .doc = "Cosine of x in radians.",
           .vjp = {"-g * sin(x)"}};
OP(add) = {.identity = identity_add,
           PRIMITIVE(add, 2),
           .onnx = "Add",
           .to_onnx = export_add,
           .cheap = true,
           .doc = "a + b",
           .infix = "$0 + $1",
           .vjp = {"g", "g"}};
OP(sub) = {.identity = identity_sub,
           PRIMITIVE(sub, 2),
           .onnx = "Sub",
           .cheap = true,
           .doc = "a - b",
           .infix = "$0 - $1",
           .vjp = {"g", "-g"}};
OP(mul) = {.identity = identity_mul,
           PRIMITIVE(mul, 2),
           .onnx = "Mul",
           .cheap = true,
           .doc = "a * b",
           .infix = "$0 * $1",
           .vjp = {"g * b", "g * a"}};
OP(div) = {.identity = identity_div,
           PRIMITIVE(div, 2),
           .onnx = "Div",
           .doc = "a / b",
           .infix = "$0 / $1",
           .vjp = {"g / b", "-g * y / b"},
           .sample = "{in: [[n, 6], [n, 6]], low: 0.5, high: 2}"};
OP(min) = {.identity = identity_min,
           PRIMITIVE(min, 2),
           .onnx = "Min",
           .cheap = true,
           .doc = "The smaller; b where they are equal.",
           .vjp = {"where(a < b, g, 0)", "where(a < b, 0, g)"}};
OP(max) = {PRIMITIVE(max, 2), .onnx = "Max", .cheap = true,
           .doc = "The larger; b where they are equal.",
           .vjp = {"where(b < a, g, 0)", "where(b < a, 0, g)"}};
OP(pow) = {PRIMITIVE(pow, 2), .onnx = "Pow", .doc = "a to the b, for positive a.",
           .vjp = {"g * b * pow(a, b - 1)", "g * y * log(a)"},
           .sample = "{in: [[n, 6], [n, 6]], low: 0.5, high: 2}"};
OP(lt) = {.identity = identity_lt,
          PRIMITIVE(lt, 2),
          .onnx = "Less",
          .to_onnx = export_comparison,
          .cheap = true,
          .doc = "1 where a < b, else 0.",
          .vjp = {"0", "0"}};
OP(le) = {PRIMITIVE(le, 2),
          .onnx = "LessOrEqual",
          .to_onnx = export_comparison,
          .cheap = true,
          .doc = "1 where a <= b, else 0.",
          .vjp = {"0", "0"}};
OP(eq) = {PRIMITIVE(eq, 2),
          .onnx = "Equal",
          .to_onnx = export_comparison,
          .cheap = true,
          .doc = "1 where a == b, else 0.",
          .vjp = {"0", "0"}};
OP(where) = {.identity = identity_where,
             PRIMITIVE(where, 3),
             .onnx = "Where",
             .to_onnx = export_where,
             .cheap = true,
             .doc = "b where a is not 0, else c.",
             .vjp = {"0", "where(a, g, 0)", "where(a, 0, g)"}};
OP(fma) = {PRIMITIVE(fma, 3), .to_onnx = export_fma, .cheap = true,
           .doc = "a * b + c, rounded once.", .vjp = {"g * b", "g * a", "g"}};
