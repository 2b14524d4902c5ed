/* The product of a transposed matrix, sum over r of a[r][i] * b[r][j], reads both operands in strides, whose
 * cells meet in the same places of a cache. Where the product is large, both are copied into panels first,
 * which are read in order; each result is the same chain of fused multiply-adds. */
#include "ops/panels.h"

#include <string.h>

#include "layout.h"
#include "ops/infer.h"
#include "ops/tile.h"

enum { WIDTH = 32 }; /* columns of a panel of the left operand: rows of a tile */

static const AttrDef panels_attrs[] = {{"width", ATTR_INT, NULL, "", 0, 0, NULL},
                                       {.type = ATTR_END}};

/* [.., C] to [P, .., width] */
static Shape infer_panels(const Node *node)
{
    Shape x = node->in[0]->shape, y = {.rank = x.rank + 1};
    int64_t width = attr(node, "width")->i;
    memcpy(y.dim + 1, x.dim, sizeof x.dim[0] * (size_t)(x.rank - 1));
    y.dim[0] = (x.dim[x.rank - 1] + width - 1) / width;
    y.dim[y.rank - 1] = width;
    return y;
}

static void bind_panels(KernelBuild *build, const Node *node)
{
    Shape x = node->in[0]->shape;
    bind_template(build, "panels");
    bind_text(build, "ROWS", extent_text(build->arena, x, 0, x.rank - 1));
    bind_int(build, "COLS", x.dim[x.rank - 1]);
    bind_int(build, "P", attr(node, "width")->i);
    build->kernel->units = arena_printf(build->arena, "%lld", (long long)node->shape.dim[0]);
    *(shape_has_batch(x) ? &build->kernel->flops : &build->kernel->flops_fixed) =
        (double)shape_row(x);
}

static const AttrDef product_attrs[] = {{"extent", ATTR_INTS, NULL, "", 0, 0, NULL},
                                        {.type = ATTR_END}};

static Shape infer_product(const Node *node)
{
    return shape_of(2, attr(node, "extent")->list);
}

/* An update in the chain reads and writes a parameter and its slots, all in the panels of the result: what is
 * too large for a cache comes from memory while the product is computed. Are there such? */
static bool bind_states_ahead(KernelBuild *build, const Node *node, int64_t width)
{
    enum { POINTERS = 3, LARGE = 1 << 14 };
    const Kernel *kernel = build->kernel;
    int64_t rows = node->shape.dim[0], cells = shape_row(node->shape);
    Str from = str_new(build->arena);
    int count = 0;
    for (int i = 0; i < kernel->out_count && count < POINTERS; i++) {
        const Buffer *b = kernel->out[i].buffer;
        if ((b->kind == BUFFER_WEIGHTS || b->kind == BUFFER_STATE) && b->elements >= cells)
            str_printf(&from, "%sargs->out[%d] + j * %lld + i * %lld", count++ ? ", " : "", i,
                       (long long)rows, (long long)width);
    }
    if (!count || cells < LARGE || !build->layouts[node->id])
        return false;
    while (count++ < POINTERS)
        str_printf(&from, ", 0");
    template_text(template_item(kernel->bind, "ahead"), "value",
                  arena_printf(build->arena, "{%s}, rows * %lld", from.text, (long long)width));
    return true;
}

static void bind_panels_product(KernelBuild *build, const Node *node)
{
    Shape a = node->in[0]->shape, b = node->in[1]->shape;
    const int64_t *size = attr(node, "extent")->list;
    int64_t width = b.dim[b.rank - 1];
    const char *rows = extent_text(build->arena, a, 1, a.rank - 1);
    TileShape tile = {.all = arena_printf(build->arena, "%lld", (long long)size[0]),
                      .rows = arena_printf(build->arena, "%d", WIDTH),
                      .columns = size[1],
                      .width = width};
    bind_tile(build, node, &tile);
    bool ahead = bind_states_ahead(build, node, width);
    bind_product(
        build,
        arena_printf(build->arena,
                     "nc_tile%s(c, %lld, a + i * %s, 1, %d, b + j * %s, %lld, %s, rows, %lld%s)",
                     ahead ? "_ahead" : "", (long long)width, rows, WIDTH, rows, (long long)width,
                     rows, (long long)width, ahead ? ", &next" : ""));
    *(shape_has_batch(a) ? &build->kernel->flops : &build->kernel->flops_fixed) =
        2.0 * (double)size[1] * (double)size[0] * (double)(shape_row(a) / (a.dim[0] * WIDTH));
}

/* What the copies cost grows with the sum of the sizes, what they save with the product (measured). */
static bool pays(int64_t rows, int64_t left, int64_t right)
{
    enum { ROWS = 16, SIZE = 48 };
    return rows >= ROWS && left >= 2 * WIDTH && right >= WIDTH &&
           left * right >= SIZE * (left + right);
}

static Node *in_panels(Graph *graph, Node *x, int64_t width)
{
    return node_new(graph, OP_panels, 1, &x, &(AttrValue){.i = width});
}

Node *product_of_panels(Graph *graph, const Node *y, Node *const *in, int64_t rows)
{
    Shape a = in[0]->shape;
    if (a.rank == MAX_RANK ||
        !pays(extent(a, 0, a.rank - 1, rows), y->shape.dim[0], y->shape.dim[1]))
        return NULL;
    AttrValue size = {.list = ARENA_ARRAY(graph->arena, int64_t, 2), .count = 2};
    memcpy(size.list, y->shape.dim, 2 * sizeof size.list[0]);
    Node *panels[] = {in_panels(graph, in[0], WIDTH),
                      in_panels(graph, in[1], layout_default_width(y->shape.dim[1]))};
    return node_new(graph, OP_panels_product, 2, panels, &size);
}

OP(panels) = {
    .name = "panels",
    .doc = "x [.., C] in panels of `width` columns [P, .., width], the last one filled with 0.",
    .arity = 1,
    .class = OP_KERNEL,
    .attrs = panels_attrs,
    .infer = infer_panels,
    .bind = bind_panels,
    .not_differentiable = true};

OP(panels_product) = {.name = "panels_product",
                      .doc = "a [.., M] transposed times b [.., N] from their panels.",
                      .arity = 2,
                      .class = OP_KERNEL,
                      .epilogue = true,
                      .multiplies = true,
                      .packed_output = true,
                      .attrs = product_attrs,
                      .infer = infer_product,
                      .bind = bind_panels_product,
                      .not_differentiable = true};
