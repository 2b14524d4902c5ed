/* select: how each node is computed, where there are several ways.
 *
 * Requires: no composites. Asks the records for a quicker way than their own kernel, from shapes and the rows of
 * a call alone, so that every tier, machine and number of threads takes the same one. Such a way may round
 * otherwise and takes more memory: `numerics: strict` leaves this pass out. Keeps: outputs and updates.
 * Breaks: node identity (a new graph). */
#include "ops/op.h"
#include "passes.h"

/* What frozen layers give is kept between epochs: wherever it is computed, that is done as in predictions. */
static bool is_of_frozen(const Node *node)
{
    for (int i = 0; i < node->inputs; i++) {
        if (plays(node->in[i], ROLE_PARAM) && node_param(node->in[i])->frozen)
            return true;
    }
    return false;
}

static Node *select_way(Graph *graph, const Node *node, Node *const *in, const void *context)
{
    const int64_t rows = is_of_frozen(node) ? 1 : *(const int64_t *)context;
    return op_of(node)->select ? op_of(node)->select(graph, node, in, rows) : NULL;
}

Graph *select_algorithms(const Graph *graph, int64_t rows)
{
    return graph_rewrite(graph, select_way, &rows);
}
