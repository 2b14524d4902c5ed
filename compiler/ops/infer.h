/* Shape rules shared by several records. A rule trusts its inputs: what a user can get wrong is
 * checked where the layer is built, with a message that names both sides. */
#ifndef NETCC_INFER_H
#define NETCC_INFER_H

#include "ops/op.h"

Shape infer_broadcast(const Node *node); /* numpy's broadcasting of all inputs */
Shape infer_same(const Node *node);      /* the first input's */
Shape infer_reduced(const Node *node);   /* `axes` become 1 */
Shape infer_row(const Node *node);       /* the last axis becomes 1 */
Shape infer_dims(const Node *node);      /* attribute `shape` */

#endif
