/* Products of two tensors that both depend on the sample. */
#include "layers/axes.h"

static bool multiply(Shape a, Shape b, Shape *out)
{
    if (a.rank != b.rank || a.rank < 3 || a.dim[a.rank - 1] != b.dim[a.rank - 2])
        return false;
    a.dim[a.rank - 1] = b.dim[b.rank - 1];
    b.dim[b.rank - 2] = a.dim[a.rank - 2];
    return shape_broadcast(a, b, out);
}

/* a [.., M, 1, K] times b [.., 1, N, K], summed along the last axis */
static Node *build_matmul(LayerBuild *build)
{
    Graph *graph = build->graph;
    Node *a = build->in[0], *b = build->in[1];
    int rank = a->shape.rank, perm[MAX_RANK];
    Shape shape, left = a->shape, right = b->shape;
    if (rank == MAX_RANK || !multiply(left, right, &shape))
        return input_fault(build, "cannot multiply %s by %s", shape_text(build->arena, a->shape),
                           shape_text(build->arena, b->shape));
    for (int i = 0; i < rank; i++)
        perm[i] = i == rank - 1 ? i - 1 : i == rank - 2 ? i + 1 : i;
    left.rank = right.rank = rank + 1;
    left.dim[rank] = a->shape.dim[rank - 1];
    left.dim[rank - 1] = 1;
    right.dim[rank] = b->shape.dim[rank - 2];
    right.dim[rank - 1] = b->shape.dim[rank - 1];
    right.dim[rank - 2] = 1;
    Node *product = node2(graph, OP_mul, reshape(graph, a, left),
                          reshape(graph, permute_axes(graph, b, perm), right));
    return reshape(graph, reduce(graph, OP_reduce_sum, product, 1u << rank), shape);
}

LAYER(matmul) = {
    .record = {.name = "matmul", .doc = "a [n, .., M, K] times b [n, .., K, N], sample by sample."},
    .least_inputs = 2,
    .most_inputs = 2,
    .build = build_matmul};
