/* Reading the list of layers: kinds, names, attributes, who reads whom. */
#include <string.h>

#include "build.h"

/* What Keras has and this build lacks; a layer that exists is found before. */
/* clang-format off */
static const char *const keras_layers[] = {
    "alpha_dropout", "average_pooling1d", "average_pooling2d", "average_pooling3d",
    "bidirectional", "category_encoding", "center_crop", "conv1d", "conv1d_transpose", "conv2d",
    "conv2d_transpose", "conv3d", "conv3d_transpose", "conv_lstm2d", "cropping1d", "cropping2d",
    "depthwise_conv1d", "depthwise_conv2d", "dot", "einsum_dense", "embedding",
    "gaussian_dropout", "gaussian_noise", "global_average_pooling1d",
    "global_average_pooling2d", "global_max_pooling1d", "global_max_pooling2d",
    "group_normalization", "group_query_attention", "gru", "gru_cell", "layer_normalization",
    "lstm", "lstm_cell", "masking", "max_pooling1d", "max_pooling2d", "max_pooling3d",
    "multi_head_attention", "permute", "prelu", "random_contrast", "random_crop", "random_flip",
    "random_rotation", "random_translation", "random_zoom", "repeat", "repeat_vector",
    "resizing", "rms_normalization", "rnn", "separable_conv1d", "separable_conv2d",
    "spatial_dropout1d", "spatial_dropout2d", "spectral_normalization", "time_distributed",
    "unit_normalization", "up_sampling1d", "up_sampling2d", "zero_padding1d", "zero_padding2d",
    NULL
};
/* clang-format on */

const char *const layer_own_keys[] = {"name", "from", "trainable", NULL};

Origin origin_of(const Build *build, Position position)
{
    const Model *model = build->model;
    if (position < model->inputs_count)
        return (Origin){model->inputs[position].name, model->inputs[position].loc};
    const LayerSpec *spec = &build->layers[position - model->inputs_count];
    return (Origin){spec->name, spec->loc};
}

static int positions_count(const Build *build)
{
    return build->model->inputs_count + build->layers_count;
}

static Position find_position(const Build *build, const char *name)
{
    for (Position p = 0; p < positions_count(build); p++) {
        if (!strcmp(origin_of(build, p).name, name))
            return p;
    }
    return -1;
}

/* One item of the list */

static bool unknown_layer(Build *build, const Named *named)
{
    for (int i = 0; keras_layers[i]; i++) {
        if (!strcmp(keras_layers[i], named->name))
            return diag_error(build->diag, named->loc, "layer '%s' is not in this build",
                              named->name);
    }
    const Op *op = op_find(named->name);
    if (op && op->activation)
        return diag_error(build->diag, named->loc,
                          "'%s' is an activation, not a layer; write `activation: %s`", named->name,
                          named->name);
    return record_unknown(build->diag, named->loc, &layers, named->name);
}

static bool read_own_keys(Build *build, const Yaml *args, LayerSpec *spec)
{
    spec->trainable = true;
    if (!args || args->kind != YAML_MAP)
        return true;
    const Yaml *name = yaml_get(args, "name"), *trainable = yaml_get(args, "trainable");
    spec->from = yaml_get(args, "from");
    if (trainable && !yaml_bool(build->diag, trainable, "trainable", &spec->trainable))
        return false;
    return !name || (yaml_string(build->diag, name, "name", &spec->name) &&
                     check_name(build->diag, name->loc, "the layer", spec->name));
}

static bool read_layer(Build *build, const Yaml *item, LayerSpec *spec)
{
    Named named;
    if (!read_named(build->diag, item, "layer", &named))
        return false;
    const Record *record = record_find(&layers, named.name);
    if (!record)
        return unknown_layer(build, &named);
    spec->layer = (const Layer *)record;
    spec->loc = named.loc;
    AttrValue *attrs;
    const char *owner = arena_printf(build->arena, "layer '%s'", record->name);
    bool ok = read_own_keys(build, named.args, spec);
    ok = read_attrs(build->diag, owner, named.loc, record_attrs(record), layer_own_keys, named.args,
                    &attrs) &&
         ok;
    spec->attrs = attrs;
    return ok;
}

static bool read_list(Build *build, const Yaml *list)
{
    if (list->kind != YAML_LIST || !list->count)
        return diag_error(build->diag, list->loc, "layers: expected a list of layers, found %s",
                          list->kind == YAML_LIST ? "an empty one"
                                                  : yaml_describe(build->arena, list));
    bool ok = true;
    for (int i = 0; i < list->count; i++) {
        LayerSpec spec = {0};
        ok &= read_layer(build, list->items[i], &spec);
        ARENA_PUSH(build->arena, build->layers, build->layers_count, spec);
    }
    return ok;
}

/* Names */

/* dense, dense_1, ...: the unnamed ones of a kind are counted. */
static void name_layers(Build *build)
{
    int *seen = ARENA_ARRAY(build->arena, int, layers.count);
    for (int i = 0; i < build->layers_count; i++) {
        LayerSpec *spec = &build->layers[i];
        const Record *record = &spec->layer->record;
        int kind = 0;
        while (layers.records[kind] != record)
            kind++;
        if (spec->name)
            continue;
        int number = seen[kind]++;
        spec->name =
            number ? arena_printf(build->arena, "%s_%d", record->name, number) : record->name;
    }
}

static bool check_names(Build *build)
{
    bool ok = true;
    for (int i = 0; i < build->layers_count; i++) {
        const LayerSpec *spec = &build->layers[i];
        Position first = find_position(build, spec->name);
        if (first == build->model->inputs_count + i)
            continue;
        ok = diag_error(build->diag, spec->loc, "the name '%s' is taken", spec->name);
        diag_note(build->diag, origin_of(build, first).loc, "'%s' is here", spec->name);
    }
    return ok;
}

/* Who reads whom */

static bool unknown_name(Build *build, const Yaml *value, const char *what, Position end)
{
    const char **names = NULL;
    int count = 0;
    for (Position p = 0; p < end; p++)
        ARENA_PUSH(build->arena, names, count, origin_of(build, p).name);
    return diag_unknown(build->diag, value->loc, what, value->text, names, count);
}

static bool find_source(Build *build, const Yaml *value, Position reader, Position *out)
{
    const char *name;
    if (!yaml_string(build->diag, value, "from", &name))
        return false;
    *out = find_position(build, name);
    if (*out < 0)
        return unknown_name(build, value, "layer or input", reader);
    if (*out < reader)
        return true;
    if (*out == reader)
        return diag_error(build->diag, value->loc, "layer '%s' cannot read itself", name);
    diag_error(build->diag, value->loc,
               "'%s' comes later; a layer may only read inputs and earlier layers", name);
    diag_note(build->diag, origin_of(build, *out).loc, "'%s' is here", name);
    return false;
}

static bool connect_from(Build *build, LayerSpec *spec, Position reader)
{
    const Yaml *from = spec->from;
    bool list = from->kind == YAML_LIST;
    spec->inputs = list ? from->count : 1;
    spec->in = ARENA_ARRAY(build->arena, Position, spec->inputs + 1);
    if (!spec->inputs)
        return diag_error(build->diag, from->loc, "from: expected at least one name");
    bool ok = true;
    for (int i = 0; i < spec->inputs; i++)
        ok = find_source(build, list ? from->items[i] : from, reader, &spec->in[i]) && ok;
    return ok;
}

static bool first_needs_from(Build *build, const LayerSpec *spec)
{
    const Model *model = build->model;
    diag_error(build->diag, spec->loc, "the first layer needs 'from', as the model has %d inputs",
               model->inputs_count);
    for (int i = 0; i < model->inputs_count && i < 8; i++)
        diag_note(build->diag, model->inputs[i].loc, "'%s' is here", model->inputs[i].name);
    return false;
}

static bool check_arity(Build *build, const LayerSpec *spec)
{
    const Layer *layer = spec->layer;
    int least = layer->least_inputs ? layer->least_inputs : 1;
    int most = layer->most_inputs ? layer->most_inputs : 1;
    if (spec->inputs >= least && spec->inputs <= most)
        return true;
    const char *bound = least == most ? "" : "at least ";
    int wanted = least == most || spec->inputs < least ? least : most;
    return diag_error(build->diag, spec->from ? spec->from->loc : spec->loc,
                      "layer '%s' reads %s%d input%s, but gets %d; name them with 'from'",
                      spec->name, bound, wanted, wanted == 1 ? "" : "s", spec->inputs);
}

static bool connect_layers(Build *build)
{
    bool ok = true;
    for (int i = 0; i < build->layers_count; i++) {
        LayerSpec *spec = &build->layers[i];
        Position reader = build->model->inputs_count + i;
        if (!spec->from) {
            spec->in = ARENA_ARRAY(build->arena, Position, 1);
            spec->in[0] = reader - 1;
            spec->inputs = 1;
            if (i == 0 && build->model->inputs_count > 1) {
                ok = first_needs_from(build, spec);
                continue;
            }
        } else if (!connect_from(build, spec, reader)) {
            ok = false;
            continue;
        }
        ok = check_arity(build, spec) && ok;
    }
    return ok;
}

/* Outputs */

static bool read_output(Build *build, const Yaml *value)
{
    Model *model = build->model;
    const char *name;
    if (!yaml_string(build->diag, value, "outputs", &name))
        return false;
    Position p = find_position(build, name);
    if (p < 0)
        return unknown_name(build, value, "layer", positions_count(build));
    if (p < model->inputs_count)
        return diag_error(build->diag, value->loc, "output '%s' is an input, not a layer", name);
    for (int i = 0; i < model->outputs_count; i++) {
        if (build->outputs[i] == p)
            return diag_error(build->diag, value->loc, "output '%s' is listed twice", name);
    }
    ARENA_PUSH(build->arena, build->outputs, model->outputs_count, p);
    return true;
}

static bool read_outputs(Build *build)
{
    const Yaml *value = yaml_get(build->model->spec, "outputs");
    if (!value) {
        Position last = positions_count(build) - 1;
        ARENA_PUSH(build->arena, build->outputs, build->model->outputs_count, last);
        return true;
    }
    if (value->kind != YAML_LIST)
        return read_output(build, value);
    if (!value->count)
        return diag_error(build->diag, value->loc, "outputs: expected at least one name");
    bool ok = true;
    for (int i = 0; i < value->count; i++)
        ok = read_output(build, value->items[i]) && ok;
    return ok;
}

static bool check_all_read(Build *build)
{
    bool *read = ARENA_ARRAY(build->arena, bool, positions_count(build)), ok = true;
    for (int i = 0; i < build->layers_count; i++) {
        for (int k = 0; k < build->layers[i].inputs; k++)
            read[build->layers[i].in[k]] = true;
    }
    for (int i = 0; i < build->model->outputs_count; i++)
        read[build->outputs[i]] = true;
    for (Position p = 0; p < positions_count(build); p++) {
        Origin origin = origin_of(build, p);
        const char *what = p < build->model->inputs_count ? "input" : "layer";
        if (!read[p])
            ok = diag_error(build->diag, origin.loc, "nothing reads %s '%s'", what, origin.name);
    }
    return ok;
}

bool read_layers(Build *build)
{
    const Yaml *list = yaml_get(build->model->spec, "layers");
    if (!list)
        return diag_error(build->diag, build->model->spec->loc, "the spec needs 'layers'");
    if (!read_list(build, list))
        return false;
    name_layers(build);
    bool ok = check_names(build) && connect_layers(build);
    return ok && read_outputs(build) && check_all_read(build);
}
