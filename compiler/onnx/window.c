/* Convolutions and pooling: images channels last, kernels from OIHW to HWIO. */
#include <string.h>

#include "onnx/onnx.h"

typedef struct {
    int axes; /* spatial: 1, 2 or 3 */
    int64_t kernel[3], strides[3], dilations[3], before[3], after[3], out[3];
    bool same;      /* padding: same would do it */
    bool covers[3]; /* ceil_mode: cells that only the last window needs */
    int64_t extra[3];
} Windows;

/* ---- the window's attributes ------------------------------------------------------------------- */

static bool read_list(Onnx *onnx, const char *key, int axes, int64_t fallback, int64_t *out)
{
    int count;
    const int64_t *list = attribute_ints(onnx, key, &count);
    if (list && count != axes)
        return node_fault(onnx, "%s has %d numbers for %d axes", key, count, axes);
    for (int i = 0; i < axes; i++) {
        out[i] = list ? list[i] : fallback;
        if (out[i] < 1 || out[i] > INT32_MAX)
            return node_fault(onnx, "%s: %lld", key, (long long)out[i]);
    }
    return true;
}

static bool read_pads(Onnx *onnx, Windows *w)
{
    int count;
    const int64_t *pads = attribute_ints(onnx, "pads", &count);
    if (pads && count != 2 * w->axes)
        return node_fault(onnx, "pads has %d numbers for %d axes", count, w->axes);
    for (int i = 0; i < w->axes; i++) {
        w->before[i] = pads ? pads[i] : 0;
        w->after[i] = pads ? pads[i + w->axes] : 0;
        if (w->before[i] < 0 || w->after[i] < 0 || w->before[i] > INT32_MAX ||
            w->after[i] > INT32_MAX)
            return node_fault(onnx, "pads below 0 or too large");
    }
    return true;
}

static int64_t span(const Windows *w, int i)
{
    return (w->kernel[i] - 1) * w->dilations[i] + 1;
}

/* The odd cell of auto_pad goes to the end for SAME_UPPER. */
static void pad_automatically(Windows *w, const int64_t *size, bool upper)
{
    for (int i = 0; i < w->axes; i++) {
        int64_t out = (size[i] + w->strides[i] - 1) / w->strides[i];
        int64_t cells = (out - 1) * w->strides[i] + span(w, i) - size[i];
        cells = cells < 0 ? 0 : cells;
        w->before[i] = upper ? cells / 2 : cells - cells / 2;
        w->after[i] = cells - w->before[i];
    }
}

static bool place(Onnx *onnx, Windows *w, const int64_t *size, bool up)
{
    w->same = true;
    for (int i = 0; i < w->axes; i++) {
        int64_t room = size[i] + w->before[i] + w->after[i] - span(w, i), step = w->strides[i];
        if (room < 0)
            return node_fault(onnx, "its window does not fit into an axis of %lld",
                              (long long)size[i]);
        w->out[i] = room / step + 1;
        if (up && room % step && w->out[i] * step < size[i] + w->before[i]) {
            w->extra[i] = step - room % step;
            w->out[i]++;
        }
        int64_t cells = (w->out[i] - 1) * step + span(w, i) - size[i];
        cells = cells < 0 ? 0 : cells;
        w->same &= w->out[i] == (size[i] + step - 1) / step && w->before[i] == cells / 2 &&
                   w->extra[i] == 0;
    }
    return true;
}

/* `size`: the spatial axes of the input. */
static bool read_windows(Onnx *onnx, Windows *w, int axes, const int64_t *size)
{
    const char *automatic = attribute_text(onnx, "auto_pad", "NOTSET");
    w->axes = axes;
    if (!read_list(onnx, "strides", axes, 1, w->strides) ||
        !read_list(onnx, "dilations", axes, 1, w->dilations) || !read_pads(onnx, w))
        return false;
    if (!strcmp(automatic, "SAME_UPPER") || !strcmp(automatic, "SAME_LOWER"))
        pad_automatically(w, size, automatic[5] == 'U');
    else if (!strcmp(automatic, "VALID"))
        memset(w->before, 0, sizeof w->before), memset(w->after, 0, sizeof w->after);
    else if (strcmp(automatic, "NOTSET") != 0 && *automatic)
        return node_fault(onnx, "auto_pad: %s", automatic);
    return place(onnx, w, size, attribute_int(onnx, "ceil_mode", 0) != 0);
}

/* strides, padding, dilation: of two axes, a single one being the height */
static void put_window(Onnx *onnx, Yaml *layer, const Windows *w, const char *size)
{
    int64_t pair[2] = {1, 1}, strides[2] = {1, 1}, rate[2] = {1, 1}, pad[4] = {0};
    bool steps = false, wide = false, padded = false;
    for (int i = 0; i < w->axes; i++) {
        pair[i] = w->kernel[i];
        strides[i] = w->strides[i];
        rate[i] = w->dilations[i];
        pad[2 * i] = w->before[i];
        pad[2 * i + 1] = w->after[i] + w->extra[i];
        steps |= strides[i] != 1;
        wide |= rate[i] != 1;
        padded |= pad[2 * i] || pad[2 * i + 1];
    }
    put_ints(onnx, layer, size, pair, 2);
    if (steps || !strcmp(size, "pool_size"))
        put_ints(onnx, layer, "strides", strides, 2);
    if (padded && w->same)
        put_text(onnx, layer, "padding", "same");
    else if (padded)
        put_ints(onnx, layer, "pad", pad, 4);
    if (wide)
        put_ints(onnx, layer, "dilation_rate", rate, 2);
}

/* The result: [n, channels, out...] in the image's order. */
static Value *image_value(Onnx *onnx, const char *layer, const Value *x, const int *order, int axes,
                          int64_t channels, const Windows *w)
{
    int64_t dims[MAX_RANK] = {x->dims[0], channels};
    for (int i = 0; i < w->axes; i++)
        dims[i + 2] = w->out[i];
    return layer_value(onnx, layer, x->type, x->rank, dims, axes, order);
}

/* ---- convolution ------------------------------------------------------------------------------- */

static bool check_kernel(Onnx *onnx, const Value *x, const Value *kernel, const Value *bias)
{
    if (x->rank < 3 || x->rank > 4)
        return node_fault(onnx, "a convolution over %d axes is not in this build", x->rank - 2);
    if (!kernel->host || !kernel->host->f)
        return node_fault(onnx, "its kernel is not a constant of real numbers");
    if (kernel->rank != x->rank)
        return node_fault(onnx, "a kernel of %d axes for an input of %d", kernel->rank, x->rank);
    if (bias && (!bias->host || !bias->host->f || bias->rank != 1))
        return node_fault(onnx, "its bias is not a constant vector of real numbers");
    for (int i = 0; i < kernel->rank; i++) {
        if (kernel->dims[i] < 1)
            return node_fault(onnx, "its kernel is empty");
    }
    return true;
}

/* OIHW to HWIO, or for a depthwise one [C * m, 1, H, W] to [H, W, C, m]. */
static void add_kernel(Onnx *onnx, const char *name, const Value *kernel, bool depthwise,
                       int64_t channels)
{
    int64_t dims[4] = {kernel->dims[0], kernel->dims[1], kernel->dims[2],
                       kernel->rank == 4 ? kernel->dims[3] : 1};
    if (depthwise) {
        dims[0] = channels;
        dims[1] = kernel->dims[0] / channels;
    }
    const int mixed[] = {2, 3, 1, 0}, apart[] = {2, 3, 0, 1};
    add_tensor(onnx, name, "kernel", kernel->host, 4, dims, depthwise ? apart : mixed, 1);
}

static void add_bias(Onnx *onnx, const char *name, Yaml *layer, const Value *bias)
{
    if (bias)
        add_tensor(onnx, name, "bias", bias->host, 1, bias->dims, NULL, 1);
    else
        put_bool(onnx, layer, "use_bias", false);
}

static bool check_groups(Onnx *onnx, const Value *x, const Value *kernel, const Value *bias,
                         int64_t groups)
{
    int64_t channels = x->dims[1], filters = kernel->dims[0];
    if (groups < 1 || channels % groups || filters % groups || kernel->dims[1] != channels / groups)
        return node_fault(onnx, "a kernel of %lld x %lld channels in %lld groups for %lld channels",
                          (long long)filters, (long long)kernel->dims[1], (long long)groups,
                          (long long)channels);
    return !bias || bias->dims[0] == filters ||
           node_fault(onnx, "a bias of %lld for %lld channels", (long long)bias->dims[0],
                      (long long)filters);
}

static bool build_conv(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0), *kernel = node_input(onnx, 1), *bias = node_input(onnx, 2);
    int64_t groups = attribute_int(onnx, "group", 1);
    int order[MAX_RANK], axes;
    const char *name;
    Windows w = {0};
    (void)op;
    if (!check_kernel(onnx, x, kernel, bias) || !check_groups(onnx, x, kernel, bias, groups) ||
        !(axes = image_order(onnx, x, order)))
        return false;
    for (int i = 0; i < x->rank - 2; i++)
        w.kernel[i] = kernel->dims[i + 2];
    if (!read_windows(onnx, &w, x->rank - 2, x->dims + 2))
        return false;
    int64_t channels = x->dims[1], filters = kernel->dims[0];
    bool depthwise = groups > 1 && groups == channels;
    const char *from = arrange(onnx, x, axes, order);
    if (!from)
        return false;
    Yaml *layer = emit1(onnx, depthwise ? "depthwise_conv2d" : "conv2d", from, &name);
    if (!depthwise)
        put_int(onnx, layer, "filters", filters);
    put_window(onnx, layer, &w, "kernel_size");
    if (depthwise && filters != channels)
        put_int(onnx, layer, "depth_multiplier", filters / channels);
    if (!depthwise && groups > 1)
        put_int(onnx, layer, "groups", groups);
    add_kernel(onnx, name, kernel, depthwise, channels);
    add_bias(onnx, name, layer, bias);
    set_output(onnx, 0, image_value(onnx, name, x, order, axes, filters, &w));
    return true;
}

/* ---- pooling ----------------------------------------------------------------------------------- */

/* Windows with gaps: the axis as [size / d, d], of which every column is pooled without gaps, then
 * every stride-th position stays. */
static Value *pool_with_gaps(Onnx *onnx, Value *x, int axis, const Windows *w, int i)
{
    int64_t gap = w->dilations[i], size = x->dims[axis];
    const double lowest = -3.4028234e38;
    x = padded(onnx, x, axis, w->before[i], w->after[i] + w->extra[i], "constant", lowest);
    size = x ? x->dims[axis] : 0;
    int64_t rest = (gap - size % gap) % gap;
    x = x ? padded(onnx, x, axis, 0, rest, "constant", lowest) : NULL;
    if (!x)
        return NULL;
    int64_t outer = 1, inner = gap, parts[3] = {1, (size + rest) / gap, 1};
    int plain[MAX_RANK], axes = plain_order(onnx, x->rank, plain);
    const char *from = arrange(onnx, x, axes, plain), *split, *pooled, *joined;
    for (int k = onnx->batched; k < axis; k++)
        outer *= x->dims[k];
    for (int k = axis + 1; k < x->rank; k++)
        inner *= x->dims[k];
    parts[0] = outer;
    parts[2] = inner;
    if (!from)
        return NULL;
    put_ints(onnx, emit1(onnx, "reshape", from, &split), "target_shape", parts, 3);
    Yaml *layer = emit1(onnx, "max_pooling2d", split, &pooled);
    put_ints(onnx, layer, "pool_size", (int64_t[]){1, w->kernel[i]}, 2);
    put_ints(onnx, layer, "strides", (int64_t[]){1, 1}, 2);
    int64_t dims[MAX_RANK], extents[MAX_RANK];
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = (parts[1] - w->kernel[i] + 1) * gap;
    put_ints(onnx, emit1(onnx, "reshape", pooled, &joined), "target_shape", extents,
             our_extents(dims, axes, plain, extents));
    Value *wide = layer_value(onnx, joined, x->type, x->rank, dims, axes, plain);
    return sliced(onnx, wide, axis, 0, w->out[i], w->strides[i]);
}

static bool build_gaps(Onnx *onnx, Value *x, const Windows *w)
{
    for (int i = 0; i < w->axes && x; i++)
        x = pool_with_gaps(onnx, x, i + 2, w, i);
    if (x)
        set_output(onnx, 0, x);
    return x != NULL;
}

/* One axis after another, each as the width of an image [outer, axis, inner]: of three axes, and
 * each window is the product of its axes' windows. */
static Value *pool_axis(Onnx *onnx, const OnnxOp *op, Value *x, int axis, const Windows *w, int i)
{
    int plain[MAX_RANK], axes = plain_order(onnx, x->rank, plain);
    int64_t parts[3] = {1, x->dims[axis], 1}, dims[MAX_RANK], extents[MAX_RANK];
    const char *from = arrange(onnx, x, axes, plain), *split, *pooled, *joined;
    for (int k = 1; k < x->rank; k++)
        parts[k < axis ? 0 : 2] *= k == axis ? 1 : x->dims[k];
    if (!from)
        return NULL;
    put_ints(onnx, emit1(onnx, "reshape", from, &split), "target_shape", parts, 3);
    Yaml *layer = emit1(onnx, op->kind, split, &pooled);
    put_ints(onnx, layer, "pool_size", (int64_t[]){1, w->kernel[i]}, 2);
    put_ints(onnx, layer, "strides", (int64_t[]){1, w->strides[i]}, 2);
    if (w->before[i] || w->after[i] || w->extra[i])
        put_ints(onnx, layer, "pad", (int64_t[]){0, 0, w->before[i], w->after[i] + w->extra[i]}, 4);
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = w->out[i];
    put_ints(onnx, emit1(onnx, "reshape", pooled, &joined), "target_shape", extents,
             our_extents(dims, axes, plain, extents));
    return layer_value(onnx, joined, x->type, x->rank, dims, axes, plain);
}

static bool build_axes(Onnx *onnx, const OnnxOp *op, Value *x, const Windows *w)
{
    if (!onnx->batched && x->dims[0] != 1)
        return node_fault(onnx, "a batch of %lld inside one sample", (long long)x->dims[0]);
    for (int i = 0; i < w->axes && x; i++)
        x = pool_axis(onnx, op, x, i + 2, w, i);
    if (x)
        set_output(onnx, 0, x);
    return x != NULL;
}

/* Averages that count the padding see zeros there. */
static Value *pad_for_count(Onnx *onnx, Value *x, Windows *w)
{
    for (int i = 0; i < w->axes && x; i++) {
        x = padded(onnx, x, i + 2, w->before[i], w->after[i], "constant", 0);
        w->before[i] = w->after[i] = 0;
    }
    w->same = false;
    return x;
}

static bool build_pool(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    bool max = !strcmp(op->kind, "max_pooling2d"), gaps = false, pads = false;
    int order[MAX_RANK], axes;
    const char *name;
    Windows w = {0};
    if (x->host || x->rank < 3 || x->rank > 5)
        return node_fault(onnx, "pooling of a constant or of a tensor of %d axes", x->rank);
    if (node_output_used(onnx, 1))
        return node_fault(onnx, "the positions of the largest cells are not in this build");
    if (!find_attribute(onnx, "kernel_shape") ||
        !read_list(onnx, "kernel_shape", x->rank - 2, 1, w.kernel))
        return node_fault(onnx, "expected kernel_shape of %d numbers", x->rank - 2);
    if (!read_windows(onnx, &w, x->rank - 2, x->dims + 2))
        return false;
    for (int i = 0; i < w.axes; i++) {
        gaps |= w.dilations[i] != 1;
        pads |= w.before[i] || w.after[i];
    }
    if (!max && pads && attribute_int(onnx, "count_include_pad", 0) &&
        !(x = pad_for_count(onnx, x, &w)))
        return false;
    if (gaps)
        return max ? build_gaps(onnx, x, &w)
                   : node_fault(onnx, "an average with dilations is not in this build");
    if (w.axes == 3)
        return build_axes(onnx, op, x, &w);
    const char *from = (axes = image_order(onnx, x, order)) ? arrange(onnx, x, axes, order) : NULL;
    if (!from)
        return false;
    put_window(onnx, emit1(onnx, op->kind, from, &name), &w, "pool_size");
    set_output(onnx, 0, image_value(onnx, name, x, order, axes, x->dims[1], &w));
    return true;
}

static bool build_global(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int order[MAX_RANK], axes;
    const char *name;
    Windows w = {.axes = x->rank - 2, .out = {1, 1, 1}};
    if (x->host || x->rank > 5 || !(axes = image_order(onnx, x, order)))
        return x->host || x->rank > 5 ? node_fault(onnx, "pooling of a tensor of %d axes", x->rank)
                                      : false;
    const char *from = arrange(onnx, x, axes, order);
    if (!from)
        return false;
    Yaml *layer = emit1(onnx, axes == 4 ? op->kind : "reduce", from, &name);
    if (axes != 4) {
        put_text(onnx, layer, "function", strstr(op->kind, "max") ? "max" : "mean");
        put_ints(onnx, layer, "axis", (int64_t[]){1, 2, 3}, 3);
    }
    put_bool(onnx, layer, "keepdims", true);
    set_output(onnx, 0, image_value(onnx, name, x, order, axes, x->dims[1], &w));
    return true;
}

static bool build_response(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int order[MAX_RANK], axes;
    const char *name;
    if (!find_attribute(onnx, "size") || x->host || x->rank < 2)
        return node_fault(onnx, "expected a computed tensor of channels and a size");
    const char *from =
        (axes = order_with_last(onnx, x, 1, order)) ? arrange(onnx, x, axes, order) : NULL;
    if (!from)
        return false;
    Yaml *layer = emit1(onnx, op->kind, from, &name);
    put_int(onnx, layer, "size", attribute_int(onnx, "size", 5));
    put_number(onnx, layer, "alpha", attribute_float(onnx, "alpha", 1e-4));
    put_number(onnx, layer, "beta", attribute_float(onnx, "beta", 0.75));
    put_number(onnx, layer, "bias", attribute_float(onnx, "bias", 1));
    set_output(onnx, 0, layer_value(onnx, name, x->type, x->rank, x->dims, axes, order));
    return true;
}

#define OP(name, inputs, most, build, kind)                                                        \
    {                                                                                              \
        name, inputs, most, build, NULL, kind, NULL, false                                         \
    }

const OnnxOp onnx_window_ops[] = {
    OP("Conv", 2, 3, build_conv, NULL),
    OP("MaxPool", 1, 0, build_pool, "max_pooling2d"),
    OP("AveragePool", 1, 0, build_pool, "average_pooling2d"),
    OP("GlobalAveragePool", 1, 0, build_global, "global_average_pooling2d"),
    OP("GlobalMaxPool", 1, 0, build_global, "global_max_pooling2d"),
    OP("LRN", 1, 0, build_response, "local_response_normalization"),
    OP(NULL, 0, 0, NULL, NULL)};
