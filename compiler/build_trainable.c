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

/* The rules in their order; what is unfrozen counts after what is frozen. */
static bool decide(const Model *model, RuleKind kind, const char *name, bool is_layer, bool trains)
{
    for (int i = 0; i < model->rules_count; i++) {
        const TrainRule *rule = &model->rules[i];
        if (rule->kind != kind ||
            !(is_layer ? matches_layer(rule, name) : glob_match_path(rule->pattern, name)))
            continue;
        trains = kind == RULE_UNFREEZE;
    }
    return trains;
}

static bool trains_now(const Model *model, const char *name, bool is_layer, bool trains)
{
    return model->thawed || decide(model, RULE_FREEZE, name, is_layer, trains);
}

bool layer_trains(const Model *model, const char *layer, bool own)
{
    return trains_now(model, layer, true, own);
}

bool parameter_trains(const Model *model, const char *parameter, bool layer)
{
    return trains_now(model, parameter, false, layer);
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

static bool add_rule(Build *build, RuleKind kind, const Yaml *value, const char *what)
{
    TrainRule rule = {.kind = kind, .loc = value->loc};
    if (!yaml_string(build->diag, value, what, &rule.pattern))
        return false;
    ARENA_PUSH(build->arena, build->model->rules, build->model->rules_count, rule);
    return true;
}

/* One pattern or a list of them */
bool read_patterns(Build *build, RuleKind kind, const Yaml *value, const char *what)
{
    if (!value || value->kind != YAML_LIST)
        return !value || yaml_is_null(value) || add_rule(build, kind, value, what);
    bool ok = true;
    for (int i = 0; i < value->count; i++)
        ok = add_rule(build, kind, value->items[i], what) && ok;
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
    bool ok = expect_map(build->diag, map, "learning_rate_multipliers");
    for (int i = 0; ok && i < map->count; i++)
        ok = read_rate(build, &map->pairs[i]);
    return ok;
}

bool read_train_rules(Build *build, const Yaml *train)
{
    if (!train || train->kind != YAML_MAP)
        return true; /* read_train has something to say about that */
    bool ok = read_patterns(build, RULE_FREEZE, yaml_get(train, "freeze"), "freeze");
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

bool check_train_rules(const Build *build)
{
    bool ok = true;
    for (int i = 0; i < build->model->rules_count; i++) {
        const TrainRule *rule = &build->model->rules[i];
        if (!matches_any(build, rule))
            ok = no_match(build, rule);
    }
    return ok;
}
