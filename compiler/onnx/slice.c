/* Operators that take parts of an axis away, or add to it: cuts, pads, repetitions. */
#include <string.h>

#include "onnx/onnx.h"

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
    if (!(x = value_with_axis(onnx, x, axis)))
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
    if (!(x = value_with_axis(onnx, x, axis)))
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
        int64_t inner = dims_product(x->dims, axis, x->rank),
                outer = dims_product(x->dims, 0, axis);
        Host *host = host_new(onnx, x->type, x->rank, dims);
        for (int64_t i = 0; i < host->count; i++) {
            int64_t from = i / (inner * times) * inner + i % inner;
            host_set(host, i, host_at(x->host, from % (inner * outer)));
        }
        return host_value(onnx, host);
    }
    if (!(x = value_with_axis(onnx, x, axis)))
        return NULL;
    Yaml *layer = emit1(onnx, "tile", x->layer, &name);
    put_int(onnx, layer, "axis", our_axis(x, axis));
    put_int(onnx, layer, "times", times);
    Value *y = like(onnx, name, x);
    y->dims[axis] *= times;
    return y;
}

/* ---- cutting ----------------------------------------------------------------------- */

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
    return give_output(onnx, 0, x);
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
        if (node_output_used(onnx, k) &&
            !give_output(onnx, k, sliced(onnx, x, axis, start, size, 1)))
            return false;
        start += size;
    }
    return start == x->dims[axis] ||
           node_fault(onnx, "its sizes do not fit an axis of %lld", (long long)x->dims[axis]);
}

/* ---- growing -------------------------------------------------------------------------------- */

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
    return give_output(onnx, 0, x);
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
    return give_output(onnx, 0, x);
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
    return give_output(onnx, 0, x);
}

#define OP(name, inputs, most, build)                                                              \
    {                                                                                              \
        name, inputs, most, build, NULL, NULL, NULL, false                                         \
    }

const OnnxOp onnx_slice_ops[] = {
    OP("Slice", 1, 5, build_slice), OP("Split", 1, 2, build_split),
    OP("Pad", 1, 4, build_pad),     OP("Expand", 2, 0, build_expand),
    OP("Tile", 2, 0, build_tile),   {NULL, 0, 0, NULL, NULL, NULL, NULL, false}};
