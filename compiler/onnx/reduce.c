/* Reductions, positions of extremes, resizing. */
#include <math.h>
#include <string.h>

#include "onnx/onnx.h"

/* The axes that go, as bits; all where none are named. */
static bool read_axes(Onnx *onnx, int rank, unsigned *out, bool *none)
{
    int count;
    bool ok;
    const int64_t *axes = ints_of(onnx, "axes", 1, &count, &ok);
    *out = 0;
    *none = !count;
    for (int i = 0; i < count; i++) {
        int axis = node_axis(onnx, axes[i], rank);
        if (axis < 0)
            return false;
        *out |= 1u << axis;
    }
    if (!count)
        *out = (1u << rank) - 1;
    return ok;
}

/* The layer keeps the axes as 1; ONNX's may go, which is only another numbering. */
static Value *reduced(Onnx *onnx, Value *x, const char *function, unsigned axes)
{
    int order[MAX_RANK];
    int64_t list[MAX_RANK], dims[MAX_RANK];
    int count = 0;
    const char *name;
    if (x->flat)
        x = arranged(onnx, x, plain_order(onnx, x->rank, order), order);
    if (!x)
        return NULL;
    memcpy(dims, x->dims, sizeof dims);
    for (int i = 0; i < x->rank; i++) {
        if (!(axes >> i & 1))
            continue;
        dims[i] = 1;
        if (our_axis(x, i) > 0)
            list[count++] = our_axis(x, i);
    }
    if (!count) { /* an axis of 1 that only ONNX has: of the sample as a whole */
        x = arranged(onnx, x, plain_order(onnx, x->rank, order), order);
        return x ? reduced(onnx, x, function, axes) : NULL;
    }
    Yaml *layer = emit1(onnx, "reduce", x->layer, &name);
    put_text(onnx, layer, "function", function);
    put_ints(onnx, layer, "axis", list, count);
    put_bool(onnx, layer, "keepdims", true);
    return layer_value(onnx, name, x->type, x->rank, dims, x->axes, x->order);
}

static Value *without_axes(Onnx *onnx, Value *x, unsigned axes)
{
    int64_t dims[MAX_RANK];
    int rank = 0;
    for (int i = 0; i < x->rank; i++) {
        if (!(axes >> i & 1))
            dims[rank++] = x->dims[i];
    }
    return reshaped(onnx, x, rank, dims);
}

static bool build_reduce(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    unsigned axes;
    bool none;
    if (x->host)
        return node_fault(onnx, "a constant of that shape is not computed at import");
    if (!read_axes(onnx, x->rank, &axes, &none))
        return false;
    if (none && attribute_int(onnx, "noop_with_empty_axes", 0)) {
        set_output(onnx, 0, like(onnx, x->layer, x));
        return true;
    }
    if (onnx->batched && axes & 1)
        return batch_fault(onnx, "it reduces the batch axis");
    if (!x->rank)
        return node_fault(onnx, "a scalar");
    Value *y = reduced(onnx, x, op->kind, axes);
    return give_output(onnx, 0,
                       !y || attribute_int(onnx, "keepdims", 1) ? y : without_axes(onnx, y, axes));
}

static bool build_reduce_unsupported(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    return node_fault(onnx, "the product of computed cells is not in this build");
}

/* The smallest is the largest of the negated. */
static bool build_argmax(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int axis = node_axis(onnx, attribute_int(onnx, "axis", 0), x->rank), order[MAX_RANK];
    const char *name;
    if (axis < 0 || x->host)
        return axis >= 0 ? node_fault(onnx, "a constant") : false;
    if (onnx->batched && axis == 0)
        return batch_fault(onnx, "it searches the batch axis");
    if (attribute_int(onnx, "select_last_index", 0))
        return node_fault(onnx, "select_last_index is not in this build");
    if (!strcmp(op->kind, "min"))
        x = formula_value(onnx, "-a", &x, 1, x->type);
    if (x && (x->flat || our_axis(x, axis) < 0))
        x = arranged(onnx, x, plain_order(onnx, x->rank, order), order);
    if (!x)
        return false;
    Yaml *layer = emit1(onnx, "argmax", x->layer, &name);
    put_int(onnx, layer, "axis", our_axis(x, axis));
    put_bool(onnx, layer, "keepdims", true);
    Value *y = like(onnx, name, x);
    y->dims[axis] = 1;
    y->type = NC_ONNX_INT64;
    return give_output(onnx, 0,
                       attribute_int(onnx, "keepdims", 1) ? y : without_axes(onnx, y, 1u << axis));
}

/* x / (sum |x|^p)^(1/p) along an axis */
static bool build_lp(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    int axis = node_axis(onnx, attribute_int(onnx, "axis", -1), x->rank);
    int64_t p = attribute_int(onnx, "p", 2);
    (void)op;
    if (axis < 0 || x->host || (p != 1 && p != 2))
        return axis >= 0 ? node_fault(onnx, "p: %lld, or a constant", (long long)p) : false;
    if (onnx->batched && axis == 0)
        return batch_fault(onnx, "it normalises the batch axis");
    Value *norm = reduced(onnx, x, p == 1 ? "l1" : "l2", 1u << axis);
    return norm &&
           give_output(onnx, 0, formula_value(onnx, "a / b", (Value *[]){x, norm}, 2, x->type));
}

/* ---- resizing ---------------------------------------------------------------------------------- */

/* Along an axis every result is a fixed combination of cells: a product with a matrix. */
typedef struct {
    const char *mode, *at, *nearest;
    double cubic;
    bool outside;
    double scale;
    int64_t from, to;
} Resize;

static double source_of(const Resize *r, int64_t i)
{
    double x = (double)i, n = (double)r->to;
    if (!strcmp(r->at, "asymmetric"))
        return x / r->scale;
    if (!strcmp(r->at, "align_corners"))
        return r->to == 1 ? 0 : x * ((double)r->from - 1) / (n - 1);
    if (!strcmp(r->at, "pytorch_half_pixel") && r->to == 1)
        return 0;
    return (x + 0.5) / r->scale - 0.5;
}

static int64_t nearest_cell(const Resize *r, double x)
{
    if (!strcmp(r->nearest, "floor"))
        return (int64_t)floor(x);
    if (!strcmp(r->nearest, "ceil"))
        return (int64_t)ceil(x);
    bool half = x - floor(x) == 0.5;
    if (half)
        return (int64_t)(!strcmp(r->nearest, "round_prefer_ceil") ? ceil(x) : floor(x));
    return (int64_t)floor(x + 0.5);
}

static double cubic_weight(double a, double t)
{
    t = fabs(t);
    if (t <= 1)
        return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static void add_cell(const Resize *r, float *matrix, int64_t cell, int64_t i, double weight)
{
    cell = cell < 0 ? 0 : cell >= r->from ? r->from - 1 : cell;
    matrix[cell * r->to + i] += (float)weight;
}

static void fill_column(const Resize *r, float *matrix, int64_t i)
{
    double x = source_of(r, i), part = x - floor(x);
    int64_t low = (int64_t)floor(x);
    if (!strcmp(r->mode, "nearest")) {
        add_cell(r, matrix, nearest_cell(r, x), i, 1);
    } else if (!strcmp(r->mode, "cubic")) {
        for (int k = -1; k <= 2; k++)
            add_cell(r, matrix, low + k, i, cubic_weight(r->cubic, part - k));
    } else {
        add_cell(r, matrix, low, i, 1 - part);
        add_cell(r, matrix, low + 1, i, part);
    }
}

static Value *resize_axis(Onnx *onnx, Value *x, int axis, const Resize *r)
{
    int64_t shape[2] = {r->from, r->to};
    int order[MAX_RANK], axes;
    const char *name, *from;
    if (!(axes = order_with_last(onnx, x, axis, order)) || !(from = arrange(onnx, x, axes, order)))
        return NULL;
    Host *matrix = host_new(onnx, NC_ONNX_FLOAT, 2, shape);
    for (int64_t i = 0; i < r->to; i++)
        fill_column(r, matrix->f, i);
    Yaml *layer = emit1(onnx, "dense", from, &name);
    put_int(onnx, layer, "units", r->to);
    put_bool(onnx, layer, "use_bias", false);
    put_bool(onnx, layer, "trainable", false);
    add_tensor(onnx, name, "kernel", matrix, 2, shape, NULL, 1);
    Value *y = layer_value(onnx, name, x->type, x->rank, x->dims, axes, order);
    y->dims[axis] = r->to;
    return y;
}

/* Whole factors of both axes of an image, each cell repeated. */
static Value *repeated(Onnx *onnx, Value *x, const Resize *r)
{
    int order[MAX_RANK], axes = image_order(onnx, x, order);
    const char *name, *from = axes ? arrange(onnx, x, axes, order) : NULL;
    if (!from)
        return NULL;
    Yaml *layer = emit1(onnx, "up_sampling2d", from, &name);
    put_ints(onnx, layer, "size", (int64_t[]){(int64_t)r[2].scale, (int64_t)r[3].scale}, 2);
    Value *y = layer_value(onnx, name, x->type, x->rank, x->dims, axes, order);
    y->dims[2] = r[2].to;
    y->dims[3] = r[3].to;
    return y;
}

/* Does every cell become a run of `scale` cells? */
static bool repeats(const Resize *r)
{
    if (strcmp(r->mode, "nearest") != 0 || r->scale != floor(r->scale) || r->scale > 1024 ||
        r->to != r->from * (int64_t)r->scale)
        return false;
    for (int64_t i = 0; i < r->to; i++) {
        int64_t cell = nearest_cell(r, source_of(r, i));
        cell = cell < 0 ? 0 : cell >= r->from ? r->from - 1 : cell;
        if (cell != i / (int64_t)r->scale)
            return false;
    }
    return true;
}

/* The scale of every axis, from the attribute or from input k. */
static bool read_scales(Onnx *onnx, const Value *x, int k, Resize *axes)
{
    const struct nc_onnx_attribute *attribute = find_attribute(onnx, "scales");
    const Value *input = node_input(onnx, k);
    const Host *host = input ? input->host : NULL;
    int64_t count = attribute ? (int64_t)attribute->floats_count : host ? host->count : 0;
    if (count != x->rank)
        return node_fault(onnx, "expected constant scales or sizes of %d axes", x->rank);
    for (int i = 0; i < x->rank; i++) {
        double scale = attribute ? (double)attribute->floats[i] : host_at(host, i);
        double to = floor((double)x->dims[i] * scale + 1e-6);
        if (!(scale > 0) || !(to >= 1 && to <= INT32_MAX))
            return node_fault(onnx, "a scale of %g", scale);
        axes[i].scale = scale;
        axes[i].to = (int64_t)to;
    }
    return true;
}

static bool read_sizes(Onnx *onnx, const Value *x, int k, Resize *axes)
{
    const Value *sizes = node_input(onnx, k);
    if (!sizes || !sizes->host || !sizes->host->i || sizes->host->count != x->rank)
        return node_fault(onnx, "expected constant sizes of %d axes", x->rank);
    for (int i = 0; i < x->rank; i++) {
        axes[i].to = sizes->host->i[i];
        if (axes[i].to < 1 || axes[i].to > INT32_MAX)
            return node_fault(onnx, "a size of %lld", (long long)axes[i].to);
        axes[i].scale = (double)axes[i].to / (double)x->dims[i];
    }
    return true;
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++) {
        if (!strcmp(*list, word))
            return true;
    }
    return false;
}

static bool check_resize(Onnx *onnx, const Resize *r)
{
    static const char *const modes[] = {"nearest", "linear", "bilinear", "cubic", NULL};
    static const char *const ats[] = {"half_pixel", "asymmetric", "align_corners",
                                      "pytorch_half_pixel", NULL};
    static const char *const rounding[] = {"floor", "ceil", "round_prefer_floor",
                                           "round_prefer_ceil", NULL};
    if (!is_one_of(r->mode, modes))
        return node_fault(onnx, "mode %s is not in this build", r->mode);
    if (!is_one_of(r->at, ats))
        return node_fault(onnx, "%s is not in this build", r->at);
    if (!is_one_of(r->nearest, rounding))
        return node_fault(onnx, "nearest_mode: %s", r->nearest);
    if (r->outside || attribute_int(onnx, "antialias", 0) || find_attribute(onnx, "axes"))
        return node_fault(onnx, "exclude_outside, antialias and axes are not in this build");
    return true;
}

/* Resize from opset 11 on says how positions meet; before, and in Upsample, they are asymmetric. */
static bool build_resize(Onnx *onnx, const OnnxOp *op)
{
    Value *x = node_input(onnx, 0);
    bool recent = onnx->opset >= 11 && strcmp(op->name, "Resize") == 0;
    Resize how = {
        .mode = attribute_text(onnx, "mode", "nearest"),
        .at = recent ? attribute_text(onnx, "coordinate_transformation_mode", "half_pixel")
                     : "asymmetric",
        .nearest = recent ? attribute_text(onnx, "nearest_mode", "round_prefer_floor") : "floor",
        .cubic = attribute_float(onnx, "cubic_coeff_a", -0.75),
        .outside = attribute_int(onnx, "exclude_outside", 0) != 0};
    Resize axes[MAX_RANK];
    if (!check_resize(onnx, &how) || x->host)
        return x->host ? node_fault(onnx, "a constant") : false;
    for (int i = 0; i < x->rank; i++) {
        axes[i] = how;
        axes[i].from = x->dims[i];
    }
    const Value *sizes = recent ? node_input(onnx, 3) : NULL;
    if (sizes ? !read_sizes(onnx, x, 3, axes) : !read_scales(onnx, x, recent ? 2 : 1, axes))
        return false;
    if (onnx->batched && axes[0].to != axes[0].from)
        return batch_fault(onnx, "it resizes the batch axis");
    bool image = x->rank == 4 && axes[0].to == axes[0].from && axes[1].to == axes[1].from &&
                 (onnx->batched || x->dims[0] == 1);
    if (image && repeats(&axes[2]) && repeats(&axes[3]))
        return give_output(onnx, 0, repeated(onnx, x, axes));
    for (int i = 0; i < x->rank && x; i++) {
        if (axes[i].to != axes[i].from || (axes[i].scale != 1 && i))
            x = resize_axis(onnx, x, i, &axes[i]);
    }
    return give_output(onnx, 0, x);
}

#define OP(name, inputs, most, build, kind)                                                        \
    {                                                                                              \
        name, inputs, most, build, NULL, kind, NULL, false                                         \
    }
#define REDUCE(name, kind)                                                                         \
    {                                                                                              \
        name, 1, 2, build_reduce, NULL, kind, fold_reduce, false                                   \
    }

const OnnxOp onnx_reduce_ops[] = {
    REDUCE("ReduceSum", "sum"),
    REDUCE("ReduceMean", "mean"),
    REDUCE("ReduceMax", "max"),
    REDUCE("ReduceMin", "min"),
    REDUCE("ReduceL1", "l1"),
    REDUCE("ReduceL2", "l2"),
    REDUCE("ReduceSumSquare", "sum_square"),
    REDUCE("ReduceLogSum", "log_sum"),
    REDUCE("ReduceLogSumExp", "log_sum_exp"),
    {"ReduceProd", 1, 2, build_reduce_unsupported, NULL, "prod", fold_reduce, false},
    OP("ArgMax", 1, 0, build_argmax, "max"),
    OP("ArgMin", 1, 0, build_argmax, "min"),
    OP("LpNormalization", 1, 0, build_lp, NULL),
    OP("Resize", 1, 4, build_resize, NULL),
    OP("Upsample", 1, 2, build_resize, NULL),
    OP(NULL, 0, 0, NULL, NULL)};
