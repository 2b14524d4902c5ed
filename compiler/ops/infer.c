#include "ops/infer.h"

Shape infer_broadcast(const Node *node)
{
    Shape shape = node->in[0]->shape;
    for (int i = 1; i < node->inputs; i++) {
        if (!shape_broadcast(shape, node->in[i]->shape, &shape))
            bug("%s of shapes that do not broadcast", op_of(node)->name);
    }
    return shape;
}

Shape infer_same(const Node *node)
{
    return node->in[0]->shape;
}

Shape infer_reduced(const Node *node)
{
    Shape shape = node->in[0]->shape;
    const AttrValue *axes = attr(node, "axes");
    for (int i = 0; i < axes->count; i++)
        shape.dim[axes->list[i]] = 1;
    return shape;
}

Shape infer_row(const Node *node)
{
    Shape shape = node->in[0]->shape;
    if (shape.rank)
        shape.dim[shape.rank - 1] = 1;
    return shape;
}

Shape infer_dims(const Node *node)
{
    const AttrValue *dims = attr(node, "shape");
    return shape_of(dims->count, dims->list);
}
