/* The forward part of a graph: inputs, scaled, then layer after layer. It is built anew for each of
 * the model's graphs; parameters are shared by name. */
#include <string.h>

#include "build.h"

static Node *input_node(Build *build, Graph *graph, int index)
{
    const Port *port = &build->model->inputs[index];
    AttrValue values[3] = {
        {.s = "input", .i = 0},
        {.i = index},
        {.count = port->shape.rank, .list = ARENA_ARRAY(build->arena, int64_t, MAX_RANK)}};
    memcpy(values[2].list, port->shape.dim, sizeof port->shape.dim);
    graph->layer = port->name;
    graph->loc = port->loc;
    return node_new(graph, OP_input, 0, NULL, values);
}

/* x * scale + offset, of data.scale and data.offset */
static Node *scaled_input(const Build *build, Graph *graph, Node *x)
{
    if (build->scale != 1)
        x = node2(graph, OP_mul, x, constant(graph, build->scale));
    if (build->offset != 0)
        x = node2(graph, OP_add, x, constant(graph, build->offset));
    return x;
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
    LayerBuild layer = {.model = build->model,
                        .arena = build->arena,
                        .diag = build->diag,
                        .graph = parts->graph,
                        .purpose = parts->purpose,
                        .layer = spec->layer,
                        .name = spec->name,
                        .loc = spec->loc,
                        .attrs = spec->attrs,
                        .trainable = spec->trainable,
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

bool build_forward(Build *build, Purpose purpose, GraphParts *out)
{
    Model *model = build->model;
    int inputs = model->inputs_count, streams = 0;
    *out = (GraphParts){graph_new(build->arena), purpose, ARENA_ARRAY(build->arena, Node *, inputs),
                        ARENA_ARRAY(build->arena, Node *, model->outputs_count)};
    Node **value = ARENA_ARRAY(build->arena, Node *, inputs + build->layers_count);
    for (int i = 0; i < inputs; i++) {
        out->inputs[i] = input_node(build, out->graph, i);
        value[i] = scaled_input(build, out->graph, out->inputs[i]);
    }
    bool ok = true;
    for (int i = 0; i < build->layers_count; i++) {
        value[inputs + i] = build_layer(build, &build->layers[i], out, value, &streams);
        ok &= value[inputs + i] != NULL;
    }
    for (int i = 0; i < model->outputs_count; i++)
        out->outputs[i] = value[build->outputs[i]];
    out->graph->layer = NULL;
    out->graph->loc = (Loc){0};
    return ok;
}
