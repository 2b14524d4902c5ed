/* simplify: equal pure nodes merge, identities vanish, what nothing needs is dropped.
 *
 * Requires: no composites. Keeps: outputs, updates, random nodes; a merged node keeps the first
 * name and Loc. Breaks: node identity (a new graph). Constants fold as nodes are made (graph.c). */
#include <string.h>

#include "passes.h"

typedef struct {
    const Graph *old;
    Graph *graph;
    Node **copy;    /* by old id */
    bool *live;     /* by old id */
    Node **buckets; /* hash of new nodes */
    Node **next;    /* chain, by new id */
    int buckets_count, next_capacity;
} Simplifier;

static void mark(bool *live, const Node *node)
{
    live[node->id] = true;
}

static void mark_live(Simplifier *s)
{
    for (int i = 0; i < s->old->outputs_count; i++)
        mark(s->live, s->old->outputs[i].node);
    for (int i = 0; i < s->old->updates_count; i++)
        mark(s->live, s->old->updates[i]);
    for (int i = s->old->count - 1; i >= 0; i--) {
        const Node *node = s->old->nodes[i];
        for (int k = 0; s->live[i] && k < node->inputs; k++)
            mark(s->live, node->in[k]);
    }
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
    return hash * 0xff51afd7ed558ccdu;
}

static uint64_t hash_node(const Node *node)
{
    uint64_t hash = mix(17, (uint64_t)node->op);
    for (int i = 0; i < node->inputs; i++)
        hash = mix(hash, (uint64_t)node->in[i]->id);
    for (int i = 0; i < attr_count(op_of(node)->attrs); i++) {
        const AttrValue *value = &node->attr[i];
        uint64_t bits;
        memcpy(&bits, &value->f, sizeof bits);
        hash = mix(mix(mix(hash, bits), (uint64_t)value->i), (uint64_t)(uintptr_t)value->ptr);
        for (int k = 0; k < value->count; k++)
            hash = mix(hash, (uint64_t)value->list[k]);
    }
    return hash;
}

static bool attr_equal(const AttrValue *a, const AttrValue *b)
{
    if (a->i != b->i || memcmp(&a->f, &b->f, sizeof a->f) || a->ptr != b->ptr ||
        a->count != b->count || (a->s != b->s && (!a->s || !b->s || strcmp(a->s, b->s))))
        return false;
    return !a->count || !memcmp(a->list, b->list, sizeof(int64_t) * (size_t)a->count);
}

static bool node_equal(const Node *a, const Node *b)
{
    if (a->op != b->op || a->inputs != b->inputs)
        return false;
    for (int i = 0; i < a->inputs; i++) {
        if (a->in[i] != b->in[i])
            return false;
    }
    for (int i = 0; i < attr_count(op_of(a)->attrs); i++) {
        if (!attr_equal(&a->attr[i], &b->attr[i]))
            return false;
    }
    return true;
}

/* The earlier equal of the graph's last node, which is then taken back; or that node. */
static Node *number_value(Simplifier *s, Node *node)
{
    if (op_of(node)->impure || node->id != s->graph->count - 1)
        return node;
    Node **bucket = &s->buckets[hash_node(node) % (uint64_t)s->buckets_count];
    for (Node *other = *bucket; other; other = s->next[other->id]) {
        if (other != node && node_equal(other, node)) {
            s->graph->count--;
            return other;
        }
        if (other == node)
            return node;
    }
    if (node->id < s->next_capacity) {
        s->next[node->id] = *bucket;
        *bucket = node;
    }
    return node;
}

static Node *simplify_node(Simplifier *s, const Node *node)
{
    Node **in = ARENA_ARRAY(s->graph->arena, Node *, node->inputs + 1);
    for (int k = 0; k < node->inputs; k++)
        in[k] = s->copy[node->in[k]->id];
    const Op *op = op_of(node);
    Node *equal = op->identity ? op->identity(s->graph, node, in) : NULL;
    if (equal)
        return number_value(s, equal);
    if (op_of(node)->class == OP_STATE)
        return update_param(s->graph, node_param(node), in[0]);
    Node *copy = node_new(s->graph, node->op, node->inputs, in, node->attr);
    if (plays(node, ROLE_LOOP))
        copy->attr[0].ptr = simplify(node->attr[0].ptr);
    return number_value(s, copy);
}

/* One sweep; nodes that became dead are dropped by the next. */
static Graph *sweep(const Graph *old)
{
    Arena *arena = old->arena;
    Simplifier s = {.old = old, .graph = graph_new(arena)};
    s.copy = ARENA_ARRAY(arena, Node *, old->count + 1);
    s.live = ARENA_ARRAY(arena, bool, old->count + 1);
    s.buckets_count = old->count * 2 + 1;
    s.next_capacity = old->count * 4 + 64;
    s.buckets = ARENA_ARRAY(arena, Node *, s.buckets_count);
    s.next = ARENA_ARRAY(arena, Node *, s.next_capacity);
    mark_live(&s);
    for (int i = 0; i < old->count; i++) {
        const Node *node = old->nodes[i];
        if (!s.live[i] && !plays(node, ROLE_PORT))
            continue;
        s.graph->layer = node->name;
        s.graph->loc = node->loc;
        s.copy[i] = simplify_node(&s, node);
    }
    for (int i = 0; i < old->outputs_count; i++) {
        Output output = old->outputs[i];
        graph_output(s.graph, output.name, s.copy[output.node->id], output.loc);
    }
    return s.graph;
}

Graph *simplify(const Graph *old)
{
    Graph *graph = sweep(old);
    return sweep(graph);
}
