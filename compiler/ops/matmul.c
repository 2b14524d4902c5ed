/* Matrix products. The right operand and a weight gradient may lie in panels; rows are all leading
 * axes together. Each result is one chain of fused multiply-adds in ascending k. */
#include "layout.h"
#include "ops/infer.h"
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

static Node *transposed(Graph *graph, Node *x)
{
    return transpose(graph, x, (int[]){1, 0});
}

static void gradient_matmul(Gradients *to, Node *y, Node *g)
{
    Graph *graph = gradient_graph(to);
    if (gradient_wanted(to, y, 0))
        gradient_add(to, y, 0, node2(graph, OP_matmul, g, transposed(graph, y->in[1])));
    if (gradient_wanted(to, y, 1))
        gradient_add(to, y, 1, node2(graph, OP_matmul_tn, y->in[0], g));
}

static void gradient_matmul_tn(Gradients *to, Node *y, Node *g)
{
    Graph *graph = gradient_graph(to);
    if (gradient_wanted(to, y, 0))
        gradient_add(to, y, 0, node2(graph, OP_matmul, y->in[1], transposed(graph, g)));
    if (gradient_wanted(to, y, 1))
        gradient_add(to, y, 1, node2(graph, OP_matmul, y->in[0], g));
}

/* How a [K, N] operand is walked in panels of P columns: the panel that starts at column j begins
 * j * STEP elements in, its rows are LD apart. */
static void bind_panels(KernelBuild *build, const Node *b, int64_t width)
{
    const Layout *layout = build->layouts[b->id];
    bind_int(build, "B_STEP", layout ? extent(b->shape, 0, 1, build->batch) : 1);
    bind_int(build, "B_LD", layout ? width : b->shape.dim[b->shape.rank - 1]);
}

static void bind_matmul(KernelBuild *build, const Node *node)
{
    Shape a = node->in[0]->shape;
    int64_t k = a.dim[a.rank - 1], n = node->in[1]->shape.dim[1];
    const Layout *layout = build->layouts[node->in[1]->id];
    int64_t width =
        layout ? layout_panel_width(layout, node->in[1]->shape) : layout_default_width(n);
    const char *rows = extent_text(build->arena, a, 0, a.rank - 1);
    bind_template(build, "matmul");
    bind_text(build, "M", rows);
    bind_int(build, "N", n);
    bind_text(build, "K", arena_printf(build->arena, "%lld", (long long)k));
    bind_int(build, "P", width);
    bind_int(build, "A_ROW", k);
    bind_int(build, "A_K", 1);
    bind_panels(build, node->in[1], width);
    build->kernel->units = arena_printf(build->arena, "(%s + NC_ROWS - 1) / NC_ROWS", rows);
    double flops = 2.0 * (double)k * (double)n * (double)shape_row(a) / (double)k;
    *(shape_has_batch(a) ? &build->kernel->flops : &build->kernel->flops_fixed) = flops;
}

static void bind_matmul_tn(KernelBuild *build, const Node *node)
{
    Shape a = node->in[0]->shape, b = node->in[1]->shape;
    int64_t m = a.dim[a.rank - 1], n = b.dim[b.rank - 1];
    const Layout *layout = build->layouts[node->id];
    int64_t width = layout ? layout_panel_width(layout, node->shape) : layout_default_width(n);
    bind_template(build, "matmul");
    bind_text(build, "M", arena_printf(build->arena, "%lld", (long long)m));
    bind_int(build, "N", n);
    bind_text(build, "K", extent_text(build->arena, a, 0, a.rank - 1));
    bind_int(build, "P", width);
    bind_int(build, "A_ROW", 1);
    bind_int(build, "A_K", m);
    bind_int(build, "B_STEP", 1);
    bind_int(build, "B_LD", n);
    build->kernel->units =
        arena_printf(build->arena, "(%lld + NC_ROWS - 1) / NC_ROWS", (long long)m);
    double flops = 2.0 * (double)n * (double)shape_row(a);
    *(shape_has_batch(a) ? &build->kernel->flops : &build->kernel->flops_fixed) = flops;
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
              .sample = "{in: [[n, 5], [5, 4]]}"};

OP(matmul_tn) = {.name = "matmul_tn",
                 .doc = "a [.., M] transposed times b [.., N], summed over all leading axes.",
                 .arity = 2,
                 .class = OP_KERNEL,
                 .epilogue = true,
                 .multiplies = true,
                 .packed_output = true,
                 .infer = infer_matmul_tn,
                 .gradient = gradient_matmul_tn,
                 .bind = bind_matmul_tn,
                 .sample = "{in: [[n, 5], [n, 4]]}"};
