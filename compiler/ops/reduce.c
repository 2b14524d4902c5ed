/* Reductions over one run of adjacent axes; reduced axes stay as 1. Over the last axis they fuse
 * with what surrounds them. Sums: 16 virtual lanes and a fixed tree along a row (nc_sum), ascending
 * rows along columns (nc_column_sum). */
#include "layout.h"
#include "onnx/exporter.h"
#include "ops/infer.h"
#include "program.h"

static const AttrDef axes_attrs[] = {{"axes", ATTR_INTS, NULL, "", 0, 0, NULL}, {.type = ATTR_END}};

/* All of a matrix in panels: its padding is zero, so it may be summed as it lies. */
static void bind_reduce_panels(KernelBuild *build, const Node *x)
{
    int64_t elements = layout_elements(build->layouts[x->id], x->shape);
    bind_template(build, "reduce_rows");
    bind_text(build, "R", arena_printf(build->arena, "%lld", (long long)elements));
    bind_text(build, "function", "nc_sum");
    build->kernel->units = "1";
    build->kernel->flops_fixed = (double)elements;
}

/* [outer, reduced, inner] */
static void bind_reduce(KernelBuild *build, const Node *node)
{
    if (build->layouts[node->in[0]->id]) {
        bind_reduce_panels(build, node->in[0]);
        return;
    }
    Shape x = node->in[0]->shape;
    const AttrValue *axes = attr(node, "axes");
    int from = (int)axes->list[0], to = (int)axes->list[axes->count - 1] + 1;
    for (int i = from; i < to; i++) {
        if (node->shape.dim[i] != 1)
            bug("%s over axes that are not adjacent", op_of(node)->name);
    }
    int64_t inner = extent(x, to, x.rank, 1);
    bool rows = inner == 1 && (to == x.rank || !shape_has_batch(shape_of(x.rank - to, x.dim + to)));
    if (!rows && node->op != OP_reduce_sum)
        bug("%s over leading axes", op_of(node)->name);
    bind_template(build, rows ? "reduce_rows" : "reduce_columns");
    bind_text(build, "R", extent_text(build->arena, x, from, to));
    const char *outer = extent_text(build->arena, x, 0, from);
    if (rows) {
        bind_text(build, "function", op_of(node)->reducer);
        build->kernel->units = outer;
    } else {
        bind_text(build, "C", extent_text(build->arena, x, to, x.rank));
        build->kernel->units = arena_printf(build->arena, "%s * ((%s + 63) / 64)", outer,
                                            extent_text(build->arena, x, to, x.rank));
    }
    double work = (double)shape_row(x);
    *(shape_has_batch(x) ? &build->kernel->flops : &build->kernel->flops_fixed) = work;
}

/* Over the pixels of images: tile by tile first, which whatever computes the pixels can do. */
static Node *sum_tiles(Graph *graph, const Node *y, Node *x)
{
    static int64_t leading[] = {0, 1};
    const AttrValue *axes = attr(y, "axes");
    AttrValue all = {.list = leading, .count = 2};
    if (x->shape.rank != 4 || x->shape.dim[0] != BATCH || axes->count != 3 || axes->list[0] != 0 ||
        axes->list[2] != 2 || x->shape.dim[1] * x->shape.dim[2] % image_rows(x->shape))
        return NULL;
    Node *tiles = node_new(graph, OP_tile_sum, 1, &x, NULL);
    return reshape(graph, node_new(graph, OP_reduce_sum, 1, &tiles, &all), y->shape);
}

/* A sum of equal numbers, unless their count depends on the batch. */
static Node *identity_sum(Graph *graph, const Node *y, Node *const *in)
{
    double value;
    const AttrValue *axes = attr(y, "axes");
    if (!is_constant(in[0], &value))
        return sum_tiles(graph, y, in[0]);
    for (int i = 0; i < axes->count; i++) {
        if (in[0]->shape.dim[axes->list[i]] == BATCH && value != 0)
            return NULL;
        value *= (double)in[0]->shape.dim[axes->list[i]];
    }
    return constant_of(graph, value, y->shape);
}

static bool export_sum(OnnxExport *e)
{
    const AttrValue *axes = attr(e->node, "axes");
    const char *x = onnx_value(e, e->node->in[0], ORDER_PLAIN);
    const char *list = onnx_int_list(e, axes->list, axes->count);
    return onnx_is(e, ORDER_PLAIN, onnx_add2(e, "ReduceSum", x, list));
}

static bool export_max(OnnxExport *e)
{
    const AttrValue *axes = attr(e->node, "axes");
    const char *name = onnx_same(e, ORDER_PLAIN);
    onnx_ints(e, "axes", axes->list, axes->count);
    return onnx_is(e, ORDER_PLAIN, name);
}

static bool export_argmax(OnnxExport *e)
{
    const AttrValue *axes = attr(e->node, "axes");
    if (axes->count != 1)
        return onnx_refuse(e, " over several axes");
    const char *name = onnx_same(e, ORDER_PLAIN);
    onnx_int(e, "axis", axes->list[0]);
    return onnx_is(e, ORDER_PLAIN, onnx_as_number(e, name));
}

#define REDUCE(ident)                                                                              \
    .name = #ident, .arity = 1, .class = OP_KERNEL, .attrs = axes_attrs, .infer = infer_reduced,   \
    .bind = bind_reduce

OP(reduce_sum) = {REDUCE(reduce_sum),   .doc = "Sum over axes.",
                  .reducer = "nc_sum",  .identity = identity_sum,
                  .packed_inputs = 1,   .to_onnx = export_sum,
                  .vjp = {"g + 0 * x"}, .sample = "{in: [[n, 3, 5]], axes: [0, 1]}"};
/* [n, H, W, C] to [n, tiles, C] */
static Shape infer_tile_sum(const Node *node)
{
    Shape x = node->in[0]->shape;
    return shape_of(3, (int64_t[]){x.dim[0], x.dim[1] * x.dim[2] / image_rows(x), x.dim[3]});
}

static void bind_tile_sum(KernelBuild *build, const Node *node)
{
    Shape x = node->in[0]->shape;
    bind_template(build, "reduce_columns");
    bind_int(build, "R", image_rows(x));
    bind_int(build, "C", x.dim[3]);
    build->kernel->units =
        arena_printf(build->arena, "%s * %lld", extent_text(build->arena, node->shape, 0, 2),
                     (long long)((x.dim[3] + 63) / 64));
    build->kernel->flops = (double)shape_row(x);
}

OP(tile_sum) = {.name = "tile_sum",
                .doc = "Sums over the pixels of each tile of an image.",
                .arity = 1,
                .class = OP_KERNEL,
                .tile_sums = true,
                .infer = infer_tile_sum,
                .bind = bind_tile_sum,
                .not_differentiable = true};
OP(reduce_max) = {REDUCE(reduce_max),
                  .doc = "Largest along axes; the gradient goes to every cell that holds it.",
                  .reducer = "nc_maximum",
                  .onnx = "ReduceMax",
                  .to_onnx = export_max,
                  .vjp = {"where(x == y, g, 0)"},
                  .sample = "{in: [[n, 5]], axes: [1]}"};
OP(argmax) = {REDUCE(argmax),
              .doc = "Position of the first largest along the last axis.",
              .reducer = "nc_argmax",
              .onnx = "ArgMax",
              .to_onnx = export_argmax,
              .vjp = {"0"},
              .sample = "{in: [[n, 5]], axes: [1]}"};
