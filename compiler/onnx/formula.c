/* Cell by cell over several tensors: a formula of the expression layer, or a layer of ours that merges. All
 * inputs are brought into one order of axes. */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "onnx/onnx.h"

/* ---- one order for all ------------------------------------------------------------------------- */

typedef struct {
    int rank, axes;
    int64_t dims[MAX_RANK];
    int order[MAX_RANK];
} Target;

static bool has_axis(const int *order, int axes, int axis)
{
    for (int i = 0; i < axes; i++) {
        if (order[i] == axis)
            return true;
    }
    return false;
}

/* Which input's order the others take: the first computed one of the highest rank. */
static const Value *leader(Value *const *in, int count)
{
    const Value *best = NULL;
    for (int i = 0; i < count; i++) {
        if (!in[i]->host && (!best || in[i]->rank > best->rank))
            best = in[i];
    }
    return best;
}

static bool check_batch(Onnx *onnx, Value *const *in, int count, int rank)
{
    for (int i = 0; i < count; i++) {
        if (in[i]->rank > rank || (!in[i]->host && in[i]->rank < rank))
            return batch_fault(onnx, "a tensor of %d axes meets one of %d", in[i]->rank, rank);
        if (in[i]->host && in[i]->rank == rank && in[i]->dims[0] != 1)
            return batch_fault(onnx, "a constant of %lld samples", (long long)in[i]->dims[0]);
    }
    return true;
}

static bool choose_target(Onnx *onnx, Value *const *in, int count, Target *t)
{
    const Value *first = leader(in, count);
    t->rank = 0;
    for (int i = 0; i < count; i++) {
        if (!broadcast_dims(t->rank, t->dims, in[i]->rank, in[i]->dims, &t->rank, t->dims))
            return node_fault(onnx, "the shapes of its inputs do not broadcast");
    }
    if (onnx->batched && !check_batch(onnx, in, count, first->rank))
        return false;
    if (first->rank < t->rank || first->flat) {
        t->axes = plain_order(onnx, t->rank, t->order);
        return t->axes <= MAX_RANK || node_fault(onnx, "more than %d axes", MAX_RANK);
    }
    t->axes = first->axes;
    memcpy(t->order, first->order, sizeof t->order);
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] != 1 && !has_axis(t->order, t->axes, i))
            t->axes = plain_order(onnx, t->rank, t->order);
    }
    return t->axes <= MAX_RANK || node_fault(onnx, "more than %d axes", MAX_RANK);
}

/* ---- the formula ------------------------------------------------------------------------------- */

/* How an input stands in the formula: a layer, a number, or a weight. */
typedef struct {
    const char *text;
    const char *layer; /* NULL: none */
    const Host *weight;
} Operand;

const char *number_text(Onnx *onnx, double value)
{
    if (value > FLT_MAX)
        value = FLT_MAX;
    if (value < -FLT_MAX)
        value = -FLT_MAX;
    value = shortest_decimal((float)value);
    return arena_printf(onnx->arena, value < 0 ? "(%.9g)" : "%.9g", value);
}

static bool is_name_of(const Operand *operands, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (operands[i].text && !strcmp(operands[i].text, name))
            return true;
    }
    return false;
}

static bool make_operand(Onnx *onnx, const Target *t, Value *value, Operand *out)
{
    *out = (Operand){0};
    if (value->host && value->host->count == 1) {
        double number = host_at(value->host, 0);
        if (isnan(number))
            return node_fault(onnx, "a constant that is not a number");
        out->text = number_text(onnx, number);
        return true;
    }
    value = raise_rank(onnx, value, t->rank);
    if (value->host) {
        out->weight = value->host;
        return true;
    }
    out->layer = out->text = arrange(onnx, value, t->axes, t->order);
    return out->layer != NULL;
}

/* Weights get names that no layer among the inputs has. */
static void name_weights(Onnx *onnx, Operand *operands, int count)
{
    for (int i = 0; i < count; i++) {
        const char *name = "w";
        if (!operands[i].weight)
            continue;
        for (int k = 2; is_name_of(operands, count, name); k++)
            name = arena_printf(onnx->arena, "w%d", k);
        operands[i].text = name;
    }
}

/* The formula with a, b and c replaced. */
static const char *fill_in(Onnx *onnx, const char *formula, const Operand *operands, int count)
{
    Str text = str_new(onnx->arena);
    while (*formula) {
        size_t length = 0;
        while (isalnum((unsigned char)formula[length]) || formula[length] == '_')
            length++;
        bool operand = length == 1 && *formula >= 'a' && *formula < 'a' + count;
        if (operand)
            str_add(&text, operands[*formula - 'a'].text);
        else
            str_addn(&text, formula, length ? length : 1);
        formula += length ? length : 1;
    }
    return text.text;
}

/* The sizes of a weight in our order, without 1s in front. */
static void add_weight(Onnx *onnx, const Target *t, const char *layer, Yaml *weights,
                       const Operand *operand, bool *trainable)
{
    const Host *host = operand->weight;
    int64_t extents[MAX_RANK];
    int perm[MAX_RANK] = {0}, rank = 0, first = 1, wide = 0;
    while (first < t->axes - 1 && (t->order[first] < 0 || host->dims[t->order[first]] == 1))
        first++;
    for (int i = first; i < t->axes; i++) {
        extents[i - first] = t->order[i] < 0 ? 1 : host->dims[t->order[i]];
        wide += extents[i - first] != 1;
        if (t->order[i] >= 0 && host->dims[t->order[i]] != 1)
            perm[rank++] = t->order[i];
    }
    for (int i = 0; i < host->rank; i++) {
        if (host->dims[i] == 1)
            perm[rank++] = i;
    }
    put_ints(onnx, weights, operand->text, extents, t->axes - first);
    add_tensor(onnx, layer, operand->text, host_transpose(onnx, host, perm), t->axes - first,
               extents, NULL, 1);
    *trainable &= wide == 1 && extents[t->axes - first - 1] != 1;
}

static Value *emit_formula(Onnx *onnx, const char *formula, const Target *t, Operand *operands,
                           int count, int type)
{
    const char *from[3], *name;
    int layers = 0;
    bool trainable = true, weighted = false;
    for (int i = 0; i < count; i++) {
        bool again = false;
        for (int k = 0; k < layers; k++)
            again |= operands[i].layer && !strcmp(from[k], operands[i].layer);
        if (operands[i].layer && !again)
            from[layers++] = operands[i].layer;
    }
    name_weights(onnx, operands, count);
    Yaml *layer = emit(onnx, "expression", from, layers, &name);
    put_text(onnx, layer, "value", fill_in(onnx, formula, operands, count));
    Yaml *weights = yaml_new_map(onnx->arena);
    for (int i = 0; i < count; i++) {
        if (!operands[i].weight)
            continue;
        weighted = true;
        add_weight(onnx, t, name, weights, &operands[i], &trainable);
    }
    if (weighted)
        yaml_put(onnx->arena, layer, "weights", weights);
    if (weighted && !trainable)
        put_bool(onnx, layer, "trainable", false);
    return layer_value(onnx, name, type, t->rank, t->dims, t->axes, t->order);
}

/* All but one input are numbers: what is flat may stay so. */
static Value *unary_formula(Onnx *onnx, const char *formula, Value *const *in, int count, int type)
{
    Operand operands[3];
    const char *name;
    const Value *x = leader(in, count);
    for (int i = 0; i < count; i++) {
        operands[i] = (Operand){.layer = in[i]->host ? NULL : in[i]->layer};
        operands[i].text = in[i]->host ? number_text(onnx, host_at(in[i]->host, 0)) : x->layer;
    }
    Yaml *layer = emit1(onnx, "expression", x->layer, &name);
    put_text(onnx, layer, "value", fill_in(onnx, formula, operands, count));
    Value *result = like(onnx, name, x);
    result->type = type;
    return result;
}

Value *formula_value(Onnx *onnx, const char *formula, Value *const *in, int count, int type)
{
    Target target;
    Operand operands[3];
    int computed = 0;
    bool plain = true;
    const Value *first = leader(in, count);
    if (!first) {
        node_fault(onnx, "constants that are too large to be computed at import");
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        const Host *host = in[i]->host;
        computed += !host;
        plain &=
            !host || (host->count == 1 && in[i]->rank <= first->rank && !isnan(host_at(host, 0)));
    }
    if (plain && computed == 1)
        return unary_formula(onnx, formula, in, count, type);
    if (!choose_target(onnx, in, count, &target))
        return NULL;
    for (int i = 0; i < count; i++) {
        if (!make_operand(onnx, &target, in[i], &operands[i]))
            return NULL;
    }
    return emit_formula(onnx, formula, &target, operands, count, type);
}

/* Layers of ours align ranks behind the batch, so all inputs have to be computed and equal in rank. */
Value *merged(Onnx *onnx, const char *kind, Value *const *in, int count)
{
    Target target;
    const char **from = ARENA_ARRAY(onnx->arena, const char *, count), *name;
    if (!choose_target(onnx, in, count, &target))
        return NULL;
    for (int i = 0; i < count; i++) {
        from[i] = arrange(onnx, raise_rank(onnx, in[i], target.rank), target.axes, target.order);
        if (!from[i])
            return NULL;
    }
    emit(onnx, kind, from, count, &name);
    return layer_value(onnx, name, in[0]->type, target.rank, target.dims, target.axes,
                       target.order);
}
