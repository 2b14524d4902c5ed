/* The table as JSON in the metadata of weights:
 *
 *     {"header": true, "columns": 5,
 *      "features": [{"name": "age", "at": 0, "mean": 28.6}, {"name": "sex", "at": 1,
 *                    "values": ["F", "M"]}],
 *      "targets": [{"name": "species", "at": 4, "values": [...]}]}
 *
 * A column with values holds their positions; features are in the order of the model's input. */
#include <jansson.h>
#include <string.h>

#include "safetensors.h"
#include "table.h"

enum { MOST_COLUMNS = 1 << 20 };

static json_t *names_array(const char *const *names, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_stringn_nocheck(names[i], strlen(names[i])));
    return list;
}

static char *take_text(Arena *arena, json_t *value)
{
    char *dumped = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(17));
    char *text = arena_strdup(arena, dumped ? dumped : "null");
    free(dumped);
    json_decref(value);
    return text;
}

char *names_json(Arena *arena, const char *const *names, int count)
{
    return take_text(arena, names_array(names, count));
}

static json_t *write_columns(const TableColumn *columns, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        const TableColumn *c = &columns[i];
        json_t *entry = json_pack("{s:s,s:i}", "name", c->name, "at", c->at);
        if (!entry) /* the name is no UTF-8 */
            entry = json_pack("{s:o,s:i}", "name", json_string_nocheck(c->name), "at", c->at);
        json_object_set_new(entry, "category", json_boolean(c->category));
        if (!c->category)
            json_object_set_new(entry, "mean", json_real(c->mean));
        if (c->values)
            json_object_set_new(entry, "values", names_array(c->values, c->values_count));
        if (c->output)
            json_object_set_new(entry, "output", json_string(c->output));
        json_array_append_new(list, entry);
    }
    return list;
}

char *table_json(Arena *arena, const Table *t)
{
    json_t *whole = json_object();
    json_object_set_new(whole, "header", json_boolean(t->header));
    json_object_set_new(whole, "columns", json_integer(t->columns));
    json_object_set_new(whole, "features", write_columns(t->features, t->features_count));
    json_object_set_new(whole, "targets", write_columns(t->targets, t->targets_count));
    return take_text(arena, whole);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static const char *text_of(Arena *arena, const json_t *value)
{
    return json_is_string(value) ? arena_strdup(arena, json_string_value(value)) : NULL;
}

static bool read_values(Arena *arena, const json_t *list, TableColumn *c)
{
    size_t count = json_array_size(list);
    if (count > MOST_CATEGORIES)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *text = text_of(arena, json_array_get(list, i));
        if (!text)
            return false;
        ARENA_PUSH(arena, c->values, c->values_count, text);
    }
    return true;
}

static bool read_column(Arena *arena, const json_t *entry, int columns, TableColumn *c)
{
    json_int_t at = json_integer_value(json_object_get(entry, "at"));
    c->name = text_of(arena, json_object_get(entry, "name"));
    c->at = (int)at;
    c->category = json_is_true(json_object_get(entry, "category"));
    c->mean = json_number_value(json_object_get(entry, "mean"));
    c->output = text_of(arena, json_object_get(entry, "output"));
    return c->name && at >= 0 && at < columns &&
           read_values(arena, json_object_get(entry, "values"), c) &&
           (!c->category || c->values_count);
}

static bool read_columns(Arena *arena, const json_t *list, int columns, TableColumn **out,
                         int *count)
{
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n && i < MOST_COLUMNS; i++) {
        TableColumn c = {0};
        if (!read_column(arena, json_array_get(list, i), columns, &c))
            return false;
        ARENA_PUSH(arena, *out, *count, c);
    }
    return n > 0 && n < MOST_COLUMNS;
}

static Table *read_table(Arena *arena, const json_t *whole)
{
    Table *t = ARENA_NEW(arena, Table);
    json_int_t columns = json_integer_value(json_object_get(whole, "columns"));
    t->header = json_is_true(json_object_get(whole, "header"));
    t->columns = (int)columns;
    bool ok = columns > 0 && columns < MOST_COLUMNS &&
              read_columns(arena, json_object_get(whole, "features"), t->columns, &t->features,
                           &t->features_count) &&
              read_columns(arena, json_object_get(whole, "targets"), t->columns, &t->targets,
                           &t->targets_count);
    return ok ? t : NULL;
}

/* What cannot be read here is no fault: nc_weights_load tells what is wrong with a file. */
Table *table_of_weights(Arena *arena, const char *path)
{
    struct nc_safetensors file;
    struct nc_error ignored;
    Table *table = NULL;
    if (!path || nc_safetensors_open(&file, path, &ignored) != 0)
        return NULL;
    for (int i = 0; i < file.metadata_count && !table; i++) {
        json_t *whole = strcmp(file.metadata[2 * i], "table")
                            ? NULL
                            : json_loads(file.metadata[2 * i + 1], 0, NULL);
        if (whole)
            table = read_table(arena, whole);
        json_decref(whole);
    }
    nc_safetensors_close(&file);
    return table;
}
