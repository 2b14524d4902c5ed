/* autodiff: gradients as ordinary nodes.
 *
 * Requires: composites without a vjp are expanded. Keeps: all nodes. Adds: gradient nodes, in the
 * same graph; after it no pass knows what is forward and what is backward. */
#ifndef NETCC_AUTODIFF_H
#define NETCC_AUTODIFF_H

#include "ops/op.h"

/* Reverse sweep over `graph` from nodes whose gradients are given. wanted[i]'s gradient is put into
 * result[i], NULL where nothing flows. */
void backward(Graph *graph, Node *const *seeds, Node *const *seed_gradients, int seeds_count,
              Node *const *wanted, int wanted_count, Node **result);

/* For nodes of several results (scan): the gradient of result `index`. */
void gradient_add_result(Gradients *to, Node *tuple, int index, Node *grad);
Node *gradient_result(Gradients *to, const Node *tuple, int index);

#endif
