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

/* Freezing first, whatever the order; then the earliest epoch that unfreezes. */
static int64_t decide(const Model *model, const char *name, bool is_layer, int64_t since)
{
    for (int pass = RULE_FREEZE; pass <= RULE_UNFREEZE; pass++) {
        for (int i = 0; i < model->rules_count; i++) {
            const TrainRule *rule = &model->rules[i];
            if ((int)rule->kind != pass ||
                !(is_layer ? matches_layer(rule, name) : glob_match_path(rule->pattern, name)))
                continue;
            if (pass == RULE_FREEZE)
                since = 0;
            else if (!since || rule->epoch < since)
                since = rule->epoch;
        }
    }
    return since;
}

int64_t layer_since(const Model *model, const char *layer, bool trainable)
{
    return decide(model, layer, true, trainable ? 1 : 0);
}

int64_t parameter_since(const Model *model, const char *parameter, int64_t layer)
{
    return decide(model, parameter, false, layer);
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

double parameter_rate(const Model *model, const char *parameter)
{
    double rate = 1;
    for (int i = 0; i < model->rules_count; i++) {
        const TrainRule *rule = &model->rules[i];
        if (rule->kind == RULE_RATE && glob_match_path(rule->pattern, parameter))
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

bool read_train_rules(Build *build, const Yaml *train)
{
    if (!train || train->kind != YAML_MAP)
        return true; /* read_train has something to say about that */
    const TrainRule freeze = {.kind = RULE_FREEZE};
    bool ok = read_patterns(build, freeze, yaml_get(train, "freeze"), "freeze");
    ok = read_unfreezings(build, yaml_get(train, "unfreeze")) && ok;
    return read_rates(build, yaml_get(train, "learning_rate_multipliers")) && ok;
}

/* ---- patterns that mean nothing ----------------------------------------------------------------- */

static bool matches_any(const Build *build, const TrainRule *rule)
{
    for (int i = 0; i < build->layers_count; i++) {
        if (matches_layer(rule, build->layers[i].name))
            return true;
    }
    for (int i = 0; i < build->model->params_count; i++) {
        if (glob_match_path(rule->pattern, build->model->params[i]->name))
            return true;
    }
    return false;
}

static bool no_match(const Build *build, const TrainRule *rule)
{
    const char **names = NULL;
    int count = 0;
    for (int i = 0; i < build->layers_count; i++)
        ARENA_PUSH(build->arena, names, count, build->layers[i].name);
    for (int i = 0; i < build->model->params_count; i++)
        ARENA_PUSH(build->arena, names, count, build->model->params[i]->name);
    return diag_unknown(build->diag, rule->loc, "layer or parameter", rule->pattern, names, count);
}

/* Does the epoch in which anything begins to train come from this rule? */
static bool unfreezes(const Build *build, const TrainRule *rule)
{
    for (int i = 0; i < build->model->params_count; i++) {
        const Param *param = build->model->params[i];
        if (param->role == NC_ROLE_WEIGHT && param->since == rule->epoch &&
            glob_match_path(rule->pattern, param->name))
            return true;
    }
    return false;
}

bool check_train_rules(const Build *build)
{
    bool ok = true;
    for (int i = 0; i < build->model->rules_count; i++) {
        const TrainRule *rule = &build->model->rules[i];
        if (!matches_any(build, rule))
            ok = no_match(build, rule);
        else if (rule->kind == RULE_UNFREEZE && !unfreezes(build, rule))
            ok = diag_error(build->diag, rule->loc,
                            "unfreeze: nothing that '%s' means is frozen before epoch %lld",
                            rule->pattern, (long long)rule->epoch);
    }
    return ok;
}
