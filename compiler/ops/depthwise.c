/* Depthwise 2-D convolution and its gradients: x [n, H, W, C], w [KH, KW, C], y [n, .., C]. */
#include "onnx/exporter.h"
#include "ops/infer.h"
#include "ops/tile.h"

static const AttrDef conv_attrs[] = {{"strides", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"padding", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"dilation", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"extent", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {.type = ATTR_END}};

static Shape infer_depthwise(const Node *node)
{
    Shape shape = node->in[0]->shape;
    shape.dim[1] = attr(node, "extent")->list[0];
    shape.dim[2] = attr(node, "extent")->list[1];
    return shape;
}

/* (x, dy): `extent` is the kernel's height and width. */
static Shape infer_kernel_grad(const Node *node)
{
    const int64_t *size = attr(node, "extent")->list;
    return shape_of(3, (int64_t[]){size[0], size[1], node->in[0]->shape.dim[3]});
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

static void count_flops(KernelBuild *build, Shape y, Shape w)
{
    build->kernel->flops = 2.0 * (double)shape_row(y) * (double)(w.dim[0] * w.dim[1]);
}

static WindowShape window_shape(const Node *node, Shape x, Shape y, Shape w)
{
    WindowShape window = window_of(x, y, w.dim, attr(node, "strides")->list,
                                   attr(node, "padding")->list, attr(node, "dilation")->list);
    window.weight[0] = w.dim[1] * w.dim[2];
    window.weight[1] = w.dim[2];
    return window;
}

/* Wide tiles, since all channels of a pixel lie side by side in memory */
static TileShape channels_tile(KernelBuild *build, Shape y)
{
    enum { CELLS = 4096, WIDEST = 128 };
    int64_t most = sums_tiles(build->kernel) ? 32 : WIDEST,
            width = y.dim[3] < most ? (y.dim[3] + 15) / 16 * 16 : most;
    return lines_tile(build, y, width, CELLS / width);
}

/* The gradient for the input walks the window from its last cell back. */
static void bind_channels(KernelBuild *build, const Node *node, const WindowShape *window,
                          bool forward)
{
    Shape w = node->in[1]->shape;
    int64_t from = forward ? 0 : (w.dim[0] * w.dim[1] - 1) * w.dim[2];
    TileShape tile = channels_tile(build, node->shape);
    bind_tile(build, node, &tile);
    bind_window(build, window);
    bind_product(build,
                 arena_printf(build->arena,
                              "nc_depthwise_tile(c, %lld, a + j, b%s + j, &window, i, rows, %s)",
                              (long long)tile.width,
                              from ? arena_printf(build->arena, " + %lld", (long long)from) : "",
                              columns_text(build, &tile)));
}

static void bind_forward(KernelBuild *build, const Node *node)
{
    Shape w = node->in[1]->shape;
    WindowShape window = window_shape(node, node->in[0]->shape, node->shape, w);
    bind_channels(build, node, &window, true);
    count_flops(build, node->shape, w);
}

static void bind_input_grad(KernelBuild *build, const Node *node)
{
    Shape w = node->in[1]->shape, y = node->in[0]->shape;
    WindowShape window = window_shape(node, node->shape, y, w);
    window = window_back(&window, w.dim[2]);
    bind_channels(build, node, &window, false);
    count_flops(build, y, w);
}

static void bind_kernel_grad(KernelBuild *build, const Node *node)
{
    static const char *const names[] = {"H",  "W",  "C",  "OH", "OW", "KH", "KW",
                                        "SH", "SW", "PH", "PW", "DH", "DW"};
    Shape x = node->in[0]->shape, y = node->in[1]->shape, w = node->shape;
    const int64_t *stride = attr(node, "strides")->list, *pad = attr(node, "padding")->list,
                  *dilation = attr(node, "dilation")->list;
    int64_t values[] = {x.dim[1],  x.dim[2],  x.dim[3], y.dim[1], y.dim[2],    w.dim[0],   w.dim[1],
                        stride[0], stride[1], pad[0],   pad[1],   dilation[0], dilation[1]};
    bind_template(build, "depthwise_conv2d_kernel_grad");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        bind_int(build, names[i], values[i]);
    build->kernel->units = arena_printf(build->arena, "%lld", (long long)(w.dim[0] * w.dim[1]));
    count_flops(build, y, w);
}

static bool export_depthwise(OnnxExport *e)
{
    return onnx_convolution(e, e->node->shape.dim[3]);
}

#define DEPTHWISE(ident)                                                                           \
    .name = #ident, .arity = 2, .class = OP_KERNEL, .multiplies = true, .attrs = conv_attrs

OP(depthwise_conv2d) = {DEPTHWISE(depthwise_conv2d),
                        .doc = "Each channel of x with its own window of w.",
                        .epilogue = true,
                        .image_tile = true,
                        .infer = infer_depthwise,
                        .gradient = gradient_depthwise,
                        .bind = bind_forward,
                        .to_onnx = export_depthwise,
                        .sample = "{in: [[n, 6, 5, 3], [3, 2, 3]], strides: [2, 1], "
                                  "padding: [1, 0], dilation: [1, 2], extent: [3, 3]}"};
OP(depthwise_conv2d_input_grad) = {DEPTHWISE(depthwise_conv2d_input_grad),
                                   .doc = "Gradient of depthwise_conv2d for its input.",
                                   .epilogue = true,
                                   .image_tile = true,
                                   .infer = infer_depthwise,
                                   .bind = bind_input_grad,
                                   .not_differentiable = true};
OP(depthwise_conv2d_kernel_grad) = {DEPTHWISE(depthwise_conv2d_kernel_grad),
                                    .doc = "Gradient of depthwise_conv2d for its kernel.",
                                    .accumulates = true,
                                    .infer = infer_kernel_grad,
                                    .bind = bind_kernel_grad,
                                    .not_differentiable = true};
