/* Products with matrices, normalisations, softmax: what reads along one axis, that of the features. */
#include <string.h>

#include "onnx/onnx.h"

/* ---- dense layers ------------------------------------------------------------------------------ */

/* The rows of a kernel from ONNX's order of a flattened image to ours. */
static Host *unflatten_rows(Onnx *onnx, const Host *kernel, const Flat *flat)
{
    int64_t dims[MAX_RANK], whole[2] = {kernel->dims[0], kernel->dims[1]};
    int perm[MAX_RANK], rank = 0;
    for (int i = 1; i < flat->rank; i++)
        dims[i - 1] = flat->dims[i];
    for (int i = 1; i < flat->axes; i++) {
        if (flat->order[i] >= 1)
            perm[rank++] = flat->order[i] - 1;
    }
    for (int i = 0; i < flat->rank - 1; i++) {
        bool there = false;
        for (int k = 0; k < rank; k++)
            there |= perm[k] == i;
        if (!there)
            perm[rank++] = i; /* of size 1 */
    }
    dims[rank] = whole[1];
    perm[rank] = rank;
    Host *split = host_reshape(onnx, kernel, rank + 1, dims);
    return host_reshape(onnx, host_transpose(onnx, split, perm), 2, whole);
}

/* x . kernel along `axis` of x, which becomes the last; `bias` may be NULL. */
static Value *dense(Onnx *onnx, Value *x, int axis, const Host *kernel, double factor,
                    const Host *bias, double bias_factor)
{
    int order[MAX_RANK], axes;
    int64_t dims[MAX_RANK];
    const char *name, *from;
    bool flat = x->flat && axis == 1 && x->rank == 2 && onnx->batched && x->flat->rank < MAX_RANK;
    if (!(axes = order_with_last(onnx, x, axis, order)))
        return NULL;
    if (flat)
        kernel = unflatten_rows(onnx, kernel, x->flat);
    from = flat ? x->layer : arrange(onnx, x, axes, order);
    if (!from)
        return NULL;
    Yaml *layer = emit1(onnx, "dense", from, &name);
    put_int(onnx, layer, "units", kernel->dims[1]);
    add_tensor(onnx, name, "kernel", kernel, 2, kernel->dims, NULL, factor);
    if (bias)
        add_tensor(onnx, name, "bias", bias, 1, &kernel->dims[1], NULL, bias_factor);
    else
        put_bool(onnx, layer, "use_bias", false);
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = kernel->dims[1];
    return layer_value(onnx, name, x->type, x->rank, dims, axes, order);
}

static Value *swapped(Onnx *onnx, Value *x)
{
    int perm[MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        perm[i] = i < x->rank - 2 ? i : 2 * x->rank - 3 - i;
    return transposed_value(onnx, x, perm);
}

static Value *scaled(Onnx *onnx, Value *x, double factor)
{
    if (factor == 1 || !x)
        return x;
    if (!x->host)
        return formula_value(onnx, arena_printf(onnx->arena, "a * %.9g", factor), &x, 1, x->type);
    Host *host = host_new(onnx, x->type, x->rank, x->dims);
    for (int64_t i = 0; i < host->count; i++)
        host_set(host, i, host_at(x->host, i) * factor);
    return host_value(onnx, host);
}

/* Both are computed, or one is a constant that no dense layer can hold. */
static Value *matrix_product(Onnx *onnx, Value *a, Value *b)
{
    int order[MAX_RANK], axes, rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t dims[MAX_RANK];
    const char *from[2], *name;
    if (a->rank < 2 || b->rank < 2 || (onnx->batched && (rank < 3 || a->rank != b->rank))) {
        batch_fault(onnx, "a product of tensors of %d and %d axes", a->rank, b->rank);
        return NULL;
    }
    a = raise_rank(onnx, a, rank);
    b = raise_rank(onnx, b, rank);
    axes = plain_order(onnx, rank, order);
    from[0] = arrange(onnx, a, axes, order);
    from[1] = from[0] ? arrange(onnx, b, axes, order) : NULL;
    if (!from[1])
        return NULL;
    for (int i = 0; i < rank - 2; i++) {
        if (a->dims[i] != b->dims[i] && a->dims[i] != 1 && b->dims[i] != 1) {
            node_fault(onnx, "shapes that do not broadcast");
            return NULL;
        }
        dims[i] = a->dims[i] == 1 ? b->dims[i] : a->dims[i];
    }
    dims[rank - 2] = a->dims[rank - 2];
    dims[rank - 1] = b->dims[rank - 1];
    emit(onnx, "matmul", from, 2, &name);
    return layer_value(onnx, name, a->type, rank, dims, axes, order);
}

static bool check_inner(Onnx *onnx, int64_t k, int64_t rows)
{
    return k == rows || node_fault(onnx, "cannot multiply %lld columns by %lld rows", (long long)k,
                                   (long long)rows);
}

static bool is_matrix(const Value *value)
{
    return value->host && value->host->f && value->rank == 2 && value->host->count;
}

static bool build_matmul(Onnx *onnx, const OnnxOp *op)
{
    Value *a = node_input(onnx, 0), *b = node_input(onnx, 1);
    (void)op;
    if (a->rank < 1 || b->rank < 1 || (a->host && b->host))
        return node_fault(onnx, "a product of scalars or of constants");
    bool vector = b->rank == 1 && b->host && b->host->f;
    if (vector)
        b = host_value(onnx, host_reshape(onnx, b->host, 2, (int64_t[]){b->dims[0], 1}));
    if (a->rank == 1 || b->rank == 1)
        return node_fault(onnx, "a product with a vector is not in this build");
    if (!check_inner(onnx, a->dims[a->rank - 1], b->dims[b->rank - 2]))
        return false;
    if (is_matrix(b)) {
        Value *y = dense(onnx, a, a->rank - 1, b->host, 1, NULL, 1);
        return give_output(onnx, 0, vector && y ? reshaped(onnx, y, y->rank - 1, y->dims) : y);
    }
    if (is_matrix(a) && b->rank > 2) {
        const Host *kernel = host_transpose(onnx, a->host, (int[]){1, 0});
        return give_output(onnx, 0, dense(onnx, b, b->rank - 2, kernel, 1, NULL, 1));
    }
    return give_output(onnx, 0, matrix_product(onnx, a, b));
}

/* alpha * a . b + beta * c */
static bool build_gemm(Onnx *onnx, const OnnxOp *op)
{
    Value *a = node_input(onnx, 0), *b = node_input(onnx, 1), *c = node_input(onnx, 2), *y;
    double alpha = attribute_float(onnx, "alpha", 1), beta = attribute_float(onnx, "beta", 1);
    (void)op;
    if (a->rank != 2 || b->rank != 2 || (a->host && b->host))
        return node_fault(onnx, "expected two matrices, one of them computed");
    if (attribute_int(onnx, "transA", 0))
        a = swapped(onnx, a);
    if (a && attribute_int(onnx, "transB", 0))
        b = swapped(onnx, b);
    if (!a || !b || !check_inner(onnx, a->dims[1], b->dims[0]))
        return false;
    bool vector = c && c->host && c->host->f && c->host->count == b->dims[1] &&
                  c->dims[c->rank - 1] == b->dims[1];
    if (is_matrix(b)) {
        y = dense(onnx, a, 1, b->host, alpha, vector ? c->host : NULL, beta);
        c = vector ? NULL : c;
    } else {
        y = scaled(onnx, matrix_product(onnx, a, b), alpha);
    }
    if (y && c && beta != 0 && (c = scaled(onnx, c, beta)))
        y = formula_value(onnx, "a + b", (Value *[]){y, c}, 2, y->type);
    return give_output(onnx, 0, y);
}

/* ---- normalisations ---------------------------------------------------------------------------- */

static bool check_vectors(Onnx *onnx, int first, int last, int64_t size)
{
    for (int k = first; k <= last; k++) {
        const Value *v = node_input(onnx, k);
        if (!v || !v->host || !v->host->f || v->host->count != size)
            return node_fault(onnx, "input %d is not a constant vector of %lld", k,
                              (long long)size);
    }
    return true;
}

static void add_vector(Onnx *onnx, const char *layer, const char *suffix, int k, int64_t size)
{
    add_tensor(onnx, layer, suffix, node_input(onnx, k)->host, 1, &size, NULL, 1);
}

static bool check_inference(Onnx *onnx)
{
    bool training = attribute_int(onnx, "training_mode", 0) != 0;
    if (onnx->opset < 7 && node_output_used(onnx, 1))
        training = true;
    if (training)
        return node_fault(onnx, "training mode is not in this build");
    return attribute_int(onnx, "spatial", 1) == 1 ||
           node_fault(onnx, "spatial: 0 is not in this build");
}

static bool build_batch_normalization(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int order[MAX_RANK], axes;
    const char *name;
    if (x->host || x->rank < 2 || !check_inference(onnx))
        return x->host || x->rank < 2 ? node_fault(onnx, "expected a computed tensor of channels")
                                      : false;
    int64_t channels = x->dims[1];
    if (!check_vectors(onnx, 1, 4, channels) || !(axes = order_with_last(onnx, x, 1, order)))
        return false;
    const char *from = arrange(onnx, x, axes, order);
    if (!from)
        return false;
    Yaml *layer = emit1(onnx, op->kind, from, &name);
    put_number(onnx, layer, "epsilon", attribute_float(onnx, "epsilon", 1e-5));
    put_number(onnx, layer, "momentum", attribute_float(onnx, "momentum", 0.9));
    add_vector(onnx, name, "gamma", 1, channels);
    add_vector(onnx, name, "beta", 2, channels);
    add_vector(onnx, name, "moving_mean", 3, channels);
    add_vector(onnx, name, "moving_variance", 4, channels);
    return give_output(onnx, 0, layer_value(onnx, name, x->type, x->rank, x->dims, axes, order));
}

/* InstanceNormalization: groups of one channel each; GroupNormalization. */
static bool build_group_normalization(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int order[MAX_RANK], axes;
    const char *name;
    if (x->host || x->rank < 3 || (!onnx->batched && x->dims[0] != 1))
        return node_fault(onnx, "expected a computed image");
    int64_t channels = x->dims[1], groups = attribute_int(onnx, "num_groups", -1);
    if (groups != -1 && onnx->opset < 21)
        return node_fault(onnx, "scale and bias by group are not in this build");
    if (!check_vectors(onnx, 1, 2, channels) || !(axes = order_with_last(onnx, x, 1, order)))
        return false;
    const char *from = arrange(onnx, x, axes, order);
    if (!from)
        return false;
    Yaml *layer = emit1(onnx, op->kind, from, &name);
    put_int(onnx, layer, "groups", groups);
    put_number(onnx, layer, "epsilon", attribute_float(onnx, "epsilon", 1e-5));
    add_vector(onnx, name, "gamma", 1, channels);
    add_vector(onnx, name, "beta", 2, channels);
    return give_output(onnx, 0, layer_value(onnx, name, x->type, x->rank, x->dims, axes, order));
}

static bool check_scale(Onnx *onnx, int k, const Value *x, int axis)
{
    const Value *v = node_input(onnx, k);
    bool same = v->host && v->host->f && v->rank == x->rank - axis;
    for (int i = axis; same && i < x->rank; i++)
        same = v->dims[i - axis] == x->dims[i];
    return same || node_fault(onnx, "input %d is not a constant of the normalised axes", k);
}

static bool build_layer_normalization(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int order[MAX_RANK], axes, axis = node_axis(onnx, attribute_int(onnx, "axis", -1), x->rank);
    int64_t list[MAX_RANK];
    const char *name;
    if (axis < 0 || x->host || !check_scale(onnx, 1, x, axis) ||
        (node_input(onnx, 2) && !check_scale(onnx, 2, x, axis)))
        return axis >= 0 && x->host ? node_fault(onnx, "expected a computed tensor") : false;
    if (node_output_used(onnx, 1) || node_output_used(onnx, 2))
        return node_fault(onnx, "its statistics as outputs are not in this build");
    if (axis == 0 && onnx->batched)
        return batch_fault(onnx, "its axes include the batch");
    const char *from = arrange(onnx, x, axes = plain_order(onnx, x->rank, order), order);
    if (!from)
        return false;
    Yaml *layer = emit1(onnx, op->kind, from, &name);
    for (int i = axis; i < x->rank; i++)
        list[i - axis] = i - x->rank;
    put_ints(onnx, layer, "axis", list, x->rank - axis);
    put_number(onnx, layer, "epsilon", attribute_float(onnx, "epsilon", 1e-5));
    add_tensor(onnx, name, "gamma", node_input(onnx, 1)->host, x->rank - axis, x->dims + axis, NULL,
               1);
    if (node_input(onnx, 2))
        add_tensor(onnx, name, "beta", node_input(onnx, 2)->host, x->rank - axis, x->dims + axis,
                   NULL, 1);
    else
        put_bool(onnx, layer, "center", false);
    return give_output(onnx, 0, layer_value(onnx, name, x->type, x->rank, x->dims, axes, order));
}

/* ---- softmax ----------------------------------------------------------------------------------- */

static Value *softmax_along(Onnx *onnx, const OnnxOp *op, Value *x, int axis)
{
    int order[MAX_RANK], axes;
    const char *name, *from;
    if (!(axes = order_with_last(onnx, x, axis, order)) || !(from = arrange(onnx, x, axes, order)))
        return NULL;
    Yaml *layer = emit1(onnx, "activation", from, &name);
    put_text(onnx, layer, "activation", op->kind);
    return layer_value(onnx, name, x->type, x->rank, x->dims, axes, order);
}

/* Before opset 13 all axes from `axis` on are one. */
static bool build_softmax(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0), *y;
    int64_t dims[MAX_RANK] = {0}, rest = 1;
    bool old = onnx->opset < 13;
    int axis = node_axis(onnx, attribute_int(onnx, "axis", old ? 1 : -1), x->rank), wide = 0, only;
    if (axis < 0 || x->host)
        return axis < 0 ? false : node_fault(onnx, "a constant");
    only = axis;
    for (int i = axis; i < x->rank && old; i++) {
        dims[i] = x->dims[i];
        rest *= x->dims[i];
        wide += x->dims[i] != 1;
        only = x->dims[i] != 1 ? i : only;
    }
    if (!old || wide <= 1)
        return give_output(onnx, 0, softmax_along(onnx, op, x, only));
    if (axis == 0 && onnx->batched)
        return batch_fault(onnx, "its axes include the batch");
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = rest;
    y = reshaped(onnx, x, axis + 1, dims);
    y = y ? softmax_along(onnx, op, y, axis) : NULL;
    return give_output(onnx, 0, y ? reshaped(onnx, y, x->rank, x->dims) : NULL);
}

#define OP(name, inputs, most, build, kind)                                                        \
    {                                                                                              \
        name, inputs, most, build, NULL, kind, NULL, false                                         \
    }

const OnnxOp onnx_dense_ops[] = {
    OP("Gemm", 2, 3, build_gemm, NULL),
    OP("MatMul", 2, 0, build_matmul, NULL),
    OP("BatchNormalization", 5, 0, build_batch_normalization, "batch_normalization"),
    OP("InstanceNormalization", 3, 0, build_group_normalization, "group_normalization"),
    OP("GroupNormalization", 3, 0, build_group_normalization, "group_normalization"),
    OP("LayerNormalization", 2, 3, build_layer_normalization, "layer_normalization"),
    OP("Softmax", 1, 0, build_softmax, "softmax"),
    OP("LogSoftmax", 1, 0, build_softmax, "log_softmax"),
    OP(NULL, 0, 0, NULL, NULL)};
