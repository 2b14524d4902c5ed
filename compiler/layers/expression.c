/* A layer whose formula stands in the spec, in the language that the records use. */
#include "layers/axes.h"

#include "build.h"
#include "expr.h"

#include <string.h>

static const AttrDef expression_attrs[] = {
    {"value", ATTR_TEXT, NULL,
     "the formula, as in \"sqrt(a) * b\": names are those of the inputs (x where there is one) and "
     "of weights, functions those of `netcc ops`",
     0, 0, NULL},
    {"weights", ATTR_SHAPES, "null", "trained tensors of the layer's own and their sizes", 0, 0,
     NULL},
    ATTR_INITIALIZE("weights", "zeros"),
    ATTRS_END};

/* The inputs under their names, at one rank. */
static void name_inputs(LayerBuild *build, Scope *scope)
{
    int rank = 0;
    for (int i = 0; i < build->inputs; i++)
        rank = build->in[i]->shape.rank > rank ? build->in[i]->shape.rank : rank;
    for (int i = 0; i < build->inputs; i++) {
        Node *x = align_rank(build->graph, build->in[i], rank);
        scope_set(build->arena, scope, build->origins[i].name, x);
        if (build->inputs == 1)
            scope_set(build->arena, scope, "x", x);
    }
}

static bool add_weight(LayerBuild *build, Scope *scope, const AttrValue *weight)
{
    if (!check_name(build->diag, weight->loc, "the weight", weight->s))
        return false;
    if (scope_get(scope, weight->s))
        return diag_error(build->diag, weight->loc, "the name '%s' is taken by an input",
                          weight->s);
    if (!weight->count)
        return diag_error(build->diag, weight->loc, "%s: expected at least one size", weight->s);
    Node *node = layer_weight(build, weight->s, shape_of(weight->count, weight->list),
                              "weights_initializer");
    if (node)
        scope_set(build->arena, scope, weight->s, node);
    return node != NULL;
}

/* A value that no input has a part in is the same for every sample. */
static Node *with_batch(LayerBuild *build, Node *y)
{
    Shape shape = {.rank = 1, .dim = {BATCH}};
    if (shape_has_batch(y->shape) && y->shape.dim[0] == BATCH && y->shape.rank > 1)
        return y;
    if (shape_has_batch(y->shape) || y->shape.rank == MAX_RANK)
        return input_fault(build, "the expression gives %s, which does not start with the batch",
                           shape_text(build->arena, y->shape));
    for (int i = 0; i < y->shape.rank; i++)
        shape.dim[shape.rank++] = y->shape.dim[i];
    if (shape.rank == 1)
        shape.dim[shape.rank++] = 1;
    return node2(build->graph, OP_add, y, constant_of(build->graph, 0, shape));
}

static Node *build_expression(LayerBuild *build)
{
    const AttrValue *value = layer_attr(build, "value"), *weights = layer_attr(build, "weights");
    Scope scope = {0};
    name_inputs(build, &scope);
    for (int i = 0; i < weights->count; i++) {
        if (!add_weight(build, &scope, &weights->args[i]))
            return NULL;
    }
    Node *y = expr_build(build->graph, build->diag, value->loc, value->s, &scope);
    if (y && !shape_fits(y->shape))
        return input_fault(build, "the result %s has more than 2^31 elements a sample",
                           shape_text(build->arena, y->shape));
    return y ? with_batch(build, y) : NULL;
}

LAYER(expression) = {.record = {.name = "expression",
                                .doc = "A formula over its inputs, element by element.",
                                .attrs = expression_attrs},
                     .most_inputs = ANY_INPUTS,
                     .build = build_expression};
