/* Layers that move, cut, pad and repeat cells along any axes. */
#include "layers/axes.h"

enum { MOST_PIECES = 4096 }; /* cells that are moved one by one */

static const AttrDef permute_attrs[] = {{"dims", ATTR_INTS, NULL,
                                         "which axis comes where; the first after the batch is 1",
                                         1, MAX_RANK - 1, NULL},
                                        ATTRS_END};

static Node *build_permute(LayerBuild *build)
{
    const AttrValue *dims = layer_attr(build, "dims");
    Shape x = build->in[0]->shape;
    int perm[MAX_RANK] = {0};
    unsigned seen = 1;
    for (int i = 0; i < dims->count && i + 1 < x.rank; i++) {
        perm[i + 1] = (int)dims->list[i];
        seen |= 1u << dims->list[i];
    }
    if (dims->count != x.rank - 1 || seen != (1u << x.rank) - 1)
        return input_fault(build, "dims: expected every number from 1 to %d once", x.rank - 1);
    return permute_axes(build->graph, build->in[0], perm);
}

LAYER(permute) = {
    .record = {.name = "permute", .doc = "Axes in another order.", .attrs = permute_attrs},
    .build = build_permute};

static const AttrDef slice_attrs[] = {
    {"axis", ATTR_INT, NULL, "the axis that is cut; the batch is axis 0", 0, 0, NULL},
    {"start", ATTR_INT, "0", "first position; negative ones count from the end", 0, 0, NULL},
    {"size", ATTR_INT, NULL, "number of positions", 1, INT32_MAX, NULL},
    {"step", ATTR_INT, "1", "distance between positions; negative: backwards", 0, 0, NULL},
    ATTRS_END};

static Node *build_slice(LayerBuild *build)
{
    int axis = layer_axis(build, "axis");
    if (axis < 0)
        return NULL;
    int64_t dim = build->in[0]->shape.dim[axis];
    Range range = {layer_attr(build, "start")->i, layer_attr(build, "size")->i,
                   layer_attr(build, "step")->i};
    range.start += range.start < 0 ? dim : 0;
    int64_t last = range.start + (range.size - 1) * range.step;
    if (range.step == 0)
        return input_fault(build, "a step of 0");
    if (range.step < 0 && range.size > MOST_PIECES)
        return input_fault(build, "backwards goes for at most %d positions", MOST_PIECES);
    if (range.start < 0 || range.start >= dim || last < 0 || last >= dim)
        return input_fault(build, "positions %lld to %lld are not on an axis of %lld",
                           (long long)range.start, (long long)last, (long long)dim);
    return slice_axis(build->graph, build->in[0], axis, range);
}

LAYER(slice) = {
    .record = {.name = "slice", .doc = "Some positions of an axis.", .attrs = slice_attrs},
    .build = build_slice};

static const AttrDef pad_attrs[] = {
    {"axis", ATTR_INT, NULL, "the axis that grows; the batch is axis 0", 0, 0, NULL},
    {"before", ATTR_INT, "0", "cells before the first", 0, INT32_MAX, NULL},
    {"after", ATTR_INT, "0", "cells after the last", 0, INT32_MAX, NULL},
    {"mode", ATTR_CHOICE, "constant",
     "reflect: mirrored without the edge itself, edge: the edge repeated, wrap: from the other end",
     0, 0, "constant|reflect|edge|wrap"},
    {"value", ATTR_NUMBER, "0", "of the cells, for mode constant", 0, 0, NULL},
    ATTRS_END};

/* Cells [from, from + count) as mode says, in terms of an axis that goes from 0 to dim - 1. */
static int64_t mirrored(int64_t i, int64_t dim, int mode)
{
    if (mode == 2)
        return i < 0 ? 0 : i >= dim ? dim - 1 : i;
    if (mode == 3)
        return (i + dim) % dim;
    return i < 0 ? -i : i >= dim ? 2 * (dim - 1) - i : i;
}

static Node *border(LayerBuild *build, int axis, int64_t from, int64_t count, int mode)
{
    Node *x = build->in[0], **parts = ARENA_ARRAY(build->arena, Node *, count);
    for (int64_t i = 0; i < count; i++) {
        Range one = {mirrored(from + i, x->shape.dim[axis], mode), 1, 1};
        parts[i] = slice_axis(build->graph, x, axis, one);
    }
    return join_axis(build->graph, parts, (int)count, axis);
}

static Node *build_pad(LayerBuild *build)
{
    int axis = layer_axis(build, "axis"), mode = (int)layer_attr(build, "mode")->i, count = 0;
    if (axis < 0)
        return NULL;
    Node *x = build->in[0], *parts[3];
    int64_t before = layer_attr(build, "before")->i, after = layer_attr(build, "after")->i;
    int64_t dim = x->shape.dim[axis], most = mode == 1 ? dim - 1 : mode == 3 ? dim : MOST_PIECES;
    most = most < MOST_PIECES ? most : MOST_PIECES;
    if (mode == 0)
        return pad_axis(build->graph, x, axis, before, after, layer_attr(build, "value")->f);
    if (before > most || after > most)
        return input_fault(build, "at most %lld cells can be added to an axis of %lld by mode %s",
                           (long long)most, (long long)dim, layer_attr(build, "mode")->s);
    if (before)
        parts[count++] = border(build, axis, -before, before, mode);
    parts[count++] = x;
    if (after)
        parts[count++] = border(build, axis, dim, after, mode);
    return join_axis(build->graph, parts, count, axis);
}

LAYER(pad) = {.record = {.name = "pad", .doc = "Cells around an axis.", .attrs = pad_attrs},
              .build = build_pad};

static const AttrDef tile_attrs[] = {
    {"axis", ATTR_INT, NULL, "the axis that grows; the batch is axis 0", 0, 0, NULL},
    {"times", ATTR_INT, NULL, "how often the tensor stands along it", 1, INT32_MAX, NULL},
    ATTRS_END};

static Node *build_tile(LayerBuild *build)
{
    int axis = layer_axis(build, "axis");
    Shape shape = build->in[0]->shape;
    int64_t times = layer_attr(build, "times")->i;
    if (axis < 0)
        return NULL;
    if (times > INT32_MAX / shape_row(shape))
        return input_fault(build, "the result has more than 2^31 elements a sample");
    return tile_axis(build->graph, build->in[0], axis, times);
}

LAYER(tile) = {.record = {.name = "tile",
                          .doc = "The whole tensor several times along an axis.",
                          .attrs = tile_attrs},
               .build = build_tile};
