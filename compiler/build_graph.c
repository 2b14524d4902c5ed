/* The forward part of a graph: inputs, scaled, then layer after layer. It is built anew for each of
 * the model's graphs; parameters are shared by name. */
#include <string.h>

#include "build.h"

static Node *input_node(Graph *graph, const Port *port, int index)
{
    AttrValue values[3] = {
        {.s = "input", .i = 0},
        {.i = index},
        {.count = port->shape.rank, .list = ARENA_ARRAY(graph->arena, int64_t, MAX_RANK)}};
    memcpy(values[2].list, port->shape.dim, sizeof port->shape.dim);
    graph->layer = port->name;
    graph->loc = port->loc;
    return node_new(graph, OP_input, 0, NULL, values);
}

/* A parameter INPUT/suffix along the last axes, which training sets before its first step. */
static Node *input_state(Build *build, Graph *graph, const Port *port, int axes, const char *suffix,
                         double value)
{
    const char *name = arena_printf(build->arena, "%s/%s", port->name, suffix);
    Param *param =
        model_param(build->model, name, shape_of(axes, &port->shape.dim[port->shape.rank - axes]));
    param->role = NC_ROLE_MOVING;
    param->frozen = true;
    param->init = (struct nc_init){NC_INIT_CONSTANT, value, 0};
    param->loc = port->loc;
    return read_param(graph, param);
}

/* (x - mean) / deviation */
static Node *standardised_input(Build *build, Graph *graph, const Port *port, Node *x)
{
    Node *mean = input_state(build, graph, port, 1, "mean", 0);
    Node *variance = input_state(build, graph, port, 1, "variance", 1);
    return node2(graph, OP_div, node2(graph, OP_sub, x, mean), node1(graph, OP_sqrt, variance));
}

/* Numbers along the last axis: each where its position is met. */
static Node *channel_numbers(Graph *graph, const Channels *numbers)
{
    AttrValue size = {.i = numbers->count};
    Node *node = constant(graph, numbers->values[0]);
    Node *at = numbers->count > 1 ? node_new(graph, OP_iota, 0, NULL, &size) : NULL;
    for (int64_t k = 1; k < numbers->count; k++)
        node = node3(graph, OP_where, node2(graph, OP_eq, at, constant(graph, (double)k)),
                     constant(graph, numbers->values[k]), node);
    return node;
}

/* (x * scale + offset - mean) / std, of the data section */
static Node *scaled_input(Build *build, Graph *graph, const Port *port, Node *x)
{
    if (build->model->standardise)
        return standardised_input(build, graph, port, x);
    if (build->scale != 1)
        x = node2(graph, OP_mul, x, constant(graph, build->scale));
    if (build->offset != 0)
        x = node2(graph, OP_add, x, constant(graph, build->offset));
    if (build->mean.count)
        x = node2(graph, OP_sub, x, channel_numbers(graph, &build->mean));
    if (build->deviation.count)
        x = node2(graph, OP_div, x, channel_numbers(graph, &build->deviation));
    return x;
}

/* Tables: a number that is missing is NaN, which alone differs from itself. */
static Node *filled_input(Build *build, Graph *graph, const Port *port, Node *x)
{
    Node *fill = input_state(build, graph, port, port->shape.rank - 1, "fill", 0);
    return node3(graph, OP_where, node2(graph, OP_eq, x, x), x, fill);
}

/* Each category column becomes as many columns of 0 and 1 as it has categories. */

static Node *columns_of(Graph *graph, Node *x, int64_t start, int64_t size)
{
    AttrValue values[3] = {{.i = 1}, {.i = start}, {.i = size}};
    return node_new(graph, OP_slice, 1, &x, values);
}

static Node *one_hot_column(Graph *graph, Node *x, int column, int categories)
{
    AttrValue size = {.i = categories};
    return node2(graph, OP_eq, columns_of(graph, x, column, 1),
                 node_new(graph, OP_iota, 0, NULL, &size));
}

/* `raw` holds the positions of categories, `scaled` the numbers. */
static Node *encoded_table(const Build *build, Graph *graph, Node *raw, Node *scaled)
{
    const Table *t = build->model->table;
    Node **parts = ARENA_ARRAY(build->arena, Node *, t->features_count);
    AttrValue axis = {.i = 1};
    int count = 0, start = 0;
    for (int k = 0; k <= t->features_count; k++) {
        bool category = k < t->features_count && t->features[k].category;
        if ((category || k == t->features_count) && k > start)
            parts[count++] = columns_of(graph, scaled, start, k - start);
        if (category) {
            parts[count++] = one_hot_column(graph, raw, k, t->features[k].values_count);
            start = k + 1;
        }
    }
    if (start == 0) /* no categories */
        return scaled;
    return count == 1 ? parts[0] : node_new(graph, OP_concatenate, count, parts, &axis);
}

static Node *encoded_input(Build *build, Graph *graph, int index, Node *x)
{
    const Model *model = build->model;
    const Port *port = &model->inputs[index];
    Node *scaled =
        scaled_input(build, graph, port, model->table ? filled_input(build, graph, port, x) : x);
    return model->table && x->shape.rank == 2 ? encoded_table(build, graph, x, scaled) : scaled;
}

/* NULL after an error, and where an input of the layer is missing because of one. */
static Node *build_layer(Build *build, const LayerSpec *spec, const GraphParts *parts,
                         Node *const *value, int *streams)
{
    Node **in = ARENA_ARRAY(build->arena, Node *, spec->inputs);
    Origin *origins = ARENA_ARRAY(build->arena, Origin, spec->inputs);
    for (int i = 0; i < spec->inputs; i++) {
        in[i] = value[spec->in[i]];
        origins[i] = origin_of(build, spec->in[i]);
        if (!in[i])
            return NULL;
    }
    int64_t since = layer_since(build->model, spec->path, spec->trainable);
    LayerBuild layer = {.model = build->model,
                        .arena = build->arena,
                        .diag = build->diag,
                        .graph = parts->graph,
                        .purpose = parts->purpose,
                        .layer = spec->layer,
                        .name = spec->name,
                        .loc = spec->loc,
                        .attrs = spec->attrs,
                        .path = spec->path,
                        .since = since,
                        .trainable = trains_since(build->model, since),
                        .in = in,
                        .origins = origins,
                        .inputs = spec->inputs,
                        .streams = streams};
    parts->graph->layer = spec->name;
    parts->graph->loc = spec->loc;
    Node *y = spec->layer->build(&layer);
    if (y && !shape_fits(y->shape))
        return input_fault(&layer, "the result %s has more than 2^31 elements a sample",
                           shape_text(build->arena, y->shape));
    return y;
}

/* The inputs, or behind a split what its frozen part gives in their place. */
static void add_inputs(Build *build, GraphParts *parts)
{
    const Model *model = build->model;
    const Split *split = build->split;
    for (int i = 0; !split && i < model->inputs_count; i++) {
        parts->inputs[i] = input_node(parts->graph, &model->inputs[i], i);
        parts->value[i] = encoded_input(build, parts->graph, i, parts->inputs[i]);
    }
    for (int i = 0; split && i < split->taken_count; i++)
        parts->value[split->taken[i]] = input_node(parts->graph, &model->features[i], i);
}

bool build_forward(Build *build, Purpose purpose, GraphParts *out)
{
    Model *model = build->model;
    int inputs = model->inputs_count, streams = 0;
    *out = (GraphParts){graph_new(build->arena), purpose, ARENA_ARRAY(build->arena, Node *, inputs),
                        ARENA_ARRAY(build->arena, Node *, model->outputs_count),
                        ARENA_ARRAY(build->arena, Node *, inputs + build->layers_count)};
    add_inputs(build, out);
    bool ok = true;
    for (int i = 0; i < build->layers_count; i++) {
        if (build->split && build->split->frozen[inputs + i])
            continue;
        out->value[inputs + i] = build_layer(build, &build->layers[i], out, out->value, &streams);
        ok &= out->value[inputs + i] != NULL;
    }
    for (int i = 0; i < model->outputs_count; i++)
        out->outputs[i] = out->value[build->outputs[i]];
    out->graph->layer = NULL;
    out->graph->loc = (Loc){0};
    return ok;
}
