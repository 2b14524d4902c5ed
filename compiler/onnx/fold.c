/* Nodes whose inputs are all constant are computed here, at import: shape arithmetic above all. */
#include <math.h>
#include <string.h>

#include "expr.h"
#include "onnx/onnx.h"

enum { MOST_CELLS = 1 << 28, MOST_COMPUTED = 1 << 20 };

/* ---- element-wise, by the operator's own formula ----------------------------------------------- */

static int64_t position(const Host *host, int rank, const int64_t *dims, int64_t at)
{
    int64_t offset = 0, step = 1;
    for (int i = 0; i < host->rank; i++) {
        int axis = host->rank - 1 - i, outer = rank - 1 - i;
        int64_t index = at % dims[outer];
        at /= dims[outer];
        offset += host->dims[axis] == 1 ? 0 : index * step;
        step *= host->dims[axis];
    }
    return offset;
}

static double evaluate(Arena *arena, Diag *diag, const char *formula, const double *x, int count)
{
    static const char *const names[] = {"a", "b", "c"};
    Graph *graph = graph_new(arena);
    Scope scope = {0};
    double value = NAN;
    for (int i = 0; i < count; i++)
        scope_set(arena, &scope, names[i], constant(graph, x[i]));
    static const Source source = {.name = "formula", .text = "", .is_option = true};
    Node *y = expr_build(graph, diag, (Loc){&source, 1, 1}, formula, &scope);
    if (y)
        is_constant(y, &value);
    return value;
}

static int compute_cells(Onnx *onnx, const char *formula, const Host *const *in, int count,
                         Host *out)
{
    for (int64_t e = 0; e < out->count; e++) {
        Arena *aside = arena_new();
        double x[3];
        for (int k = 0; k < count; k++)
            x[k] = host_at(in[k], position(in[k], out->rank, out->dims, e));
        host_set(out, e, evaluate(aside, diag_new(aside), formula, x, count));
        arena_free(aside);
    }
    set_output(onnx, 0, host_value(onnx, out));
    return 1;
}

int fold_formula(Onnx *onnx, const OnnxOp *op)
{
    int64_t dims[MAX_RANK] = {0}, cells = 1;
    int rank = 0, count = op->inputs;
    const Host *in[3];
    for (int k = 0; k < count; k++) {
        in[k] = node_input(onnx, k)->host;
        if (!broadcast_dims(rank, dims, in[k]->rank, in[k]->dims, &rank, dims))
            return node_fault(onnx, "shapes that do not broadcast") - 1;
    }
    for (int i = 0; i < rank; i++)
        cells *= dims[i];
    if (cells > MOST_COMPUTED)
        return 0;
    bool truth = strpbrk(op->formula, "<=") != NULL && !strstr(op->formula, "where");
    int type = truth ? NC_ONNX_BOOL : in[count == 3 ? 1 : 0]->type;
    return compute_cells(onnx, op->formula, in, count, host_new(onnx, type, rank, dims));
}

/* ---- nodes that make tensors ------------------------------------------------------------------- */

static int done(Onnx *onnx, Host *host)
{
    set_output(onnx, 0, host_value(onnx, host));
    return 1;
}

static Host *ints_host(Onnx *onnx, const int64_t *values, int64_t count, bool scalar)
{
    Host *host = host_new(onnx, NC_ONNX_INT64, scalar ? 0 : 1, &count);
    for (int64_t i = 0; i < (scalar ? 1 : count); i++)
        host->i[i] = values[i];
    return host;
}

static int fold_constant(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    const struct nc_onnx_attribute *a = onnx->node->attributes;
    if (onnx->node->attributes_count != 1)
        return node_fault(onnx, "expected one attribute") - 1;
    if (a->tensor) {
        Host *host = host_read(onnx, a->tensor);
        return host ? done(onnx, host) : -1;
    }
    int64_t count = (int64_t)a->floats_count;
    if (!strcmp(a->name, "value_int"))
        return done(onnx, ints_host(onnx, &a->i, 1, true));
    if (!strcmp(a->name, "value_ints"))
        return done(onnx, ints_host(onnx, a->ints, (int64_t)a->ints_count, false));
    bool one = !strcmp(a->name, "value_float");
    if (!one && strcmp(a->name, "value_floats") != 0)
        return node_fault(onnx, "a constant by '%s' is not in this build", a->name) - 1;
    Host *host = host_new(onnx, NC_ONNX_FLOAT, one ? 0 : 1, &count);
    memcpy(host->f, one ? &a->f : a->floats, sizeof(float) * (size_t)host->count);
    return done(onnx, host);
}

bool check_cells(Onnx *onnx, const int64_t *dims, int count)
{
    int64_t cells = 1;
    if (count > MAX_RANK)
        return node_fault(onnx, "more than %d axes", MAX_RANK);
    for (int i = 0; i < count; i++) {
        if (dims[i] < 0 || (dims[i] && cells > MOST_CELLS / dims[i]))
            return node_fault(onnx, "a constant of negative size, or too large");
        cells *= dims[i];
    }
    return true;
}

static int fold_constant_of_shape(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    int count;
    bool ok;
    const int64_t *dims = constant_ints(onnx, 0, &count, &ok);
    const struct nc_onnx_attribute *given = find_attribute(onnx, "value");
    if (!ok || !check_cells(onnx, dims, count))
        return -1;
    Host *one = given && given->tensor ? host_read(onnx, given->tensor) : NULL;
    if (given && (!one || one->count != 1))
        return one ? node_fault(onnx, "its value is not one number") - 1 : -1;
    Host *host = host_new(onnx, one ? one->type : NC_ONNX_FLOAT, count, dims);
    for (int64_t i = 0; one && i < host->count; i++) {
        if (host->f)
            host->f[i] = one->f[0];
        else
            host->i[i] = one->i[0];
    }
    return done(onnx, host);
}

static int fold_shape(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    const Value *x = node_input(onnx, 0);
    int64_t start = attribute_int(onnx, "start", 0), end = attribute_int(onnx, "end", x->rank);
    start = start < 0 ? start + x->rank : start;
    end = end < 0 ? end + x->rank : end > x->rank ? x->rank : end;
    if (start < 0 || start > end)
        return node_fault(onnx, "axes %lld to %lld", (long long)start, (long long)end) - 1;
    return done(onnx, ints_host(onnx, x->dims + start, end - start, false));
}

static int fold_size(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    const Value *x = node_input(onnx, 0);
    int64_t cells = 1;
    for (int i = 0; i < x->rank; i++)
        cells *= x->dims[i];
    return done(onnx, ints_host(onnx, &cells, 1, true));
}

static int fold_range(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    double start, limit, step;
    if (!constant_number(onnx, 0, 0, &start) || !constant_number(onnx, 1, 0, &limit) ||
        !constant_number(onnx, 2, 1, &step))
        return -1;
    double cells = step != 0 ? ceil((limit - start) / step) : -1;
    if (!(cells >= 0 && cells < MOST_COMPUTED))
        return node_fault(onnx, "a range of that many steps") - 1;
    int64_t count = (int64_t)cells;
    Host *host = host_new(onnx, node_input(onnx, 0)->type, 1, &count);
    for (int64_t i = 0; i < count; i++)
        host_set(host, i, start + (double)i * step);
    return done(onnx, host);
}

/* ---- casts and reductions ---------------------------------------------------------------------- */

int fold_cast(Onnx *onnx, const OnnxOp *op)
{
    const Host *x = node_input(onnx, 0)->host;
    int to = (int)attribute_int(onnx, "to", 0);
    (void)op;
    if (!is_float_type(to) && strcmp(type_name(to), "bool") != 0 && !strstr(type_name(to), "int"))
        return node_fault(onnx, "a cast to %s", type_name(to)) - 1;
    Host *result = host_new(onnx, to, x->rank, x->dims);
    for (int64_t i = 0; i < x->count; i++)
        host_set(result, i, host_at(x, i));
    return done(onnx, result);
}

static double combine(char kind, double a, double b)
{
    return kind == 'p' ? a * b : kind == 'a' ? fmax(a, b) : kind == 'i' ? fmin(a, b) : a + b;
}

/* A vector to one number: sum, max, min, prod. */
int fold_reduce(Onnx *onnx, const OnnxOp *op)
{
    const Host *x = node_input(onnx, 0)->host;
    char kind = !strcmp(op->kind, "prod")  ? 'p'
                : !strcmp(op->kind, "max") ? 'a'
                : !strcmp(op->kind, "min") ? 'i'
                : !strcmp(op->kind, "sum") ? 's'
                                           : 0;
    int64_t one = 1;
    if (!kind || x->rank != 1 || !x->count)
        return 0;
    double result = host_at(x, 0);
    for (int64_t i = 1; i < x->count; i++)
        result = combine(kind, result, host_at(x, i));
    Host *host = host_new(onnx, x->type, attribute_int(onnx, "keepdims", 1) ? 1 : 0, &one);
    host_set(host, 0, result);
    return done(onnx, host);
}

static bool unsupported(Onnx *onnx, const OnnxOp *op)
{
    (void)op;
    return node_fault(onnx, "its inputs are not constant; netcc's shapes are");
}

int fold_node(Onnx *onnx, const OnnxOp *op)
{
    for (size_t k = 0; k < onnx->node->inputs_count && !op->always; k++) {
        const Value *value = node_input(onnx, (int)k);
        if (value && !value->host)
            return 0;
    }
    return op->fold ? op->fold(onnx, op) : 0;
}

#define FOLDS(name, inputs, most, fold, always)                                                    \
    {                                                                                              \
        name, inputs, most, unsupported, NULL, NULL, fold, always                                  \
    }

const OnnxOp onnx_fold_ops[] = {FOLDS("Constant", 0, 0, fold_constant, true),
                                FOLDS("Shape", 1, 0, fold_shape, true),
                                FOLDS("Size", 1, 0, fold_size, true),
                                FOLDS("ConstantOfShape", 1, 0, fold_constant_of_shape, false),
                                FOLDS("Range", 3, 0, fold_range, false),
                                {NULL, 0, 0, NULL, NULL, NULL, NULL, false}};
