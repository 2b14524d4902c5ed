/* The schema of specs: every spec of the tree keeps to it, some faulty ones do not, and no key goes
 * without a description. The checker knows the part of JSON Schema that the schema uses. */
#include <glob.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema.h"
#include "spec/yaml.h"

static Arena *arena;
static json_t *root;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    root = schema_of_spec(arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(root);
    arena_free(arena);
    return 0;
}

/* ---- a checker --------------------------------------------------------------------------------- */

static bool valid(const json_t *schema, const Yaml *value);

static bool is_number(const Yaml *value, double *number)
{
    char *end;
    if (value->kind != YAML_SCALAR || value->quoted || !*value->text)
        return false;
    *number = strtod(value->text, &end);
    return !*end;
}

static bool is_boolean(const Yaml *value)
{
    return value->kind == YAML_SCALAR && !value->quoted &&
           (!strcmp(value->text, "true") || !strcmp(value->text, "false"));
}

static bool is_string(const Yaml *value)
{
    double number;
    return value->kind == YAML_SCALAR && !yaml_is_null(value) && !is_boolean(value) &&
           !is_number(value, &number);
}

static bool has_type(const char *type, const Yaml *value)
{
    double number;
    if (!strcmp(type, "object"))
        return value->kind == YAML_MAP;
    if (!strcmp(type, "array"))
        return value->kind == YAML_LIST;
    if (!strcmp(type, "null"))
        return yaml_is_null(value);
    if (!strcmp(type, "boolean"))
        return is_boolean(value);
    if (!strcmp(type, "number"))
        return is_number(value, &number);
    if (!strcmp(type, "integer"))
        return is_number(value, &number) && number == (double)(long long)number;
    assert_string_equal(type, "string");
    return is_string(value);
}

static bool has_one_type(const json_t *types, const Yaml *value)
{
    if (json_is_string(types))
        return has_type(json_string_value(types), value);
    for (size_t i = 0; i < json_array_size(types); i++) {
        if (has_type(json_string_value(json_array_get(types, i)), value))
            return true;
    }
    return false;
}

static bool equals(const json_t *constant, const Yaml *value)
{
    if (value->kind != YAML_SCALAR)
        return false;
    if (json_is_boolean(constant))
        return is_boolean(value) && json_is_true(constant) == !strcmp(value->text, "true");
    return json_is_string(constant) && !is_boolean(value) &&
           !strcmp(json_string_value(constant), value->text);
}

static bool is_listed(const json_t *list, const Yaml *value)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (equals(json_array_get(list, i), value))
            return true;
    }
    return false;
}

static bool is_valid_by_any(const json_t *list, const Yaml *value)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (valid(json_array_get(list, i), value))
            return true;
    }
    return false;
}

static bool in_bounds(const json_t *schema, const Yaml *value)
{
    double x;
    if (!is_number(value, &x))
        return true;
    const json_t *low = json_object_get(schema, "minimum");
    const json_t *high = json_object_get(schema, "maximum");
    const json_t *above = json_object_get(schema, "exclusiveMinimum");
    const json_t *below = json_object_get(schema, "exclusiveMaximum");
    return (!low || x >= json_number_value(low)) && (!high || x <= json_number_value(high)) &&
           (!above || x > json_number_value(above)) && (!below || x < json_number_value(below));
}

static bool has_pattern(const char *pattern, const Yaml *value)
{
    regex_t regex;
    if (!is_string(value))
        return true;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, value->text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static bool valid_list(const json_t *schema, const Yaml *value)
{
    const json_t *least = json_object_get(schema, "minItems");
    const json_t *most = json_object_get(schema, "maxItems");
    const json_t *items = json_object_get(schema, "items");
    if ((least && value->count < json_integer_value(least)) ||
        (most && value->count > json_integer_value(most)))
        return false;
    for (int i = 0; i < value->count && items; i++) {
        if (!valid(items, value->items[i]))
            return false;
    }
    return true;
}

static bool has_required(const json_t *keys, const Yaml *value)
{
    for (size_t i = 0; i < json_array_size(keys); i++) {
        if (!yaml_get(value, json_string_value(json_array_get(keys, i))))
            return false;
    }
    return true;
}

static bool valid_map(const json_t *schema, const Yaml *value)
{
    const json_t *least = json_object_get(schema, "minProperties");
    const json_t *most = json_object_get(schema, "maxProperties");
    if (!has_required(json_object_get(schema, "required"), value) ||
        (least && value->count < json_integer_value(least)) ||
        (most && value->count > json_integer_value(most)))
        return false;
    for (int i = 0; i < value->count; i++) {
        const YamlPair *pair = &value->pairs[i];
        const json_t *known = json_object_get(json_object_get(schema, "properties"), pair->key);
        const json_t *rule = known ? known : json_object_get(schema, "additionalProperties");
        if (rule && !valid(rule, pair->value))
            return false;
    }
    return true;
}

static const json_t *resolve(const char *reference)
{
    static const char lead[] = "#/$defs/";
    assert_memory_equal(reference, lead, strlen(lead));
    const json_t *found = json_object_get(json_object_get(root, "$defs"), reference + strlen(lead));
    assert_non_null(found);
    return found;
}

static bool valid(const json_t *schema, const Yaml *value)
{
    if (json_is_boolean(schema))
        return json_is_true(schema);
    const json_t *reference = json_object_get(schema, "$ref"),
                 *not = json_object_get(schema, "not");
    const json_t *types = json_object_get(schema, "type"), *any = json_object_get(schema, "anyOf");
    const json_t *constant = json_object_get(schema, "const");
    const json_t *condition = json_object_get(schema, "if");
    const json_t *words = json_object_get(schema, "enum");
    const json_t *pattern = json_object_get(schema, "pattern");
    if (condition &&
        !valid(json_object_get(schema, valid(condition, value) ? "then" : "else"), value))
        return false;
    if ((reference && !valid(resolve(json_string_value(reference)), value)) ||
        (types && !has_one_type(types, value)) || (any && !is_valid_by_any(any, value)) ||
        (not &&valid(not, value)) || (constant && !equals(constant, value)) ||
        (words && !is_listed(words, value)) || !in_bounds(schema, value) ||
        (pattern && !has_pattern(json_string_value(pattern), value)))
        return false;
    if (value->kind == YAML_LIST)
        return valid_list(schema, value);
    return value->kind != YAML_MAP || valid_map(schema, value);
}

/* ---- specs ------------------------------------------------------------------------------------- */

static bool valid_file(const char *path)
{
    Diag *diag = diag_new(arena);
    const Source *source = source_read(arena, diag, path);
    const Yaml *spec = source ? yaml_parse(arena, diag, source) : NULL;
    if (!spec)
        fail_msg("%s: %s", path, diag->text.text);
    return valid(root, spec);
}

static void check_all(const char *pattern)
{
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (!valid_file(found.gl_pathv[i]))
            fail_msg("%s does not keep to the schema", found.gl_pathv[i]);
    }
    globfree(&found);
}

static void test_good_specs(void **state)
{
    (void)state;
    check_all("examples/*/*.yaml");
    check_all("tests/golden/*.yaml");
    check_all("tests/e2e/*.yaml");
    check_all("bench/specs/*.yaml");
}

static void test_faulty_specs(void **state)
{
    (void)state;
    static const char *const names[] = {
        "key_unknown",       "attribute_unknown", "attribute_missing",  "attribute_type",
        "attribute_zero",    "layer_unknown",     "activation_unknown", "initializer_unknown",
        "loss_unknown",      "data_unknown",      "data_key",           "name_bad",
        "optimizer_unknown", "metric_unknown",    "optimizer_beta",     "block_key",
        "block_no_layers",   "block_form",        "repeat_huge",        "repeat_negative"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = arena_printf(arena, "tests/errors/%s.yaml", names[i]);
        FILE *file = fopen(path, "r");
        if (!file)
            fail_msg("%s is not there", path);
        fclose(file);
        if (valid_file(path))
            fail_msg("%s keeps to the schema", path);
    }
}

/* ---- descriptions ------------------------------------------------------------------------------ */

static void check_descriptions(const Section *section)
{
    json_t *object = schema_section(root, section->name), *value;
    const char *key;
    json_object_foreach(json_object_get(object, "properties"), key, value)
    {
        if (!*schema_describe(object, key))
            fail_msg("%s: %s has no description; templates/schema/spec.json lacks it",
                     section->name, key);
    }
}

static void test_every_key_is_described(void **state)
{
    (void)state;
    for (const Section *section = sections; section->name; section++)
        check_descriptions(section);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_specs),
        cmocka_unit_test(test_faulty_specs),
        cmocka_unit_test(test_every_key_is_described),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
