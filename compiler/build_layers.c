/* Connecting the layers: names, who reads whom, outputs. Entries that only are other names of tensors
 * end here. */
#include <stdlib.h>
#include <string.h>

#include "build.h"

static const NameScope whole_names = {0}; /* of the spec's own list */

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

/* Names */

static bool is_left_out(const Build *build, Position p)
{
    int inputs = build->model->inputs_count;
    return p >= inputs && build->layers[p - inputs].kind == ENTRY_LEFT_OUT;
}

/* Of entries with one name that which is not left out comes first. */
static int compare_names(const void *a, const void *b)
{
    const NamedPosition *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    if (!order)
        order = left->left_out - right->left_out;
    return order ? order : left->position - right->position;
}

static void sort_names(Build *build)
{
    int count = positions_count(build);
    build->names = ARENA_ARRAY(build->arena, NamedPosition, count);
    for (Position p = 0; p < count; p++)
        build->names[p] = (NamedPosition){origin_of(build, p).name, is_left_out(build, p), p};
    qsort(build->names, (size_t)count, sizeof *build->names, compare_names);
}

/* The first of a name, or -1. */
static Position find_position(const Build *build, const char *name)
{
    int low = 0, high = positions_count(build);
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(build->names[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < positions_count(build) && !strcmp(build->names[low].name, name);
    return found ? build->names[low].position : -1;
}

static bool check_names(Build *build)
{
    bool ok = true;
    for (int i = 0; i < build->layers_count; i++) {
        const LayerSpec *spec = &build->layers[i];
        Position first = find_position(build, spec->name);
        if (first == build->model->inputs_count + i || spec->kind == ENTRY_LEFT_OUT)
            continue;
        ok = diag_error(build->diag, spec->loc, "the name '%s' is taken", spec->name);
        diag_note(build->diag, origin_of(build, first).loc, "'%s' is here", spec->name);
    }
    return ok;
}

/* Who reads whom */

/* The name by which a list of layers knows a tensor, or NULL. */
static const char *name_in_scope(const char *name, const NameScope *scope)
{
    if (*name == ' ')
        return NULL;
    if (!scope->prefix)
        return name;
    size_t length = strlen(scope->prefix);
    return !strncmp(name, scope->prefix, length) && name[length] == '_' ? name + length + 1 : NULL;
}

static bool unknown_name(Build *build, const Yaml *value, const char *what, const NameScope *scope,
                         Position end)
{
    const char **names = NULL;
    int count = 0;
    for (int i = 0; i < scope->inputs_count; i++)
        ARENA_PUSH(build->arena, names, count, scope->inputs[i]);
    for (Position p = 0; p < end; p++) {
        const char *name = name_in_scope(origin_of(build, p).name, scope);
        if (name)
            ARENA_PUSH(build->arena, names, count, name);
    }
    return diag_unknown(build->diag, value->loc, what, value->text, names, count);
}

/* A block's inputs come before the layers of that name. */
static Position find_in_scope(const Build *build, const NameScope *scope, const char *name)
{
    for (int i = 0; i < scope->inputs_count; i++) {
        if (!strcmp(scope->inputs[i], name))
            return scope->first_input + i;
    }
    if (scope->prefix)
        name = arena_printf(build->arena, "%s_%s", scope->prefix, name);
    return find_position(build, name);
}

static bool find_source(Build *build, const Yaml *value, const NameScope *scope, Position reader,
                        Position *out)
{
    const char *name;
    if (!yaml_string(build->diag, value, "from", &name))
        return false;
    *out = find_in_scope(build, scope, name);
    if (*out < 0)
        return unknown_name(build, value, "layer or input", scope, reader);
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
        ok = find_source(build, list ? from->items[i] : from, spec->scope, reader, &spec->in[i]) &&
             ok;
    return ok;
}

static bool first_needs_from(Build *build, const LayerSpec *spec)
{
    const Model *model = build->model;
    if (spec->needs_from)
        return diag_error(build->diag, spec->loc,
                          "the first layer needs 'from', as the block has several inputs");
    diag_error(build->diag, spec->loc, "the first layer needs 'from', as the model has %d inputs",
               model->inputs_count);
    for (int i = 0; i < model->inputs_count && i < 8; i++)
        diag_note(build->diag, model->inputs[i].loc, "'%s' is here", model->inputs[i].name);
    return false;
}

static bool check_arity(Build *build, const LayerSpec *spec)
{
    static const Layer another_name = {0};
    const Layer *layer = spec->layer ? spec->layer : &another_name;
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

static bool connect_layer(Build *build, int index)
{
    LayerSpec *spec = &build->layers[index];
    Position reader = build->model->inputs_count + index;
    if (spec->from)
        return connect_from(build, spec, reader) && check_arity(build, spec);
    spec->in = ARENA_ARRAY(build->arena, Position, 1);
    spec->in[0] = reader - 1;
    spec->inputs = 1;
    if (spec->needs_from || (index == 0 && build->model->inputs_count > 1))
        return first_needs_from(build, spec);
    return check_arity(build, spec);
}

static bool connect_layers(Build *build)
{
    bool ok = true;
    for (int i = 0; i < build->layers_count; i++)
        ok = connect_layer(build, i) && ok;
    return ok;
}

/* The layer or input whose tensor stands at a position. */
static Position source_of(const Build *build, Position p)
{
    int inputs = build->model->inputs_count;
    while (p >= inputs && build->layers[p - inputs].kind != ENTRY_LAYER)
        p = build->layers[p - inputs].in[0];
    return p;
}

/* Only layers stay; what reads another name reads the tensor itself. */
static void drop_other_names(Build *build)
{
    Model *model = build->model;
    int inputs = model->inputs_count, count = 0;
    Position *moved = ARENA_ARRAY(build->arena, Position, positions_count(build));
    for (Position p = 0; p < positions_count(build); p++) {
        Position source = source_of(build, p);
        moved[p] = source < p ? moved[source] : p < inputs ? p : inputs + count++;
    }
    count = 0;
    for (int i = 0; i < build->layers_count; i++) {
        LayerSpec spec = build->layers[i];
        for (int k = 0; k < spec.inputs; k++)
            spec.in[k] = moved[spec.in[k]];
        if (spec.kind == ENTRY_LAYER)
            build->layers[count++] = spec;
    }
    build->layers_count = count;
    for (int i = 0; i < model->outputs_count; i++)
        build->outputs[i] = moved[build->outputs[i]];
}

/* Outputs */

static bool check_output(Build *build, const Yaml *value, Position p)
{
    Position source = source_of(build, p);
    int inputs = build->model->inputs_count;
    if (source < inputs)
        return diag_error(build->diag, value->loc, "output '%s' is an input, not a layer",
                          origin_of(build, source).name);
    if (source == p)
        return true;
    EntryKind kind = build->layers[p - inputs].kind;
    return diag_error(build->diag, value->loc, "output '%s' is %s; name the layer '%s'",
                      value->text, kind == ENTRY_LEFT_OUT ? "left out" : "a block",
                      origin_of(build, source).name);
}

static bool read_output(Build *build, const Yaml *value)
{
    Model *model = build->model;
    const char *name;
    if (!yaml_string(build->diag, value, "outputs", &name))
        return false;
    Position p = find_position(build, name);
    if (p < 0)
        return unknown_name(build, value, "layer", &whole_names, positions_count(build));
    if (!check_output(build, value, p))
        return false;
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
        Position last = source_of(build, positions_count(build) - 1);
        if (last < build->model->inputs_count)
            return diag_error(build->diag, yaml_get(build->model->spec, "layers")->loc,
                              "no layer is left to be the output");
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

/* Which tensors are read */
static bool *read_positions(const Build *build)
{
    bool *read = ARENA_ARRAY(build->arena, bool, positions_count(build));
    for (int i = 0; i < build->layers_count; i++) {
        for (int k = 0; k < build->layers[i].inputs; k++)
            read[build->layers[i].in[k]] = true;
    }
    for (int i = 0; i < build->model->outputs_count; i++)
        read[build->outputs[i]] = true;
    return read;
}

static bool check_block_inputs_read(Build *build)
{
    const bool *read = read_positions(build);
    bool ok = true;
    for (int i = 0; i < build->layers_count; i++) {
        const LayerSpec *spec = &build->layers[i];
        if (spec->kind == ENTRY_BLOCK_INPUT && !read[build->model->inputs_count + i])
            ok = diag_error(build->diag, spec->loc, "nothing in the block reads input '%s'",
                            spec->input);
    }
    return ok;
}

static bool check_all_read(Build *build)
{
    const bool *read = read_positions(build);
    bool ok = true;
    for (Position p = 0; p < positions_count(build); p++) {
        Origin origin = origin_of(build, p);
        const char *what = p < build->model->inputs_count ? "input" : "layer";
        if (!read[p])
            ok = diag_error(build->diag, origin.loc, "nothing reads %s '%s'", what, origin.name);
    }
    return ok;
}

static bool connect(Build *build)
{
    sort_names(build);
    if (!check_names(build) || !connect_layers(build) || !read_outputs(build) ||
        !check_block_inputs_read(build))
        return false;
    drop_other_names(build);
    return check_all_read(build);
}

bool read_layers(Build *build)
{
    const Yaml *list = yaml_get(build->model->spec, "layers");
    if (!list)
        return diag_error(build->diag, build->model->spec->loc, "the spec needs 'layers'");
    if (!read_blocks(build))
        return false;
    Place place = place_new(build, &whole_names, NULL, true);
    return read_list(build, &place, list) && check_blocks_used(build) && connect(build);
}
