/* Operators that give the same cells other axes: reshapes, transposes and what is made of them. */
#include <string.h>

#include "onnx/onnx.h"

Value *transposed_value(Onnx *onnx, Value *x, const int *perm)
{
    int64_t dims[MAX_RANK];
    int order[MAX_RANK], plain[MAX_RANK];
    if (x->host)
        return host_value(onnx, host_transpose(onnx, x->host, perm));
    if (onnx->batched && perm[0] != 0) {
        batch_fault(onnx, "it moves the batch axis");
        return NULL;
    }
    if (x->flat)
        x = arranged(onnx, x, plain_order(onnx, x->rank, plain), plain);
    if (!x)
        return NULL;
    for (int i = 0; i < x->rank; i++)
        dims[i] = x->dims[perm[i]];
    for (int k = 0; k < x->axes; k++) {
        order[k] = -1;
        for (int i = 0; i < x->rank && x->order[k] >= 0; i++)
            order[k] = perm[i] == x->order[k] ? i : order[k];
    }
    return layer_value(onnx, x->layer, x->type, x->rank, dims, x->axes, order);
}

/* Only axes of 1 come and go: the same layer under another numbering. NULL where it is more. */
static Value *renumbered(Onnx *onnx, Value *x, int rank, const int64_t *dims)
{
    int map[MAX_RANK], order[MAX_RANK], first = onnx->batched, to = first;
    for (int i = 0; i < MAX_RANK; i++)
        map[i] = -1;
    for (int i = first; i < x->rank; i++) {
        if (x->dims[i] == 1)
            continue;
        while (to < rank && dims[to] == 1)
            to++;
        if (to == rank || dims[to] != x->dims[i])
            return NULL;
        map[i] = to++;
    }
    for (; to < rank; to++) {
        if (dims[to] != 1)
            return NULL;
    }
    map[0] = onnx->batched ? 0 : map[0];
    for (int k = 0; k < x->axes; k++)
        order[k] = x->order[k] < 0 ? -1 : map[x->order[k]];
    return layer_value(onnx, x->layer, x->type, rank, dims, x->axes, order);
}

/* [n, all the rest], its order kept in mind. */
static Value *flattened(Onnx *onnx, Value *x, const int64_t *dims)
{
    const char *name;
    Flat *flat = ARENA_NEW(onnx->arena, Flat);
    *flat = (Flat){.rank = x->rank, .axes = x->axes};
    memcpy(flat->dims, x->dims, sizeof flat->dims);
    memcpy(flat->order, x->order, sizeof flat->order);
    emit1(onnx, "flatten", x->layer, &name);
    Value *y = layer_value(onnx, name, x->type, 2, dims, 2, (int[]){0, 1});
    bool plain = true;
    for (int k = 1, last = 0; k < x->axes; k++) {
        if (x->order[k] < 0 || x->dims[x->order[k]] == 1)
            continue;
        plain &= x->order[k] > last;
        last = x->order[k];
    }
    y->flat = plain ? NULL : flat;
    return y;
}

Value *reshaped(Onnx *onnx, Value *x, int rank, const int64_t *dims)
{
    int64_t extents[MAX_RANK];
    int order[MAX_RANK], axes;
    const char *name;
    if (dims_product(x->dims, 0, x->rank) != dims_product(dims, 0, rank)) {
        node_fault(onnx, "a reshape of %lld cells to %lld",
                   (long long)dims_product(x->dims, 0, x->rank),
                   (long long)dims_product(dims, 0, rank));
        return NULL;
    }
    if (x->host)
        return host_value(onnx, host_reshape(onnx, x->host, rank, dims));
    if (onnx->batched && (!rank || dims[0] != x->dims[0])) {
        batch_fault(onnx, "it reshapes the batch axis");
        return NULL;
    }
    Value *same = x->flat ? NULL : renumbered(onnx, x, rank, dims);
    if (same)
        return same;
    if (onnx->batched && rank == 2 && !x->flat)
        return flattened(onnx, x, dims);
    const char *from = arrange(onnx, x, axes = plain_order(onnx, x->rank, order), order);
    if (!from)
        return NULL;
    axes = plain_order(onnx, rank, order);
    if (axes > MAX_RANK) {
        node_fault(onnx, "more than %d axes", MAX_RANK);
        return NULL;
    }
    put_ints(onnx, emit1(onnx, "reshape", from, &name), "target_shape", extents,
             our_extents(dims, axes, order, extents));
    return layer_value(onnx, name, x->type, rank, dims, axes, order);
}

/* ---- operators ---------------------------------------------------------------------- */

static bool build_reshape(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int count, open = -1;
    bool ok;
    int64_t dims[MAX_RANK], known = 1, cells = dims_product(x->dims, 0, x->rank);
    const int64_t *shape = ints_of(onnx, "shape", 1, &count, &ok);
    (void)op;
    if (!ok || !shape || count > MAX_RANK)
        return ok ? node_fault(onnx, "expected a shape of at most %d axes", MAX_RANK) : false;
    for (int i = 0; i < count; i++) {
        dims[i] = shape[i];
        if (shape[i] == 0 && !attribute_int(onnx, "allowzero", 0))
            dims[i] = i < x->rank ? x->dims[i] : 0;
        if (dims[i] < -1 || dims[i] == 0 || (dims[i] < 0 && open >= 0) || dims[i] > INT32_MAX ||
            (dims[i] > 0 && known > cells / dims[i]))
            return node_fault(onnx, "a size of %lld in its shape", (long long)shape[i]);
        if (dims[i] < 0)
            open = i;
        else
            known *= dims[i];
    }
    if (open >= 0)
        dims[open] = cells / known;
    return give_output(onnx, 0, reshaped(onnx, x, count, dims));
}

static bool build_flatten(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int64_t axis = attribute_int(onnx, "axis", 1);
    (void)op;
    axis += axis < 0 ? x->rank : 0;
    if (axis < 0 || axis > x->rank)
        return node_fault(onnx, "there is no axis %lld", (long long)axis);
    int64_t dims[2] = {dims_product(x->dims, 0, (int)axis),
                       dims_product(x->dims, (int)axis, x->rank)};
    return give_output(onnx, 0, reshaped(onnx, x, 2, dims));
}

static bool mark_axes(Onnx *onnx, const int64_t *axes, int count, int rank, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < count; i++) {
        int axis = node_axis(onnx, axes[i], rank);
        if (axis < 0)
            return false;
        *out |= 1u << axis;
    }
    return true;
}

static bool build_squeeze(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int count, rank = 0;
    bool ok;
    unsigned drop;
    int64_t dims[MAX_RANK];
    const int64_t *axes = ints_of(onnx, "axes", 1, &count, &ok);
    (void)op;
    if (!ok || !mark_axes(onnx, axes, count, x->rank, &drop))
        return false;
    for (int i = 0; i < x->rank; i++) {
        bool out = axes ? drop >> i & 1 : x->dims[i] == 1 && (i || !onnx->batched);
        if (out && x->dims[i] != 1)
            return node_fault(onnx, "axis %d has a size of %lld", i, (long long)x->dims[i]);
        if (!out)
            dims[rank++] = x->dims[i];
    }
    if (onnx->batched && axes && drop & 1)
        return batch_fault(onnx, "it drops the batch axis");
    return give_output(onnx, 0, reshaped(onnx, x, rank, dims));
}

static bool build_unsqueeze(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int count, rank, from = 0;
    bool ok;
    unsigned add;
    int64_t dims[MAX_RANK];
    const int64_t *axes = ints_of(onnx, "axes", 1, &count, &ok);
    (void)op;
    if (!ok || !axes || x->rank + count > MAX_RANK)
        return ok ? node_fault(onnx, "expected axes, and at most %d in all", MAX_RANK) : false;
    rank = x->rank + count;
    if (!mark_axes(onnx, axes, count, rank, &add))
        return false;
    if (__builtin_popcount(add) != count)
        return node_fault(onnx, "an axis stands twice");
    if (onnx->batched && !x->host && add & 1)
        return batch_fault(onnx, "it adds an axis before the batch");
    for (int i = 0; i < rank; i++)
        dims[i] = add >> i & 1 ? 1 : x->dims[from++];
    return give_output(onnx, 0, reshaped(onnx, x, rank, dims));
}

static bool build_transpose(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int count, perm[MAX_RANK];
    const int64_t *list = attribute_ints(onnx, "perm", &count);
    unsigned seen = 0;
    (void)op;
    if (list && count != x->rank)
        return node_fault(onnx, "perm has %d numbers for %d axes", count, x->rank);
    for (int i = 0; i < x->rank; i++) {
        int64_t axis = list ? list[i] : x->rank - 1 - i;
        if (axis < 0 || axis >= x->rank || seen >> axis & 1)
            return node_fault(onnx, "perm is no permutation");
        seen |= 1u << axis;
        perm[i] = (int)axis;
    }
    return give_output(onnx, 0, transposed_value(onnx, x, perm));
}

/* [n, c, h, w] as six axes, permuted, and four again */
static Value *shuffled(Onnx *onnx, Value *x, const int64_t *six, const int *perm)
{
    x = reshaped(onnx, x, 6, six);
    return x ? transposed_value(onnx, x, perm) : NULL;
}

static bool build_depth_to_space(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int64_t b = attribute_int(onnx, "blocksize", 0);
    bool crd = !strcmp(attribute_text(onnx, "mode", "DCR"), "CRD");
    (void)op;
    if (x->rank != 4 || b < 1 || b > 1 << 15 || x->dims[1] % (b * b))
        return node_fault(onnx, "a block of %lld does not divide the channels", (long long)b);
    int64_t n = x->dims[0], c = x->dims[1] / (b * b), h = x->dims[2], w = x->dims[3];
    const int64_t dcr_six[] = {n, b, b, c, h, w}, crd_six[] = {n, c, b, b, h, w};
    const int dcr_perm[] = {0, 3, 4, 1, 5, 2}, crd_perm[] = {0, 1, 4, 2, 5, 3};
    x = shuffled(onnx, x, crd ? crd_six : dcr_six, crd ? crd_perm : dcr_perm);
    return give_output(onnx, 0, x ? reshaped(onnx, x, 4, (int64_t[]){n, c, h * b, w * b}) : NULL);
}

static bool build_space_to_depth(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int64_t b = attribute_int(onnx, "blocksize", 0);
    (void)op;
    if (x->rank != 4 || b < 1 || b > 1 << 15 || x->dims[2] % b || x->dims[3] % b)
        return node_fault(onnx, "a block of %lld does not divide the image", (long long)b);
    int64_t n = x->dims[0], c = x->dims[1], h = x->dims[2] / b, w = x->dims[3] / b;
    x = shuffled(onnx, x, (int64_t[]){n, c, h, b, w, b}, (int[]){0, 3, 5, 1, 2, 4});
    return give_output(onnx, 0, x ? reshaped(onnx, x, 4, (int64_t[]){n, c * b * b, h, w}) : NULL);
}

#define OP(name, inputs, most, build)                                                              \
    {                                                                                              \
        name, inputs, most, build, NULL, NULL, NULL, false                                         \
    }

const OnnxOp onnx_reshape_ops[] = {OP("Reshape", 1, 2, build_reshape),
                                   OP("Flatten", 1, 0, build_flatten),
                                   OP("Squeeze", 1, 2, build_squeeze),
                                   OP("Unsqueeze", 1, 2, build_unsqueeze),
                                   OP("Transpose", 1, 0, build_transpose),
                                   OP("DepthToSpace", 1, 0, build_depth_to_space),
                                   OP("SpaceToDepth", 1, 0, build_space_to_depth),
                                   {NULL, 0, 0, NULL, NULL, NULL, NULL, false}};
