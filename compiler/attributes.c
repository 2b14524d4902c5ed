/* Reading attributes: each type has one reader; defaults are texts that go through the same ones. */
#include "attributes.h"

#include <math.h>
#include <string.h>

static bool wrong(Diag *diag, const Yaml *value, const char *what, const char *expected)
{
    return diag_error(diag, value->loc, "%s: expected %s, found %s", what, expected,
                      yaml_describe(diag->arena, value));
}

bool expect_map(Diag *diag, const Yaml *value, const char *what)
{
    return value->kind == YAML_MAP || wrong(diag, value, what, "a map");
}

Loc key_loc(const Yaml *map, const char *key)
{
    for (int i = 0; i < map->count; i++) {
        if (!strcmp(map->pairs[i].key, key))
            return map->pairs[i].loc;
    }
    return map->loc;
}

static int list_length(const char *const *list)
{
    int count = 0;
    while (list && list[count])
        count++;
    return count;
}

bool listed(const char *const *list, const char *word)
{
    for (; list && *list; list++) {
        if (!strcmp(*list, word))
            return true;
    }
    return false;
}

bool check_keys(Diag *diag, const Yaml *map, const char *what, const char *const *keys)
{
    bool ok = true;
    for (int i = 0; i < map->count; i++) {
        const YamlPair *pair = &map->pairs[i];
        if (!listed(keys, pair->key))
            ok = diag_unknown(diag, pair->loc, what, pair->key, keys, list_length(keys));
    }
    return ok;
}

/* Names */

static const char *a_or_an(const char *what)
{
    return strchr("aeiou", *what) ? "an" : "a";
}

bool read_named(Diag *diag, const Yaml *value, const char *what, Named *out)
{
    if (value->kind == YAML_SCALAR && !yaml_is_null(value) && *value->text) {
        *out = (Named){value->text, value->loc, NULL};
        return true;
    }
    if (value->kind != YAML_MAP || !value->count) {
        const char *expected = arena_printf(diag->arena, "the name of %s %s", a_or_an(what), what);
        return wrong(diag, value, what, expected);
    }
    const YamlPair *pair = &value->pairs[0];
    if (value->count > 1) {
        diag_error(diag, value->pairs[1].loc, "%s: expected one name, found '%s' and '%s'", what,
                   pair->key, value->pairs[1].key);
        diag_note(diag, (Loc){0}, "arguments stand inside: {%s: {..., %s: ...}}", pair->key,
                  value->pairs[1].key);
        return false;
    }
    *out = (Named){pair->key, pair->loc, pair->value};
    return true;
}

const Record *read_record(Diag *diag, const Yaml *value, const Family *family, Named *out)
{
    if (!read_named(diag, value, family->what, out))
        return NULL;
    const Record *record = record_find(family, out->name);
    if (!record)
        record_unknown(diag, out->loc, family, out->name);
    return record;
}

/* Values */

static const char *describe_bounds(Arena *arena, const AttrDef *def)
{
    Str text = str_new(arena);
    bool top = def->high < UNBOUNDED;
    str_add(&text, "a number");
    if (def->low == ABOVE_ZERO)
        str_add(&text, " above 0");
    else if (def->low > -UNBOUNDED)
        str_printf(&text, top ? " from %g" : " of at least %g", def->low);
    if (top && def->high == BELOW_ONE)
        str_add(&text, " to below 1");
    else if (top)
        str_printf(&text, def->low > -UNBOUNDED ? " to %g" : " of at most %g", def->high);
    return text.text;
}

static bool read_number(Diag *diag, const AttrDef *def, const Yaml *value, AttrValue *out)
{
    bool bounded = def->low != def->high;
    if (yaml_is_null(value) && def->fallback && !strcmp(def->fallback, "null")) {
        out->f = INFINITY;
        return true;
    }
    if (!yaml_number(diag, value, def->key, &out->f))
        return false;
    if (bounded && (out->f < def->low || out->f > def->high))
        return wrong(diag, value, def->key, describe_bounds(diag->arena, def));
    if (fabs(out->f) > UNBOUNDED)
        return wrong(diag, value, def->key, "a number of at most 1e30 in size");
    return true;
}

static void int_bounds(const AttrDef *def, int64_t *low, int64_t *high)
{
    bool bounded = def->low != def->high;
    *low = bounded ? (int64_t)def->low : INT32_MIN;
    *high = bounded ? (int64_t)def->high : INT32_MAX;
}

static bool read_int(Diag *diag, const AttrDef *def, const Yaml *value, AttrValue *out)
{
    int64_t low, high;
    int_bounds(def, &low, &high);
    return yaml_int(diag, value, def->key, low, high, &out->i);
}

static bool read_ints(Diag *diag, const AttrDef *def, const Yaml *value, AttrValue *out)
{
    int64_t low, high;
    int_bounds(def, &low, &high);
    out->list = ARENA_ARRAY(diag->arena, int64_t, MAX_RANK);
    return yaml_ints(diag, value, def->key, low, high, MAX_RANK, out->list, &out->count);
}

static bool read_boolean(Diag *diag, const AttrDef *def, const Yaml *value, AttrValue *out)
{
    bool flag;
    if (!yaml_bool(diag, value, def->key, &flag))
        return false;
    out->i = flag;
    return true;
}

static const char **split_choices(Arena *arena, const char *text, int *count)
{
    const char **list = NULL;
    *count = 0;
    for (;;) {
        size_t length = strcspn(text, "|");
        ARENA_PUSH(arena, list, *count, arena_strndup(arena, text, length));
        if (!text[length])
            return list;
        text += length + 1;
    }
}

static bool read_choice(Diag *diag, const AttrDef *def, const Yaml *value, AttrValue *out)
{
    const char *word;
    int count;
    if (!yaml_string(diag, value, def->key, &word))
        return false;
    const char **choices = split_choices(diag->arena, def->choices, &count);
    for (int i = 0; i < count; i++) {
        if (!strcmp(choices[i], word)) {
            out->i = i;
            out->s = choices[i];
            return true;
        }
    }
    return diag_unknown(diag, value->loc, def->key, word, choices, count);
}

static bool unknown_activation(Diag *diag, const Named *named)
{
    const char **names = NULL;
    int count = 0;
    for (int i = 0; i < OP_COUNT; i++) {
        if (op_table[i]->activation)
            ARENA_PUSH(diag->arena, names, count, op_table[i]->name);
    }
    return diag_unknown(diag, named->loc, "activation", named->name, names, count);
}

static bool read_activation(Diag *diag, const AttrDef *def, const Yaml *value, AttrValue *out)
{
    Named named;
    if (yaml_is_null(value) && def->fallback)
        return true;
    if (!read_named(diag, value, def->key, &named))
        return false;
    const Op *op = op_find(named.name);
    if (!op || !op->activation)
        return unknown_activation(diag, &named);
    out->op = op;
    out->s = op->name;
    out->count = attr_count(op->attrs);
    return read_attrs(diag, op->name, named.loc, op->attrs, NULL, named.args, &out->args);
}

static bool read_initializer(Diag *diag, const Yaml *value, AttrValue *out)
{
    Named named;
    const Record *record = read_record(diag, value, &initializers, &named);
    if (!record)
        return false;
    out->ptr = record;
    out->s = record->name;
    out->count = attr_count(record->attrs);
    return read_attrs(diag, record->name, named.loc, record->attrs, NULL, named.args, &out->args);
}

/* {name: sizes, ...}; null: none */
static bool read_shapes(Diag *diag, const AttrDef *def, const Yaml *value, AttrValue *out)
{
    if (yaml_is_null(value))
        return true;
    if (!expect_map(diag, value, def->key))
        return false;
    bool ok = true;
    out->args = ARENA_ARRAY(diag->arena, AttrValue, value->count + 1);
    out->count = value->count;
    for (int i = 0; i < value->count; i++) {
        const YamlPair *pair = &value->pairs[i];
        AttrValue *shape = &out->args[i];
        *shape = (AttrValue){.s = pair->key, .loc = pair->loc};
        shape->list = ARENA_ARRAY(diag->arena, int64_t, MAX_RANK);
        ok = yaml_ints(diag, pair->value, pair->key, 1, INT32_MAX, MAX_RANK, shape->list,
                       &shape->count) &&
             ok;
    }
    return ok;
}

static bool read_value(Diag *diag, const AttrDef *def, const Yaml *value, AttrValue *out)
{
    out->loc = value->loc;
    switch (def->type) {
    case ATTR_INT:
        return read_int(diag, def, value, out);
    case ATTR_NUMBER:
        return read_number(diag, def, value, out);
    case ATTR_BOOL:
        return read_boolean(diag, def, value, out);
    case ATTR_CHOICE:
        return read_choice(diag, def, value, out);
    case ATTR_INTS:
        return read_ints(diag, def, value, out);
    case ATTR_ACTIVATION:
        return read_activation(diag, def, value, out);
    case ATTR_INITIALIZER:
        return read_initializer(diag, value, out);
    case ATTR_TEXT:
        return yaml_string(diag, value, def->key, &out->s);
    case ATTR_SHAPES:
        return read_shapes(diag, def, value, out);
    case ATTR_POINTER:
    case ATTR_END:
        break;
    }
    bug("attribute %s cannot stand in a spec", def->key);
}

/* Lists of attributes */

/* The default, a text like any other: `[1, 1]` or a plain scalar. */
static void read_fallback(Arena *arena, const AttrDef *def, AttrValue *out)
{
    if (!def->fallback)
        return;
    Diag *diag = diag_new(arena);
    Yaml scalar = {.kind = YAML_SCALAR, .text = def->fallback}, *value = &scalar;
    if (*def->fallback == '[') {
        Source source = {.name = def->key, .text = def->fallback, .length = strlen(def->fallback)};
        value = yaml_parse(arena, diag, &source);
    }
    if (!value || !read_value(diag, def, value, out))
        bug("the default of %s: %s", def->key, diag->text.text);
    out->loc = (Loc){0};
}

static AttrValue *fallbacks(Arena *arena, const AttrDef *defs)
{
    int count = attr_count(defs);
    AttrValue *values = ARENA_ARRAY(arena, AttrValue, count + 1);
    for (int i = 0; i < count; i++)
        read_fallback(arena, &defs[i], &values[i]);
    return values;
}

AttrValue *op_defaults(Arena *arena, const Op *op)
{
    return attr_count(op->attrs) ? fallbacks(arena, op->attrs) : NULL;
}

static int find_def(const AttrDef *defs, const char *key)
{
    for (int i = 0; defs && defs[i].type != ATTR_END; i++) {
        if (!strcmp(defs[i].key, key))
            return i;
    }
    return -1;
}

const AttrValue *find_attr(const AttrDef *defs, const AttrValue *values, const char *key)
{
    int index = find_def(defs, key);
    if (index < 0)
        bug("no attribute %s", key);
    return &values[index];
}

static bool unknown_attr(Diag *diag, const YamlPair *pair, const char *owner, const AttrDef *defs,
                         const char *const *also)
{
    const char **names = NULL;
    int count = 0;
    for (int i = 0; i < attr_count(defs); i++)
        ARENA_PUSH(diag->arena, names, count, defs[i].key);
    for (; also && *also; also++)
        ARENA_PUSH(diag->arena, names, count, *also);
    if (!count)
        return diag_error(diag, pair->loc, "%s takes no arguments, found '%s'", owner, pair->key);
    return diag_unknown(diag, pair->loc, "key", pair->key, names, count);
}

static bool read_map(Diag *diag, const char *owner, const AttrDef *defs, const char *const *also,
                     const Yaml *map, AttrValue *values)
{
    bool ok = true;
    for (int i = 0; i < map->count; i++) {
        const YamlPair *pair = &map->pairs[i];
        int index = find_def(defs, pair->key);
        if (index >= 0) {
            values[index] = (AttrValue){0};
            ok &= read_value(diag, &defs[index], pair->value, &values[index]);
        } else if (!listed(also, pair->key)) {
            ok = unknown_attr(diag, pair, owner, defs, also);
        }
    }
    return ok;
}

static bool check_required(Diag *diag, const char *owner, Loc loc, const AttrDef *defs,
                           const Yaml *value)
{
    bool ok = true;
    for (int i = 0; i < attr_count(defs); i++) {
        bool given =
            value && (value->kind == YAML_MAP ? yaml_get(value, defs[i].key) != NULL : i == 0);
        if (!defs[i].fallback && !given)
            ok = diag_error(diag, loc, "%s needs '%s'", owner, defs[i].key);
    }
    return ok;
}

bool read_attrs(Diag *diag, const char *owner, Loc loc, const AttrDef *defs,
                const char *const *also, const Yaml *value, AttrValue **out)
{
    if (value && yaml_is_null(value))
        value = NULL;
    AttrValue *values = *out = fallbacks(diag->arena, defs);
    bool ok = check_required(diag, owner, loc, defs, value);
    if (value && value->kind == YAML_MAP)
        return read_map(diag, owner, defs, also, value, values) && ok;
    if (!value)
        return ok;
    if (!attr_count(defs))
        return diag_error(diag, value->loc, "%s takes no value, found %s", owner,
                          yaml_describe(diag->arena, value));
    values[0] = (AttrValue){0};
    return read_value(diag, &defs[0], value, &values[0]) && ok;
}
