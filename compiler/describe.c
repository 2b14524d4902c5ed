/* describe: the Program as the descriptor that the runtime sees. */
#include <string.h>

#include "compile.h"
#include "layout.h"

static struct nc_port describe_port(const char *name, Shape shape)
{
    struct nc_port port = {.name = name, .batched = shape_has_batch(shape)};
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] != BATCH)
            port.shape[port.rank++] = shape.dim[i];
    }
    port.elements = shape_row(shape);
    return port;
}

static const struct nc_port *describe_ports(Arena *arena, const Port *ports, int count)
{
    struct nc_port *result = ARENA_ARRAY(arena, struct nc_port, count + 1);
    for (int i = 0; i < count; i++)
        result[i] = describe_port(ports[i].name, ports[i].shape);
    return result;
}

static struct nc_parameter describe_param(const Param *param)
{
    struct nc_parameter p = {.name = param->name,
                             .role = param->role,
                             .rank = param->shape.rank,
                             .elements = shape_row(param->shape),
                             .offset = param->offset,
                             .packed_elements = layout_elements(param->layout, param->shape),
                             .init = param->init,
                             .trainable = param->trainable};
    memcpy(p.shape, param->shape.dim, sizeof p.shape);
    if (param->layout) {
        p.levels = param->layout->levels;
        memcpy(p.level, param->layout->level, sizeof p.level);
    } else {
        p.levels = param->shape.rank;
        for (int i = 0; i < p.levels; i++)
            p.level[i] = (struct nc_layout_level){i, param->shape.dim[i], 1};
    }
    return p;
}

/* Without outputs */
static struct nc_entry describe_prepare(const Entry *entry, size_t real_bytes)
{
    size_t elements = entry ? (size_t)entry->arena_elements : 0;
    return (struct nc_entry){.arena_bytes = elements * real_bytes};
}

static struct nc_entry describe_entry(Arena *arena, const Entry *entry, size_t real_bytes)
{
    struct nc_entry result = {0};
    if (!entry)
        return result;
    result.arena_bytes = (size_t)entry->arena_elements * real_bytes;
    result.outputs_count = entry->graph->outputs_count;
    struct nc_port *ports = ARENA_ARRAY(arena, struct nc_port, result.outputs_count + 1);
    for (int i = 0; i < result.outputs_count; i++)
        ports[i] =
            describe_port(entry->graph->outputs[i].name, entry->graph->outputs[i].node->shape);
    result.outputs = ports;
    return result;
}

struct nc_model *describe(Arena *arena, const Program *program, size_t real_bytes)
{
    const Model *model = program->model;
    struct nc_parameter *params = ARENA_ARRAY(arena, struct nc_parameter, model->params_count + 1);
    int params_count = 0;
    for (int i = 0; i < model->params_count; i++) {
        if (model->params[i]->role != NC_ROLE_MEMORY)
            params[params_count++] = describe_param(model->params[i]);
    }
    struct nc_model *result = ARENA_NEW(arena, struct nc_model);
    struct nc_entry predict = describe_entry(arena, program->predict, real_bytes);
    predict.outputs_count = model->outputs_count;
    predict.outputs = describe_ports(arena, model->outputs, model->outputs_count);
    *result = (struct nc_model){
        .abi = NC_ABI,
        .name = model->name,
        .batch = (long)program->batch,
        .real_bytes = real_bytes,
        .weights_bytes = (size_t)program->weights_elements * real_bytes,
        .state_bytes = (size_t)program->state_elements * real_bytes,
        .prepared_bytes = (size_t)program->prepared_elements * real_bytes,
        .memory_bytes = (size_t)program->memory_elements * real_bytes,
        .inputs_count = model->inputs_count,
        .targets_count = model->targets_count,
        .parameters_count = params_count,
        .inputs = describe_ports(arena, model->inputs, model->inputs_count),
        .targets = describe_ports(arena, model->targets, model->targets_count),
        .parameters = params,
        .prepare = describe_prepare(program->prepare, real_bytes),
        .predict = predict,
        .train = describe_entry(arena, program->train, real_bytes),
        .eval = describe_entry(arena, program->eval, real_bytes),
        .grad = describe_entry(arena, program->grad, real_bytes),
        .metrics_count = model->metrics_count,
        .metrics = model->metrics,
    };
    return result;
}

struct nc_model *describe_trunk(Arena *arena, const Model *model, const struct nc_model *whole)
{
    struct nc_model *trunk = ARENA_NEW(arena, struct nc_model);
    *trunk = *whole;
    trunk->predict.outputs_count = model->features_count;
    trunk->predict.outputs = describe_ports(arena, model->features, model->features_count);
    return trunk;
}

struct nc_model *describe_head(Arena *arena, const Model *model, const struct nc_model *whole)
{
    struct nc_model *head = ARENA_NEW(arena, struct nc_model);
    *head = *whole;
    head->inputs_count = model->features_count;
    head->inputs = describe_ports(arena, model->features, model->features_count);
    return head;
}
