/* Axes: moving, cutting and joining along axes of any tensor, out of ops of rank 4 at most. */
#ifndef NETCC_AXES_H
#define NETCC_AXES_H

#include "layers/layer.h"

/* Axis i of the result is axis perm[i] of x; axis 0 stays. */
Node *permute_axes(Graph *graph, Node *x, const int *perm);
/* x with axes of 1 behind the batch, so that it has `rank` axes. */
Node *align_rank(Graph *graph, Node *x, int rank);
/* Positions start, start + step, ... `size` of them; step is not 0. */
typedef struct {
    int64_t start, size, step;
} Range;
Node *slice_axis(Graph *graph, Node *x, int axis, Range range);
Node *join_axis(Graph *graph, Node *const *parts, int count, int axis);
Node *pad_axis(Graph *graph, Node *x, int axis, int64_t before, int64_t after, double value);
/* The whole tensor `times` times along the axis. */
Node *tile_axis(Graph *graph, Node *x, int axis, int64_t times);
/* Sum (OP_reduce_sum) or largest (OP_reduce_max) over any axes but the batch; they stay as 1. */
Node *reduce_axes(Graph *graph, OpKind op, Node *x, unsigned axes);

#endif
