/* Matrix products. The right operand and a weight gradient may lie in panels; rows are all leading
 * axes together. Each result is one chain of fused multiply-adds in ascending k. */
#include "layout.h"
#include "onnx/exporter.h"
#include "ops/infer.h"
#include "ops/panels.h"
#include "ops/tile.h"
#include "program.h"

static Shape infer_matmul(const Node *node)
{
    Shape shape = node->in[0]->shape;
    shape.dim[shape.rank - 1] = node->in[1]->shape.dim[1];
    return shape;
}

static Shape infer_matmul_tn(const Node *node)
{
    Shape a = node->in[0]->shape, b = node->in[1]->shape;
    return shape_of(2, (int64_t[]){a.dim[a.rank - 1], b.dim[b.rank - 1]});
}

static void gradient_matmul(Gradients *to, Node *y, Node *g)
{
    Graph *graph = gradient_graph(to);
    if (gradient_wanted(to, y, 0))
        gradient_add(to, y, 0, node2(graph, OP_matmul, g, matrix_transpose(graph, y->in[1])));
    if (gradient_wanted(to, y, 1))
        gradient_add(to, y, 1, node2(graph, OP_matmul_tn, y->in[0], g));
}

static void gradient_matmul_tn(Gradients *to, Node *y, Node *g)
{
    Graph *graph = gradient_graph(to);
    if (gradient_wanted(to, y, 0))
        gradient_add(to, y, 0, node2(graph, OP_matmul, y->in[1], matrix_transpose(graph, g)));
    if (gradient_wanted(to, y, 1))
        gradient_add(to, y, 1, node2(graph, OP_matmul, y->in[0], g));
}

static void count_flops(KernelBuild *build, Shape a, double flops)
{
    *(shape_has_batch(a) ? &build->kernel->flops : &build->kernel->flops_fixed) = flops;
}

/* Tiles go down the rows first where the right operand is the larger, so that it is read once. */
static void bind_matmul(KernelBuild *build, const Node *node)
{
    Shape a = node->in[0]->shape, b = node->in[1]->shape;
    int64_t k = a.dim[a.rank - 1], n = b.dim[1];
    const Layout *layout = build->layouts[node->in[1]->id];
    int64_t width = layout ? layout_panel_width(layout, b) : layout_default_width(n);
    TileShape tile = {.all = extent_text(build->arena, a, 0, a.rank - 1),
                      .rows = "NC_ROWS",
                      .columns = n,
                      .width = width,
                      .rows_first = extent(a, 0, a.rank - 1, build->batch) < n};
    bind_tile(build, node, &tile);
    bind_panel_product(build, k, 1, layout ? k : 1, layout ? width : n,
                       arena_printf(build->arena, "%lld", (long long)k), width);
    count_flops(build, a, 2.0 * (double)n * (double)shape_row(a));
}

static void bind_matmul_tn(KernelBuild *build, const Node *node)
{
    Shape a = node->in[0]->shape, b = node->in[1]->shape;
    int64_t m = a.dim[a.rank - 1], n = b.dim[b.rank - 1];
    const Layout *layout = build->layouts[node->id];
    int64_t width = layout ? layout_panel_width(layout, node->shape) : layout_default_width(n);
    TileShape tile = {.all = arena_printf(build->arena, "%lld", (long long)m),
                      .rows = "NC_ROWS",
                      .columns = n,
                      .width = width};
    bind_tile(build, node, &tile);
    bind_panel_product(build, 1, m, 1, n, extent_text(build->arena, a, 0, a.rank - 1), width);
    count_flops(build, a, 2.0 * (double)n * (double)shape_row(a));
}

OP(matmul) = {.name = "matmul",
              .doc = "a [.., K] times b [K, N].",
              .arity = 2,
              .class = OP_KERNEL,
              .epilogue = true,
              .multiplies = true,
              .panel_inputs = 2,
              .packed_inputs = 2,
              .infer = infer_matmul,
              .gradient = gradient_matmul,
              .bind = bind_matmul,
              .onnx = "MatMul",
              .to_onnx = onnx_in_our_order,
              .sample = "{in: [[n, 5], [5, 4]]}"};

OP(matmul_tn) = {.name = "matmul_tn",
                 .doc = "a [.., M] transposed times b [.., N], summed over all leading axes.",
                 .arity = 2,
                 .class = OP_KERNEL,
                 .epilogue = true,
                 .multiplies = true,
                 .packed_output = true,
                 .select = product_of_panels,
                 .infer = infer_matmul_tn,
                 .gradient = gradient_matmul_tn,
                 .bind = bind_matmul_tn,
                 .sample = "{in: [[n, 5], [n, 4]]}"};
