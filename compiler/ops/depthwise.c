/* Depthwise 2-D convolution and its gradients: x [n, H, W, C], w [KH, KW, C, M], y [n, .., C * M]. */
#include "ops/infer.h"
#include "program.h"

static const AttrDef conv_attrs[] = {{"strides", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"padding", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"dilation", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"extent", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {.type = ATTR_END}};

static Shape infer_depthwise(const Node *node)
{
    Shape shape = node->in[0]->shape, w = node->in[1]->shape;
    shape.dim[1] = attr(node, "extent")->list[0];
    shape.dim[2] = attr(node, "extent")->list[1];
    shape.dim[3] = w.dim[2] * w.dim[3];
    return shape;
}

/* (dy, w): `extent` is the input's height and width. */
static Shape infer_input_grad(const Node *node)
{
    Shape shape = node->in[0]->shape;
    shape.dim[1] = attr(node, "extent")->list[0];
    shape.dim[2] = attr(node, "extent")->list[1];
    shape.dim[3] = node->in[1]->shape.dim[2];
    return shape;
}

/* (x, dy): `extent` is the kernel's height and width. */
static Shape infer_kernel_grad(const Node *node)
{
    const int64_t *size = attr(node, "extent")->list;
    int64_t channels = node->in[0]->shape.dim[3];
    return shape_of(4,
                    (int64_t[]){size[0], size[1], channels, node->in[1]->shape.dim[3] / channels});
}

static Node *grad_node(Graph *graph, OpKind op, Node *a, Node *b, const Node *like,
                       const int64_t *extent)
{
    AttrValue values[4] = {like->attr[0], like->attr[1], like->attr[2], {.count = 2}};
    values[3].list = ARENA_ARRAY(graph->arena, int64_t, 2);
    values[3].list[0] = extent[0];
    values[3].list[1] = extent[1];
    return node_new(graph, op, 2, (Node *[]){a, b}, values);
}

static void gradient_depthwise(Gradients *to, Node *y, Node *g)
{
    Graph *graph = gradient_graph(to);
    Node *x = y->in[0], *w = y->in[1];
    if (gradient_wanted(to, y, 0))
        gradient_add(to, y, 0,
                     grad_node(graph, OP_depthwise_conv2d_input_grad, g, w, y, x->shape.dim + 1));
    if (gradient_wanted(to, y, 1))
        gradient_add(to, y, 1,
                     grad_node(graph, OP_depthwise_conv2d_kernel_grad, x, g, y, w->shape.dim));
}

static void bind_depthwise(KernelBuild *build, const Node *node, const char *template, Shape x,
                           Shape y, Shape w)
{
    static const char *const names[] = {"H",  "W",  "C",  "M",  "OH", "OW", "KH",
                                        "KW", "SH", "SW", "PH", "PW", "DH", "DW"};
    const int64_t *stride = attr(node, "strides")->list, *pad = attr(node, "padding")->list,
                  *dilation = attr(node, "dilation")->list;
    int64_t values[] = {x.dim[1], x.dim[2], w.dim[2],    w.dim[3],   y.dim[1],
                        y.dim[2], w.dim[0], w.dim[1],    stride[0],  stride[1],
                        pad[0],   pad[1],   dilation[0], dilation[1]};
    bind_template(build, template);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        bind_int(build, names[i], values[i]);
    build->kernel->flops = 2.0 * (double)(y.dim[1] * y.dim[2] * y.dim[3] * w.dim[0] * w.dim[1]);
}

static void bind_forward(KernelBuild *build, const Node *node)
{
    bind_depthwise(build, node, "depthwise_conv2d", node->in[0]->shape, node->shape,
                   node->in[1]->shape);
    build->kernel->units = arena_printf(build->arena, "n * %lld", (long long)node->shape.dim[1]);
}

static void bind_input_grad(KernelBuild *build, const Node *node)
{
    bind_depthwise(build, node, "depthwise_conv2d_input_grad", node->shape, node->in[0]->shape,
                   node->in[1]->shape);
    build->kernel->units = "n";
}

static void bind_kernel_grad(KernelBuild *build, const Node *node)
{
    bind_depthwise(build, node, "depthwise_conv2d_kernel_grad", node->in[0]->shape,
                   node->in[1]->shape, node->shape);
    build->kernel->units =
        arena_printf(build->arena, "%lld", (long long)(node->shape.dim[0] * node->shape.dim[1]));
}

#define DEPTHWISE(ident)                                                                           \
    .name = #ident, .arity = 2, .class = OP_KERNEL, .multiplies = true, .attrs = conv_attrs

OP(depthwise_conv2d) = {DEPTHWISE(depthwise_conv2d),
                        .doc = "Each channel of x with its own windows w.",
                        .infer = infer_depthwise,
                        .gradient = gradient_depthwise,
                        .bind = bind_forward,
                        .sample = "{in: [[n, 6, 5, 3], [3, 2, 3, 2]], strides: [2, 1], "
                                  "padding: [1, 0], dilation: [1, 2], extent: [3, 3]}"};
OP(depthwise_conv2d_input_grad) = {
    DEPTHWISE(depthwise_conv2d_input_grad), .doc = "Gradient of depthwise_conv2d for its input.",
    .infer = infer_input_grad, .bind = bind_input_grad, .not_differentiable = true};
OP(depthwise_conv2d_kernel_grad) = {
    DEPTHWISE(depthwise_conv2d_kernel_grad), .doc = "Gradient of depthwise_conv2d for its kernel.",
    .infer = infer_kernel_grad, .bind = bind_kernel_grad, .not_differentiable = true};
