/* One layer of Keras's as one of ours. Its kind is the class's name in snake case, its attributes
 * are those that our record of that kind has; what else its config says must be what netcc does
 * anyway, else the layer is refused by name. */
#include <ctype.h>
#include <string.h>

#include "attributes.h"
#include "import/keras.h"
#include "layers/layer.h"

/* "MaxPooling2D" to "max_pooling2d", "ReLU" to "re_lu": a _ before a capital that a small letter
 * follows, and between a small letter and a capital. */
const char *keras_snake_case(Arena *arena, const char *class)
{
    Str out = str_new(arena);
    for (const char *c = class; *c; c++) {
        bool capital = isupper((unsigned char)*c), first = c == class;
        bool word = capital && !first && islower((unsigned char)c[1]);
        bool turn = capital && !first && islower((unsigned char)c[-1]);
        if (!isalnum((unsigned char)*c) && *c != '_')
            continue;
        if (word || turn)
            str_add(&out, "_");
        char low = (char)tolower((unsigned char)*c);
        str_addn(&out, &low, 1);
    }
    return out.text;
}

/* ---- kinds -------------------------------------------------------------------------------------- */

typedef struct {
    const char *theirs, *ours;
} Alias;

/* Where snake case does not lead to our name; and what Keras 1 called them. */
static const Alias kinds[] = {{"ReLU", "relu"},
                              {"LeakyReLU", "leaky_relu"},
                              {"PReLU", "prelu"},
                              {"ELU", "elu"},
                              {"Convolution1D", "conv1d"},
                              {"Convolution2D", "conv2d"},
                              {"AtrousConvolution2D", "conv2d"},
                              {"SeparableConvolution2D", "separable_conv2d"},
                              {"DepthwiseConvolution2D", "depthwise_conv2d"},
                              {"BatchNormalizationV1", "batch_normalization"},
                              {"BatchNormalizationV2", "batch_normalization"},
                              {"LSTMV2", "lstm"},
                              {"CuDNNLSTM", "lstm"},
                              {"GRUV2", "gru"}};

static const char *find_alias(const Alias *list, size_t count, const char *theirs)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(list[i].theirs, theirs))
            return list[i].ours;
    }
    return NULL;
}
#define FIND_ALIAS(list, theirs) find_alias(list, sizeof(list) / sizeof *(list), theirs)

/* Ops of Keras 3 and TensorFlow stand among layers under class names that layers have as well. */
static bool is_layer_class(json_t *config, const char *class)
{
    return json_is_object(config) && strncmp(class, "TFOp", 4) != 0 &&
           strcmp(class, "TensorFlowOpLayer") != 0 && strcmp(class, "SlicingOpLambda") != 0;
}

static const Record *find_record(Keras *keras, const KerasLayer *layer, const char *class,
                                 json_t *config)
{
    const char *kind = FIND_ALIAS(kinds, class);
    if (!kind)
        kind = keras_snake_case(keras->arena, class);
    const Record *record = is_layer_class(config, class) ? record_find(&layers, kind) : NULL;
    if (record)
        return record;
    if (!strcmp(class, "Lambda"))
        keras_fault(keras, layer, "is a Lambda, Python code, which netcc does not run");
    else
        keras_fault(keras, layer, "netcc has no layer of the class %s", class);
    return NULL;
}

/* ---- keys --------------------------------------------------------------------------------------- */

/* Names of attributes before Keras 2, and later ones that differ from ours. */
static const Alias old_keys[] = {{"nb_filter", "filters"},
                                 {"subsample", "strides"},
                                 {"border_mode", "padding"},
                                 {"bias", "use_bias"},
                                 {"init", "kernel_initializer"},
                                 {"inner_init", "recurrent_initializer"},
                                 {"inner_activation", "recurrent_activation"},
                                 {"output_dim", "units"},
                                 {"p", "rate"},
                                 {"sigma", "stddev"},
                                 {"atrous_rate", "dilation_rate"},
                                 {"beta_init", "beta_initializer"},
                                 {"gamma_init", "gamma_initializer"},
                                 {"filter_length", "kernel_size"},
                                 {"subsample_length", "strides"},
                                 {"pool_length", "pool_size"},
                                 {"stride", "strides"},
                                 {"alpha", "negative_slope"}};

static const AttrDef *find_def(const AttrDef *defs, const char *key)
{
    for (const AttrDef *d = defs; d && d->type != ATTR_END; d++) {
        if (!strcmp(d->key, key))
            return d;
    }
    return NULL;
}

static const AttrDef *find_attribute(const AttrDef *defs, const char *key)
{
    const AttrDef *def = find_def(defs, key);
    const char *now = FIND_ALIAS(old_keys, key);
    return def || !now ? def : find_def(defs, now);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* Read elsewhere, or of no effect on what the network computes. */
static bool is_inert(const char *key)
{
    static const char *const keys[] = {"name",         "trainable",
                                       "dtype",        "batch_input_shape",
                                       "batch_shape",  "input_shape",
                                       "input_dim",    "input_dtype",
                                       "seed",         "data_format",
                                       "dim_ordering", "fused",
                                       "autocast",     "implementation",
                                       "unroll",       "consume_less",
                                       "build_config", "nb_row",
                                       "nb_col",       "synchronized",
                                       "input_length", "zero_output_for_mask"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!strcmp(keys[i], key))
            return true;
    }
    return false;
}

/* Null, or {l1: 0, l2: 0} */
static bool has_effect(json_t *value)
{
    json_t *item;
    const char *key;
    json_t *config = json_object_get(value, "config");
    if (!json_is_object(config))
        return !json_is_null(value);
    json_object_foreach(config, key, item)
    {
        if (!json_is_number(item) || json_number_value(item) != 0)
            return true;
    }
    return json_object_size(config) == 0;
}

static bool acts_in_training(const char *key)
{
    return ends_with(key, "_regularizer") || ends_with(key, "_constraint");
}

/* What attributes that our layers lack must say: what ours do. */
static bool is_ours_anyway(const char *key, json_t *value)
{
    static const struct {
        const char *key, *value;
    } defaults[] = {
        {"groups", "1"},         {"renorm", "false"},       {"rms_scaling", "false"},
        {"mode", "0"},           {"return_state", "false"}, {"stateful", "false"},
        {"time_major", "false"}, {"dropout", "0"},          {"recurrent_dropout", "0"},
        {"mask_zero", "false"},  {"keepdims", "false"},     {"depth_multiplier", "1"},
        {"use_bias", "true"},    {"go_backwards", "false"}, {"sparse", "false"},
        {"ragged", "false"},     {"threshold", "0"},        {"interpolation", "nearest"},
        {"dilation_rate", "1"},  {"reset_after", "true"},   {"negative_slope", "0"},
        {"dropout_W", "0"},      {"dropout_U", "0"}};
    if (json_is_null(value))
        return true;
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        if (strcmp(defaults[i].key, key) != 0)
            continue;
        const char *want = defaults[i].value;
        json_t *one = json_is_array(value) ? json_array_get(value, 0) : value;
        for (size_t k = 1; k < json_array_size(value); k++) {
            if (!json_equal(json_array_get(value, k), one))
                return false;
        }
        if (json_is_boolean(one))
            return !strcmp(want, json_is_true(one) ? "true" : "false");
        if (json_is_string(one))
            return !strcmp(want, json_string_value(one));
        return json_is_number(one) && isdigit((unsigned char)*want) &&
               json_number_value(one) == *want - '0';
    }
    return false;
}

/* ---- attributes --------------------------------------------------------------------------------- */

/* Where channels come first, channels are axis 1; here they are the last. */
static json_t *turned_axis(Keras *keras, const KerasLayer *layer, const char *key, json_t *value)
{
    json_t *one =
        json_is_array(value) && json_array_size(value) == 1 ? json_array_get(value, 0) : value;
    if (!layer->channels_first || strcmp(key, "axis") != 0 || !json_is_integer(one))
        return json_incref(value);
    json_int_t axis = json_integer_value(one);
    if (axis == 1 || axis == -3)
        return json_integer(-1);
    keras_fault(keras, layer, "axis %lld of a network whose channels come first is not supported",
                (long long)axis);
    return NULL;
}

static bool put_attribute(Keras *keras, const KerasLayer *layer, const AttrDef *def, json_t *value,
                          Yaml *out)
{
    if (json_is_null(value) && def->fallback)
        return true;
    json_t *turned = turned_axis(keras, layer, def->key, value);
    Yaml *yaml = turned ? keras_value(keras, layer, def, turned) : NULL;
    json_decref(turned);
    if (!yaml)
        return false;
    bool left_out = def->type == ATTR_INITIALIZER && !strcmp(yaml->text, "null");
    if (!left_out && !keras_is_default(def, yaml))
        yaml_put(keras->arena, out, def->key, yaml);
    return true;
}

/* Keras 1 gave height and width of a window apart. */
static bool put_window(Keras *keras, const KerasLayer *layer, const Record *record, json_t *config,
                       Yaml *out)
{
    const AttrDef *def = find_def(record_attrs(record), "kernel_size");
    json_t *rows = json_object_get(config, "nb_row"), *columns = json_object_get(config, "nb_col");
    if (!def || !rows || !columns)
        return true;
    json_t *size = json_pack("[O, O]", rows, columns);
    bool good = size && put_attribute(keras, layer, def, size, out);
    json_decref(size);
    return good;
}

static bool put_key(Keras *keras, const KerasLayer *layer, const Record *record, const char *key,
                    json_t *value, Yaml *out)
{
    if (!strcmp(key, "name") || !strcmp(key, "trainable"))
        return true;
    const AttrDef *def = find_attribute(record_attrs(record), key);
    if (def)
        return put_attribute(keras, layer, def, value, out);
    if (acts_in_training(key)) {
        keras->drops_training = keras->drops_training || has_effect(value);
        return true;
    }
    if (is_inert(key) || is_ours_anyway(key, value) || ends_with(key, "_initializer"))
        return true;
    return keras_fault(keras, layer, "%s: netcc's %s has no %s", key, record->name, key);
}

/* Pooling without strides moves by its window. */
static void drop_own_strides(Yaml *attributes)
{
    const Yaml *size = yaml_get(attributes, "pool_size");
    for (int i = 0; i < attributes->count; i++) {
        const YamlPair *pair = &attributes->pairs[i];
        if (strcmp(pair->key, "strides") != 0 || pair->value->kind != YAML_SCALAR ||
            strcmp(pair->value->text, size ? size->text : "2") != 0)
            continue;
        memmove(&attributes->pairs[i], &attributes->pairs[i + 1],
                (size_t)(--attributes->count - i) * sizeof *pair);
    }
}

static bool check_dtype(Keras *keras, const KerasLayer *layer, json_t *config)
{
    json_t *dtype = json_object_get(config, "dtype");
    const char *name = json_string_value(dtype);
    if (!name)
        name = keras_text(json_object_get(dtype, "config"), "name");
    if (!name || !strcmp(name, "float32") || !strncmp(name, "int", 3) ||
        !strncmp(name, "mixed_", 6))
        return true;
    return keras_fault(keras, layer, "dtype: %s is not supported", keras_show(keras->arena, dtype));
}

/* Layers that count on the order of axes in a way that is not translated. */
static bool check_order(Keras *keras, const KerasLayer *layer)
{
    static const char *const kinds_in_order[] = {"reshape", "permute", "prelu", "lstm", "gru"};
    for (size_t i = 0; keras->channels_first && i < sizeof kinds_in_order / sizeof(char *); i++) {
        if (!strcmp(kinds_in_order[i], layer->kind))
            return keras_fault(keras, layer,
                               "%s in a network whose channels come first is not supported",
                               layer->kind);
    }
    return true;
}

/* Flattened as Keras did: channels first, unless the layer itself turns them. */
static void turn_before_flatten(Keras *keras, const KerasLayer *layer, json_t *config,
                                const char *const **from, int *from_count)
{
    const char *format = keras_text(config, "data_format");
    if (!keras->channels_first || (format && !strcmp(format, "channels_first")))
        return;
    const char **turned = ARENA_NEW(keras->arena, const char *);
    *turned =
        import_name(keras->import, arena_printf(keras->arena, "%s_channels_first", layer->ours));
    Yaml *attributes = import_layer(keras->import, "permute", *turned, *from, *from_count);
    yaml_put(keras->arena, attributes, "dims",
             yaml_new_ints(keras->arena, (int64_t[]){3, 1, 2}, 3));
    *from = turned;
    *from_count = 1;
}

/* Does the layer read the one before it? */
static bool reads_previous(const Keras *keras, const char *const *from, int count)
{
    int previous = keras->import->layers->count - 1;
    if (count != 1)
        return false;
    if (previous < 0)
        return keras->import->inputs->count == 1;
    const Yaml *last = keras->import->layers->items[previous]->pairs[0].value;
    return !strcmp(yaml_get(last, "name")->text, from[0]);
}

bool keras_add_layer(Keras *keras, KerasLayer *layer, const char *class, json_t *config,
                     const char *const *from, int from_count)
{
    const Record *record = find_record(keras, layer, class, config);
    const char *key;
    json_t *value;
    if (!record || !check_dtype(keras, layer, config))
        return false;
    layer->kind = record->name;
    layer->channels_first = keras->channels_first;
    if (!check_order(keras, layer))
        return false;
    if (!strcmp(layer->kind, "flatten"))
        turn_before_flatten(keras, layer, config, &from, &from_count);
    bool chained = reads_previous(keras, from, from_count);
    Yaml *attributes = import_layer(keras->import, record->name, layer->ours, chained ? NULL : from,
                                    chained ? 0 : from_count);
    if (!layer->trainable)
        yaml_put(keras->arena, attributes, "trainable", yaml_new_bool(keras->arena, false));
    bool good = put_window(keras, layer, record, config, attributes);
    json_object_foreach(config, key, value)
    {
        good = put_key(keras, layer, record, key, value, attributes) && good;
    }
    if (find_def(record_attrs(record), "pool_size"))
        drop_own_strides(attributes);
    return good;
}
