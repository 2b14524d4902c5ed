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

const char **names_of_json(Arena *arena, const char *json, const char *target, int *count)
{
    json_t *root = json_loads(json, 0, NULL), *value, *list = json_object_get(root, target);
    const char **names = NULL;
    size_t i;
    *count = 0;
    json_array_foreach(list, i, value)
    {
        const char *name = json_string_value(value);
        ARENA_PUSH(arena, names, *count, arena_strdup(arena, name ? name : "?"));
    }
    json_decref(root);
    return names;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void *from_arena(void *arena, size_t bytes)
{
    return arena_alloc(arena, bytes);
}

/* What cannot be read here is no fault: nc_weights_load tells what is wrong with a file. */
Table *table_of_weights(Arena *arena, const char *path)
{
    struct nc_safetensors file;
    struct nc_error ignored;
    Table *table = NULL;
    if (!path || nc_safetensors_open(&file, path, &ignored) != 0)
        return NULL;
    const char *json = nc_st_metadata(&file, "table");
    if (json) {
        table = ARENA_NEW(arena, Table);
        if (nc_table_parse(table, json, from_arena, arena) != 0)
            table = NULL;
    }
    nc_safetensors_close(&file);
    return table;
}
