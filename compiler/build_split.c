/* The split of a network behind its frozen layers: what they give is the same in every epoch, so it can
 * be computed once for each sample (cli/features.c).
 *
 * A layer is frozen here if nothing that it is made of trains, is random or belongs to the step: that is
 * read off the nodes of its training graph, whatever kind of layer it is. The trunk is built as for
 * evaluation; a frozen layer does the same in both. */
#include "build.h"
#include "ops/op.h"

/* Which nodes are the same whenever the inputs are. */
static bool *find_frozen(Arena *arena, const Graph *graph)
{
    bool *frozen = ARENA_ARRAY(arena, bool, graph->count + 1);
    for (int i = 0; i < graph->count; i++) {
        const Node *node = graph->nodes[i];
        const Param *param = node_param(node);
        frozen[i] = !op_of(node)->impure && node->op != OP_hyper && (!param || param->frozen);
        for (int k = 0; k < node->inputs; k++)
            frozen[i] &= frozen[node->in[k]->id];
    }
    return frozen;
}

static bool *frozen_positions(Build *build)
{
    GraphParts parts;
    int count = build->model->inputs_count + build->layers_count;
    bool *positions = ARENA_ARRAY(build->arena, bool, count);
    build_forward(build, FOR_TRAIN, &parts);
    const bool *nodes = find_frozen(build->arena, parts.graph);
    for (int p = 0; p < count; p++)
        positions[p] = nodes[parts.value[p]->id];
    return positions;
}

static void take_position(Build *build, Split *split, Position p)
{
    for (int i = 0; i < split->taken_count; i++) {
        if (split->taken[i] == p)
            return;
    }
    ARENA_PUSH(build->arena, split->taken, split->taken_count, p);
}

static void find_taken(Build *build, Split *split)
{
    int inputs = build->model->inputs_count;
    for (int i = 0; i < build->layers_count; i++) {
        const LayerSpec *spec = &build->layers[i];
        for (int k = 0; !split->frozen[inputs + i] && k < spec->inputs; k++) {
            if (split->frozen[spec->in[k]])
                take_position(build, split, spec->in[k]);
        }
    }
}

static bool has_loss(const Build *build, int output)
{
    for (int i = 0; i < build->train.losses_count; i++) {
        if (build->train.losses[i].output == output)
            return true;
    }
    return false;
}

/* A loss of what never changes has no head to be computed in. */
static bool has_frozen_loss(const Build *build, const Split *split)
{
    for (int i = 0; i < build->model->outputs_count; i++) {
        if (split->frozen[build->outputs[i]] && has_loss(build, i))
            return true;
    }
    return false;
}

static bool reads_weight(const Graph *graph)
{
    bool *live = ARENA_ARRAY(graph->arena, bool, graph->count + 1);
    for (int i = 0; i < graph->outputs_count; i++)
        live[graph->outputs[i].node->id] = true;
    for (int i = graph->count - 1; i >= 0; i--) {
        const Node *node = graph->nodes[i];
        const Param *param = node_param(node);
        if (live[i] && param && param->role == NC_ROLE_WEIGHT)
            return true;
        for (int k = 0; live[i] && k < node->inputs; k++)
            live[node->in[k]->id] = true;
    }
    return false;
}

/* The graph of what is taken, with the model's features as outputs. */
static Graph *trunk_graph(Build *build, const Split *split)
{
    Model *model = build->model;
    GraphParts parts;
    build_forward(build, FOR_EVAL, &parts);
    for (int i = 0; i < split->taken_count; i++) {
        Origin origin = origin_of(build, split->taken[i]);
        Node *node = parts.value[split->taken[i]];
        const Port port = {origin.name, node->shape, origin.loc};
        graph_output(parts.graph, port.name, node, port.loc);
        ARENA_PUSH(build->arena, model->features, model->features_count, port);
    }
    return parts.graph;
}

static int count_frozen_layers(const Build *build, const Split *split)
{
    int count = 0;
    for (int i = 0; i < build->layers_count; i++)
        count += split->frozen[build->model->inputs_count + i];
    return count;
}

void split_network(Build *build)
{
    Model *model = build->model;
    Split *split = ARENA_NEW(build->arena, Split);
    *split = (Split){.frozen = frozen_positions(build)};
    find_taken(build, split);
    if (!split->taken_count || has_frozen_loss(build, split))
        return;
    Graph *trunk = trunk_graph(build, split);
    if (!reads_weight(trunk)) { /* nothing worth keeping */
        model->features_count = 0;
        return;
    }
    model->predict = trunk;
    model->trunk_layers = count_frozen_layers(build, split);
    build->split = split;
}
