/* Which parameters train, and how fast: the patterns of `freeze`, `unfreeze` and
 * `learning_rate_multipliers`. A pattern means every layer and every parameter whose name, or the
 * part of it before a slash, it matches. A layer that is frozen as a whole also works as in
 * inference: batch normalization keeps its statistics. */
#include <string.h>

#include "base/glob.h"
#include "build.h"

/* `bn/STAR` means all of layer bn, which is the layer. */
static bool matches_layer(const TrainRule *rule, const char *layer)
{
    size_t length = strlen(rule->pattern);
    char whole[128];
    if (glob_match_path(rule->pattern, layer))
        return true;
    if (length < 3 || length > sizeof whole || strcmp(rule->pattern + length - 2, "/*") != 0)
        return false;
    memcpy(whole, rule->pattern, length - 2);
    whole[length - 2] = '\0';
    return glob_match(whole, layer);
}

/* The layer, or the use of a block that it stands in */
static bool means_layer(const TrainRule *rule, const LayerPath *layer)
{
    for (; layer; layer = layer->outer) {
        if (matches_layer(rule, layer->name))
            return true;
    }
    return false;
}

/* Of a parameter only what does not mean its whole layer, which has been counted there. */
static bool means(const TrainRule *rule, const LayerPath *layer, const char *parameter)
{
    if (!parameter)
        return means_layer(rule, layer);
    return glob_match_path(rule->pattern, parameter) && !means_layer(rule, layer);
}

/* Freezing first, whatever the order; then the earliest epoch that unfreezes. */
static int64_t decide(const Model *model, const LayerPath *layer, const char *parameter,
                      int64_t since)
{
    for (int i = 0; i < model->rules_count; i++) {
        if (model->rules[i].kind == RULE_FREEZE && means(&model->rules[i], layer, parameter))
            since = 0;
    }
    for (int i = 0; i < model->rules_count; i++) {
        const TrainRule *rule = &model->rules[i];
        if (rule->kind == RULE_UNFREEZE && means(rule, layer, parameter) &&
            (!since || rule->epoch < since))
            since = rule->epoch;
    }
    return since;
}

int64_t layer_since(const Model *model, const LayerPath *layer, bool trainable)
{
    return decide(model, layer, NULL, trainable ? 1 : 0);
}

int64_t parameter_since(const Model *model, const char *parameter, const LayerPath *layer,
                        int64_t since)
{
    return decide(model, layer, parameter, since);
}

bool trains_since(const Model *model, int64_t since)
{
    int64_t now = model->epoch ? model->epoch : 1;
    return model->thawed || (since && since <= now);
}

int64_t next_unfreezing(const Model *model, int64_t epoch)
{
    int64_t next = 0;
    for (int i = 0; i < model->rules_count; i++) {
        const TrainRule *rule = &model->rules[i];
        if (rule->kind == RULE_UNFREEZE && rule->epoch > epoch && (!next || rule->epoch < next))
            next = rule->epoch;
    }
    return next;
}

double parameter_rate(const Model *model, const char *parameter, const LayerPath *layer)
{
    double rate = 1;
    for (int i = 0; i < model->rules_count; i++) {
        const TrainRule *rule = &model->rules[i];
        if (rule->kind == RULE_RATE &&
            (means_layer(rule, layer) || glob_match_path(rule->pattern, parameter)))
            rate = rule->rate;
    }
    return rate;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static bool add_rule(Build *build, TrainRule rule, const Yaml *value, const char *what)
{
    rule.loc = value->loc;
    if (!yaml_string(build->diag, value, what, &rule.pattern))
        return false;
    ARENA_PUSH(build->arena, build->model->rules, build->model->rules_count, rule);
    return true;
}

/* One pattern or a list of them */
static bool read_patterns(Build *build, TrainRule rule, const Yaml *value, const char *what)
{
    if (!value || value->kind != YAML_LIST)
        return !value || yaml_is_null(value) || add_rule(build, rule, value, what);
    bool ok = true;
    for (int i = 0; i < value->count; i++)
        ok = add_rule(build, rule, value->items[i], what) && ok;
    return ok;
}

/* `3: [patterns]` */
static bool read_unfreezing(Build *build, const YamlPair *pair)
{
    TrainRule rule = {.kind = RULE_UNFREEZE};
    const Yaml epoch = {.kind = YAML_SCALAR, .loc = pair->loc, .text = pair->key};
    return yaml_int(build->diag, &epoch, "unfreeze", 2, INT32_MAX, &rule.epoch) &&
           read_patterns(build, rule, pair->value, pair->key);
}

static bool read_unfreezings(Build *build, const Yaml *map)
{
    if (!map || yaml_is_null(map))
        return true;
    if (!expect_map(build->diag, map, "unfreeze"))
        return false;
    bool ok = true;
    for (int i = 0; i < map->count; i++)
        ok = read_unfreezing(build, &map->pairs[i]) && ok;
    return ok;
}

static bool read_rate(Build *build, const YamlPair *pair)
{
    TrainRule rule = {.kind = RULE_RATE, .loc = pair->loc, .pattern = pair->key};
    if (!yaml_number(build->diag, pair->value, pair->key, &rule.rate))
        return false;
    if (rule.rate <= 0 || rule.rate > 1e6) {
        diag_error(build->diag, pair->value->loc,
                   "%s: expected a multiplier above 0 to 1e6, found %s", pair->key,
                   yaml_describe(build->arena, pair->value));
        if (rule.rate == 0)
            diag_note(build->diag, (Loc){0}, "what is not to be trained goes into train.freeze");
        return false;
    }
    ARENA_PUSH(build->arena, build->model->rules, build->model->rules_count, rule);
    return true;
}

static bool read_rates(Build *build, const Yaml *map)
{
    if (!map || yaml_is_null(map))
        return true;
    if (!expect_map(build->diag, map, "learning_rate_multipliers"))
        return false;
    bool ok = true;
    for (int i = 0; i < map->count; i++)
        ok = read_rate(build, &map->pairs[i]) && ok;
    return ok;
}

bool read_freezing(Build *build, const Yaml *patterns)
{
    return read_patterns(build, (TrainRule){.kind = RULE_FREEZE}, patterns, "freeze");
}

bool read_train_rules(Build *build, const Yaml *train)
{
    if (!train || train->kind != YAML_MAP)
        return true; /* read_train has something to say about that */
    bool ok = read_freezing(build, yaml_get(train, "freeze"));
    ok = read_unfreezings(build, yaml_get(train, "unfreeze")) && ok;
    return read_rates(build, yaml_get(train, "learning_rate_multipliers")) && ok;
}

/* ---- patterns that mean nothing ----------------------------------------------------------------- */

static bool is_of_layer(const Param *param, const LayerPath *layer)
{
    size_t length = strlen(layer->name);
    return !strncmp(param->name, layer->name, length) && param->name[length] == '/';
}

static bool means_param(const Model *model, const TrainRule *rule, const Param *param)
{
    for (int i = 0; i < model->layers_count; i++) {
        const LayerPath *layer = model->layers[i].path;
        if (is_of_layer(param, layer) && means_layer(rule, layer))
            return true;
    }
    return glob_match_path(rule->pattern, param->name);
}

static bool matches_any(const Model *model, const TrainRule *rule)
{
    for (int i = 0; i < model->layers_count; i++) {
        if (means_layer(rule, model->layers[i].path))
            return true;
    }
    for (int i = 0; i < model->params_count; i++) {
        if (glob_match_path(rule->pattern, model->params[i]->name))
            return true;
    }
    return false;
}

static void add_name(Arena *arena, const char ***names, int *count, const char *name)
{
    for (int i = 0; i < *count; i++) {
        if (!strcmp((*names)[i], name))
            return;
    }
    ARENA_PUSH(arena, *names, *count, name);
}

const char **layer_and_param_names(const Model *model, int *count)
{
    const char **names = NULL;
    *count = 0;
    for (int i = 0; i < model->layers_count; i++) {
        for (const LayerPath *layer = model->layers[i].path; layer; layer = layer->outer)
            add_name(model->arena, &names, count, layer->name);
    }
    for (int i = 0; i < model->params_count; i++)
        add_name(model->arena, &names, count, model->params[i]->name);
    return names;
}

static bool no_match(const Model *model, const TrainRule *rule)
{
    int count;
    const char **names = layer_and_param_names(model, &count);
    return diag_unknown(model->diag, rule->loc, "layer or parameter", rule->pattern, names, count);
}

/* Does the epoch in which anything begins to train come from this rule? */
static bool unfreezes(const Model *model, const TrainRule *rule)
{
    for (int i = 0; i < model->params_count; i++) {
        const Param *param = model->params[i];
        if (param->role == NC_ROLE_WEIGHT && param->since == rule->epoch &&
            means_param(model, rule, param))
            return true;
    }
    return false;
}

bool check_train_rules(const Build *build)
{
    bool ok = true;
    for (int i = 0; i < build->model->rules_count; i++) {
        const TrainRule *rule = &build->model->rules[i];
        if (!matches_any(build->model, rule))
            ok = no_match(build->model, rule);
        else if (rule->kind == RULE_UNFREEZE && !unfreezes(build->model, rule))
            ok = diag_error(build->diag, rule->loc,
                            "unfreeze: nothing that '%s' means is frozen before epoch %lld",
                            rule->pattern, (long long)rule->epoch);
    }
    return ok;
}
