/* Layers that move or join cells. */
#include <string.h>

#include "layers/layer.h"

static Node *build_flatten(LayerBuild *build)
{
    Node *x = build->in[0];
    return reshape(build->graph, x, shape_of(2, (int64_t[]){BATCH, shape_row(x->shape)}));
}

LAYER(flatten) = {.record = {.name = "flatten", .doc = "All axes but the batch become one."},
                  .build = build_flatten};

static const AttrDef reshape_attrs[] = {{"target_shape", ATTR_INTS, NULL,
                                         "sizes of the result; one may be -1: what is left", -1,
                                         INT32_MAX, NULL},
                                        ATTRS_END};

/* The extent that -1 stands for, or 0 where the others do not divide the row. */
static int64_t left_over(const AttrValue *target, int64_t row)
{
    for (int i = 0; i < target->count; i++) {
        int64_t size = target->list[i];
        if (size == 0 || (size > 0 && row % size))
            return 0;
        row /= size > 0 ? size : 1;
    }
    return row;
}

static bool check_target(LayerBuild *build, const AttrValue *target)
{
    int open = 0;
    for (int i = 0; i < target->count; i++) {
        if (target->list[i] == 0)
            return diag_error(build->diag, target->loc, "target_shape: a size of 0");
        open += target->list[i] < 0;
    }
    if (open > 1)
        return diag_error(build->diag, target->loc, "target_shape: only one size may be -1");
    if (!target->count || target->count >= MAX_RANK)
        return diag_error(build->diag, target->loc,
                          "target_shape: expected 1 to %d sizes, found %d", MAX_RANK - 1,
                          target->count);
    return true;
}

/* "[n, 3, -1]": the shape as it was asked for. */
static const char *target_text(Arena *arena, const AttrValue *target)
{
    Str text = str_new(arena);
    str_add(&text, "[n");
    for (int i = 0; i < target->count; i++)
        str_printf(&text, ", %lld", (long long)target->list[i]);
    str_add(&text, "]");
    return text.text;
}

static Node *build_reshape(LayerBuild *build)
{
    Node *x = build->in[0];
    const AttrValue *target = layer_attr(build, "target_shape");
    if (!check_target(build, target))
        return NULL;
    int64_t rest = left_over(target, shape_row(x->shape));
    Shape shape = {.rank = target->count + 1, .dim = {BATCH}};
    bool open = false;
    for (int i = 0; i < target->count; i++) {
        shape.dim[i + 1] = target->list[i] < 0 ? rest : target->list[i];
        open |= target->list[i] < 0;
    }
    if (rest == 0 || (!open && rest != 1))
        return input_fault(build, "cannot reshape %s, %lld elements a sample, to %s",
                           shape_text(build->arena, x->shape), (long long)shape_row(x->shape),
                           target_text(build->arena, target));
    return reshape(build->graph, x, shape);
}

LAYER(reshape) = {.record = {.name = "reshape",
                             .doc = "The same cells in the same order under another shape.",
                             .attrs = reshape_attrs},
                  .build = build_reshape};

static const AttrDef concatenate_attrs[] = {
    {"axis", ATTR_INT, "-1", "axis to join along; the batch is axis 0", 0, 0, NULL}, ATTRS_END};

static bool joins(Shape a, Shape b, int axis)
{
    if (a.rank != b.rank)
        return false;
    b.dim[axis] = a.dim[axis];
    return shape_equal(a, b);
}

static Node *build_concatenate(LayerBuild *build)
{
    int axis = layer_axis(build, "axis");
    if (axis < 0)
        return NULL;
    for (int i = 1; i < build->inputs; i++) {
        if (!joins(build->in[0]->shape, build->in[i]->shape, axis))
            return input_fault(build, "cannot join %s and %s along axis %d",
                               shape_text(build->arena, build->in[0]->shape),
                               shape_text(build->arena, build->in[i]->shape), axis);
    }
    AttrValue value = {.i = axis};
    return node_new(build->graph, OP_concatenate, build->inputs, build->in, &value);
}

LAYER(concatenate) = {.record = {.name = "concatenate",
                                 .doc = "Its inputs one after another along an axis.",
                                 .attrs = concatenate_attrs},
                      .least_inputs = 2,
                      .most_inputs = ANY_INPUTS,
                      .build = build_concatenate};
