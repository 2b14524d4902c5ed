/* Convolutions of 3 x 3 by Winograd's transforms. */
#ifndef NETCC_OPS_WINOGRAD_H
#define NETCC_OPS_WINOGRAD_H

#include "ops/op.h"

/* What is convolved: images of `size` (height, width, channels) to images of `extent` with `filters`
 * channels, `before` cells of padding at the start of each axis, in tiles of `tile` x `tile` outputs; by
 * the kernel turned by half, if `flip`. */
typedef struct {
    int64_t size[3], extent[2], before[2], filters, tile, flip;
} Winograd;

Node *winograd_node(Graph *graph, OpKind op, Node *a, Node *b, const Winograd *shape);
int64_t winograd_cells(const Winograd *shape); /* of a transformed tile */
int64_t winograd_tiles(const Winograd *shape); /* of an image */

/* What records of convolutions `select` (winograd_select.c) */
Node *winograd_conv2d(Graph *graph, const Node *y, Node *const *in, int64_t rows);
Node *winograd_input_grad(Graph *graph, const Node *dx, Node *const *in, int64_t rows);
Node *winograd_kernel_grad(Graph *graph, const Node *dw, Node *const *in, int64_t rows);

#endif
