/* Ops that move or rename cells: reshape is a view, the others copy. */
#include <math.h>
#include <string.h>

#include "layout.h"
#include "onnx/exporter.h"
#include "ops/infer.h"
#include "program.h"

static const AttrDef shape_attrs[] = {{"shape", ATTR_INTS, NULL, "", 0, 0, NULL},
                                      {.type = ATTR_END}};

static void gradient_reshape(Gradients *to, Node *y, Node *g)
{
    gradient_add(to, y, 0, reshape(gradient_graph(to), g, y->in[0]->shape));
}

static Node *identity_reshape(Graph *graph, const Node *y, Node *const *in)
{
    double value;
    if (is_constant(in[0], &value))
        return constant_of(graph, value, y->shape);
    if (in[0]->op == OP_reshape)
        return reshape(graph, in[0]->in[0], y->shape);
    return shape_equal(in[0]->shape, y->shape) ? in[0] : NULL;
}

static bool export_reshape(OnnxExport *e)
{
    Shape shape = e->node->shape; /* BATCH is -1 */
    const char *x = onnx_value(e, e->node->in[0], ORDER_PLAIN);
    return onnx_is(e, ORDER_PLAIN,
                   onnx_add2(e, "Reshape", x, onnx_int_list(e, shape.dim, shape.rank)));
}

OP(reshape) = {.identity = identity_reshape,
               .name = "reshape",
               .doc = "The same cells in the same order under another shape.",
               .arity = 1,
               .class = OP_VIEW,
               .role = ROLE_ALIAS,
               .attrs = shape_attrs,
               .infer = infer_dims,
               .gradient = gradient_reshape,
               .to_onnx = export_reshape,
               .sample = "{in: [[n, 2, 3]], shape: [n, 6]}"};

/* A copy is four nested loops over the destination's cells, strides of both sides as C text. */
typedef struct {
    const char *extent[4], *to[4], *from[4];
} CopyLoops;

static const char *stride_text(Arena *arena, Shape shape, int axis)
{
    return extent_text(arena, shape, axis + 1, shape.rank);
}

static void bind_copy(KernelBuild *build, const CopyLoops *loops, const char *to_start,
                      const char *from_start, Shape moved)
{
    static const char *const names[3][4] = {{"D0", "D1", "D2", "D3"},
                                            {"TO0", "TO1", "TO2", "TO3"},
                                            {"FROM0", "FROM1", "FROM2", "FROM3"}};
    bind_template(build, "copy");
    for (int i = 0; i < 4; i++) {
        bind_text(build, names[0][i], loops->extent[i]);
        bind_text(build, names[1][i], loops->to[i]);
        bind_text(build, names[2][i], loops->from[i]);
    }
    bind_text(build, "TO", to_start);
    bind_text(build, "FROM", from_start);
    build->kernel->units = loops->extent[0];
    double work = (double)shape_row(moved);
    *(shape_has_batch(moved) ? &build->kernel->flops : &build->kernel->flops_fixed) = work;
}

static const AttrDef perm_attrs[] = {{"perm", ATTR_INTS, NULL, "", 0, 0, NULL}, {.type = ATTR_END}};

static Shape infer_transpose(const Node *node)
{
    const AttrValue *perm = attr(node, "perm");
    Shape shape = {.rank = perm->count};
    for (int i = 0; i < perm->count; i++)
        shape.dim[i] = node->in[0]->shape.dim[perm->list[i]];
    return shape;
}

static void gradient_transpose(Gradients *to, Node *y, Node *g)
{
    const AttrValue *perm = attr(y, "perm");
    int inverse[MAX_RANK];
    for (int i = 0; i < perm->count; i++)
        inverse[perm->list[i]] = i;
    gradient_add(to, y, 0, transpose(gradient_graph(to), g, inverse));
}

/* The result's axes in runs that are adjacent in the input as well: where each starts. */
static int transpose_runs(const AttrValue *perm, int *starts)
{
    int count = 0;
    for (int i = 0; i < perm->count; i++) {
        if (i && perm->list[i] == perm->list[i - 1] + 1)
            continue;
        if (count == 4)
            bug("transpose of more than four runs of axes");
        starts[count++] = i;
    }
    return count;
}

static void bind_transpose(KernelBuild *build, const Node *node)
{
    const AttrValue *perm = attr(node, "perm");
    Shape x = node->in[0]->shape;
    CopyLoops loops;
    int from[4], count = transpose_runs(perm, from);
    for (int i = 0; i < 4; i++) {
        int run = i - (4 - count);
        if (run < 0) {
            loops.extent[i] = "1";
            loops.to[i] = loops.from[i] = "0";
            continue;
        }
        int to = run + 1 < count ? from[run + 1] : perm->count;
        int last = (int)perm->list[to - 1];
        loops.extent[i] = extent_text(build->arena, node->shape, from[run], to);
        loops.to[i] = stride_text(build->arena, node->shape, to - 1);
        loops.from[i] = stride_text(build->arena, x, last);
    }
    bind_copy(build, &loops, "0", "0", x);
}

static bool export_transpose(OnnxExport *e)
{
    const AttrValue *perm = attr(e->node, "perm");
    const char *name = onnx_same(e, ORDER_PLAIN);
    onnx_ints(e, "perm", perm->list, perm->count);
    return onnx_is(e, ORDER_PLAIN, name);
}

OP(transpose) = {.name = "transpose",
                 .doc = "Axis i of the result is axis perm[i] of the input.",
                 .arity = 1,
                 .class = OP_KERNEL,
                 .attrs = perm_attrs,
                 .infer = infer_transpose,
                 .gradient = gradient_transpose,
                 .bind = bind_transpose,
                 .onnx = "Transpose",
                 .to_onnx = export_transpose,
                 .sample = "{in: [[2, n, 2, 3, 2]], perm: [1, 3, 4, 0, 2]}"};

static Shape infer_matrix_transpose(const Node *node)
{
    Shape shape = node->in[0]->shape;
    int64_t columns = shape.dim[shape.rank - 1];
    shape.dim[shape.rank - 1] = shape.dim[shape.rank - 2];
    shape.dim[shape.rank - 2] = columns;
    return shape;
}

static void gradient_matrix_transpose(Gradients *to, Node *y, Node *g)
{
    gradient_add(to, y, 0, matrix_transpose(gradient_graph(to), g));
}

/* Panels into panels of the transpose; what is row-major is one panel. */
static void bind_matrix_transpose(KernelBuild *build, const Node *node)
{
    const Node *x = node->in[0];
    int rank = x->shape.rank;
    const char *stack = extent_text(build->arena, x->shape, 0, rank - 2);
    int64_t columns = x->shape.dim[rank - 1],
            width = layout_panel_width(build->layouts[x->id], x->shape);
    bind_template(build, "transpose");
    bind_text(build, "STACK", stack);
    bind_int(build, "ROWS", x->shape.dim[rank - 2]);
    bind_int(build, "COLS", columns);
    bind_int(build, "FROM_P", width);
    bind_int(build, "TO_P", layout_panel_width(build->layouts[node->id], node->shape));
    build->kernel->units =
        arena_printf(build->arena, "%s * %lld", stack, (long long)((columns + width - 1) / width));
    double work = (double)shape_row(x->shape);
    *(shape_has_batch(x->shape) ? &build->kernel->flops : &build->kernel->flops_fixed) = work;
}

static bool export_matrix_transpose(OnnxExport *e)
{
    int rank = e->node->shape.rank;
    int64_t perm[MAX_RANK];
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    const char *name = onnx_same(e, ORDER_PLAIN);
    onnx_ints(e, "perm", perm, rank);
    return onnx_is(e, ORDER_PLAIN, name);
}

OP(matrix_transpose) = {
    .name = "matrix_transpose",
    .doc = "The transpose of each matrix of a stack: the last two axes swapped.",
    .arity = 1,
    .class = OP_KERNEL,
    .packed_inputs = 1,
    .packed_output = true,
    .infer = infer_matrix_transpose,
    .gradient = gradient_matrix_transpose,
    .bind = bind_matrix_transpose,
    .onnx = "Transpose",
    .to_onnx = export_matrix_transpose,
    .sample = "{in: [[n, 2, 3]]}"};

/* slice and concatenate along one axis: [outer, axis, inner]. */
static const AttrDef slice_attrs[] = {{"axis", ATTR_INT, NULL, "", 0, 0, NULL},
                                      {"start", ATTR_INT, NULL, "", 0, 0, NULL},
                                      {"size", ATTR_INT, NULL, "", 0, 0, NULL},
                                      {.type = ATTR_END}};

static Shape infer_slice(const Node *node)
{
    Shape shape = node->in[0]->shape;
    shape.dim[attr(node, "axis")->i] = attr(node, "size")->i;
    return shape;
}

/* The gradient of a slice is the gradient of what was left out, zero, around it. */
static void gradient_slice(Gradients *to, Node *y, Node *g)
{
    Graph *graph = gradient_graph(to);
    int axis = (int)attr(y, "axis")->i;
    int64_t start = attr(y, "start")->i, size = attr(y, "size")->i;
    Shape before = y->in[0]->shape, after = before;
    before.dim[axis] = start;
    after.dim[axis] = y->in[0]->shape.dim[axis] - start - size;
    Node *parts[3];
    int count = 0;
    if (before.dim[axis])
        parts[count++] = constant_of(graph, 0, before);
    parts[count++] = g;
    if (after.dim[axis])
        parts[count++] = constant_of(graph, 0, after);
    AttrValue value = {.i = axis};
    gradient_add(to, y, 0, count == 1 ? g : node_new(graph, OP_concatenate, count, parts, &value));
}

static void bind_slice(KernelBuild *build, const Node *node)
{
    int axis = (int)attr(node, "axis")->i;
    Shape x = node->in[0]->shape;
    Arena *arena = build->arena;
    CopyLoops loops = {
        .extent = {"1", extent_text(arena, x, 0, axis),
                   extent_text(arena, node->shape, axis, axis + 1),
                   extent_text(arena, x, axis + 1, x.rank)},
        .to = {"0", extent_text(arena, node->shape, axis, x.rank), stride_text(arena, x, axis),
               "1"},
        .from = {"0", extent_text(arena, x, axis, x.rank), stride_text(arena, x, axis), "1"}};
    const char *start = arena_printf(arena, "%lld * (%s)", (long long)attr(node, "start")->i,
                                     stride_text(arena, x, axis));
    bind_copy(build, &loops, "0", start, node->shape);
}

static void evaluate_slice(const Node *node, const float *const *in, float *out)
{
    int axis = (int)attr(node, "axis")->i;
    int64_t inner = 1, start = attr(node, "start")->i, dim = node->in[0]->shape.dim[axis];
    for (int i = axis + 1; i < node->shape.rank; i++)
        inner *= node->shape.dim[i];
    int64_t run = inner * node->shape.dim[axis], rows = shape_row(node->shape) / run;
    for (int64_t r = 0; r < rows; r++)
        memcpy(out + r * run, in[0] + (r * dim + start) * inner, sizeof *out * (size_t)run);
}

static int64_t axis_in(OnnxOrder order, int64_t axis)
{
    static const int64_t first[] = {0, 2, 3, 1};
    return order == ORDER_FIRST ? first[axis] : axis;
}

static bool export_slice(OnnxExport *e)
{
    const Node *node = e->node;
    OnnxOrder order = onnx_order(e);
    int64_t axis = axis_in(order, attr(node, "axis")->i), start = attr(node, "start")->i;
    int64_t end = start + attr(node, "size")->i;
    const char *in[] = {onnx_value(e, node->in[0], order), onnx_int_list(e, &start, 1),
                        onnx_int_list(e, &end, 1), onnx_int_list(e, &axis, 1)};
    return onnx_is(e, order, onnx_add(e, "Slice", in, 4));
}

OP(slice) = {.name = "slice",
             .doc = "`size` positions of one axis from `start`.",
             .arity = 1,
             .class = OP_KERNEL,
             .attrs = slice_attrs,
             .infer = infer_slice,
             .gradient = gradient_slice,
             .bind = bind_slice,
             .evaluate = evaluate_slice,
             .to_onnx = export_slice,
             .sample = "{in: [[n, 5, 2]], axis: 1, start: 1, size: 3}"};

static const AttrDef axis_attrs[] = {{"axis", ATTR_INT, NULL, "", 0, 0, NULL}, {.type = ATTR_END}};

static Shape infer_concatenate(const Node *node)
{
    int64_t axis = attr(node, "axis")->i;
    Shape shape = node->in[0]->shape;
    for (int i = 1; i < node->inputs; i++)
        shape.dim[axis] += node->in[i]->shape.dim[axis];
    return shape;
}

static void gradient_concatenate(Gradients *to, Node *y, Node *g)
{
    int64_t axis = attr(y, "axis")->i, start = 0;
    for (int i = 0; i < y->inputs; i++) {
        int64_t size = y->in[i]->shape.dim[axis];
        AttrValue values[3] = {{.i = axis}, {.i = start}, {.i = size}};
        if (gradient_wanted(to, y, i))
            gradient_add(to, y, i, node_new(gradient_graph(to), OP_slice, 1, &g, values));
        start += size;
    }
}

static void bind_concatenate(KernelBuild *build, const Node *node)
{
    Arena *arena = build->arena;
    int axis = (int)attr(node, "axis")->i;
    Shape y = node->shape;
    bind_template(build, "concatenate");
    bind_text(build, "OUTER", extent_text(arena, y, 0, axis));
    bind_text(build, "ROW", extent_text(arena, y, axis, y.rank));
    template_list(build->kernel->bind, "parts");
    Shape start = y;
    start.dim[axis] = 0;
    for (int i = 0; i < node->inputs; i++) {
        TemplateRecord *part = template_item(build->kernel->bind, "parts");
        template_int(part, "index", i);
        template_text(part, "start", extent_text(arena, start, axis, y.rank));
        template_text(part, "length", extent_text(arena, node->in[i]->shape, axis, y.rank));
        start.dim[axis] += node->in[i]->shape.dim[axis];
    }
    build->kernel->units = extent_text(arena, y, 0, axis);
    *(shape_has_batch(y) ? &build->kernel->flops : &build->kernel->flops_fixed) =
        (double)shape_row(y);
}

/* A constant with a batch axis around one tensor is padding of it. */
static bool export_padding(OnnxExport *e)
{
    const Node *node = e->node, *inner = NULL;
    OnnxOrder order = onnx_order(e);
    int64_t pads[2 * MAX_RANK] = {0}, rank = node->shape.rank, axis = attr(node, "axis")->i;
    int64_t at = axis_in(order, axis);
    double value = NAN, part;
    for (int i = 0; i < node->inputs; i++) {
        if (is_constant(node->in[i], &part) && (isnan(value) || value == part)) {
            pads[inner ? at + rank : at] += node->in[i]->shape.dim[axis];
            value = part;
        } else if (!inner && !onnx_constant(e, node->in[i])) {
            inner = node->in[i];
        } else {
            return onnx_refuse(e, " of constants and several tensors");
        }
    }
    if (!inner)
        return onnx_refuse(e, " of constants");
    const char *in[] = {onnx_value(e, inner, order), onnx_int_list(e, pads, 2 * rank),
                        onnx_number(e, value)};
    return onnx_is(e, order, onnx_add(e, "Pad", in, 3));
}

static bool export_concatenate(OnnxExport *e)
{
    const Node *node = e->node;
    OnnxOrder order = onnx_order(e);
    for (int i = 0; i < node->inputs; i++) {
        if (onnx_constant(e, node->in[i]) && shape_has_batch(node->in[i]->shape))
            return export_padding(e);
    }
    const char *name = onnx_same(e, order);
    onnx_int(e, "axis", axis_in(order, attr(node, "axis")->i));
    return onnx_is(e, order, name);
}

OP(concatenate) = {.name = "concatenate",
                   .doc = "Tensors one after another along an axis.",
                   .arity = -1,
                   .class = OP_KERNEL,
                   .attrs = axis_attrs,
                   .infer = infer_concatenate,
                   .gradient = gradient_concatenate,
                   .bind = bind_concatenate,
                   .onnx = "Concat",
                   .to_onnx = export_concatenate,
                   .sample = "{in: [[n, 2, 3], [n, 4, 3]], axis: 1}"};
