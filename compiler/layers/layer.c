/* What layer records share: attributes, parameters, activations, complaints about inputs. */
#include "layers/layer.h"

#include <string.h>

#include "passes.h"

enum { LARGEST = INT32_MAX }; /* elements of one tensor, per row */

const AttrValue *layer_attr(const LayerBuild *build, const char *key)
{
    return find_attr(record_attrs(&build->layer->record), build->attrs, key);
}

bool shape_fits(Shape shape)
{
    int64_t product = 1;
    for (int i = 0; i < shape.rank; i++) {
        int64_t dim = shape.dim[i] == BATCH ? 1 : shape.dim[i];
        if (dim > LARGEST / product)
            return false;
        product *= dim;
    }
    return true;
}

static Param *find(const Model *model, const char *name)
{
    for (int i = 0; i < model->params_count; i++) {
        if (!strcmp(model->params[i]->name, name))
            return model->params[i];
    }
    return NULL;
}

const Param *model_find(const Model *model, const char *name)
{
    return find(model, name);
}

Param *model_param(Model *model, const char *name, Shape shape)
{
    Param *known = find(model, name);
    if (known)
        return known;
    Param *param = ARENA_NEW(model->arena, Param);
    *param = (Param){.name = name, .id = model->params_count, .shape = shape, .rate = 1};
    ARENA_PUSH(model->arena, model->params, model->params_count, param);
    return param;
}

static bool check_param(LayerBuild *build, const char *name, Shape shape, const AttrValue *init)
{
    const Initializer *initializer = init->ptr;
    if (!shape_fits(shape)) {
        input_fault(build, "parameter '%s' of shape %s has more than 2^31 elements", name,
                    shape_text(build->arena, shape));
        return false;
    }
    if (shape.rank < initializer->least_rank)
        return diag_error(build->diag, init->loc, "%s needs a matrix, but '%s' has shape %s",
                          initializer->record.name, name, shape_text(build->arena, shape));
    return true;
}

static Param *layer_param(LayerBuild *build, const char *suffix, Shape shape, const char *key)
{
    const AttrValue *init = layer_attr(build, key);
    const char *name = arena_printf(build->arena, "%s/%s", build->name, suffix);
    if (!check_param(build, name, shape, init))
        return NULL;
    Param *param = model_param(build->model, name, shape);
    param->init = ((const Initializer *)init->ptr)->make(shape, init->args);
    param->loc = build->loc;
    return param;
}

Node *layer_weight(LayerBuild *build, const char *suffix, Shape shape, const char *initializer)
{
    Param *param = layer_param(build, suffix, shape, initializer);
    if (!param)
        return NULL;
    param->role = NC_ROLE_WEIGHT;
    param->since = parameter_since(build->model, param->name, build->path, build->since);
    param->rate = parameter_rate(build->model, param->name, build->path);
    param->trainable = trains_since(build->model, param->since);
    param->frozen = !param->trainable;
    return read_param(build->graph, param);
}

Node *layer_state(LayerBuild *build, const char *suffix, Shape shape, const char *initializer)
{
    Param *param = layer_param(build, suffix, shape, initializer);
    if (!param)
        return NULL;
    param->role = NC_ROLE_MOVING;
    param->frozen = !build->trainable;
    return read_param(build->graph, param);
}

Node *layer_memory(LayerBuild *build, const char *suffix, Shape shape)
{
    const char *name = arena_printf(build->arena, "%s/%s", build->name, suffix);
    Param *param = model_param(build->model, name, shape);
    param->role = NC_ROLE_MEMORY;
    param->loc = build->loc;
    return read_param(build->graph, param);
}

Node *layer_bias(LayerBuild *build, Node *x)
{
    if (!layer_attr(build, "use_bias")->i)
        return x;
    Shape shape = shape_of(1, &x->shape.dim[x->shape.rank - 1]);
    Node *bias = layer_weight(build, "bias", shape, "bias_initializer");
    return bias ? node2(build->graph, OP_add, x, bias) : NULL;
}

Node *layer_activate(LayerBuild *build, const char *key, Node *x)
{
    const AttrValue *activation = layer_attr(build, key);
    if (!x || !activation->op || activation->op == op_table[OP_linear])
        return x;
    return apply_op(build->graph, activation->op, &x, 1,
                    activation->count ? activation->args : NULL);
}

static void note_inputs(LayerBuild *build)
{
    for (int i = 0; i < build->inputs && i < 8; i++)
        diag_note(build->diag, build->origins[i].loc, "'%s' gives %s", build->origins[i].name,
                  shape_text(build->arena, build->in[i]->shape));
}

void *input_fault(LayerBuild *build, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_error(build->diag, build->loc, "layer '%s': %s", build->name,
               arena_vprintf(build->arena, format, args));
    va_end(args);
    note_inputs(build);
    return NULL;
}

int layer_axis(LayerBuild *build, const char *key)
{
    const AttrValue *value = layer_attr(build, key);
    Loc loc = value->loc.source ? value->loc : build->loc;
    int rank = build->in[0]->shape.rank;
    int64_t axis = value->i < 0 ? value->i + rank : value->i;
    if (axis == 0) {
        diag_error(build->diag, loc, "%s: axis %lld is the batch", key, (long long)value->i);
    } else if (axis < 0 || axis >= rank) {
        diag_error(build->diag, loc, "%s: there is no axis %lld in %s", key, (long long)value->i,
                   shape_text(build->arena, build->in[0]->shape));
    } else {
        return (int)axis;
    }
    note_inputs(build);
    return -1;
}

bool last_axis_only(LayerBuild *build)
{
    int axis = layer_axis(build, "axis");
    if (axis < 0)
        return false;
    if (axis == build->in[0]->shape.rank - 1)
        return true;
    diag_error(build->diag, layer_attr(build, "axis")->loc,
               "layer '%s': an axis other than the last is not in this build", build->name);
    note_inputs(build);
    return false;
}
