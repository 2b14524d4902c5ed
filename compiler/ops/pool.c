/* 2-D pooling over NHWC and its gradients. Padding never counts: it loses against every cell, and an
 * average divides by the cells that are there. */
#include "onnx/exporter.h"
#include "ops/infer.h"
#include "ops/tile.h"

static const AttrDef pool_attrs[] = {{"pool", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"strides", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"padding", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"extent", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {.type = ATTR_END}};

/* `extent` is the result's height and width, `padding` what is added before. */
static Shape infer_pool(const Node *node)
{
    Shape shape = node->in[0]->shape;
    shape.dim[1] = attr(node, "extent")->list[0];
    shape.dim[2] = attr(node, "extent")->list[1];
    return shape;
}

static void gradient_pool(Gradients *to, Node *y, Node *g)
{
    Graph *graph = gradient_graph(to);
    Node *x = y->in[0], *in[3] = {g, x, y};
    bool max = y->op == OP_max_pool2d;
    AttrValue values[4] = {y->attr[0], y->attr[1], y->attr[2], {.count = 2}};
    values[3].list = ARENA_ARRAY(graph->arena, int64_t, 2);
    values[3].list[0] = x->shape.dim[1];
    values[3].list[1] = x->shape.dim[2];
    gradient_add(to, y, 0,
                 node_new(graph, max ? OP_max_pool2d_grad : OP_average_pool2d_grad, max ? 3 : 1, in,
                          values));
}

/* Tiles of 32 channels at most: the gradient of a maximum counts on it. `function` computes one from
 * `operands`. */
static void bind_pool(KernelBuild *build, const Node *node, const WindowShape *window,
                      const char *function, const char *operands)
{
    int64_t width = node->shape.dim[3] <= 16 ? 16 : 32;
    TileShape tile = lines_tile(build, node->shape, width, TILE_CELLS);
    bind_tile(build, node, &tile);
    bind_window(build, window);
    bind_product(build,
                 arena_printf(build->arena, "%s(c, %lld, %s, &window, i, rows, %s)", function,
                              (long long)width, operands, columns_text(build, &tile)));
    build->kernel->flops =
        (double)shape_row(node->shape) * (double)(window->kernel[0] * window->kernel[1]);
}

static WindowShape window_shape(const Node *node, Shape x, Shape y)
{
    static const int64_t dense[] = {1, 1};
    return window_of(x, y, attr(node, "pool")->list, attr(node, "strides")->list,
                     attr(node, "padding")->list, dense);
}

static void bind_forward(KernelBuild *build, const Node *node)
{
    WindowShape window = window_shape(node, node->in[0]->shape, node->shape);
    bind_pool(build, node, &window, node->op == OP_max_pool2d ? "nc_max_tile" : "nc_mean_tile",
              "a + j");
}

static void bind_gradient(KernelBuild *build, const Node *node)
{
    bool max = node->op == OP_max_pool2d_grad;
    WindowShape window = window_shape(node, node->shape, node->in[0]->shape);
    window = window_back(&window, node->shape.dim[3]);
    bind_pool(build, node, &window, max ? "nc_max_grad_tile" : "nc_mean_grad_tile",
              max ? "a + j, b + j, d + j" : "a + j");
}

static bool export_pool(OnnxExport *e)
{
    const char *name = onnx_same(e, ORDER_FIRST);
    onnx_window(e, attr(e->node, "pool")->list, attr(e->node, "strides")->list, NULL);
    return onnx_is(e, ORDER_FIRST, name);
}

#define POOL(ident, inputs)                                                                        \
    .name = #ident, .arity = (inputs), .class = OP_KERNEL, .epilogue = true, .image_tile = true,   \
    .attrs = pool_attrs, .infer = infer_pool

OP(max_pool2d) = {POOL(max_pool2d, 1),
                  .doc = "Largest of each window; the gradient goes to the first that holds it.",
                  .gradient = gradient_pool,
                  .bind = bind_forward,
                  .onnx = "MaxPool",
                  .to_onnx = export_pool,
                  .sample = "{in: [[n, 5, 6, 3]], pool: [3, 2], strides: [2, 1], padding: [1, 0], "
                            "extent: [3, 5]}"};
OP(average_pool2d) = {POOL(average_pool2d, 1),
                      .doc = "Mean of each window.",
                      .gradient = gradient_pool,
                      .bind = bind_forward,
                      .onnx = "AveragePool",
                      .to_onnx = export_pool,
                      .sample = "{in: [[n, 5, 6, 3]], pool: [3, 2], strides: [2, 1], "
                                "padding: [1, 0], extent: [3, 5]}"};
OP(max_pool2d_grad) = {POOL(max_pool2d_grad, 3), .doc = "Gradient of max_pool2d, from (dy, x, y).",
                       .bind = bind_gradient, .not_differentiable = true};
OP(average_pool2d_grad) = {POOL(average_pool2d_grad, 1),
                           .doc = "Gradient of average_pool2d, from dy.", .bind = bind_gradient,
                           .not_differentiable = true};
