/* 2-D convolution and its two gradients, NHWC and HWIO. The convolution and the gradient for its input
 * are products whose left operand is read through a window (vocab.h), so they share the matrix
 * product's template, its panels and its epilogue; no copy of the input is made. */
#include "layout.h"
#include "onnx/exporter.h"
#include "ops/infer.h"
#include "ops/tile.h"
#include "ops/winograd.h"
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
    if (gradient_wanted(to, y, 0))
        gradient_add(to, y, 0,
                     conv_node(graph, OP_conv2d_input_grad, g, matrix_transpose(graph, w), y,
                               x->shape.dim[1], x->shape.dim[2]));
    if (gradient_wanted(to, y, 1))
        gradient_add(
            to, y, 1,
            conv_node(graph, OP_conv2d_kernel_grad, x, g, y, w->shape.dim[0], w->shape.dim[1]));
}

static int64_t panel_width(const KernelBuild *build, const Node *node, int64_t columns)
{
    const Layout *layout = build->layouts[node->id];
    return layout ? layout_panel_width(layout, node->shape) : layout_default_width(columns);
}

/* Each cell of the smaller image meets each weight once; those that fall into padding count too. */
static void count_flops(KernelBuild *build, Shape y, Shape w)
{
    build->kernel->flops = 2.0 * (double)(y.dim[1] * y.dim[2]) * (double)shape_row(w);
}

/* Where each pixel sees itself alone, an image is one line, which makes tiles of full height. */
static bool sees_itself(const Node *node, Shape w)
{
    const int64_t *strides = attr(node, "strides")->list, *padding = attr(node, "padding")->list;
    return w.dim[0] * w.dim[1] * strides[0] * strides[1] == 1 && !padding[0] && !padding[1];
}

static Shape one_line(Shape image)
{
    image.dim[2] *= image.dim[1];
    image.dim[1] = 1;
    return image;
}

/* Whole lines, or equal parts of one, where such tiles are high enough: then the kernel can join others that
 * compute a few lines at a time. */
static TileShape plain_tile(KernelBuild *build, Shape image, int64_t width, int64_t cells)
{
    int64_t lines = cells / image.dim[2];
    while (lines > 1 && image.dim[1] % lines)
        lines--;
    if (!lines)
        return lines_tile(build, image, width, cells);
    if (2 * lines * image.dim[2] < cells)
        return lines_tile(build, one_line(image), width, cells);
    return lines_tile(build, image, width, lines * image.dim[2]);
}

/* Both walk the kernel from its first cell on, or from its last cell back. */
static void bind_convolution(KernelBuild *build, const Node *node, Shape x, Shape y, bool forward)
{
    Shape w = node->in[1]->shape;
    const Layout *layout = build->layouts[node->in[1]->id];
    int64_t columns = w.dim[3], width = panel_width(build, node->in[1], columns),
            ld = layout ? width : columns, cell = w.dim[2] * ld,
            from = forward ? 0 : (w.dim[0] * w.dim[1] - 1) * cell;
    bool lines = sees_itself(node, w) && shape_row(x) / x.dim[3] == shape_row(y) / y.dim[3];
    int64_t step = layout ? extent(w, 0, 3, 1) : 1, k = w.dim[0] * w.dim[1] * w.dim[2];
    bool plain = lines && !sums_tiles(build->kernel);
    TileShape tile = plain ? plain_tile(build, node->shape, width, product_cells(k))
                           : lines_tile(build, node->shape, width, product_cells(k));
    bind_tile(build, node, &tile);
    if (plain) {
        bind_panel_product(build, k, 1, step, ld, arena_printf(build->arena, "%lld", (long long)k),
                           width);
        return;
    }
    WindowShape window = window_of(lines ? one_line(x) : x, lines ? one_line(y) : y, w.dim,
                                   attr(node, "strides")->list, attr(node, "padding")->list,
                                   attr(node, "dilation")->list);
    window.weight[0] = w.dim[1] * cell;
    window.weight[1] = cell;
    window.weight[2] = ld;
    if (forward)
        window_join_line(&window);
    else
        window = window_back(&window, w.dim[2]);
    bind_window(build, &window);
    bind_product(build,
                 arena_printf(build->arena,
                              "nc_window_tile(c, a, b%s + j * %lld, &window, i, rows, %lld)",
                              from ? arena_printf(build->arena, " + %lld", (long long)from) : "",
                              (long long)step, (long long)width));
}

static void bind_conv2d(KernelBuild *build, const Node *node)
{
    bind_convolution(build, node, node->in[0]->shape, node->shape, true);
    count_flops(build, node->shape, node->in[1]->shape);
}

static void bind_input_grad(KernelBuild *build, const Node *node)
{
    bind_convolution(build, node, node->shape, node->in[0]->shape, false);
    count_flops(build, node->in[0]->shape, node->in[1]->shape);
}

/* Images whose pixels and gradients stay in the second cache while all tiles pass over them. */
static int64_t images_at_once(Shape x, Shape y)
{
    enum { CACHE = 512 * 1024 };
    int64_t bytes = (shape_row(x) + shape_row(y)) * (int64_t)sizeof(float);
    return bytes > CACHE ? 1 : CACHE / bytes;
}

static void bind_kernel_grad(KernelBuild *build, const Node *node)
{
    static const char *const names[] = {"H",  "W",  "IC", "OH", "OW", "OC", "KH",
                                        "KW", "SH", "SW", "PH", "PW", "DH", "DW"};
    Shape x = node->in[0]->shape, y = node->in[1]->shape, w = node->shape;
    const int64_t *stride = attr(node, "strides")->list, *pad = attr(node, "padding")->list,
                  *dilation = attr(node, "dilation")->list;
    int64_t values[] = {x.dim[1], x.dim[2], x.dim[3],    y.dim[1],   y.dim[2],
                        y.dim[3], w.dim[0], w.dim[1],    stride[0],  stride[1],
                        pad[0],   pad[1],   dilation[0], dilation[1]};
    bind_template(build, "conv2d_kernel_grad");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        bind_int(build, names[i], values[i]);
    int64_t width = panel_width(build, node, w.dim[3]);
    bool panels = build->layouts[node->id] != NULL;
    bind_int(build, "BLOCK", images_at_once(x, y));
    bind_int(build, "P", width);
    bind_text(build, "WIDE",
              panels ? arena_printf(build->arena, "%lld", (long long)width) : "cols");
    bind_int(build, "STEP", panels ? extent(w, 0, 3, 1) : 1);
    bind_int(build, "LD", panels ? width : w.dim[3]);
    build->kernel->units =
        arena_printf(build->arena, "(%lld + NC_ROWS - 1) / NC_ROWS * %lld", (long long)w.dim[2],
                     (long long)(w.dim[0] * w.dim[1] * ((w.dim[3] + width - 1) / width)));
    count_flops(build, y, w);
}

static bool export_conv2d(OnnxExport *e)
{
    return onnx_convolution(e, 1);
}

#define CONV(ident)                                                                                \
    .name = #ident, .arity = 2, .class = OP_KERNEL, .multiplies = true, .attrs = conv_attrs

OP(conv2d) = {CONV(conv2d),
              .doc = "Convolution of x [n, H, W, IC] with w [KH, KW, IC, OC].",
              .epilogue = true,
              .image_tile = true,
              .panel_inputs = 2,
              .packed_inputs = 2,
              .infer = infer_conv2d,
              .gradient = gradient_conv2d,
              .select = winograd_conv2d,
              .bind = bind_conv2d,
              .to_onnx = export_conv2d,
              .sample = "{in: [[n, 6, 5, 2], [3, 2, 2, 3]], strides: [2, 1], padding: [1, 0], "
                        "dilation: [1, 2], extent: [3, 3]}"};
OP(conv2d_input_grad) = {CONV(conv2d_input_grad),
                         .doc = "Gradient of conv2d for its input.",
                         .epilogue = true,
                         .image_tile = true,
                         .panel_inputs = 2,
                         .packed_inputs = 2,
                         .infer = infer_input_grad,
                         .bind = bind_input_grad,
                         .select = winograd_input_grad,
                         .not_differentiable = true};
OP(conv2d_kernel_grad) = {CONV(conv2d_kernel_grad),   .doc = "Gradient of conv2d for its kernel.",
                          .packed_output = true,      .accumulates = true,
                          .infer = infer_kernel_grad, .bind = bind_kernel_grad,
                          .not_differentiable = true, .select = winograd_kernel_grad};
