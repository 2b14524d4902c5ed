/* What the records' `to_onnx` write with. Each makes ONNX of the node at hand: it asks for its inputs in
 * an order, adds nodes and says what its value is called. */
#ifndef NETCC_ONNX_EXPORTER_H
#define NETCC_ONNX_EXPORTER_H

#include "data/array.h"
#include "onnx_file.h"
#include "ops/op.h"

typedef enum { ORDER_PLAIN, ORDER_FIRST, ORDERS } OnnxOrder; /* as ours, channels first */

/* What a node of ours has become. */
typedef struct {
    const float *values;      /* constant: row-major, the batch counting as 1 */
    const char *name[ORDERS]; /* NULL: not there yet */
    const char *truth;        /* a comparison before it became a number */
    int window;               /* position of the convolution that made it, else -1 */
    int uses;
} OnnxItem;

struct OnnxExport {
    Arena *arena;
    Diag *diag;
    const Graph *graph;
    const struct nc_named *weights;
    int weights_count;
    OnnxItem *items; /* by node id */
    struct nc_onnx_node *nodes;
    int nodes_count;
    struct nc_onnx_tensor *tensors;
    int tensors_count;
    const Node *node; /* at hand */
    int serial;
};

/* ---- inputs and the value of the node at hand ---- */

/* Channels first where an input of rank 4 is there in that order alone, and the others can follow. */
OnnxOrder onnx_order(OnnxExport *e);
const char *onnx_value(OnnxExport *e, const Node *node, OnnxOrder order);
const char *onnx_truth(OnnxExport *e, const Node *node, OnnxOrder order); /* as booleans */
/* Its numbers, where weights alone have a part in them, else NULL. */
const float *onnx_constant(const OnnxExport *e, const Node *node);
/* These return true: what is written is all. */
bool onnx_is(OnnxExport *e, OnnxOrder order, const char *name);
bool onnx_is_truth(OnnxExport *e, OnnxOrder order, const char *name);
bool onnx_is_window(OnnxExport *e, const char *name); /* of the node that came last */
/* x + bias right behind a window that nothing else reads: becomes its bias. */
bool onnx_joins_window(OnnxExport *e);
/* `layer 'a': conv2d WHY has no ONNX form`; false. */
bool onnx_refuse(OnnxExport *e, const char *why);

/* The node, (x, kernel), as a convolution of the channels in so many groups, and all that there is to it. */
bool onnx_convolution(OnnxExport *e, int64_t groups);

/* The record's operator over the same inputs, in the order that they have; its name. */
const char *onnx_same(OnnxExport *e, OnnxOrder order);
/* The same in our order, and all that there is to it. */
bool onnx_in_our_order(OnnxExport *e);

/* ---- nodes: each returns the name of its one output ---- */

const char *onnx_add(OnnxExport *e, const char *op, const char *const *inputs, int count);
const char *onnx_add1(OnnxExport *e, const char *op, const char *a);
const char *onnx_add2(OnnxExport *e, const char *op, const char *a, const char *b);
const char *onnx_as_number(OnnxExport *e, const char *truth);

/* ---- attributes of the node that came last ---- */

void onnx_int(OnnxExport *e, const char *key, int64_t value);
void onnx_float(OnnxExport *e, const char *key, double value);
void onnx_ints(OnnxExport *e, const char *key, const int64_t *values, int count);
/* Those of a window; dilation NULL: there is no such attribute. */
void onnx_window(OnnxExport *e, const int64_t *kernel, const int64_t *strides,
                 const int64_t *dilation);

/* ---- constant tensors, and their names; the data has to stay ---- */

const char *onnx_int_list(OnnxExport *e, const int64_t *values, int64_t count);
const char *onnx_number(OnnxExport *e, double value);
/* `name` NULL: a fresh one. */
const char *onnx_float_tensor(OnnxExport *e, const float *values, int rank, const int64_t *dims,
                              const char *name);

#endif
