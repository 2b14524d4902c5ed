/* The verifier: what every pass may rely on.
 *
 * Ids are positions; inputs stand before their users; shapes are what the records' rules say;
 * arities hold; memory has the batch as its first axis, no other state has it; no two updates write
 * one state; every use of a state's old version that is not ordered before its update is found later,
 * by plan (plan.c). */
#include <string.h>

#include "ops/op.h"

static void verify_node(const Graph *graph, int position, const char *after)
{
    const Node *node = graph->nodes[position];
    const Op *op = op_of(node);
    if (node->id != position)
        bug("after %s: node at %d has id %d", after, position, node->id);
    if (op->arity >= 0 ? node->inputs != op->arity : node->inputs < 1)
        bug("after %s: %%%d: %s has %d inputs", after, position, op->name, node->inputs);
    for (int i = 0; i < node->inputs; i++) {
        const Node *in = node->in[i];
        if (in->id >= position || graph->nodes[in->id] != in)
            bug("after %s: %%%d: input %d is not an earlier node", after, position, i);
    }
    if (attr_count(op->attrs) && !node->attr)
        bug("after %s: %%%d: %s lacks its attributes", after, position, op->name);
    if (!shape_equal(node->shape, op->infer(node)))
        bug("after %s: %%%d: %s has a wrong shape", after, position, op->name);
    const Param *param = node_param(node);
    if (param && (param->role == NC_ROLE_MEMORY) != (shape_batch_axis(param->shape) == 0))
        bug("after %s: %%%d: only memory has rows, and all memory has: %s", after, position,
            param->name);
    if (plays(node, ROLE_LOOP))
        graph_verify(attr(node, "body")->ptr, after);
}

static void verify_updates(const Graph *graph, const char *after)
{
    for (int i = 0; i < graph->updates_count; i++) {
        for (int j = 0; j < i; j++) {
            if (node_param(graph->updates[i]) == node_param(graph->updates[j]))
                bug("after %s: two updates of %s", after, node_param(graph->updates[i])->name);
        }
    }
}

void graph_verify(const Graph *graph, const char *after)
{
    for (int i = 0; i < graph->count; i++)
        verify_node(graph, i, after);
    for (int i = 0; i < graph->outputs_count; i++) {
        const Node *node = graph->outputs[i].node;
        if (node->id >= graph->count || graph->nodes[node->id] != node)
            bug("after %s: output %s is not in the graph", after, graph->outputs[i].name);
    }
    verify_updates(graph, after);
}
