/* build: the spec's tree becomes a model, and its graphs.
 *
 * Requires: a tree without duplicate keys. Adds: ports, parameters, options, and the graphs predict,
 * train, eval, grad over one table of parameters. After it no pass reads the tree. All that a user
 * can get wrong, but for the contents of files, is found here. */
#include "build.h"

#include <ctype.h>
#include <string.h>

const char *const top_keys[] = {"name",   "input",      "inputs", "outputs", "blocks",
                                "layers", "pretrained", "train",  "data",    NULL};

const AttrDef top_attrs[] = {{"numerics", ATTR_CHOICE, "auto",
                              "whether convolutions may be computed in quicker ways (Winograd's) "
                              "that round otherwise and take more "
                              "memory; auto: but in products of netcc emit",
                              0, 0, "auto|fast|strict"},
                             ATTRS_END};

/* clang-format off */
static const char *const c_keywords[] = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else",
    "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register",
    "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef",
    "union", "unsigned", "void", "volatile", "while", NULL
};
/* clang-format on */

enum { LONGEST_NAME = 100 };

static bool is_identifier(const char *name)
{
    bool ok = isalpha((unsigned char)*name) || *name == '_';
    for (const char *c = name; *c && ok; c++)
        ok = isalnum((unsigned char)*c) || *c == '_';
    return ok;
}

static bool is_keyword(const char *name)
{
    for (int i = 0; c_keywords[i]; i++) {
        if (!strcmp(c_keywords[i], name))
            return true;
    }
    return false;
}

bool is_name(const char *name)
{
    return is_identifier(name) && strlen(name) <= LONGEST_NAME && !is_keyword(name);
}

bool check_name(Diag *diag, Loc loc, const char *what, const char *name)
{
    if (!is_identifier(name))
        return diag_error(diag, loc, "%s '%s' is not a C identifier (letters, digits and _)", what,
                          name);
    if (strlen(name) > LONGEST_NAME)
        return diag_error(diag, loc, "%s is longer than %d characters", what, LONGEST_NAME);
    if (is_keyword(name))
        return diag_error(diag, loc, "%s '%s' is a keyword of C", what, name);
    return true;
}

static bool read_name(Build *build, const Yaml *value)
{
    Model *model = build->model;
    model->name = "model";
    return !value || (yaml_string(build->diag, value, "name", &model->name) &&
                      check_name(build->diag, value->loc, "the name", model->name));
}

/* Inputs */

static bool read_input(Build *build, const char *name, Loc loc, const Yaml *sizes)
{
    Model *model = build->model;
    Port port = {.name = name, .loc = loc, .shape = {.dim = {BATCH}}};
    int rank;
    if (!yaml_ints(build->diag, sizes, name, 1, INT32_MAX, MAX_RANK - 1, port.shape.dim + 1, &rank))
        return false;
    if (!rank)
        return diag_error(build->diag, sizes->loc, "%s: expected at least one size", name);
    port.shape.rank = rank + 1;
    if (!shape_fits(port.shape))
        return diag_error(build->diag, sizes->loc, "%s: %s has more than 2^31 elements a sample",
                          name, shape_text(build->arena, port.shape));
    ARENA_PUSH(build->arena, model->inputs, model->inputs_count, port);
    return true;
}

static bool read_inputs_map(Build *build, const Yaml *map)
{
    if (!expect_map(build->diag, map, "inputs"))
        return false;
    if (!map->count)
        return diag_error(build->diag, map->loc, "inputs: expected at least one");
    bool ok = true;
    for (int i = 0; i < map->count; i++) {
        const YamlPair *pair = &map->pairs[i];
        if (!strcmp(pair->key, "loss"))
            ok = diag_error(build->diag, pair->loc, "an input cannot be named 'loss'");
        ok = check_name(build->diag, pair->loc, "the input", pair->key) && ok;
        ok = read_input(build, pair->key, pair->loc, pair->value) && ok;
    }
    return ok;
}

/* One number for each feature column of the training table */
static bool add_table_input(Build *build, Loc loc)
{
    Model *model = build->model;
    Port port = {"input", {2, {BATCH, model->table->features_count}}, loc};
    ARENA_PUSH(build->arena, model->inputs, model->inputs_count, port);
    return true;
}

static bool is_auto(const Yaml *value)
{
    return value->kind == YAML_SCALAR && !value->quoted && !strcmp(value->text, "auto");
}

static bool read_inputs(Build *build)
{
    const Yaml *spec = build->model->spec;
    const Yaml *one = yaml_get(spec, "input"), *several = yaml_get(spec, "inputs");
    if (build->model->table && !several && (!one || is_auto(one)))
        return add_table_input(build, one ? one->loc : build->csv.loc);
    if (one && is_auto(one))
        return diag_error(build->diag, one->loc,
                          "input: auto takes the size from data.train where that is csv");
    if (one && several)
        return diag_error(build->diag, several->loc, "give either input or inputs, not both");
    if (!one && !several)
        return diag_error(build->diag, spec->loc,
                          "the spec needs 'input', as in input: [28, 28, 1]");
    if (one)
        return read_input(build, "input", one->loc, one);
    return read_inputs_map(build, several);
}

const Param *model_memory(const Model *model)
{
    for (int i = 0; i < model->params_count; i++) {
        if (model->params[i]->role == NC_ROLE_MEMORY)
            return model->params[i];
    }
    return NULL;
}

/* The pass */

static bool read_top(Build *build)
{
    const Yaml *spec = build->model->spec;
    AttrValue *values;
    bool ok = read_attrs(build->diag, "the spec", spec->loc, top_attrs, top_keys, spec, &values);
    const char *numerics = ok ? find_attr(top_attrs, values, "numerics")->s : "auto";
    build->model->numerics = !strcmp(numerics, "fast")     ? NUMERICS_FAST
                             : !strcmp(numerics, "strict") ? NUMERICS_STRICT
                                                           : NUMERICS_AUTO;
    return read_name(build, yaml_get(spec, "name")) && ok;
}

/* The model's outputs, after its layers. */
static void set_outputs(Build *build, const GraphParts *parts)
{
    Model *model = build->model;
    model->outputs = ARENA_ARRAY(build->arena, Port, model->outputs_count);
    for (int i = 0; i < model->outputs_count; i++) {
        Origin origin = origin_of(build, build->outputs[i]);
        Node *node = parts->outputs[i];
        if (build->target_scale != 1)
            node =
                node2(parts->graph, OP_mul, node, constant(parts->graph, 1 / build->target_scale));
        model->outputs[i] = (Port){origin.name, node->shape, origin.loc};
        graph_output(parts->graph, origin.name, node, origin.loc);
    }
}

static bool build_predict(Build *build)
{
    GraphParts parts;
    if (!build_forward(build, FOR_PREDICT, &parts))
        return false;
    set_outputs(build, &parts);
    build->model->predict = parts.graph;
    return true;
}

static void list_layers(Build *build)
{
    Model *model = build->model;
    for (int i = 0; i < build->layers_count; i++) {
        const LayerSpec *spec = &build->layers[i];
        LayerName layer = {spec->path, spec->layer ? spec->layer->record.name : NULL};
        if (spec->kind == ENTRY_LAYER)
            ARENA_PUSH(build->arena, model->layers, model->layers_count, layer);
    }
}

static bool read_network(Build *build)
{
    if (!build->model->inputs_count || !read_layers(build))
        return false;
    list_layers(build);
    if (!build_predict(build))
        return false;
    note_images(build->model);
    return true;
}

bool build(Model *model)
{
    Build state = {
        .model = model, .arena = model->arena, .diag = model->diag, .scale = 1, .target_scale = 1};
    if (!expect_map(model->diag, model->spec, "the spec"))
        return false;
    const Yaml *train = yaml_get(model->spec, "train"), *data = yaml_get(model->spec, "data");
    bool ok = read_top(&state);
    if (!read_table(&state, data))
        return false;
    ok = read_inputs(&state) && ok;
    ok = read_scaling(&state, data) && ok;
    ok = read_train_rules(&state, train) && ok;
    ok = read_pretrained(&state, yaml_get(model->spec, "pretrained")) && ok;
    if (!read_network(&state))
        return false; /* what follows needs the outputs' shapes */
    ok = check_train_rules(&state) && ok;
    ok = read_train(&state, train) && ok;
    ok = read_sources(&state, data) && ok;
    add_metadata(&state);
    if (ok && train && model->splits && model->train_options.feature_cache != CACHE_OFF)
        split_network(&state);
    return ok && (!train || build_train_graphs(&state));
}
