/* Values of Keras's JSON as YAML of the type that an attribute has. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "import/keras.h"

static Yaml *refuse(Keras *keras, const KerasLayer *layer, const AttrDef *def, json_t *value)
{
    keras_fault(keras, layer, "%s: %s is not supported", def->key, keras_show(keras->arena, value));
    return NULL;
}

/* ---- numbers ------------------------------------------------------------------------------------ */

static bool is_whole(json_t *value)
{
    return json_is_integer(value) ||
           (json_is_real(value) && floor(json_real_value(value)) == json_real_value(value) &&
            fabs(json_real_value(value)) < 1e15);
}

/* 0.0010000000474974513 was 0.001 before a float32 held it. */
Yaml *keras_number(Keras *keras, double value)
{
    if ((double)(float)value != value)
        return yaml_new_number(keras->arena, value);
    char text[40];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtof(text, NULL) == (float)value)
            break;
    }
    return yaml_new_number(keras->arena, strtod(text, NULL));
}

/* ((1, 2), (3, 4)) as 1 2 3 4: Keras's paddings */
static bool collect_ints(json_t *value, int depth, int64_t *out, int *count)
{
    json_t *item;
    size_t i;
    if (is_whole(value)) {
        if (*count == MAX_RANK)
            return false;
        out[(*count)++] = (int64_t)json_number_value(value);
        return true;
    }
    if (!json_is_array(value) || depth == 2)
        return false;
    json_array_foreach(value, i, item)
    {
        if (!collect_ints(item, depth + 1, out, count))
            return false;
    }
    return true;
}

/* One number may stand for a window that is as high as it is wide. */
static bool may_be_one(const char *key)
{
    static const char *const keys[] = {"kernel_size",   "pool_size", "strides",
                                       "dilation_rate", "size",      "padding"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!strcmp(keys[i], key))
            return true;
    }
    return false;
}

static Yaml *ints_value(Keras *keras, const KerasLayer *layer, const AttrDef *def, json_t *value)
{
    int64_t list[MAX_RANK];
    int count = 0;
    bool same = true;
    if (!collect_ints(value, 0, list, &count))
        return refuse(keras, layer, def, value);
    for (int i = 1; i < count; i++)
        same = same && list[i] == list[0];
    if (count > 1 && same && may_be_one(def->key))
        return yaml_new_int(keras->arena, list[0]);
    return yaml_new_ints(keras->arena, list, count);
}

static Yaml *int_value(Keras *keras, const KerasLayer *layer, const AttrDef *def, json_t *value)
{
    json_t *one =
        json_is_array(value) && json_array_size(value) == 1 ? json_array_get(value, 0) : value;
    if (!is_whole(one))
        return refuse(keras, layer, def, value);
    return yaml_new_int(keras->arena, (int64_t)json_number_value(one));
}

static Yaml *choice_value(Keras *keras, const KerasLayer *layer, const AttrDef *def, json_t *value)
{
    const char *word = json_string_value(value);
    size_t length = word ? strlen(word) : 0;
    for (const char *c = def->choices; length && c;
         c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL) {
        if (!strncmp(c, word, length) && (c[length] == '|' || !c[length]))
            return yaml_new_text(keras->arena, word);
    }
    return refuse(keras, layer, def, value);
}

/* ---- things with names -------------------------------------------------------------------------- */

/* A map of the arguments that `defs` has; NULL where one is not among them, or is no number. */
static Yaml *plain_arguments(Keras *keras, const AttrDef *defs, json_t *config)
{
    Arena *arena = keras->arena;
    Yaml *map = yaml_new_map(arena);
    const char *key;
    json_t *value;
    json_object_foreach(config, key, value)
    {
        const AttrDef *def = NULL;
        for (const AttrDef *d = defs; d && d->type != ATTR_END; d++)
            def = strcmp(d->key, key) == 0 ? d : def;
        if (json_is_null(value) || !strcmp(key, "seed") || !strcmp(key, "dtype") ||
            !strcmp(key, "name") || !strcmp(key, "trainable"))
            continue;
        if (!def || !json_is_number(value))
            return NULL;
        yaml_put(arena, map, key, keras_number(keras, json_number_value(value)));
    }
    return map;
}

/* NAME, or {NAME: arguments} */
static Yaml *named(Arena *arena, const char *name, Yaml *arguments)
{
    if (!arguments->count)
        return yaml_new_text(arena, name);
    Yaml *map = yaml_new_map(arena);
    yaml_put(arena, map, name, arguments);
    return map;
}

/* Keras 3 has made hard_sigmoid another function; and Keras 2 had no other default slope. */
static const char *activation_name(const Keras *keras, const char *theirs)
{
    if (keras->version < 3 && !strcmp(theirs, "hard_sigmoid"))
        return "hard_sigmoid of Keras 2, clip(0.2 x + 0.5)";
    if (!strcmp(theirs, "ReLU"))
        return "relu";
    return theirs;
}

/* "relu", {class_name: "function", config: "relu"}, or a layer's class with its config */
static Yaml *activation_value(Keras *keras, const KerasLayer *layer, const AttrDef *def,
                              json_t *value)
{
    json_t *config = json_object_get(value, "config");
    const char *text = json_string_value(value);
    if (!text && json_is_string(config))
        text = json_string_value(config);
    if (!text && keras_text(value, "class_name"))
        text = keras_snake_case(keras->arena, keras_text(value, "class_name"));
    const char *name = text ? activation_name(keras, text) : "";
    const Op *op = op_find(name);
    if (!op || !op->activation) {
        keras_fault(keras, layer, "%s: netcc has no activation %s", def->key,
                    text ? name : keras_show(keras->arena, value));
        return NULL;
    }
    Yaml *arguments = json_is_object(config) ? plain_arguments(keras, op->attrs, config)
                                             : yaml_new_map(keras->arena);
    return arguments ? named(keras->arena, name, arguments) : refuse(keras, layer, def, value);
}

/* VarianceScaling with the scale, mode and distribution that have a name of their own */
static const char *scaling_name(Arena *arena, json_t *config)
{
    const char *mode = keras_text(config, "mode"), *law = keras_text(config, "distribution");
    double scale = json_number_value(json_object_get(config, "scale"));
    const char *family = !mode                                    ? NULL
                         : !strcmp(mode, "fan_avg") && scale == 1 ? "glorot"
                         : !strcmp(mode, "fan_in") && scale == 2  ? "he"
                         : !strcmp(mode, "fan_in") && scale == 1  ? "lecun"
                                                                  : NULL;
    if (!family || !law)
        return "";
    return arena_printf(arena, "%s_%s", family, !strcmp(law, "uniform") ? "uniform" : "normal");
}

/* An initializer acts before training only: one that netcc lacks is left out, and noted. */
static Yaml *initializer_value(Keras *keras, json_t *value)
{
    Arena *arena = keras->arena;
    json_t *config = json_object_get(value, "config");
    const char *class =
        json_is_string(value) ? json_string_value(value) : keras_text(value, "class_name");
    const char *name = class ? keras_snake_case(arena, class) : "";
    bool scaling = !strcmp(name, "variance_scaling");
    if (scaling)
        name = scaling_name(arena, config);
    const Record *record = record_find(&initializers, name);
    Yaml *arguments = NULL;
    if (record)
        arguments = scaling || !json_is_object(config)
                        ? yaml_new_map(arena)
                        : plain_arguments(keras, record->attrs, config);
    if (arguments)
        return named(arena, name, arguments);
    keras->drops_initializers = true;
    return yaml_new_text(arena, "null");
}

/* ---- by type ------------------------------------------------------------------------------------ */

Yaml *keras_value(Keras *keras, const KerasLayer *layer, const AttrDef *def, json_t *value)
{
    switch (def->type) {
    case ATTR_INT:
        return int_value(keras, layer, def, value);
    case ATTR_NUMBER:
        return json_is_number(value) ? keras_number(keras, json_number_value(value))
                                     : refuse(keras, layer, def, value);
    case ATTR_BOOL:
        return json_is_boolean(value) ? yaml_new_bool(keras->arena, json_is_true(value))
                                      : refuse(keras, layer, def, value);
    case ATTR_CHOICE:
        return choice_value(keras, layer, def, value);
    case ATTR_INTS:
        return ints_value(keras, layer, def, value);
    case ATTR_ACTIVATION:
        return activation_value(keras, layer, def, value);
    case ATTR_INITIALIZER:
        return initializer_value(keras, value);
    default:
        return refuse(keras, layer, def, value);
    }
}

/* Lists are compared by their numbers: a default [1, 1] is 1 as well. */
static bool same_ints(const char *fallback, const Yaml *value)
{
    int count = value->kind == YAML_LIST ? value->count : 1, at = 0;
    for (const char *c = fallback + 1; *c && *c != ']'; at++) {
        char *end;
        long long number = strtoll(c, &end, 10);
        const Yaml *item = value->kind == YAML_LIST ? at < count ? value->items[at] : NULL : value;
        if (end == c || !item || strtoll(item->text, NULL, 10) != number)
            return false;
        c = end + strspn(end, ", ");
    }
    return value->kind == YAML_LIST ? at == count : at > 0;
}

bool keras_is_default(const AttrDef *def, const Yaml *value)
{
    if (!def->fallback)
        return false;
    if (*def->fallback == '[')
        return same_ints(def->fallback, value);
    if (value->kind != YAML_SCALAR)
        return false;
    if (def->type == ATTR_NUMBER && strcmp(def->fallback, "null") != 0)
        return strtod(def->fallback, NULL) == strtod(value->text, NULL);
    if (def->type == ATTR_ACTIVATION && !strcmp(value->text, "linear"))
        return !strcmp(def->fallback, "null");
    return !strcmp(def->fallback, value->text);
}
