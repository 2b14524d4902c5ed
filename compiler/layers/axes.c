/* A transpose moves at most four runs of axes at once; what is more becomes a chain of them. */
#include "layers/axes.h"

enum { MOST_RUNS = 4 };

/* Runs of axes that stay side by side. */
static int count_runs(int rank, const int *perm)
{
    int runs = 0;
    for (int i = 0; i < rank; i++)
        runs += i == 0 || perm[i] != perm[i - 1] + 1;
    return runs;
}

static Shape permuted_shape(Shape shape, const int *perm)
{
    Shape out = {.rank = shape.rank};
    for (int i = 0; i < shape.rank; i++)
        out.dim[i] = shape.dim[perm[i]];
    return out;
}

/* The same without the axes of size 1. */
static Shape squeeze(Shape shape, const int *perm, int *out)
{
    Shape left = {0};
    int position[MAX_RANK], count = 0;
    for (int i = 0; i < shape.rank; i++) {
        position[i] = left.rank;
        if (shape.dim[i] != 1)
            left.dim[left.rank++] = shape.dim[i];
    }
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[perm[i]] != 1)
            out[count++] = position[perm[i]];
    }
    return left;
}

/* The permutation that brings axis `from` before axis `to`. */
static void moving_perm(int rank, int from, int to, int *perm)
{
    for (int i = 0; i < rank; i++)
        perm[i] = i < to || i > from ? i : i == to ? from : i - 1;
}

static Node *permute_by_moves(Graph *graph, Node *x, const int *perm)
{
    int rank = x->shape.rank, at[MAX_RANK], move[MAX_RANK];
    for (int i = 0; i < rank; i++)
        at[i] = i;
    for (int i = 0; i < rank; i++) {
        int from = i;
        while (at[from] != perm[i])
            from++;
        if (from == i)
            continue;
        moving_perm(rank, from, i, move);
        x = transpose(graph, x, move);
        for (int k = from; k > i; k--)
            at[k] = at[k - 1];
        at[i] = perm[i];
    }
    return x;
}

Node *permute_axes(Graph *graph, Node *x, const int *perm)
{
    int order[MAX_RANK];
    Shape shape = permuted_shape(x->shape, perm), left = squeeze(x->shape, perm, order);
    int runs = count_runs(left.rank, order);
    if (runs > 1) {
        x = reshape(graph, x, left);
        x = runs <= MOST_RUNS ? transpose(graph, x, order) : permute_by_moves(graph, x, order);
    }
    return reshape(graph, x, shape);
}

Node *align_rank(Graph *graph, Node *x, int rank)
{
    Shape shape = {.rank = rank, .dim = {BATCH}};
    int missing = rank - x->shape.rank;
    for (int i = 1; i < rank; i++)
        shape.dim[i] = i <= missing ? 1 : x->shape.dim[i - missing];
    return reshape(graph, x, shape);
}

Node *join_axis(Graph *graph, Node *const *parts, int count, int axis)
{
    AttrValue value = {.i = axis};
    return count == 1 ? parts[0] : node_new(graph, OP_concatenate, count, parts, &value);
}

Node *pad_axis(Graph *graph, Node *x, int axis, int64_t before, int64_t after, double value)
{
    Node *parts[3];
    int count = 0;
    Shape shape = x->shape;
    shape.dim[axis] = before;
    if (before)
        parts[count++] = constant_of(graph, value, shape);
    parts[count++] = x;
    shape.dim[axis] = after;
    if (after)
        parts[count++] = constant_of(graph, value, shape);
    return join_axis(graph, parts, count, axis);
}

static Node *run_of(Graph *graph, Node *x, int axis, int64_t start, int64_t size)
{
    if (start == 0 && size == x->shape.dim[axis])
        return x;
    AttrValue values[3] = {{.i = axis}, {.i = start}, {.i = size}};
    return node_new(graph, OP_slice, 1, &x, values);
}

/* Every step-th position: the axis as [size, step], of which the first column stays. */
static Node *stride_axis(Graph *graph, Node *x, int axis, Range range)
{
    int64_t length = range.size * range.step, dim = x->shape.dim[axis];
    if (range.start + length > dim) {
        x = run_of(graph, x, axis, range.start, dim - range.start);
        x = pad_axis(graph, x, axis, 0, range.start + length - dim, 0);
    } else {
        x = run_of(graph, x, axis, range.start, length);
    }
    Shape split = x->shape, result = x->shape;
    int64_t inner = 1;
    for (int i = axis + 1; i < x->shape.rank; i++)
        inner *= x->shape.dim[i];
    split.rank = axis + 2;
    split.dim[axis] = range.size;
    split.dim[axis + 1] = range.step * inner;
    result.dim[axis] = range.size;
    return reshape(graph, run_of(graph, reshape(graph, x, split), axis + 1, 0, inner), result);
}

Node *slice_axis(Graph *graph, Node *x, int axis, Range range)
{
    if (range.size <= 1 || range.step == 1)
        return run_of(graph, x, axis, range.start, range.size);
    if (range.step > 1)
        return stride_axis(graph, x, axis, range);
    Node **parts = ARENA_ARRAY(graph->arena, Node *, range.size);
    for (int64_t i = 0; i < range.size; i++)
        parts[i] = run_of(graph, x, axis, range.start + i * range.step, 1);
    return join_axis(graph, parts, (int)range.size, axis);
}

/* [.., 1, d, ..] times ones [times, 1, 1] */
Node *tile_axis(Graph *graph, Node *x, int axis, int64_t times)
{
    Shape shape = x->shape, result = x->shape;
    int64_t inner = 1;
    for (int i = axis; i < shape.rank; i++)
        inner *= shape.dim[i];
    shape.rank = axis + 2;
    shape.dim[axis] = 1;
    shape.dim[axis + 1] = inner;
    result.dim[axis] *= times;
    Node *ones = constant_of(graph, 1, shape_of(2, (int64_t[]){times, 1}));
    return reshape(graph, node2(graph, OP_mul, reshape(graph, x, shape), ones), result);
}

/* Reductions but the sum want their axes last. */
Node *reduce_axes(Graph *graph, OpKind op, Node *x, unsigned axes)
{
    int perm[MAX_RANK], count = 0, rank = x->shape.rank;
    Shape kept = x->shape, flat = {0};
    int64_t cells = 1;
    if (op == OP_reduce_sum)
        return reduce(graph, op, x, axes);
    for (int i = 0; i < rank; i++) {
        if (!(axes >> i & 1)) {
            perm[count++] = i;
            flat.dim[flat.rank++] = x->shape.dim[i];
        }
    }
    for (int i = 0; i < rank; i++) {
        if (axes >> i & 1) {
            perm[count++] = i;
            cells *= x->shape.dim[i];
            kept.dim[i] = 1;
        }
    }
    flat.dim[flat.rank++] = cells;
    x = reshape(graph, permute_axes(graph, x, perm), flat);
    return reshape(graph, reduce(graph, op, x, 1u << (flat.rank - 1)), kept);
}
