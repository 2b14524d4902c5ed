/* What the parts of the ONNX importer share.
 *
 * Tensors of a graph are Values. A constant has its data on the host and is folded as far as it
 * goes; anything else is the result of one of our layers, whose axes lie in an order of their own:
 * order[i] is the ONNX axis that our axis i holds, or -1 for an axis of 1 that ONNX does not have.
 * ONNX axes of 1 may be missing from the order. So a transpose, a squeeze and an unsqueeze are
 * only another order of the same layer, images stay channels last, and layers that move cells are
 * made where a layer needs an order that its input does not have (arrange).
 *
 * Our axis 0 is the batch. An import is tried with ONNX's axis 0 as the batch first; where the
 * graph mixes samples, or its inputs have no such axis, all of the graph becomes one sample of a
 * batch that is put in front (`batched` false, order[0] == -1). */
#ifndef NETCC_ONNX_IMPORT_H
#define NETCC_ONNX_IMPORT_H

#include "graph/graph.h"
#include "import/import.h"
#include "onnx_file.h"

/* A constant tensor: floats, or integers (booleans too), row-major. */
typedef struct {
    int type; /* nc_onnx_type */
    int rank;
    int64_t dims[MAX_RANK], count;
    float *f;
    int64_t *i;
} Host;

/* How a flattened value's second axis lies: the axes it is made of. */
typedef struct {
    int rank;
    int64_t dims[MAX_RANK]; /* before it was flattened, in ONNX's order */
    int axes, order[MAX_RANK];
} Flat;

typedef struct Arranged Arranged;
typedef struct {
    const char *name; /* ONNX's */
    int type;
    int rank;
    int64_t dims[MAX_RANK];
    const Host *host; /* NULL: computed by */
    const char *layer;
    int axes, order[MAX_RANK];
    const Flat *flat;
    Arranged *others; /* the same in other orders */
} Value;

typedef struct {
    Import *import;
    Arena *arena;
    const struct nc_onnx_model *model;
    const char *folder; /* of the file, with the slash, for external data */
    int64_t opset;
    bool batched;
    int64_t batch;                   /* the size of axis 0 */
    bool mixes;                      /* a fault was that samples mix */
    Value **table;                   /* by name: open addressing */
    size_t capacity;                 /* power of two */
    const struct nc_onnx_node *node; /* at hand */
    const char *any;                 /* an input's name */
} Onnx;

typedef struct OnnxOp OnnxOp;
struct OnnxOp {
    const char *name;
    int inputs, most; /* most 0: as many as inputs; -1: any number */
    bool (*build)(Onnx *onnx, const OnnxOp *op);
    const char *formula; /* element-wise: over a, b, c */
    const char *kind;    /* the layer that it is where all inputs are computed, or a part of one */
    /* Its result from constants: 1 done, 0 it is not that simple, -1 after an error. */
    int (*fold)(Onnx *onnx, const OnnxOp *op);
    bool always; /* fold also where inputs are computed: their shape is all it takes */
};

extern const OnnxOp onnx_elementwise_ops[], onnx_window_ops[], onnx_reshape_ops[], onnx_slice_ops[],
    onnx_gather_ops[], onnx_fold_ops[], onnx_reduce_ops[],
    onnx_dense_ops[]; /* each ends with a NULL name */
extern const Importer import_onnx;

/* ---- faults: each returns false ---- */

/* `node 'conv1' (Conv): message` */
bool node_fault(Onnx *onnx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, where another reading of axis 0 may help. */
bool batch_fault(Onnx *onnx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- the node at hand ---- */

const struct nc_onnx_attribute *find_attribute(const Onnx *onnx, const char *name);
int64_t attribute_int(const Onnx *onnx, const char *name, int64_t fallback);
double attribute_float(const Onnx *onnx, const char *name, double fallback);
const char *attribute_text(const Onnx *onnx, const char *name, const char *fallback);
/* The list and its length, or NULL. */
const int64_t *attribute_ints(const Onnx *onnx, const char *name, int *count);
double shortest_decimal(float value);
/* Input k, or NULL where it is left out. */
Value *node_input(Onnx *onnx, int k);
bool node_output_used(Onnx *onnx, int k);
/* Input k as integers, constant: NULL and no error where it is left out; *ok false after an error. */
const int64_t *constant_ints(Onnx *onnx, int k, int *count, bool *ok);
/* A constant of one number; false after an error. */
bool constant_number(Onnx *onnx, int k, double fallback, double *out);
/* Axis `axis` of a tensor of `rank`, from -rank on; -1 after an error. */
int node_axis(Onnx *onnx, int64_t axis, int rank);
/* The attribute `key` or else, from `opset` on, input k; NULL with *ok where there is neither. */
const int64_t *ints_of(Onnx *onnx, const char *key, int k, int *count, bool *ok);

/* ---- values ---- */

Value *value_find(const Onnx *onnx, const char *name);
/* Binds output k of the node. */
void set_output(Onnx *onnx, int k, Value *value);
bool give_output(Onnx *onnx, int k, Value *value); /* the same; false for NULL, after an error */
int64_t dims_product(const int64_t *dims, int from, int to);
Value *host_value(Onnx *onnx, Host *host);
/* A result of `layer`: shape and order. */
Value *layer_value(Onnx *onnx, const char *layer, int type, int rank, const int64_t *dims, int axes,
                   const int *order);
/* The same layer, shape and order as another value, under another type. */
Value *like(Onnx *onnx, const char *layer, const Value *value);

/* The order that ONNX's axes have themselves. */
int plain_order(const Onnx *onnx, int rank, int *order);
/* The value's order with ONNX's `axis` last; its length, or 0 after an error. */
int order_with_last(Onnx *onnx, const Value *value, int axis, int *order);
/* [n, height, width, channels] of [n, channels, height, width]; also of one spatial axis, which is
 * the height. 0 after an error. */
int image_order(Onnx *onnx, const Value *value, int *order);
/* The value's layer in an order, made of other layers where it has not got it yet; constants become
 * a layer too. NULL after an error. */
const char *arrange(Onnx *onnx, Value *value, int axes, const int *order);
/* The same as a value. */
Value *arranged(Onnx *onnx, Value *value, int axes, const int *order);
/* The value in an order that has the axis. */
Value *value_with_axis(Onnx *onnx, Value *x, int axis);
/* Our extents but the batch of a value in an order; their number. */
int our_extents(const int64_t *dims, int axes, const int *order, int64_t *out);
/* Our axis of an ONNX axis, or -1. */
int our_axis(const Value *value, int axis);
/* The value with axes of 1 in front, so that it has `rank`. */
Value *raise_rank(Onnx *onnx, Value *value, int rank);

/* A layer that reads one or several others, named after the node; *name is its name. */
Yaml *emit(Onnx *onnx, const char *kind, const char *const *from, int count, const char **name);
Yaml *emit1(Onnx *onnx, const char *kind, const char *from, const char **name);
void put_int(Onnx *onnx, Yaml *layer, const char *key, int64_t value);
void put_ints(Onnx *onnx, Yaml *layer, const char *key, const int64_t *values, int count);
void put_number(Onnx *onnx, Yaml *layer, const char *key, double value);
void put_text(Onnx *onnx, Yaml *layer, const char *key, const char *value);
void put_bool(Onnx *onnx, Yaml *layer, const char *key, bool value);

/* A tensor of a layer: the host tensor seen as `dims`, its axes permuted, times a factor. */
void add_tensor(Onnx *onnx, const char *layer, const char *suffix, const Host *host, int rank,
                const int64_t *dims, const int *perm, double factor);

/* A layer of `formula` over inputs a, b and c, broadcast as ONNX does; NULL after an error. */
Value *formula_value(Onnx *onnx, const char *formula, Value *const *in, int count, int type);
const char *number_text(Onnx *onnx, double value); /* for a formula */
/* A layer of ours over any number of computed values, broadcast as ONNX does; NULL after an error. */
Value *merged(Onnx *onnx, const char *kind, Value *const *in, int count);
/* Reshapes and transposes of values: what the operators of these names do. */
Value *reshaped(Onnx *onnx, Value *value, int rank, const int64_t *dims);
Value *transposed_value(Onnx *onnx, Value *value, const int *perm);
/* Positions start, start + step, .. along an axis; the axis stays. */
Value *sliced(Onnx *onnx, Value *value, int axis, int64_t start, int64_t size, int64_t step);
Value *padded(Onnx *onnx, Value *value, int axis, int64_t before, int64_t after, const char *mode,
              double fill);

/* ---- constants ---- */

/* From the file, or NULL after an error; its values may lie in the open model. */
Host *host_read(Onnx *onnx, const struct nc_onnx_tensor *tensor);
Host *host_new(Onnx *onnx, int type, int rank, const int64_t *dims);
bool is_float_type(int type);
const char *type_name(int type);
double host_at(const Host *host, int64_t i);
void host_set(Host *host, int64_t i, double value);
/* The node's result where all inputs are constant: 1 done, 0 not foldable, -1 after an error. */
int fold_node(Onnx *onnx, const OnnxOp *op);
int fold_formula(Onnx *onnx, const OnnxOp *op);
int fold_cast(Onnx *onnx, const OnnxOp *op);
int fold_reduce(Onnx *onnx, const OnnxOp *op);
/* A shape that a constant may have; false after an error. */
bool check_cells(Onnx *onnx, const int64_t *dims, int count);
/* Axes, indices and shapes of a constant. */
Host *host_reshape(Onnx *onnx, const Host *host, int rank, const int64_t *dims);
Host *host_transpose(Onnx *onnx, const Host *host, const int *perm);
Host *host_slice(Onnx *onnx, const Host *host, int axis, int64_t start, int64_t size, int64_t step);
bool broadcast_dims(int rank_a, const int64_t *a, int rank_b, const int64_t *b, int *rank,
                    int64_t *out);

#endif
