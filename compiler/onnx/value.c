/* Values: by name, in orders of axes, as layers and as tensors of layers. */
#include <ctype.h>
#include <string.h>

#include "onnx/onnx.h"

struct Arranged {
    Arranged *next;
    const char *layer;
    int axes, order[MAX_RANK];
};

/* ---- by name ----------------------------------------------------------------------------------- */

static size_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return (size_t)(h ^ h >> 29);
}

static Value **slot_of(const Onnx *onnx, const char *name)
{
    size_t at = hash(name) & (onnx->capacity - 1);
    while (onnx->table[at] && strcmp(onnx->table[at]->name, name) != 0)
        at = (at + 1) & (onnx->capacity - 1);
    return &onnx->table[at];
}

Value *value_find(const Onnx *onnx, const char *name)
{
    return *slot_of(onnx, name);
}

void set_output(Onnx *onnx, int k, Value *value)
{
    if ((size_t)k >= onnx->node->outputs_count || !*onnx->node->outputs[k])
        return;
    Value *named = ARENA_NEW(onnx->arena, Value);
    *named = *value;
    named->name = onnx->node->outputs[k];
    *slot_of(onnx, named->name) = named;
}

bool give_output(Onnx *onnx, int k, Value *value)
{
    if (value)
        set_output(onnx, k, value);
    return value != NULL;
}

int64_t dims_product(const int64_t *dims, int from, int to)
{
    int64_t cells = 1;
    for (int i = from; i < to; i++)
        cells *= dims[i];
    return cells;
}

Value *host_value(Onnx *onnx, Host *host)
{
    Value *value = ARENA_NEW(onnx->arena, Value);
    *value = (Value){.name = "", .type = host->type, .rank = host->rank, .host = host};
    memcpy(value->dims, host->dims, sizeof value->dims);
    return value;
}

Value *layer_value(Onnx *onnx, const char *layer, int type, int rank, const int64_t *dims, int axes,
                   const int *order)
{
    Value *value = ARENA_NEW(onnx->arena, Value);
    *value = (Value){.name = "", .type = type, .rank = rank, .layer = layer, .axes = axes};
    for (int i = 0; i < rank; i++)
        value->dims[i] = dims[i];
    for (int i = 0; i < axes; i++)
        value->order[i] = order[i];
    return value;
}

Value *like(Onnx *onnx, const char *layer, const Value *value)
{
    Value *result =
        layer_value(onnx, layer, value->type, value->rank, value->dims, value->axes, value->order);
    result->flat = value->flat;
    return result;
}

/* ---- layers ------------------------------------------------------------------------------------ */

/* The node's own name, or the kind of layer where it has none. */
static const char *name_of(Onnx *onnx, const char *kind)
{
    const char *node = onnx->node ? onnx->node->name : "";
    return import_name(onnx->import, *node ? node : kind);
}

/* A layer that the node needs beside its own */
static Yaml *emit_beside(Onnx *onnx, const char *kind, const char *from, const char **name)
{
    const char *node = onnx->node ? onnx->node->name : "";
    const char *base = *node ? arena_printf(onnx->arena, "%s_%s", node, kind) : kind;
    *name = import_name(onnx->import, base);
    return import_layer(onnx->import, kind, *name, &from, 1);
}

Yaml *emit(Onnx *onnx, const char *kind, const char *const *from, int count, const char **name)
{
    *name = name_of(onnx, kind);
    return import_layer(onnx->import, kind, *name, from, count);
}

Yaml *emit1(Onnx *onnx, const char *kind, const char *from, const char **name)
{
    return emit(onnx, kind, &from, 1, name);
}

void put_int(Onnx *onnx, Yaml *layer, const char *key, int64_t value)
{
    yaml_put(onnx->arena, layer, key, yaml_new_int(onnx->arena, value));
}

void put_ints(Onnx *onnx, Yaml *layer, const char *key, const int64_t *values, int count)
{
    yaml_put(onnx->arena, layer, key, yaml_new_ints(onnx->arena, values, count));
}

void put_number(Onnx *onnx, Yaml *layer, const char *key, double value)
{
    yaml_put(onnx->arena, layer, key, yaml_new_number(onnx->arena, value));
}

void put_text(Onnx *onnx, Yaml *layer, const char *key, const char *value)
{
    yaml_put(onnx->arena, layer, key, yaml_new_text(onnx->arena, value));
}

void put_bool(Onnx *onnx, Yaml *layer, const char *key, bool value)
{
    yaml_put(onnx->arena, layer, key, yaml_new_bool(onnx->arena, value));
}

/* ---- tensors of layers ------------------------------------------------------------------------- */

typedef struct {
    const Host *host;
    int rank;
    int64_t dims[MAX_RANK];
    int perm[MAX_RANK];
    double factor;
} TensorSource;

static int fill(const ImportTensor *tensor, float *out, struct nc_error *err)
{
    const TensorSource *from = tensor->context;
    (void)err;
    if (from->host->f) {
        import_permute(from->host->f, from->rank, from->dims, from->perm, 0, out);
    } else {
        Arena *aside = arena_new();
        float *values = ARENA_ARRAY(aside, float, tensor->elements + 1);
        for (int64_t i = 0; i < tensor->elements; i++)
            values[i] = (float)from->host->i[i];
        import_permute(values, from->rank, from->dims, from->perm, 0, out);
        arena_free(aside);
    }
    for (int64_t i = 0; from->factor != 1 && i < tensor->elements; i++)
        out[i] = (float)(out[i] * from->factor);
    return 0;
}

void add_tensor(Onnx *onnx, const char *layer, const char *suffix, const Host *host, int rank,
                const int64_t *dims, const int *perm, double factor)
{
    TensorSource *source = ARENA_NEW(onnx->arena, TensorSource);
    int64_t shape[MAX_RANK];
    *source = (TensorSource){.host = host, .rank = rank, .factor = factor};
    for (int i = 0; i < rank; i++) {
        source->dims[i] = dims[i];
        source->perm[i] = perm ? perm[i] : i;
        shape[i] = dims[source->perm[i]];
    }
    ImportTensor *tensor = import_tensor(onnx->import, layer, suffix, rank, shape);
    tensor->fill = fill;
    tensor->context = source;
}

/* ---- orders ------------------------------------------------------------------------------------ */

int plain_order(const Onnx *onnx, int rank, int *order)
{
    int axes = 0;
    if (!onnx->batched)
        order[axes++] = -1;
    for (int i = 0; i < rank; i++)
        order[axes++] = i;
    if (axes == 1)
        order[axes++] = -1;
    return axes;
}

int our_axis(const Value *value, int axis)
{
    for (int i = 0; i < value->axes; i++) {
        if (value->order[i] == axis)
            return i;
    }
    return -1;
}

int order_with_last(Onnx *onnx, const Value *value, int axis, int *order)
{
    int axes = 0;
    if (onnx->batched && axis == 0)
        return batch_fault(onnx, "its axis is the batch");
    for (int i = 0; i < value->axes; i++) {
        if (value->order[i] != axis || i == 0)
            order[axes++] = value->order[i];
    }
    if (axes == MAX_RANK)
        return node_fault(onnx, "more than %d axes", MAX_RANK);
    order[axes++] = axis;
    return axes;
}

int image_order(Onnx *onnx, const Value *value, int *order)
{
    int axes = 0;
    if (value->rank < 3)
        return node_fault(onnx, "expected an image, found a tensor of %d axes", value->rank);
    if (!onnx->batched && value->dims[0] != 1)
        return node_fault(onnx, "a batch of %lld inside one sample", (long long)value->dims[0]);
    order[axes++] = onnx->batched ? 0 : -1;
    for (int i = 2; i < value->rank; i++)
        order[axes++] = i;
    if (value->rank == 3)
        order[axes++] = -1;
    order[axes++] = 1;
    return axes;
}

int our_extents(const int64_t *dims, int axes, const int *order, int64_t *out)
{
    for (int i = 1; i < axes; i++)
        out[i - 1] = order[i] < 0 ? 1 : dims[order[i]];
    return axes - 1;
}

static bool same_order(int a_axes, const int *a, int b_axes, const int *b)
{
    return a_axes == b_axes && !memcmp(a, b, sizeof *a * (size_t)a_axes);
}

/* ---- arranging --------------------------------------------------------------------------------- */

static const char *emit_reshape(Onnx *onnx, const char *from, const int64_t *extents, int count)
{
    const char *name;
    Yaml *layer = emit_beside(onnx, "reshape", from, &name);
    put_ints(onnx, layer, "target_shape", extents, count);
    return name;
}

/* A constant as a layer: the same for every sample. */
static const char *emit_constant(Onnx *onnx, const Value *value, int axes, const int *order)
{
    int64_t extents[MAX_RANK];
    int perm[MAX_RANK] = {0}, rank = 0;
    const char *name;
    if (onnx->batched && value->rank && value->dims[0] != 1) {
        batch_fault(onnx, "a constant has %lld samples", (long long)value->dims[0]);
        return NULL;
    }
    for (int i = 0; i < axes; i++) {
        if (order[i] >= 0 && value->dims[order[i]] != 1)
            perm[rank++] = order[i];
    }
    for (int i = 0; i < value->rank; i++) {
        if (value->dims[i] == 1)
            perm[rank++] = i; /* at the end: they move no cell */
    }
    int count = our_extents(value->dims, axes, order, extents);
    Yaml *layer = emit_beside(onnx, "expression", onnx->any, &name),
         *weights = yaml_new_map(onnx->arena);
    put_text(onnx, layer, "value", "constant");
    put_ints(onnx, weights, "constant", extents, count);
    yaml_put(onnx->arena, layer, "weights", weights);
    put_bool(onnx, layer, "trainable", false);
    Host *moved = host_transpose(onnx, value->host, perm);
    add_tensor(onnx, name, "constant", moved, count, extents, NULL, 1);
    return name;
}

/* The axes behind the batch that are not 1, in order. */
static int moving_axes(const Value *value, int axes, const int *order, int *out)
{
    int count = 0;
    for (int i = 1; i < axes; i++) {
        if (order[i] >= 0 && value->dims[order[i]] != 1)
            out[count++] = order[i];
    }
    return count;
}

/* Where each axis of `to` is in `from`, each position taken once; false where one is not there. */
static bool match_axes(int axes, const int *from, const int *to, int64_t *dims)
{
    unsigned taken = 1;
    for (int i = 1; i < axes; i++) {
        int at = 1;
        while (at < axes && (from[at] != to[i] || taken >> at & 1))
            at++;
        if (at == axes)
            return false;
        taken |= 1u << at;
        dims[i - 1] = at;
    }
    return true;
}

static const char *emit_permute(Onnx *onnx, const char *from, const int64_t *dims, int count)
{
    const char *name;
    Yaml *layer = emit_beside(onnx, "permute", from, &name);
    put_ints(onnx, layer, "dims", dims, count);
    return name;
}

/* By a permute between two reshapes that drop and make axes of 1. */
static const char *move_axes(Onnx *onnx, const Value *value, int axes, const int *order)
{
    int from[MAX_RANK], to[MAX_RANK], count = moving_axes(value, value->axes, value->order, from);
    int64_t extents[MAX_RANK], dims[MAX_RANK];
    const char *layer = value->layer;
    if (count != moving_axes(value, axes, order, to))
        bug("an order that lacks an axis");
    if (same_order(count, from, count, to))
        return emit_reshape(onnx, layer, extents, our_extents(value->dims, axes, order, extents));
    if (axes == value->axes && match_axes(axes, value->order, order, dims))
        return emit_permute(onnx, layer, dims, axes - 1);
    for (int i = 0; i < count; i++) {
        extents[i] = value->dims[from[i]];
        for (int k = 0; k < count; k++)
            dims[i] = from[k] == to[i] ? k + 1 : dims[i];
    }
    if (count != value->axes - 1)
        layer = emit_reshape(onnx, layer, extents, count);
    layer = emit_permute(onnx, layer, dims, count);
    if (count == axes - 1)
        return layer;
    return emit_reshape(onnx, layer, extents, our_extents(value->dims, axes, order, extents));
}

/* What was flattened in our order is unfolded, permuted and flattened in ONNX's. */
static const char *unfold(Onnx *onnx, const Value *value, int axes, const int *order)
{
    const Flat *flat = value->flat;
    int64_t extents[MAX_RANK];
    int plain[MAX_RANK];
    int count = our_extents(flat->dims, flat->axes, flat->order, extents);
    const char *layer = emit_reshape(onnx, value->layer, extents, count);
    Value image = {.rank = flat->rank, .layer = layer, .axes = flat->axes};
    memcpy(image.dims, flat->dims, sizeof image.dims);
    memcpy(image.order, flat->order, sizeof image.order);
    layer = arrange(onnx, &image, plain_order(onnx, flat->rank, plain), plain);
    return layer
               ? emit_reshape(onnx, layer, extents, our_extents(value->dims, axes, order, extents))
               : NULL;
}

static const char *remember(Onnx *onnx, Value *value, int axes, const int *order, const char *layer)
{
    Arranged *other = ARENA_NEW(onnx->arena, Arranged);
    *other = (Arranged){.next = value->others, .layer = layer, .axes = axes};
    memcpy(other->order, order, sizeof *order * (size_t)axes);
    value->others = other;
    return layer;
}

const char *arrange(Onnx *onnx, Value *value, int axes, const int *order)
{
    if (axes > MAX_RANK) {
        node_fault(onnx, "more than %d axes", MAX_RANK);
        return NULL;
    }
    if (!value->host && !value->flat && same_order(axes, order, value->axes, value->order))
        return value->layer;
    for (const Arranged *other = value->others; other; other = other->next) {
        if (same_order(axes, order, other->axes, other->order))
            return other->layer;
    }
    const char *layer = value->host   ? emit_constant(onnx, value, axes, order)
                        : value->flat ? unfold(onnx, value, axes, order)
                                      : move_axes(onnx, value, axes, order);
    return layer ? remember(onnx, value, axes, order, layer) : NULL;
}

Value *arranged(Onnx *onnx, Value *value, int axes, const int *order)
{
    const char *layer = arrange(onnx, value, axes, order);
    return layer ? layer_value(onnx, layer, value->type, value->rank, value->dims, axes, order)
                 : NULL;
}

Value *raise_rank(Onnx *onnx, Value *value, int rank)
{
    int more = rank - value->rank;
    if (more <= 0)
        return value;
    Value *raised = ARENA_NEW(onnx->arena, Value);
    *raised = *value;
    raised->rank = rank;
    raised->others = NULL;
    for (int i = 0; i < rank; i++)
        raised->dims[i] = i < more ? 1 : value->dims[i - more];
    for (int i = 0; i < value->axes; i++)
        raised->order[i] = value->order[i] < 0 ? -1 : value->order[i] + more;
    if (value->host)
        raised->host = host_reshape(onnx, value->host, rank, raised->dims);
    return raised;
}

Value *value_with_axis(Onnx *onnx, Value *x, int axis)
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
