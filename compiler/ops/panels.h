/* A product over rows, from copies in panels. */
#ifndef NETCC_OPS_PANELS_H
#define NETCC_OPS_PANELS_H

#include "program.h"

/* matmul_tn in two steps, where that pays */
Node *product_of_panels(Graph *graph, const Node *y, Node *const *in, int64_t rows);

#endif
