/* Layers that combine their inputs element by element. Shapes broadcast as in Keras: a shorter one
 * gets axes of 1 behind the batch. */
#include "layers/axes.h"

/* The inputs at one rank, or NULL after an error. */
static Node **aligned_inputs(LayerBuild *build)
{
    int rank = 0;
    for (int i = 0; i < build->inputs; i++)
        rank = build->in[i]->shape.rank > rank ? build->in[i]->shape.rank : rank;
    Node **list = ARENA_ARRAY(build->arena, Node *, build->inputs);
    Shape shape = {0};
    for (int i = 0; i < build->inputs; i++) {
        list[i] = align_rank(build->graph, build->in[i], rank);
        if (!shape_broadcast(i ? shape : list[i]->shape, list[i]->shape, &shape))
            return input_fault(build, "the shapes %s and %s do not fit together",
                               shape_text(build->arena, build->in[i - 1]->shape),
                               shape_text(build->arena, build->in[i]->shape));
    }
    if (!shape_fits(shape))
        return input_fault(build, "the result %s has more than 2^31 elements a sample",
                           shape_text(build->arena, shape));
    return list;
}

static Node *combine(LayerBuild *build, OpKind op)
{
    Node **list = aligned_inputs(build);
    if (!list)
        return NULL;
    Node *x = list[0];
    for (int i = 1; i < build->inputs; i++)
        x = node2(build->graph, op, x, list[i]);
    return x;
}

#define COMBINE(ident, op)                                                                         \
    static Node *build_##ident(LayerBuild *build)                                                  \
    {                                                                                              \
        return combine(build, op);                                                                 \
    }

COMBINE(add, OP_add)
COMBINE(subtract, OP_sub)
COMBINE(multiply, OP_mul)
COMBINE(minimum, OP_min)
COMBINE(maximum, OP_max)

static Node *build_average(LayerBuild *build)
{
    Node *sum = combine(build, OP_add);
    if (!sum)
        return NULL;
    return node2(build->graph, OP_div, sum, constant(build->graph, build->inputs));
}

#define MERGE(ident, most, text)                                                                   \
    .record = {.name = #ident, .doc = (text)}, .least_inputs = 2, .most_inputs = (most),           \
    .build = build_##ident

LAYER(add) = {MERGE(add, ANY_INPUTS, "The sum of its inputs.")};
LAYER(subtract) = {MERGE(subtract, 2, "The first input minus the second.")};
LAYER(multiply) = {MERGE(multiply, ANY_INPUTS, "The product of its inputs.")};
LAYER(average) = {MERGE(average, ANY_INPUTS, "The mean of its inputs.")};
LAYER(maximum) = {MERGE(maximum, ANY_INPUTS, "The largest of its inputs.")};
LAYER(minimum) = {MERGE(minimum, ANY_INPUTS, "The smallest of its inputs.")};
