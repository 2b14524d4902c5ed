/* 2-D convolution and its two gradients, NHWC and HWIO, as sums of small matrix products: one for
 * every output row and kernel cell. 'same' pads as Keras does, the odd cell at the end. */
#include "ops/infer.h"
#include "program.h"

static const AttrDef conv_attrs[] = {{"strides", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"padding", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"dilation", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"extent", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {.type = ATTR_END}};

/* conv2d(x, w): `extent` is the output's height and width, `padding` what is added before. */
static Shape infer_conv2d(const Node *node)
{
    Shape shape = node->in[0]->shape;
    shape.dim[1] = attr(node, "extent")->list[0];
    shape.dim[2] = attr(node, "extent")->list[1];
    shape.dim[3] = node->in[1]->shape.dim[3];
    return shape;
}

/* conv2d_input_grad(dy, w with its last axes swapped): `extent` is the input's height and width. */
static Shape infer_input_grad(const Node *node)
{
    return infer_conv2d(node);
}

/* conv2d_kernel_grad(x, dy): `extent` is the kernel's height and width. */
static Shape infer_kernel_grad(const Node *node)
{
    const AttrValue *size = attr(node, "extent");
    return shape_of(4, (int64_t[]){size->list[0], size->list[1], node->in[0]->shape.dim[3],
                                   node->in[1]->shape.dim[3]});
}

static Node *conv_node(Graph *graph, OpKind op, Node *a, Node *b, const Node *like, int64_t extent0,
                       int64_t extent1)
{
    AttrValue values[4] = {like->attr[0], like->attr[1], like->attr[2], {.count = 2}};
    values[3].list = ARENA_ARRAY(graph->arena, int64_t, 2);
    values[3].list[0] = extent0;
    values[3].list[1] = extent1;
    return node_new(graph, op, 2, (Node *[]){a, b}, values);
}

static void gradient_conv2d(Gradients *to, Node *y, Node *g)
{
    Graph *graph = gradient_graph(to);
    Node *x = y->in[0], *w = y->in[1];
    if (gradient_wanted(to, y, 0)) {
        Node *swapped = transpose(graph, w, (int[]){0, 1, 3, 2});
        gradient_add(to, y, 0,
                     conv_node(graph, OP_conv2d_input_grad, g, swapped, y, x->shape.dim[1],
                               x->shape.dim[2]));
    }
    if (gradient_wanted(to, y, 1))
        gradient_add(
            to, y, 1,
            conv_node(graph, OP_conv2d_kernel_grad, x, g, y, w->shape.dim[0], w->shape.dim[1]));
}

/* All three bind the forward convolution's sizes: x [H, W, IC], y [OH, OW, OC], w [KH, KW, ..]. */
static void bind_conv(KernelBuild *build, const Node *node, const char *template, Shape x, Shape y,
                      Shape w)
{
    static const char *const names[] = {"H",  "W",  "IC", "OH", "OW", "OC", "KH",
                                        "KW", "SH", "SW", "PH", "PW", "DH", "DW"};
    const int64_t *stride = attr(node, "strides")->list, *pad = attr(node, "padding")->list,
                  *dilation = attr(node, "dilation")->list;
    int64_t values[] = {x.dim[1], x.dim[2], x.dim[3],    y.dim[1],   y.dim[2],
                        y.dim[3], w.dim[0], w.dim[1],    stride[0],  stride[1],
                        pad[0],   pad[1],   dilation[0], dilation[1]};
    bind_template(build, template);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        bind_int(build, names[i], values[i]);
    int64_t columns = node->shape.dim[3];
    bind_int(build, "P", columns <= 16 ? 16 : 32);
    build->kernel->flops =
        2.0 * (double)(y.dim[1] * y.dim[2] * y.dim[3]) * (double)(w.dim[0] * w.dim[1] * x.dim[3]);
}

static void bind_conv2d(KernelBuild *build, const Node *node)
{
    bind_conv(build, node, "conv2d", node->in[0]->shape, node->shape, node->in[1]->shape);
    build->kernel->units = arena_printf(build->arena, "n * %lld", (long long)node->shape.dim[1]);
}

static void bind_input_grad(KernelBuild *build, const Node *node)
{
    bind_conv(build, node, "conv2d_input_grad", node->shape, node->in[0]->shape,
              node->in[1]->shape);
    build->kernel->units = arena_printf(build->arena, "n * %lld", (long long)node->shape.dim[1]);
}

static void bind_kernel_grad(KernelBuild *build, const Node *node)
{
    bind_conv(build, node, "conv2d_kernel_grad", node->in[0]->shape, node->in[1]->shape,
              node->shape);
    build->kernel->units =
        arena_printf(build->arena, "%lld", (long long)(node->shape.dim[0] * node->shape.dim[1]));
}

#define CONV(ident)                                                                                \
    .name = #ident, .arity = 2, .class = OP_KERNEL, .multiplies = true, .attrs = conv_attrs

OP(conv2d) = {CONV(conv2d),
              .doc = "Convolution of x [n, H, W, IC] with w [KH, KW, IC, OC].",
              .infer = infer_conv2d,
              .gradient = gradient_conv2d,
              .bind = bind_conv2d,
              .sample = "{in: [[n, 6, 5, 2], [3, 2, 2, 3]], strides: [2, 1], padding: [1, 0], "
                        "dilation: [1, 2], extent: [3, 3]}"};
OP(conv2d_input_grad) = {CONV(conv2d_input_grad), .doc = "Gradient of conv2d for its input.",
                         .infer = infer_input_grad, .bind = bind_input_grad,
                         .not_differentiable = true};
OP(conv2d_kernel_grad) = {CONV(conv2d_kernel_grad), .doc = "Gradient of conv2d for its kernel.",
                          .infer = infer_kernel_grad, .bind = bind_kernel_grad,
                          .not_differentiable = true};
