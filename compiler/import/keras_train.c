/* How a network was trained, as `train`, where netcc has all of it: one loss, an optimizer, metrics.
 * What it lacks is noted; the network is imported all the same. */
#include <string.h>

#include "attributes.h"
#include "import/keras.h"

/* "adam", {class_name: Adam, config: {..}}, or a function's name */
static const char *name_of(Keras *keras, json_t *value)
{
    json_t *config = json_object_get(value, "config");
    const char *name = json_string_value(value);
    if (!name && json_is_string(config))
        name = json_string_value(config);
    if (!name)
        name = keras_text(value, "class_name");
    return name ? keras_snake_case(keras->arena, name) : "";
}

/* A list of one, or the one of a map */
static json_t *only_one(json_t *value)
{
    if (json_is_array(value) && json_array_size(value) == 1)
        return json_array_get(value, 0);
    if (json_is_object(value) && json_object_size(value) == 1)
        return json_object_iter_value(json_object_iter(value));
    return value;
}

static const AttrDef *find_def(const AttrDef *defs, const char *key)
{
    for (const AttrDef *d = defs; d && d->type != ATTR_END; d++) {
        if (!strcmp(d->key, key))
            return d;
    }
    return NULL;
}

/* NAME or {NAME: {numbers and switches that netcc has as well}} */
static Yaml *with_arguments(Keras *keras, const char *name, const AttrDef *defs, json_t *config)
{
    Arena *arena = keras->arena;
    Yaml *arguments = yaml_new_map(arena), *result = yaml_new_map(arena);
    const char *key;
    json_t *value;
    json_object_foreach(config, key, value)
    {
        const AttrDef *def = find_def(defs, strcmp(key, "lr") ? key : "learning_rate");
        Yaml *yaml = !def                     ? NULL
                     : json_is_number(value)  ? keras_number(keras, json_number_value(value))
                     : json_is_boolean(value) ? yaml_new_bool(arena, json_is_true(value))
                                              : NULL;
        if (yaml && !keras_is_default(def, yaml))
            yaml_put(arena, arguments, def->key, yaml);
    }
    if (!arguments->count)
        return yaml_new_text(arena, name);
    yaml_put(arena, result, name, arguments);
    return result;
}

static Yaml *read_loss(Keras *keras, json_t *loss)
{
    const char *name = name_of(keras, loss);
    const Record *record = record_find(&losses, name);
    if (!record)
        return NULL;
    return with_arguments(keras, record->name, record_attrs(record),
                          json_object_get(loss, "config"));
}

static Yaml *read_optimizer(Keras *keras, json_t *optimizer)
{
    /* RMSprop and AdamW in snake case: rm_sprop, adam_w */
    const char *name = name_of(keras, optimizer);
    const char *joined = strchr(name, '_')
                             ? arena_printf(keras->arena, "%.*s%s", (int)strcspn(name, "_"), name,
                                            strchr(name, '_') + 1)
                             : name;
    const Record *record = record_find(&optimizers, joined);
    if (!record)
        return NULL;
    return with_arguments(keras, record->name,
                          optimizer_attrs(keras->arena, (const Optimizer *)record),
                          json_object_get(optimizer, "config"));
}

/* Those that netcc has; metrics change nothing. */
static Yaml *read_metrics(Keras *keras, json_t *list)
{
    Yaml *out = yaml_new_list(keras->arena);
    json_t *item;
    size_t i;
    while (json_is_array(only_one(list)))
        list = only_one(list);
    json_array_foreach(list, i, item)
    {
        const char *name = name_of(keras, item);
        if (!strcmp(name, "mean_metric_wrapper"))
            name = name_of(keras, json_object_get(json_object_get(item, "config"), "fn"));
        const char *named = keras_text(json_object_get(item, "config"), "name");
        const Record *record = record_find(&metrics, name);
        if (!record && named)
            record = record_find(&metrics, named);
        if (record)
            yaml_push(keras->arena, out, yaml_new_text(keras->arena, record->name));
    }
    return out;
}

/* A loss for each of several outputs is not taken over. */
static json_t *loss_of(json_t *training)
{
    json_t *loss = only_one(json_object_get(training, "loss"));
    return loss ? loss : NULL;
}

static json_t *optimizer_of(json_t *training)
{
    json_t *optimizer = json_object_get(training, "optimizer_config");
    return optimizer ? optimizer : json_object_get(training, "optimizer");
}

void keras_read_training(Keras *keras)
{
    Import *import = keras->import;
    Arena *arena = keras->arena;
    json_t *loss = loss_of(keras->training), *optimizer = optimizer_of(keras->training);
    if (!loss || json_is_null(loss) || import->outputs)
        return;
    Yaml *loss_yaml = read_loss(keras, loss), *optimizer_yaml = read_optimizer(keras, optimizer);
    if (!loss_yaml || !optimizer_yaml) {
        import_note(import, "no train section: netcc has no %s %s",
                    loss_yaml ? "optimizer" : "loss", name_of(keras, loss_yaml ? optimizer : loss));
        return;
    }
    Yaml *train = yaml_new_map(arena);
    Yaml *metrics_yaml = read_metrics(keras, json_object_get(keras->training, "metrics"));
    yaml_put(arena, train, "loss", loss_yaml);
    yaml_put(arena, train, "optimizer", optimizer_yaml);
    if (metrics_yaml->count)
        yaml_put(arena, train, "metrics", metrics_yaml);
    yaml_put(arena, import->spec, "train", train);
}
