/* Operators that move cells: of computed tensors by orders and layers, of constants on the host. */
#include <math.h>
#include <string.h>

#include "onnx/onnx.h"

static bool give(Onnx *onnx, int k, Value *value)
{
    if (value)
        set_output(onnx, k, value);
    return value != NULL;
}

/* ---- helpers for all --------------------------------------------------------------------------- */

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

static int64_t product(const int64_t *dims, int from, int to)
{
    int64_t cells = 1;
    for (int i = from; i < to; i++)
        cells *= dims[i];
    return cells;
}

Value *reshaped(Onnx *onnx, Value *x, int rank, const int64_t *dims)
{
    int64_t extents[MAX_RANK];
    int order[MAX_RANK], axes;
    const char *name;
    if (product(x->dims, 0, x->rank) != product(dims, 0, rank)) {
        node_fault(onnx, "a reshape of %lld cells to %lld", (long long)product(x->dims, 0, x->rank),
                   (long long)product(dims, 0, rank));
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

/* The value in an order that has the axis. */
static Value *with_axis(Onnx *onnx, Value *x, int axis)
{
    int order[MAX_RANK];
    if (onnx->batched && axis == 0) {
        batch_fault(onnx, "it works along the batch axis");
        return NULL;
    }
    if (!x->host && !x->flat && our_axis(x, axis) >= 0)
        return x;
    return arranged(onnx, x, plain_order(onnx, x->rank, order), order);
}

Value *sliced(Onnx *onnx, Value *x, int axis, int64_t start, int64_t size, int64_t step)
{
    const char *name;
    if (start == 0 && size == x->dims[axis] && step == 1)
        return x;
    if (x->host)
        return host_value(onnx, host_slice(onnx, x->host, axis, start, size, step));
    if (size < 1) {
        node_fault(onnx, "its result is empty");
        return NULL;
    }
    if (!(x = with_axis(onnx, x, axis)))
        return NULL;
    Yaml *layer = emit1(onnx, "slice", x->layer, &name);
    put_int(onnx, layer, "axis", our_axis(x, axis));
    if (start)
        put_int(onnx, layer, "start", start);
    put_int(onnx, layer, "size", size);
    if (step != 1 && size > 1)
        put_int(onnx, layer, "step", step);
    Value *y = like(onnx, name, x);
    y->dims[axis] = size;
    return y;
}

Value *padded(Onnx *onnx, Value *x, int axis, int64_t before, int64_t after, const char *mode,
              double fill)
{
    const char *name;
    int64_t size = x->dims[axis];
    if (before < 0 || after < 0) {
        int64_t from = before < 0 ? -before : 0, left = size - from + (after < 0 ? after : 0);
        if (left < 1) {
            node_fault(onnx, "its result is empty");
            return NULL;
        }
        x = sliced(onnx, x, axis, from, left, 1);
        before = before < 0 ? 0 : before;
        after = after < 0 ? 0 : after;
    }
    if (!x || (!before && !after))
        return x;
    if (before > INT32_MAX || after > INT32_MAX) {
        node_fault(onnx, "pads are too large");
        return NULL;
    }
    if (!(x = with_axis(onnx, x, axis)))
        return NULL;
    Yaml *layer = emit1(onnx, "pad", x->layer, &name);
    put_int(onnx, layer, "axis", our_axis(x, axis));
    put_int(onnx, layer, "before", before);
    put_int(onnx, layer, "after", after);
    if (strcmp(mode, "constant") != 0)
        put_text(onnx, layer, "mode", mode);
    else if (fill != 0)
        put_number(onnx, layer, "value", fill > 1e30 ? 1e30 : fill < -1e30 ? -1e30 : fill);
    Value *y = like(onnx, name, x);
    y->dims[axis] += before + after;
    return y;
}

static Value *tiled(Onnx *onnx, Value *x, int axis, int64_t times)
{
    const char *name;
    if (times == 1)
        return x;
    if (times < 1 || times > INT32_MAX || x->dims[axis] > INT32_MAX / times) {
        node_fault(onnx, "its result is empty or too large");
        return NULL;
    }
    if (x->host) {
        int64_t dims[MAX_RANK];
        memcpy(dims, x->dims, sizeof dims);
        dims[axis] *= times;
        if (!check_cells(onnx, dims, x->rank))
            return NULL;
        int64_t inner = product(x->dims, axis, x->rank), outer = product(x->dims, 0, axis);
        Host *host = host_new(onnx, x->type, x->rank, dims);
        for (int64_t i = 0; i < host->count; i++) {
            int64_t from = i / (inner * times) * inner + i % inner;
            host_set(host, i, host_at(x->host, from % (inner * outer)));
        }
        return host_value(onnx, host);
    }
    if (!(x = with_axis(onnx, x, axis)))
        return NULL;
    Yaml *layer = emit1(onnx, "tile", x->layer, &name);
    put_int(onnx, layer, "axis", our_axis(x, axis));
    put_int(onnx, layer, "times", times);
    Value *y = like(onnx, name, x);
    y->dims[axis] *= times;
    return y;
}

/* ---- reshape and its like ---------------------------------------------------------------------- */

static bool build_reshape(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int count, open = -1;
    bool ok;
    int64_t dims[MAX_RANK], known = 1, cells = product(x->dims, 0, x->rank);
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
    return give(onnx, 0, reshaped(onnx, x, count, dims));
}

static bool build_flatten(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int64_t axis = attribute_int(onnx, "axis", 1);
    (void)op;
    axis += axis < 0 ? x->rank : 0;
    if (axis < 0 || axis > x->rank)
        return node_fault(onnx, "there is no axis %lld", (long long)axis);
    int64_t dims[2] = {product(x->dims, 0, (int)axis), product(x->dims, (int)axis, x->rank)};
    return give(onnx, 0, reshaped(onnx, x, 2, dims));
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
    return give(onnx, 0, reshaped(onnx, x, rank, dims));
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
    return give(onnx, 0, reshaped(onnx, x, rank, dims));
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
    return give(onnx, 0, transposed_value(onnx, x, perm));
}

/* ---- cutting and joining ----------------------------------------------------------------------- */

/* One axis of Slice, with numpy's meaning of what lies beyond the ends. */
static Value *slice_one(Onnx *onnx, Value *x, int axis, int64_t start, int64_t end, int64_t step)
{
    int64_t dim = x->dims[axis], low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;
    if (step == 0 || step < -INT32_MAX || step > INT32_MAX) {
        node_fault(onnx, "a step of %lld", (long long)step);
        return NULL;
    }
    start = start < -dim ? low : start < 0 ? start + dim : start > high ? high : start;
    end = end < -dim ? low : end < 0 ? end + dim : end > high ? high : end;
    int64_t size = step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step;
    if (size <= 0 && !x->host) {
        node_fault(onnx, "its result is empty");
        return NULL;
    }
    size = size < 0 ? 0 : size;
    if (onnx->batched && !x->host && axis == 0 && (size != dim || step != 1)) {
        batch_fault(onnx, "it cuts the batch axis");
        return NULL;
    }
    return sliced(onnx, x, axis, start, size, step);
}

static bool build_slice(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int starts_count, ends_count, axes_count, steps_count;
    bool ok[4];
    (void)op;
    const int64_t *starts = ints_of(onnx, "starts", 1, &starts_count, &ok[0]);
    const int64_t *ends = ints_of(onnx, "ends", 2, &ends_count, &ok[1]);
    const int64_t *axes = ints_of(onnx, "axes", 3, &axes_count, &ok[2]);
    const int64_t *steps = ints_of(onnx, "steps", 4, &steps_count, &ok[3]);
    if (!ok[0] || !ok[1] || !ok[2] || !ok[3])
        return false;
    if (!starts || !ends || starts_count != ends_count || (axes && axes_count != starts_count) ||
        (steps && steps_count != starts_count) || starts_count > x->rank)
        return node_fault(onnx, "starts, ends, axes and steps do not belong together");
    for (int i = 0; i < starts_count && x; i++) {
        int axis = node_axis(onnx, axes ? axes[i] : i, x->rank);
        if (axis < 0)
            return false;
        x = slice_one(onnx, x, axis, starts[i], ends[i], steps ? steps[i] : 1);
    }
    return give(onnx, 0, x);
}

static bool build_split(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int count, axis = node_axis(onnx, attribute_int(onnx, "axis", 0), x->rank);
    int outputs = (int)onnx->node->outputs_count;
    bool ok;
    int64_t start = 0;
    const int64_t *sizes = ints_of(onnx, "split", 1, &count, &ok);
    (void)op;
    if (axis < 0 || !ok)
        return false;
    if (axis == 0 && onnx->batched && !x->host)
        return batch_fault(onnx, "it splits the batch axis");
    if (sizes && count != outputs)
        return node_fault(onnx, "%d sizes for %d outputs", count, outputs);
    int64_t each = (x->dims[axis] + outputs - 1) / outputs;
    for (int k = 0; k < outputs; k++) {
        int64_t left = x->dims[axis] - start, size = sizes ? sizes[k] : each < left ? each : left;
        if (size < 1 || size > left)
            return node_fault(onnx, "its sizes do not fit an axis of %lld",
                              (long long)x->dims[axis]);
        if (node_output_used(onnx, k) && !give(onnx, k, sliced(onnx, x, axis, start, size, 1)))
            return false;
        start += size;
    }
    return start == x->dims[axis] ||
           node_fault(onnx, "its sizes do not fit an axis of %lld", (long long)x->dims[axis]);
}

static bool join_hosts(Onnx *onnx, Value *const *in, int count, int axis, int64_t total)
{
    int64_t dims[MAX_RANK], at = 0;
    memcpy(dims, in[0]->dims, sizeof dims);
    dims[axis] = total;
    if (!check_cells(onnx, dims, in[0]->rank))
        return false;
    Host *host = host_new(onnx, in[0]->type, in[0]->rank, dims);
    int64_t row = product(dims, axis, in[0]->rank), outer = product(dims, 0, axis);
    for (int k = 0; k < count; k++) {
        int64_t part = product(in[k]->dims, axis, in[k]->rank);
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
    first = with_axis(onnx, first, axis);
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
    return give(onnx, 0, joined(onnx, in, kept, axis, total));
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
    return give(onnx, 0, y ? reshaped(onnx, y, rank, dims) : NULL);
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

/* ---- growing ----------------------------------------------------------------------------------- */

static bool build_expand(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int count, rank;
    bool ok;
    int64_t dims[MAX_RANK];
    const int64_t *shape = constant_ints(onnx, 1, &count, &ok);
    (void)op;
    if (!ok || count > MAX_RANK || !broadcast_dims(x->rank, x->dims, count, shape, &rank, dims) ||
        !check_cells(onnx, dims, rank))
        return ok ? node_fault(onnx, "its shape does not fit its input") : false;
    if (rank > x->rank && onnx->batched && !x->host)
        return batch_fault(onnx, "it adds axes before the batch");
    if (onnx->batched && !x->host && dims[0] != x->dims[0])
        return batch_fault(onnx, "it repeats samples");
    x = raise_rank(onnx, x, rank);
    for (int i = 0; i < rank && x; i++) {
        if (x->dims[i] != dims[i])
            x = tiled(onnx, x, i, dims[i]);
    }
    return give(onnx, 0, x);
}

static bool build_tile(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int count;
    bool ok;
    const int64_t *times = constant_ints(onnx, 1, &count, &ok);
    (void)op;
    if (!ok || count != x->rank)
        return ok ? node_fault(onnx, "expected %d numbers of repetitions", x->rank) : false;
    if (onnx->batched && !x->host && times[0] != 1)
        return batch_fault(onnx, "it repeats samples");
    for (int i = 0; i < count && x; i++)
        x = tiled(onnx, x, i, times[i]);
    return give(onnx, 0, x);
}

static bool build_pad(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int count, axes_count;
    bool ok, axes_ok;
    double fill = attribute_float(onnx, "value", 0);
    const char *key = find_attribute(onnx, "paddings") ? "paddings" : "pads";
    const char *mode = attribute_text(onnx, "mode", "constant");
    const int64_t *pads = ints_of(onnx, key, 1, &count, &ok);
    const int64_t *axes = constant_ints(onnx, 3, &axes_count, &axes_ok);
    (void)op;
    if (!ok || !axes_ok || (onnx->opset >= 11 && !constant_number(onnx, 2, 0, &fill)))
        return false;
    int listed = axes ? axes_count : x->rank;
    if (x->host || !pads || count != 2 * listed)
        return node_fault(onnx, "expected %d pads of a computed tensor", 2 * listed);
    if (strcmp(mode, "constant") != 0 && strcmp(mode, "reflect") != 0 &&
        strcmp(mode, "edge") != 0 && strcmp(mode, "wrap") != 0)
        return node_fault(onnx, "mode: %s", mode);
    for (int i = 0; i < listed && x; i++) {
        int axis = node_axis(onnx, axes ? axes[i] : i, x->rank);
        if (axis < 0)
            return false;
        if (onnx->batched && axis == 0 && (pads[i] || pads[i + listed]))
            return batch_fault(onnx, "it pads the batch axis");
        if (pads[i] < -INT32_MAX || pads[i] > INT32_MAX || pads[i + listed] < -INT32_MAX ||
            pads[i + listed] > INT32_MAX)
            return node_fault(onnx, "pads are too large");
        x = padded(onnx, x, axis, pads[i], pads[i + listed], mode, fill);
    }
    return give(onnx, 0, x);
}

/* ---- space and depth --------------------------------------------------------------------------- */

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
    return give(onnx, 0, x ? reshaped(onnx, x, 4, (int64_t[]){n, c, h * b, w * b}) : NULL);
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
    return give(onnx, 0, x ? reshaped(onnx, x, 4, (int64_t[]){n, c * b * b, h, w}) : NULL);
}

#define OP(name, inputs, most, build)                                                              \
    {                                                                                              \
        name, inputs, most, build, NULL, NULL, NULL, false                                         \
    }
#define FOLDS(name, inputs, most, fold, always)                                                    \
    {                                                                                              \
        name, inputs, most, unsupported, NULL, NULL, fold, always                                  \
    }

const OnnxOp onnx_shape_ops[] = {OP("Reshape", 1, 2, build_reshape),
                                 OP("Flatten", 1, 0, build_flatten),
                                 OP("Squeeze", 1, 2, build_squeeze),
                                 OP("Unsqueeze", 1, 2, build_unsqueeze),
                                 OP("Transpose", 1, 0, build_transpose),
                                 OP("Slice", 1, 5, build_slice),
                                 OP("Split", 1, 2, build_split),
                                 OP("Concat", 1, -1, build_concat),
                                 OP("Gather", 2, 0, build_gather),
                                 OP("Expand", 2, 0, build_expand),
                                 OP("Tile", 2, 0, build_tile),
                                 OP("Pad", 1, 4, build_pad),
                                 OP("DepthToSpace", 1, 0, build_depth_to_space),
                                 OP("SpaceToDepth", 1, 0, build_space_to_depth),
                                 FOLDS("Constant", 0, 0, fold_constant, true),
                                 FOLDS("Shape", 1, 0, fold_shape, true),
                                 FOLDS("Size", 1, 0, fold_size, true),
                                 FOLDS("ConstantOfShape", 1, 0, fold_constant_of_shape, false),
                                 FOLDS("Range", 3, 0, fold_range, false),
                                 {NULL, 0, 0, NULL, NULL, NULL, NULL, false}};
