/* How a chain walks its domain: adjacent axes that every operand walks alike become one. */
#include <string.h>

#include "chain.h"
#include "layout.h"

bool is_row_shape(Shape shape, Shape domain)
{
    if (!domain.rank || shape.rank != domain.rank || domain.dim[domain.rank - 1] == 1)
        return false;
    domain.dim[domain.rank - 1] = 1;
    return shape_equal(shape, domain);
}

bool is_row_reduction(const Node *node)
{
    Shape x = node->inputs ? node->in[0]->shape : node->shape;
    if (!op_of(node)->reducer || !x.rank)
        return false;
    const AttrValue *axes = attr(node, "axes");
    int64_t columns = x.dim[x.rank - 1];
    return axes->count == 1 && axes->list[0] == x.rank - 1 && columns != BATCH &&
           columns <= MAX_KEPT_COLUMNS;
}

bool chain_has(const Chain *chain, const Node *node)
{
    for (int i = 0; i < chain->members_count; i++) {
        if (chain->members[i] == node)
            return true;
    }
    return false;
}

bool chain_sums(const Chain *chain)
{
    for (int i = 0; i < chain->members_count; i++) {
        if (op_of(chain->members[i])->tile_sums)
            return true;
    }
    return false;
}

/* k or k * n elements. */
typedef struct {
    int64_t k;
    bool n;
} Count;

static Count dim_count(int64_t dim)
{
    return dim == BATCH ? (Count){1, true} : (Count){dim, false};
}

static Count times(Count a, Count b)
{
    return (Count){a.k * b.k, a.n || b.n};
}

static bool count_equal(Count a, Count b)
{
    return a.k == b.k && (a.n == b.n || !a.k);
}

static const char *count_text(Arena *arena, Count count)
{
    if (!count.n)
        return arena_printf(arena, "%lld", (long long)count.k);
    return count.k == 1 ? "n" : arena_printf(arena, "n * %lld", (long long)count.k);
}

/* Row-major strides of `shape` along the axes of `domain`; 0 where it is broadcast. */
static void strides(Shape shape, Shape domain, Count *stride)
{
    Count step = {1, false};
    for (int i = domain.rank - 1; i >= 0; i--) {
        int axis = i - (domain.rank - shape.rank);
        if (axis < 0 || shape.dim[axis] == 1) {
            stride[i] = (Count){0, false};
        } else {
            stride[i] = step;
            step = times(step, dim_count(shape.dim[axis]));
        }
    }
}

typedef struct {
    int axes;
    Count extent[MAX_RANK];
    int operands;
    Count (*stride)[MAX_RANK]; /* [operand][axis] */
} Nest;

static void drop_axis(Nest *nest, int axis)
{
    nest->axes--;
    for (int i = axis; i < nest->axes; i++)
        nest->extent[i] = nest->extent[i + 1];
    for (int k = 0; k < nest->operands; k++) {
        for (int i = axis; i < nest->axes; i++)
            nest->stride[k][i] = nest->stride[k][i + 1];
    }
}

static bool mergeable(const Nest *nest, int axis)
{
    for (int k = 0; k < nest->operands; k++) {
        Count step = times(nest->extent[axis + 1], nest->stride[k][axis + 1]);
        if (!count_equal(nest->stride[k][axis], step))
            return false;
    }
    return true;
}

/* Merges axes [0, limit) where every operand allows it. */
static void merge_axes(Nest *nest, bool keep_last)
{
    for (int i = nest->axes - 1; i >= 0; i--) {
        if (nest->extent[i].k == 1 && !nest->extent[i].n && !(keep_last && i == nest->axes - 1))
            drop_axis(nest, i);
    }
    for (int i = nest->axes - 2; i >= 0; i--) {
        if ((keep_last && i == nest->axes - 2) || !mergeable(nest, i))
            continue;
        nest->extent[i + 1] = times(nest->extent[i], nest->extent[i + 1]);
        drop_axis(nest, i);
    }
}

/* Start of row r of operand k: sums r's position along each outer axis times its stride. */
static const char *row_offset(Arena *arena, const Nest *nest, int k)
{
    Str text = str_new(arena);
    Count inner = {1, false};
    int outer = nest->axes - 1;
    for (int i = outer - 1; i >= 0; i--) {
        Count stride = nest->stride[k][i];
        if (stride.k) {
            char *position = inner.k == 1 && !inner.n
                                 ? arena_strdup(arena, "r")
                                 : arena_printf(arena, "r / (%s)", count_text(arena, inner));
            if (i > 0)
                position = arena_printf(arena, "(%s) %% (%s)", position,
                                        count_text(arena, nest->extent[i]));
            const char *scale = count_text(arena, stride);
            str_printf(&text, "%s", text.length ? " + " : "");
            if (!strcmp(scale, "1"))
                str_add(&text, position);
            else
                str_printf(&text, strchr(position, ' ') ? "(%s) * %s" : "%s * %s", position, scale);
        }
        inner = times(inner, nest->extent[i]);
    }
    return text.text;
}

static Access access_of(const Nest *nest, int k)
{
    bool outer = false;
    for (int i = 0; i < nest->axes - 1; i++)
        outer |= nest->stride[k][i].k != 0;
    bool inner = nest->axes && nest->stride[k][nest->axes - 1].k != 0;
    if (inner)
        return outer ? ACCESS_FULL : ACCESS_COLUMN;
    return outer ? ACCESS_ROW : ACCESS_SCALAR;
}

static const Node *random_member(const Chain *chain)
{
    for (int i = 0; i < chain->members_count; i++) {
        if (plays(chain->members[i], ROLE_RANDOM))
            return chain->members[i];
    }
    return NULL;
}

static bool keeps_rows(const Chain *chain)
{
    for (int i = 0; i < chain->members_count; i++) {
        const Node *node = chain->members[i];
        if (op_of(node)->reducer || is_row_shape(node->shape, chain->domain))
            return true;
        for (int k = 0; k < node->inputs; k++) {
            if (plays(node->in[k], ROLE_POSITIONS))
                return true;
        }
    }
    for (int i = 0; i < chain->stores_count; i++) {
        if (plays(chain->stores[i].node, ROLE_POSITIONS))
            return true;
    }
    return false;
}

static Nest build_nest(Arena *arena, const Chain *chain)
{
    Nest nest = {.axes = chain->domain.rank, .operands = chain->loads_count + chain->stores_count};
    nest.stride = arena_alloc(arena, sizeof *nest.stride * (size_t)(nest.operands + 1));
    for (int i = 0; i < nest.axes; i++)
        nest.extent[i] = dim_count(chain->domain.dim[i]);
    for (int i = 0; i < chain->loads_count; i++)
        strides(chain->loads[i].node->shape, chain->domain, nest.stride[i]);
    for (int i = 0; i < chain->stores_count; i++) {
        const Node *node = chain->stores[i].node;
        Shape shape = node->shape;
        if (op_of(node)->tile_sums)
            shape = shape_of(1, &chain->domain.dim[chain->domain.rank - 1]);
        strides(shape, chain->domain, nest.stride[chain->loads_count + i]);
    }
    return nest;
}

static Walk flat_walk(Arena *arena, const Chain *chain, const char *total, const Nest *nest)
{
    Walk walk = {.flat = true, .total = total};
    walk.access = ARENA_ARRAY(arena, Access, chain->loads_count + 1);
    for (int i = 0; i < chain->loads_count; i++) {
        bool scalar = !nest || !nest->axes || nest->stride[i][nest->axes - 1].k == 0;
        if (!nest)
            scalar = chain->loads[i].node->shape.rank == 0;
        walk.access[i] = scalar ? ACCESS_SCALAR : ACCESS_FULL;
    }
    return walk;
}

/* The largest divisor of `size` up to a limit: rows that fit an array of random numbers. */
static int64_t piece_columns(int64_t size)
{
    int64_t best = 1;
    for (int64_t d = 1; d <= 2048 && d <= size; d++) {
        if (size % d == 0)
            best = d;
    }
    return best;
}

/* A random tensor is walked in pieces of one sample, so that a row knows its place. */
static void split_for_random(Nest *nest, const Chain *chain)
{
    if (shape_batch_axis(chain->domain) != 0)
        bug("a random tensor whose first axis is not the batch");
    int last = nest->axes - 1;
    if (nest->extent[last].n) {
        int64_t size = nest->extent[last].k, columns = piece_columns(size);
        nest->axes++;
        nest->extent[last] = (Count){size / columns, true};
        nest->extent[last + 1] = (Count){columns, false};
        for (int k = 0; k < nest->operands; k++) {
            Count stride = nest->stride[k][last];
            nest->stride[k][last + 1] = stride;
            nest->stride[k][last] = times(stride, (Count){columns, false});
        }
    }
}

Walk walk_chain(Arena *arena, const Chain *chain)
{
    if (chain->layout)
        return flat_walk(
            arena, chain,
            arena_printf(arena, "%lld", (long long)layout_elements(chain->layout, chain->domain)),
            NULL);
    bool sums = chain_sums(chain), rows = keeps_rows(chain) || sums,
         random = random_member(chain) != NULL;
    Nest nest = build_nest(arena, chain);
    merge_axes(&nest, rows);
    if (nest.axes <= 1 && !rows && !random) {
        Count total = nest.axes ? nest.extent[0] : (Count){1, false};
        return flat_walk(arena, chain, count_text(arena, total), &nest);
    }
    if (random && !rows)
        split_for_random(&nest, chain);
    Walk walk = {.flat = false};
    Count count = {1, false}, columns = nest.extent[nest.axes - 1];
    for (int i = 0; i < nest.axes - 1; i++)
        count = times(count, nest.extent[i]);
    walk.columns = count_text(arena, columns);
    walk.columns_literal = columns.n ? 0 : columns.k;
    walk.pieces = count.k;
    walk.access = ARENA_ARRAY(arena, Access, chain->loads_count + 1);
    walk.offset = ARENA_ARRAY(arena, const char *, chain->loads_count + 1);
    walk.store_offset = ARENA_ARRAY(arena, const char *, chain->stores_count + 1);
    for (int i = 0; i < chain->loads_count; i++) {
        walk.access[i] = access_of(&nest, i);
        walk.offset[i] = row_offset(arena, &nest, i);
    }
    walk.unit = sums ? image_rows(chain->domain) : 1;
    walk.units = count_text(arena, (Count){count.k / walk.unit, count.n});
    for (int i = 0; i < chain->stores_count; i++)
        walk.store_offset[i] =
            op_of(chain->stores[i].node)->tile_sums
                ? arena_printf(arena, "r / %lld * %lld", (long long)walk.unit, (long long)columns.k)
                : row_offset(arena, &nest, chain->loads_count + i);
    return walk;
}

bool tile_access(Shape shape, Shape domain, Access *access)
{
    int lead = domain.rank - 1;
    bool outer_full = true, outer_one = true;
    for (int i = 0; i < lead; i++) {
        int axis = i - (domain.rank - shape.rank);
        int64_t dim = axis < 0 ? 1 : shape.dim[axis];
        outer_full &= dim == domain.dim[i];
        outer_one &= dim == 1;
    }
    int64_t last = shape.rank ? shape.dim[shape.rank - 1] : 1;
    bool inner = last == domain.dim[lead] && last != 1;
    if (outer_one && !(outer_full && lead))
        *access = inner ? ACCESS_COLUMN : ACCESS_SCALAR;
    else if (outer_full)
        *access = inner || domain.dim[lead] == 1 ? ACCESS_FULL : ACCESS_ROW;
    else
        return false;
    return true;
}
