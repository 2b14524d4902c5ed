/* Groups: which nodes share a kernel. What group.c decides and fuse.c turns into kernels. */
#ifndef NETCC_GROUP_H
#define NETCC_GROUP_H

#include "chain.h"

typedef struct Group Group;
struct Group {
    bool prologue;      /* depends on nothing but leaves: runs first */
    int sequence;       /* order among its like */
    const Node *anchor; /* an op with a template of its own, or NULL */
    Shape domain;
    const Layout *layout;
    const Node **members; /* element-wise, reductions, random; sorted by id at the end */
    int members_count;
    const Node **copies; /* members of earlier groups, computed once more (recompute.c) */
    int copies_count;
    const Node **wanted; /* leaves to be stored as they are (constants that a kernel reads) */
    int wanted_count;
};

typedef struct {
    Arena *arena;
    const Graph *graph;
    const Layout *const *layouts;
    Group **of;    /* by node id; NULL: a leaf, a view, or pending */
    bool *pending; /* by node id: waits for its first user */
    Group **groups;
    int count;
    int sequence;
    const Group **placed_for; /* by node id: the group for which its pending cone has its places */
    int *seen, round;         /* by node id: the last search that came by */
} Grouping;

/* The node whose memory a view shows. */
const Node *base_of(const Node *node);
/* Written into expressions, never in memory of its own? */
bool is_inline_leaf(const Node *node);
bool group_before(const Group *a, const Group *b);
/* Is `node` computed in the group, as a member or as a copy? */
bool group_has(const Grouping *g, const Group *group, const Node *node);
/* May a copy of an earlier group's `node` join? */
bool group_takes(const Group *group, const Node *node);

/* Who reads a node, itself or through views. */
typedef struct {
    const Node **items;
    int count;
} Users;
Users *find_users(Arena *arena, const Graph *graph);
/* recompute.c */
void recompute(Grouping *g, const Users *users);
Grouping *group_nodes(Arena *arena, const Graph *graph, const Layout *const *layouts);

#endif
