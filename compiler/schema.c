/* The schema of specs: see schema.h. Editors that know YAML complete and check specs with it. It is
 * never stricter than the compiler, but more lenient: names of layers and shapes are not its business. */
#include "schema.h"

#include <string.h>

#include "build.h"
#include "embedded.h"

#define NUMBER                                                                                     \
    "^[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?(/[-+]?[0-9.]+([eE][-+]?[0-9]+)?)?$"

static json_t *checked(json_t *value)
{
    if (!value)
        bug("the schema cannot be built");
    return value;
}

static json_t *reference(const char *definition)
{
    return checked(json_pack("{s: s+}", "$ref", "#/$defs/", definition));
}

static json_t *any_of(json_t *list)
{
    return checked(json_pack("{s: o}", "anyOf", list));
}

/* ---- attributes -------------------------------------------------------------------------------- */

static json_t *integer_schema(const AttrDef *def)
{
    json_t *schema = checked(json_pack("{s: s}", "type", "integer"));
    if (def->low != def->high) {
        json_object_set_new(schema, "minimum", json_integer((json_int_t)def->low));
        json_object_set_new(schema, "maximum", json_integer((json_int_t)def->high));
    }
    return schema;
}

/* 0.1, 1e-3 (a text to YAML 1.1), 1/255; null where that is the default */
static json_t *number_schema(const AttrDef *def)
{
    json_t *types = checked(json_pack("[s, s]", "number", "string"));
    if (def->fallback && !strcmp(def->fallback, "null"))
        json_array_append_new(types, json_string("null"));
    json_t *schema = checked(json_pack("{s: o, s: s}", "type", types, "pattern", NUMBER));
    if (def->low == def->high)
        return schema;
    if (def->low == ABOVE_ZERO)
        json_object_set_new(schema, "exclusiveMinimum", json_integer(0));
    else if (def->low > -UNBOUNDED)
        json_object_set_new(schema, "minimum", json_real(def->low));
    if (def->high == BELOW_ONE)
        json_object_set_new(schema, "exclusiveMaximum", json_integer(1));
    else if (def->high < UNBOUNDED)
        json_object_set_new(schema, "maximum", json_real(def->high));
    return schema;
}

static json_t *integers_schema(const AttrDef *def)
{
    json_t *list = json_pack("{s: s, s: i, s: o}", "type", "array", "maxItems", MAX_RANK, "items",
                             integer_schema(def));
    return any_of(json_pack("[o, o]", integer_schema(def), list));
}

static json_t *sizes_schema(void)
{
    const AttrDef def = {"sizes", ATTR_INTS, NULL, "", 1, INT32_MAX, NULL};
    return integers_schema(&def);
}

static json_t *choice_schema(const AttrDef *def)
{
    json_t *words = json_array();
    for (const char *c = def->choices; *c; c += *c == '|') {
        size_t length = strcspn(c, "|");
        json_array_append_new(words, json_stringn(c, length));
        json_t *value =
            json_loadb(c, length, JSON_DECODE_ANY, NULL); /* `true` is no text in JSON */
        if (value)
            json_array_append_new(words, value);
        c += length;
    }
    return checked(json_pack("{s: o}", "enum", words));
}

static json_t *activation_schema(const AttrDef *def)
{
    return def->fallback ? any_of(json_pack("[{s: s}, o]", "type", "null", reference("activation")))
                         : reference("activation");
}

/* What a key may hold; anything, for a type that is not known here. */
static json_t *value_schema(const AttrDef *def)
{
    switch (def->type) {
    case ATTR_INT:
        return integer_schema(def);
    case ATTR_NUMBER:
        return number_schema(def);
    case ATTR_BOOL:
        return checked(json_pack("{s: s}", "type", "boolean"));
    case ATTR_CHOICE:
        return choice_schema(def);
    case ATTR_INTS:
        return integers_schema(def);
    case ATTR_ACTIVATION:
        return activation_schema(def);
    case ATTR_INITIALIZER:
        return reference("initializer");
    case ATTR_TEXT:
        return json_pack("{s: [s, s]}", "type", "string", "number");
    case ATTR_SHAPES:
        return json_pack("{s: s, s: o}", "type", "object", "additionalProperties", sizes_schema());
    default:
        return json_object();
    }
}

/* A default is YAML: JSON where it reads as such, else a word. */
static json_t *fallback_value(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    return value ? value : json_string(text);
}

static json_t *attribute_schema(const AttrDef *def)
{
    json_t *schema = value_schema(def);
    if (def->doc && *def->doc)
        json_object_set_new(schema, "description", json_string(def->doc));
    if (def->fallback)
        json_object_set_new(schema, "default", fallback_value(def->fallback));
    return schema;
}

static void add_attributes(json_t *properties, const AttrDef *defs)
{
    for (; defs && defs->type != ATTR_END; defs++) {
        if (defs->type != ATTR_POINTER)
            json_object_set_new(properties, defs->key, attribute_schema(defs));
    }
}

/* ---- things with a name ------------------------------------------------------------------------ */

/* Definitions under construction */
typedef struct {
    Arena *arena;
    json_t *defs;
} Schema;

static json_t *required_keys(const AttrDef *defs)
{
    json_t *keys = json_array();
    for (; defs && defs->type != ATTR_END; defs++) {
        if (!defs->fallback && defs->type != ATTR_POINTER)
            json_array_append_new(keys, json_string(defs->key));
    }
    return keys;
}

/* The keys that a layer of any kind may have */
static void add_layer_keys(const Schema *schema, json_t *properties)
{
    json_t *frame = json_object_get(json_object_get(schema->defs, "any_layer"), "properties");
    for (const char *const *key = layer_own_keys; *key; key++) {
        json_t *known = json_object_get(frame, *key);
        json_object_set_new(properties, *key, known ? json_deep_copy(known) : json_object());
    }
}

/* A map of arguments, or the first of them alone, or nothing. */
static json_t *arguments_schema(const Schema *schema, const AttrDef *defs, bool layer)
{
    json_t *properties = json_object(), *required = required_keys(defs), *forms = json_array();
    add_attributes(properties, defs);
    if (layer)
        add_layer_keys(schema, properties);
    size_t needed = json_array_size(required);
    json_array_append_new(forms, json_pack("{s: s, s: b, s: o, s: o}", "type", "object",
                                           "additionalProperties", 0, "properties", properties,
                                           "required", required));
    if (needed == 0)
        json_array_append_new(forms, json_pack("{s: s}", "type", "null"));
    if (attr_count(defs) && defs->type != ATTR_POINTER &&
        (needed == 0 || (needed == 1 && !defs->fallback)))
        json_array_append_new(forms, value_schema(defs));
    return any_of(forms);
}

/* The forms of a family: names alone and names with arguments */
typedef struct {
    const Schema *schema;
    json_t *forms, *properties;
    bool layer;
} Names;

static void add_name(const Names *names, const char *name, const char *doc, const AttrDef *defs)
{
    if (!name)
        return;
    json_t *required = required_keys(defs);
    if (json_array_size(required) == 0)
        json_array_append_new(names->forms,
                              json_pack("{s: s, s: s}", "const", name, "description", doc));
    json_decref(required);
    json_t *arguments = arguments_schema(names->schema, defs, names->layer);
    json_object_set_new(arguments, "description", json_string(doc));
    json_object_set_new(names->properties, name, arguments);
}

static Names names_begin(const Schema *schema, bool layer)
{
    return (Names){schema, json_array(), json_object(), layer};
}

static void names_end(const Names *names, const char *definition)
{
    json_array_append_new(names->forms,
                          json_pack("{s: s, s: i, s: i, s: b, s: o}", "type", "object",
                                    "minProperties", 1, "maxProperties", 1, "additionalProperties",
                                    0, "properties", names->properties));
    json_object_set_new(names->schema->defs, definition, any_of(names->forms));
}

static void add_family(const Schema *schema, const Family *family)
{
    Names names = names_begin(schema, family == &layers);
    for (int i = 0; i < family->count; i++) {
        const Record *record = family->records[i];
        const AttrDef *defs = family == &optimizers
                                  ? optimizer_attrs(schema->arena, (const Optimizer *)record)
                                  : record_attrs(record);
        add_name(&names, record->name, record->doc, defs);
        add_name(&names, record->alias, record->doc, defs);
    }
    names_end(&names, family->what);
}

static void add_activations(const Schema *schema)
{
    Names names = names_begin(schema, false);
    for (int i = 0; i < OP_COUNT; i++) {
        if (op_table[i]->activation)
            add_name(&names, op_table[i]->name, op_table[i]->doc, op_table[i]->attrs);
    }
    names_end(&names, "activation");
}

static void add_builtins(const Schema *schema)
{
    Names names = names_begin(schema, false);
    add_name(&names, "digits", "Digits drawn with random strokes, [28, 28, 1].", digits_attrs);
    add_name(&names, "spiral", "Points on the arms of a spiral, [2].", spiral_attrs);
    names_end(&names, "builtin");
}

/* ---- sections ---------------------------------------------------------------------------------- */

const Section sections[] = {{"", top_attrs, top_keys},
                            {"pretrained", NULL, pretrained_keys},
                            {"block", NULL, block_keys},
                            {"any_layer", NULL, layer_own_keys},
                            {"train", train_attrs, train_other_keys},
                            {"early_stopping", stopping_attrs, watch_keys},
                            {"checkpoint", checkpoint_attrs, watch_keys},
                            {"data", scaling_attrs, data_section_keys},
                            {"source", NULL, source_keys},
                            {"csv", csv_attrs, csv_keys},
                            {"images", NULL, images_keys},
                            {NULL, NULL, NULL}};

json_t *schema_section(const json_t *schema, const char *name)
{
    return *name ? json_object_get(json_object_get(schema, "$defs"), name) : (json_t *)schema;
}

/* A key that the frame does not tell about may hold anything. */
static void fill_section(const json_t *root, const Section *section)
{
    json_t *properties = json_object_get(schema_section(root, section->name), "properties");
    if (!properties)
        bug("the schema's frame has no section %s", section->name);
    for (const char *const *key = section->keys; key && *key; key++) {
        if (!json_object_get(properties, *key))
            json_object_set_new(properties, *key, json_object());
    }
    add_attributes(properties, section->attrs);
}

json_t *schema_of_spec(Arena *arena)
{
    static const Family *const families[] = {&layers, &losses, &metrics, &optimizers,
                                             &initializers};
    json_t *root = checked(json_loads(embedded_text("templates/schema", "spec.json"), 0, NULL));
    Schema schema = {arena, json_object_get(root, "$defs")};
    for (const Section *section = sections; section->name; section++)
        fill_section(root, section);
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        add_family(&schema, families[f]);
    add_activations(&schema);
    add_builtins(&schema);
    return root;
}

const char *schema_describe(const json_t *object, const char *key)
{
    const json_t *property = json_object_get(json_object_get(object, "properties"), key);
    const char *text = json_string_value(json_object_get(property, "description"));
    return text ? text : "";
}
