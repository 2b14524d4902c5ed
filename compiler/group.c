/* group: which nodes share a kernel.
 *
 * Requires: a simplified graph and its layouts. Keeps: the graph. Decides greedily in node order: an
 * element-wise node joins the last group among its inputs' if that group's domain fits, else it
 * opens one. Since a group never takes a node that needs a later group, the order in which groups
 * were opened is a schedule. Nodes of leaves alone wait for their first user. */
#include "group.h"

#include <stdlib.h>

const Node *base_of(const Node *node)
{
    while (plays(node, ROLE_ALIAS))
        node = node->in[0];
    return node;
}

bool is_inline_leaf(const Node *node)
{
    return plays(node, ROLE_CONSTANT) || plays(node, ROLE_POSITIONS);
}

bool group_before(const Group *a, const Group *b)
{
    if (a->prologue != b->prologue)
        return a->prologue;
    return a->sequence < b->sequence;
}

static bool computes(const Node *node)
{
    return op_of(node)->class == OP_PRIMITIVE || plays(node, ROLE_RANDOM) || is_row_reduction(node);
}

static Group *open_group(Grouping *g, Shape domain, const Layout *layout, bool prologue)
{
    Group *group = ARENA_NEW(g->arena, Group);
    group->domain = domain;
    group->layout = layout;
    group->prologue = prologue;
    group->sequence = g->sequence++;
    ARENA_PUSH(g->arena, g->groups, g->count, group);
    return group;
}

static void join(Grouping *g, Group *group, const Node *node)
{
    g->of[node->id] = group;
    g->pending[node->id] = false;
    ARENA_PUSH(g->arena, group->members, group->members_count, node);
}

/* A tile reads each operand by full cell, column, row or scalar. */
static bool fits_tile(const Group *group, const Node *node)
{
    Access access;
    if (!shape_equal(node->shape, group->domain) || op_of(node)->reducer)
        return false;
    if (plays(node, ROLE_RANDOM) && shape_batch_axis(node->shape) != 0)
        return false;
    for (int i = 0; i < node->inputs; i++) {
        if (!tile_access(node->in[i]->shape, group->domain, &access))
            return false;
        if (group->layout && access == ACCESS_ROW)
            return false;
    }
    return true;
}

bool group_has(const Grouping *g, const Group *group, const Node *node)
{
    if (g->of[node->id] == group)
        return true;
    for (int i = 0; group && i < group->copies_count; i++) {
        if (group->copies[i] == node)
            return true;
    }
    return false;
}

static bool has_random(const Group *group)
{
    for (int i = 0; i < group->members_count; i++) {
        if (plays(group->members[i], ROLE_RANDOM))
            return true;
    }
    return false;
}

bool group_takes(const Group *group, const Node *node)
{
    if (group->layout || has_random(group) || !shape_equal(group->domain, node->shape))
        return false;
    return !group->anchor || (op_of(group->anchor)->epilogue && fits_tile(group, node));
}

static bool has_sums(const Group *group)
{
    for (int i = 0; i < group->members_count; i++) {
        if (op_of(group->members[i])->tile_sums)
            return true;
    }
    return false;
}

static bool fits(const Grouping *g, const Group *group, const Node *node)
{
    if (plays(node, ROLE_RANDOM) && has_sums(group))
        return false;
    if (is_row_reduction(node)) {
        return !group->anchor && !group->layout && !has_random(group) &&
               shape_equal(node->in[0]->shape, group->domain);
    }
    if (group->layout != g->layouts[node->id] &&
        !(group->layout && !node->shape.rank)) /* scalars have no layout */
        return false;
    if (group->anchor)
        return op_of(group->anchor)->epilogue && fits_tile(group, node);
    if (shape_equal(node->shape, group->domain))
        return !plays(node, ROLE_RANDOM) || shape_batch_axis(node->shape) == 0;
    return is_row_shape(node->shape, group->domain) && !has_random(group) &&
           !plays(node, ROLE_RANDOM) &&
           group->domain.dim[group->domain.rank - 1] <= MAX_KEPT_COLUMNS;
}

static void pull(Grouping *g, Group *group, const Node *node);

/* Gives `group` the place right before `reader`, which was opened earlier. */
static void put_before(Grouping *g, Group *group, const Group *reader)
{
    int sequence = reader->sequence;
    for (int i = 0; i < g->count; i++)
        g->groups[i]->sequence += g->groups[i]->sequence >= sequence;
    group->sequence = sequence;
    g->sequence++;
}

/* Gives a pending node a group of its own, before everything that needs more than leaves, and
 * before the group that reads it, if that is open already. */
static void materialise(Grouping *g, const Node *node, bool prologue, const Group *reader)
{
    if (!g->pending[node->id])
        return;
    Group *group = open_group(g, node->shape, g->layouts[node->id], prologue);
    if (reader)
        put_before(g, group, reader);
    pull(g, group, node);
}

/* What `group` will need of the pending cone of a node but cannot pull gets its place first, so
 * that it does not read what is pulled. */
static void place_cone(Grouping *g, const Group *group, const Node *node)
{
    if (g->placed_for[node->id] == group)
        return;
    g->placed_for[node->id] = group;
    for (int i = node->inputs - 1; i >= 0; i--) { /* the last may take the ones before along */
        const Node *base = base_of(node->in[i]);
        if (!g->pending[base->id])
            continue;
        if (base == node->in[i] && fits(g, group, base))
            place_cone(g, group, base);
        else
            materialise(g, base, true, group);
    }
}

static void pull_inputs(Grouping *g, Group *group, const Node *node)
{
    place_cone(g, group, node);
    for (int i = 0; i < node->inputs; i++) {
        const Node *base = base_of(node->in[i]);
        if (!g->pending[base->id])
            continue;
        if (base == node->in[i])
            pull(g, group, base);
        else
            materialise(g, base, true, group);
    }
}

static void pull(Grouping *g, Group *group, const Node *node)
{
    if (!fits(g, group, node)) {
        materialise(g, node, true, group);
        return;
    }
    pull_inputs(g, group, node);
    join(g, group, node);
}

/* The last group among a node's inputs; *barrier is set if it is reached through a view, which
 * only shows finished memory. */
static Group *latest_input(const Grouping *g, const Node *node, bool *barrier)
{
    Group *latest = NULL;
    *barrier = false;
    for (int i = 0; i < node->inputs; i++) {
        const Node *base = base_of(node->in[i]);
        Group *group = g->of[base->id];
        if (!group)
            continue;
        if (!latest || group_before(latest, group)) {
            latest = group;
            *barrier = false;
        }
        if (group == latest && base != node->in[i])
            *barrier = true;
    }
    return latest;
}

static bool search_group(Grouping *g, const Node *node)
{
    if (g->seen[node->id] == g->round)
        return false;
    g->seen[node->id] = g->round;
    for (int i = 0; i < node->inputs; i++) {
        const Node *base = base_of(node->in[i]);
        if (g->of[base->id] || (g->pending[base->id] && search_group(g, base)))
            return true;
    }
    return false;
}

/* Has a pending node come to depend on a group, since what it reads was pulled into one? */
static bool leans_on_group(Grouping *g, const Node *node)
{
    g->round++;
    return search_group(g, node);
}

static void place_computed(Grouping *g, const Node *node);

/* Such pending inputs get their place now, so that the order of groups accounts for them. */
static void settle_inputs(Grouping *g, const Node *node)
{
    for (int i = 0; i < node->inputs; i++) {
        const Node *base = base_of(node->in[i]);
        if (g->pending[base->id] && leans_on_group(g, base)) {
            settle_inputs(g, base);
            place_computed(g, base);
        }
    }
}

static bool shares_operand(const Group *group, const Node *node)
{
    for (int i = 0; i < group->members_count; i++) {
        const Node *member = group->members[i];
        for (int k = 0; k < member->inputs; k++) {
            for (int j = 0; j < node->inputs; j++) {
                if (member->in[k] == node->in[j] && node->in[j]->shape.rank)
                    return true;
            }
        }
    }
    return false;
}

/* A group behind the node's inputs that fits and reads one of them too: both then read it once. */
static Group *sibling(const Grouping *g, const Group *latest, const Node *node)
{
    enum { WINDOW = 8 };
    for (int i = g->count - 1; i >= 0 && i >= g->count - WINDOW; i--) {
        Group *group = g->groups[i];
        if (!group->anchor && latest && group_before(latest, group) && !group->prologue &&
            fits(g, group, node) && shares_operand(group, node))
            return group;
    }
    return NULL;
}

static void place_computed(Grouping *g, const Node *node)
{
    bool barrier;
    settle_inputs(g, node);
    Group *latest = latest_input(g, node, &barrier);
    bool reduction = is_row_reduction(node);
    if (!latest && !reduction) {
        g->pending[node->id] = true;
        return;
    }
    Group *group = latest && !barrier && fits(g, latest, node) ? latest : sibling(g, latest, node);
    if (!group) {
        Shape domain = reduction ? node->in[0]->shape : node->shape;
        group = open_group(g, domain, reduction ? NULL : g->layouts[node->id],
                           !latest || latest->prologue);
    }
    pull_inputs(g, group, node);
    join(g, group, node);
}

/* A kernel reads memory: constants and pending nodes it needs get a place. */
static void place_kernel(Grouping *g, const Node *node)
{
    settle_inputs(g, node);
    for (int i = 0; i < node->inputs; i++) {
        const Node *base = base_of(node->in[i]);
        if (g->pending[base->id]) {
            materialise(g, base, true, NULL);
        } else if (is_inline_leaf(base) && !g->of[base->id]) {
            Group *group = open_group(g, base->shape, NULL, true);
            g->of[base->id] = group;
            ARENA_PUSH(g->arena, group->wanted, group->wanted_count, base);
        }
    }
    Group *group = open_group(g, node->shape, g->layouts[node->id], false);
    group->anchor = node;
    g->of[node->id] = group;
}

/* Sums of tiles join the group that computes what they sum, where that walks images row by row. */
static bool join_sums(Grouping *g, const Node *node)
{
    const Node *x = node->in[0];
    Group *group = g->of[x->id];
    if (!group || group->layout || has_random(group) || !shape_equal(group->domain, x->shape) ||
        (group->anchor && !op_of(group->anchor)->image_tile))
        return false;
    join(g, group, node);
    return true;
}

static void place_output(Grouping *g, const Node *node)
{
    const Node *base = base_of(node);
    if (!g->pending[base->id])
        return;
    settle_inputs(g, base);
    if (leans_on_group(g, base))
        place_computed(g, base);
    else
        materialise(g, base, false, NULL);
}

static int by_id(const void *a, const void *b)
{
    const Node *const *x = a, *const *y = b;
    return (*x)->id - (*y)->id;
}

static int by_order(const void *a, const void *b)
{
    Group *const *x = a, *const *y = b;
    return group_before(*x, *y) ? -1 : 1;
}

Grouping *group_nodes(Arena *arena, const Graph *graph, const Layout *const *layouts)
{
    Grouping *g = ARENA_NEW(arena, Grouping);
    *g = (Grouping){.arena = arena,
                    .graph = graph,
                    .layouts = layouts,
                    .of = ARENA_ARRAY(arena, Group *, graph->count + 1),
                    .pending = ARENA_ARRAY(arena, bool, graph->count + 1),
                    .placed_for = ARENA_ARRAY(arena, const Group *, graph->count + 1),
                    .seen = ARENA_ARRAY(arena, int, graph->count + 1)};
    for (int i = 0; i < graph->count; i++) {
        const Node *node = graph->nodes[i];
        if (plays(node, ROLE_RESULT))
            g->of[i] = g->of[node->in[0]->id];
        else if (op_of(node)->class == OP_STATE || plays(node, ROLE_ALIAS))
            continue;
        else if (computes(node))
            place_computed(g, node);
        else if (op_of(node)->class == OP_KERNEL && !(op_of(node)->tile_sums && join_sums(g, node)))
            place_kernel(g, node);
    }
    for (int i = 0; i < graph->updates_count; i++) {
        settle_inputs(g, graph->updates[i]);
        materialise(g, base_of(graph->updates[i]->in[0]), false, NULL);
    }
    for (int i = 0; i < graph->outputs_count; i++)
        place_output(g, graph->outputs[i].node);
    for (int i = 0; i < g->count; i++) {
        if (g->groups[i]->members_count)
            qsort(g->groups[i]->members, (size_t)g->groups[i]->members_count, sizeof(Node *),
                  by_id);
    }
    if (g->count)
        qsort(g->groups, (size_t)g->count, sizeof(Group *), by_order);
    return g;
}
