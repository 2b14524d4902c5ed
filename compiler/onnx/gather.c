/* Operators that put tensors together, or parts of one that indices pick. */
#include <string.h>

#include "onnx/onnx.h"

/* ---- concatenation -------------------------------------------------------------------------------- */

static bool join_hosts(Onnx *onnx, Value *const *in, int count, int axis, int64_t total)
{
    int64_t dims[MAX_RANK], at = 0;
    memcpy(dims, in[0]->dims, sizeof dims);
    dims[axis] = total;
    if (!check_cells(onnx, dims, in[0]->rank))
        return false;
    Host *host = host_new(onnx, in[0]->type, in[0]->rank, dims);
    int64_t row = dims_product(dims, axis, in[0]->rank), outer = dims_product(dims, 0, axis);
    for (int k = 0; k < count; k++) {
        int64_t part = dims_product(in[k]->dims, axis, in[k]->rank);
        for (int64_t i = 0; i < outer * part; i++)
            host_set(host, i / part * row + at + i % part, host_at(in[k]->host, i));
        at += part;
    }
    set_output(onnx, 0, host_value(onnx, host));
    return true;
}

static bool check_parts(Onnx *onnx, Value *const *in, int count, int axis, int64_t *total)
{
    *total = 0;
    for (int k = 0; k < count; k++) {
        bool same = in[k]->rank == in[0]->rank;
        for (int i = 0; same && i < in[0]->rank; i++)
            same = i == axis || in[k]->dims[i] == in[0]->dims[i];
        if (!same)
            return node_fault(onnx, "the shapes of its inputs do not fit together");
        *total += in[k]->dims[axis];
    }
    return true;
}

/* The order of the first computed input, with the axis in it. */
static Value *joined(Onnx *onnx, Value *const *in, int count, int axis, int64_t total)
{
    Value *first = NULL;
    const char **from = ARENA_ARRAY(onnx->arena, const char *, count), *name;
    for (int k = 0; k < count && !first; k++)
        first = in[k]->host ? NULL : in[k];
    first = value_with_axis(onnx, first, axis);
    for (int k = 0; k < count && first; k++) {
        from[k] = arrange(onnx, in[k], first->axes, first->order);
        if (!from[k])
            return NULL;
    }
    if (!first || count == 1)
        return first;
    Yaml *layer = emit(onnx, "concatenate", from, count, &name);
    if (our_axis(first, axis) != first->axes - 1)
        put_int(onnx, layer, "axis", our_axis(first, axis));
    Value *y = like(onnx, name, first);
    y->dims[axis] = total;
    return y;
}

static bool build_concat(Onnx *onnx, const OnnxOp *op)
{
    int count = (int)onnx->node->inputs_count, kept = 0, computed = 0;
    Value **in = ARENA_ARRAY(onnx->arena, Value *, count);
    int64_t total;
    (void)op;
    for (int k = 0; k < count; k++) {
        in[kept] = node_input(onnx, k);
        if (!in[kept])
            return node_fault(onnx, "input %d is missing", k);
        computed += !in[kept]->host;
        kept += in[kept]->rank != 1 || in[kept]->dims[0] != 0 || count == 1;
    }
    if (!kept)
        return node_fault(onnx, "all of its inputs are empty");
    int axis = node_axis(onnx, attribute_int(onnx, "axis", 1), in[0]->rank);
    if (axis < 0 || !check_parts(onnx, in, kept, axis, &total))
        return false;
    if (!computed)
        return join_hosts(onnx, in, kept, axis, total);
    return give_output(onnx, 0, joined(onnx, in, kept, axis, total));
}

/* ---- gather ------------------------------------------------------------------------------------ */

enum { MOST_PIECES = 1024, MOST_CLASSES = 1 << 16 };

/* Positions of an axis by constant indices, in runs. */
static Value *gathered(Onnx *onnx, Value *x, int axis, const Host *index)
{
    Value *parts[MOST_PIECES];
    int count = 0;
    for (int64_t i = 0; i < index->count;) {
        int64_t at = index->i[i] + (index->i[i] < 0 ? x->dims[axis] : 0), size = 1;
        if (at < 0 || at >= x->dims[axis]) {
            node_fault(onnx, "index %lld for an axis of %lld", (long long)index->i[i],
                       (long long)x->dims[axis]);
            return NULL;
        }
        while (i + size < index->count && index->i[i + size] == index->i[i] + size &&
               at + size < x->dims[axis])
            size++;
        if (count == MOST_PIECES || !(parts[count++] = sliced(onnx, x, axis, at, size, 1))) {
            if (count == MOST_PIECES)
                node_fault(onnx, "more than %d runs of indices", MOST_PIECES);
            return NULL;
        }
        i += size;
    }
    if (x->host && count > 1)
        return join_hosts(onnx, parts, count, axis, index->count)
                   ? value_find(onnx, onnx->node->outputs[0])
                   : NULL;
    return count ? joined(onnx, parts, count, axis, index->count) : NULL;
}

static bool gather_constant(Onnx *onnx, Value *x, int axis, const Value *index)
{
    int64_t dims[MAX_RANK];
    int rank = 0;
    if (!index->host->i || x->rank + index->rank - 1 > MAX_RANK || !index->host->count)
        return node_fault(onnx, "its indices are not a constant of integers");
    if (onnx->batched && !x->host && axis == 0)
        return batch_fault(onnx, "it picks from the batch axis");
    Value *y = x->host && index->host->count == 1
                   ? sliced(onnx, x, axis,
                            index->host->i[0] + (index->host->i[0] < 0 ? x->dims[axis] : 0), 1, 1)
                   : gathered(onnx, x, axis, index->host);
    for (int i = 0; i < x->rank; i++) {
        for (int k = 0; i == axis && k < index->rank; k++)
            dims[rank++] = index->dims[k];
        if (i != axis)
            dims[rank++] = x->dims[i];
    }
    return give_output(onnx, 0, y ? reshaped(onnx, y, rank, dims) : NULL);
}

/* Rows of a constant table by computed indices: a product with their one-hot code. */
static bool gather_rows(Onnx *onnx, const Value *table, Value *index)
{
    int64_t rows = table->dims[0], dims[MAX_RANK], extents[MAX_RANK];
    int order[MAX_RANK], axes = plain_order(onnx, index->rank, order);
    const char *one_hot, *name, *from = arrange(onnx, index, axes, order);
    if (!from)
        return false;
    if (axes == MAX_RANK || rows > MOST_CLASSES)
        return node_fault(onnx, "a table of more than %d rows", MOST_CLASSES);
    int count = our_extents(index->dims, axes, order, extents);
    extents[count] = 1;
    put_ints(onnx, emit1(onnx, "reshape", from, &name), "target_shape", extents, count + 1);
    Yaml *layer = emit1(onnx, "expression", name, &one_hot), *weights = yaml_new_map(onnx->arena);
    put_text(onnx, layer, "value", "x == row");
    put_ints(onnx, weights, "row", &rows, 1);
    yaml_put(onnx->arena, layer, "weights", weights);
    put_bool(onnx, layer, "trainable", false);
    Host *numbers = host_new(onnx, NC_ONNX_FLOAT, 1, &rows);
    for (int64_t i = 0; i < rows; i++)
        numbers->f[i] = (float)i;
    add_tensor(onnx, one_hot, "row", numbers, 1, &rows, NULL, 1);
    layer = emit1(onnx, "dense", one_hot, &name);
    put_int(onnx, layer, "units", table->dims[1]);
    put_bool(onnx, layer, "use_bias", false);
    add_tensor(onnx, name, "kernel", table->host, 2, table->dims, NULL, 1);
    memcpy(dims, index->dims, sizeof dims);
    dims[index->rank] = table->dims[1];
    order[axes] = index->rank;
    set_output(onnx, 0,
               layer_value(onnx, name, table->type, index->rank + 1, dims, axes + 1, order));
    return true;
}

static bool build_gather(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0), *index = node_input(onnx, 1);
    int axis = node_axis(onnx, attribute_int(onnx, "axis", 0), x->rank);
    (void)op;
    if (axis < 0)
        return false;
    if (index->host)
        return gather_constant(onnx, x, axis, index);
    if (x->host && x->host->f && x->rank == 2 && axis == 0)
        return gather_rows(onnx, x, index);
    return node_fault(onnx, "indices that are computed are in this build for constant tables only");
}

#define OP(name, inputs, most, build)                                                              \
    {                                                                                              \
        name, inputs, most, build, NULL, NULL, NULL, false                                         \
    }

const OnnxOp onnx_gather_ops[] = {OP("Concat", 1, -1, build_concat),
                                  OP("Gather", 2, 0, build_gather),
                                  {NULL, 0, 0, NULL, NULL, NULL, NULL, false}};
