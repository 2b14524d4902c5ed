/* recompute: values that are cheaper to compute again than to keep.
 *
 * Requires: groups. Keeps: groups and their order. Adds: copies of members to later groups. A cheap op
 * on one large operand that lies in memory anyway (x less its mean, the mask of a relu's result) costs
 * a later reader no more than reading its result would, and saves writing it. */
#include "group.h"

typedef struct {
    Grouping *g;
    const Users *users;
    signed char *known; /* by node id: 1 repeatable, -1 not, 0 not asked yet */
} Recompute;

static bool repeatable(Recompute *r, const Node *v);

/* Is p read from memory whatever happens to v? A kernel's operand is, and what v's group reads. */
static bool in_memory(Recompute *r, const Node *v, const Node *p)
{
    const Users *users = &r->users[p->id];
    const Group *home = r->g->of[p->id];
    bool kept = home != r->g->of[v->id];
    if (p != base_of(p) || !home || repeatable(r, p))
        return false;
    for (int i = 0; i < users->count; i++) {
        const Group *reader = r->g->of[users->items[i]->id];
        if (op_of(users->items[i])->class == OP_STATE)
            return false;
        kept |= reader && reader != home && reader->anchor == users->items[i];
    }
    return kept;
}

/* A number for all, or one for each column of v. */
static bool is_small(const Node *v, const Node *p)
{
    return !shape_has_batch(p->shape) && v->shape.rank &&
           shape_row(p->shape) <= v->shape.dim[v->shape.rank - 1];
}

static bool decide(Recompute *r, const Node *v)
{
    const Group *home = r->g->of[v->id];
    int large = 0;
    if (!op_of(v)->cheap || !home || home->layout || v == home->anchor ||
        !shape_has_batch(v->shape))
        return false;
    for (int k = 0; k < v->inputs; k++) {
        const Node *p = v->in[k];
        if (plays(p, ROLE_CONSTANT))
            continue;
        if (!in_memory(r, v, p) || !(is_small(v, p) || shape_equal(p->shape, v->shape)))
            return false;
        large += !is_small(v, p);
    }
    return large == 1;
}

static bool repeatable(Recompute *r, const Node *v)
{
    if (!r->known[v->id])
        r->known[v->id] = decide(r, v) ? 1 : -1;
    return r->known[v->id] > 0;
}

static void copy_into(Recompute *r, Group *group, const Node *v)
{
    if (!group_has(r->g, group, v))
        ARENA_PUSH(r->g->arena, group->copies, group->copies_count, v);
}

void recompute(Grouping *g, const Users *users)
{
    Recompute r = {g, users, ARENA_ARRAY(g->arena, signed char, g->graph->count + 1)};
    for (int i = 0; i < g->count; i++) {
        Group *group = g->groups[i];
        for (int m = 0; m < group->members_count; m++) {
            const Node *member = group->members[m];
            for (int k = 0; k < member->inputs; k++) {
                const Node *v = member->in[k];
                if (v == base_of(v) && g->of[v->id] && g->of[v->id] != group &&
                    group_takes(group, v) && repeatable(&r, v))
                    copy_into(&r, group, v);
            }
        }
    }
}
