/* lay out: where a matrix lies in panels.
 *
 * Requires: simplified graphs. Decides: every matrix (or stack, such as a convolution's kernel)
 * that is the right operand of a product lies in panels, so does what is element-wise with it (gradient, optimizer slots), so that an optimizer
 * works on the packed form; everything else is row-major. Keeps: the graph. A class of
 * element-wise connected matrices of which one cannot lie in panels stays row-major, unless it
 * holds a packed parameter; then it is our bug. */
#include "layout.h"

#include <string.h>

#include "passes.h"

int64_t layout_default_width(int64_t columns)
{
    return columns <= 16 ? 16 : 32;
}

int64_t layout_row_width(int64_t columns)
{
    return columns >= 128 ? 128 : columns >= 64 ? 64 : layout_default_width(columns);
}

const Layout *layout_panels(Arena *arena, Shape shape, int64_t width)
{
    int last = shape.rank - 1;
    int64_t panels = (shape.dim[last] + width - 1) / width;
    Layout *layout = ARENA_NEW(arena, Layout);
    layout->level[layout->levels++] = (struct nc_layout_level){last, panels, width};
    for (int i = 0; i < last; i++)
        layout->level[layout->levels++] = (struct nc_layout_level){i, shape.dim[i], 1};
    layout->level[layout->levels++] = (struct nc_layout_level){last, width, 1};
    return layout;
}

int64_t layout_panel_width(const Layout *layout, Shape shape)
{
    return layout ? layout->level[layout->levels - 1].extent : shape.dim[shape.rank - 1];
}

int64_t layout_elements(const Layout *layout, Shape shape)
{
    if (!layout)
        return shape_row(shape);
    int64_t product = 1;
    for (int i = 0; i < layout->levels; i++)
        product *= layout->level[i].extent;
    return product;
}

int64_t layout_offset(const Layout *layout, Shape shape, const int64_t *index)
{
    int64_t offset = 0, rest[MAX_RANK];
    if (!layout) {
        for (int i = 0; i < shape.rank; i++)
            offset = offset * shape.dim[i] + index[i];
        return offset;
    }
    memcpy(rest, index, sizeof(int64_t) * (size_t)shape.rank);
    for (int i = 0; i < layout->levels; i++) {
        const struct nc_layout_level *level = &layout->level[i];
        offset = offset * level->extent + rest[level->axis] / level->factor;
        rest[level->axis] %= level->factor;
    }
    return offset;
}

bool layout_equal(const Layout *a, const Layout *b)
{
    if (!a || !b)
        return a == b;
    return a->levels == b->levels &&
           !memcmp(a->level, b->level, sizeof a->level[0] * (size_t)a->levels);
}

void layout_print(Str *out, const Layout *layout)
{
    for (int i = 0; layout && i < layout->levels; i++)
        str_printf(out, "%s%d:%lldx%lld", i ? " " : "", layout->level[i].axis,
                   (long long)layout->level[i].extent, (long long)layout->level[i].factor);
}

/* A matrix, or a stack of them: its columns are the last axis, its rows all the others. */
static bool is_matrix(const Node *node)
{
    return node->shape.rank >= 2 && !shape_has_batch(node->shape);
}

static int64_t columns_of(const Node *node)
{
    return node->shape.dim[node->shape.rank - 1];
}

/* Is input k of `user` fastest in panels? */
static bool read_in_panels(const Node *user, int k)
{
    return op_of(user)->panel_inputs >> k & 1;
}

/* The input of a scan's body that stands for the scan's input k, where that is captured. */
static const Node *captured_input(const Node *scan, int k)
{
    const Graph *body = attr(scan, "body")->ptr;
    if (k < attr(scan, "carries")->i + attr(scan, "slices")->i)
        return NULL;
    return scan_input(body, k);
}

/* Is the scan's input k, where it is captured, read as panels in the body? */
static bool captured_in_panels(const Node *scan, int k)
{
    const Node *inner = captured_input(scan, k);
    const Graph *body = attr(scan, "body")->ptr;
    for (int i = 0; inner && i < body->count; i++) {
        for (int j = 0; j < body->nodes[i]->inputs; j++) {
            if (body->nodes[i]->in[j] == inner && read_in_panels(body->nodes[i], j))
                return true;
        }
    }
    return false;
}

/* Union-find over the matrices of a graph. */
static int root(int *parent, int i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

static bool joins(const Node *a, const Node *b)
{
    return is_matrix(a) && is_matrix(b) && shape_equal(a->shape, b->shape);
}

typedef struct {
    const Graph *graph;
    int *parent;
    const Layout **wanted; /* by class */
    bool *fixed;           /* by class: it holds a packed parameter */
    bool *blocked;         /* by class: one member cannot lie in panels */
    bool settled;          /* parameters that are row-major now stay so */
} Classes;

static void join_classes(Classes *c)
{
    for (int i = 0; i < c->graph->count; i++) {
        const Node *node = c->graph->nodes[i];
        if (op_of(node)->class != OP_PRIMITIVE && op_of(node)->class != OP_STATE)
            continue;
        for (int k = 0; k < node->inputs; k++) {
            if (joins(node, node->in[k]))
                c->parent[root(c->parent, node->in[k]->id)] = root(c->parent, i);
        }
    }
}

/* May `user` read its input k in panels? An element-wise op may, if its own result is a matrix of
 * the same shape; it then lies in panels too. */
static bool can_read(const Node *user, int k)
{
    const Op *op = op_of(user);
    if (op->class == OP_PRIMITIVE || op->class == OP_STATE)
        return joins(user, user->in[k]);
    if (plays(user, ROLE_LOOP))
        return captured_input(user, k) != NULL;
    if (op->reducer)
        return op->packed_inputs >> k & 1 && shape_row(user->shape) == 1;
    return op->packed_inputs >> k & 1;
}

static bool can_write(const Node *node)
{
    const Op *op = op_of(node);
    if (op->class == OP_PRIMITIVE || op->class == OP_STATE || plays(node, ROLE_PARAM) ||
        plays(node, ROLE_CONSTANT))
        return true;
    return op->packed_output;
}

/* An element-wise matrix with a vector operand is not walked in panels. */
static bool broadcasts(const Node *node)
{
    for (int k = 0; k < node->inputs; k++) {
        if (node->in[k]->shape.rank && !joins(node, node->in[k]))
            return true;
    }
    return false;
}

static void classify(Classes *c)
{
    for (int i = 0; i < c->graph->count; i++) {
        const Node *node = c->graph->nodes[i];
        int class = root(c->parent, i);
        if (is_matrix(node)) {
            const Param *param = node_param(node);
            if (param && param->layout) {
                c->wanted[class] = param->layout;
                c->fixed[class] = true;
            }
            bool elementwise = op_of(node)->class == OP_PRIMITIVE;
            if (!can_write(node) || (c->settled && param && !param->layout) ||
                (elementwise && broadcasts(node)))
                c->blocked[class] = true;
        }
        for (int k = 0; k < node->inputs; k++) {
            int read = root(c->parent, node->in[k]->id);
            if (is_matrix(node->in[k]) && !can_read(node, k))
                c->blocked[read] = true;
            bool panels =
                read_in_panels(node, k) || (plays(node, ROLE_LOOP) && captured_in_panels(node, k));
            if (is_matrix(node->in[k]) && panels && !c->wanted[read])
                c->wanted[read] = layout_panels(c->graph->arena, node->in[k]->shape,
                                                layout_default_width(columns_of(node->in[k])));
        }
    }
}

static Classes find_classes(const Graph *graph, Arena *arena, bool settled)
{
    Classes c = {.graph = graph,
                 .settled = settled,
                 .parent = ARENA_ARRAY(arena, int, graph->count + 1),
                 .wanted = ARENA_ARRAY(arena, const Layout *, graph->count + 1),
                 .fixed = ARENA_ARRAY(arena, bool, graph->count + 1),
                 .blocked = ARENA_ARRAY(arena, bool, graph->count + 1)};
    for (int i = 0; i < graph->count; i++)
        c.parent[i] = i;
    join_classes(&c);
    classify(&c);
    return c;
}

/* Panels for every matrix that some graph reads so. */
static void want_panels(Arena *arena, Param *const *params, const Graph *graph, int64_t batch)
{
    enum { FEW_ROWS = 2 };
    for (int i = 0; i < graph->count; i++) {
        const Node *user = graph->nodes[i];
        for (int k = 0; k < user->inputs; k++) {
            const Node *read = user->in[k];
            if (!plays(read, ROLE_PARAM) || !is_matrix(read) ||
                !(read_in_panels(user, k) ||
                  (plays(user, ROLE_LOOP) && captured_in_panels(user, k))))
                continue;
            Param *param = params[node_param(read)->id];
            int64_t columns = columns_of(read);
            bool few = read->shape.rank == 2 && batch <= FEW_ROWS;
            if (!param->layout)
                param->layout =
                    layout_panels(arena, param->shape,
                                  few ? layout_row_width(columns) : layout_default_width(columns));
        }
    }
}

/* A state that is element-wise with a packed one (an optimizer's slot) lies as that does. */
static void lay_out_slots(Param *const *params, Graph *const *graphs, int graphs_count)
{
    for (int g = 0; g < graphs_count; g++) {
        const Graph *graph = graphs[g];
        Classes c = find_classes(graph, graph->arena, false);
        for (int i = 0; i < graph->count; i++) {
            const Param *read = node_param(graph->nodes[i]);
            int class = root(c.parent, i);
            if (read && is_matrix(graph->nodes[i]) && !read->layout && c.fixed[class])
                params[read->id]->layout = c.wanted[class];
        }
    }
}

/* Takes panels back where a graph needs the rows; true if there were any. */
static bool give_up_panels(Arena *arena, Param *const *params, const Graph *graph)
{
    bool changed = false;
    Classes c = find_classes(graph, arena, true);
    for (int i = 0; i < graph->count; i++) {
        const Param *read = node_param(graph->nodes[i]);
        int class = root(c.parent, i);
        if (read && read->layout && c.fixed[class] && c.blocked[class]) {
            params[read->id]->layout = NULL;
            changed = true;
        }
    }
    return changed;
}

void lay_out_params(Arena *arena, Param *const *params, Graph *const *graphs, int graphs_count,
                    int64_t batch)
{
    for (int g = 0; g < graphs_count; g++)
        want_panels(arena, params, graphs[g], batch);
    lay_out_slots(params, graphs, graphs_count);
    for (bool changed = true; changed;) {
        changed = false;
        for (int g = 0; g < graphs_count; g++)
            changed |= give_up_panels(arena, params, graphs[g]);
    }
}

const Layout **lay_out(const Graph *graph, Arena *arena)
{
    Classes c = find_classes(graph, arena, true);
    const Layout **layouts = ARENA_ARRAY(arena, const Layout *, graph->count + 1);
    for (int i = 0; i < graph->count; i++) {
        int class = root(c.parent, i);
        if (c.fixed[class] && c.blocked[class])
            bug("a packed parameter is used where it must be row-major (near %%%d)", i);
        if (is_matrix(graph->nodes[i]) && !c.blocked[class])
            layouts[i] = c.wanted[class];
    }
    return layouts;
}
