/* Shapes: extents with at most one run-time batch axis. */
#include <string.h>

#include "graph/graph.h"

Shape shape_of(int rank, const int64_t *dims)
{
    Shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = dims[i];
    return shape;
}

Shape scalar_shape(void)
{
    return (Shape){.rank = 0};
}

bool shape_equal(Shape a, Shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++) {
        if (a.dim[i] != b.dim[i])
            return false;
    }
    return true;
}

static int64_t aligned_dim(Shape shape, int from_end)
{
    return from_end < shape.rank ? shape.dim[shape.rank - 1 - from_end] : 1;
}

bool shape_broadcast(Shape a, Shape b, Shape *out)
{
    Shape result = {.rank = a.rank > b.rank ? a.rank : b.rank};
    for (int i = 0; i < result.rank; i++) {
        int64_t x = aligned_dim(a, i), y = aligned_dim(b, i);
        if (x != y && x != 1 && y != 1)
            return false;
        result.dim[result.rank - 1 - i] = x == 1 ? y : x;
    }
    *out = result;
    return true;
}

int64_t shape_row(Shape shape)
{
    int64_t product = 1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] != BATCH)
            product *= shape.dim[i];
    }
    return product;
}

int shape_batch_axis(Shape shape)
{
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] == BATCH)
            return i;
    }
    return -1;
}

bool shape_has_batch(Shape shape)
{
    return shape_batch_axis(shape) >= 0;
}

char *shape_text(Arena *arena, Shape shape)
{
    Str text = str_new(arena);
    str_add(&text, "[");
    for (int i = 0; i < shape.rank; i++) {
        if (i)
            str_add(&text, ", ");
        if (shape.dim[i] == BATCH)
            str_add(&text, "n");
        else
            str_printf(&text, "%lld", (long long)shape.dim[i]);
    }
    str_add(&text, "]");
    return text.text;
}
