/* The table in the metadata of weights, which compiler/table_json.c writes and describes. */
#include "data/table.h"

#include <jansson.h>
#include <string.h>

/* What a table is read into. */
struct reader {
    nc_table_memory *memory;
    void *context;
};

static char *read_text(const struct reader *r, const json_t *value)
{
    size_t length = json_is_string(value) ? json_string_length(value) : 0;
    char *text = json_is_string(value) ? r->memory(r->context, length + 1) : NULL;
    return text ? memcpy(text, json_string_value(value), length + 1) : NULL;
}

static int read_values(const struct reader *r, const json_t *list, struct nc_column *c)
{
    size_t count = json_array_size(list);
    double ignored;
    if (!count)
        return 0;
    c->by_value = 1;
    c->values =
        count > NC_MOST_CATEGORIES ? NULL : r->memory(r->context, count * sizeof *c->values);
    for (size_t i = 0; c->values && i < count; i++) {
        c->values[i] = read_text(r, json_array_get(list, i));
        if (!c->values[i])
            return -1;
        c->by_value &= nc_csv_number(c->values[i], &ignored);
        c->values_count++;
    }
    return c->values ? 0 : -1;
}

static int read_column(const struct reader *r, const json_t *entry, int columns,
                       struct nc_column *c)
{
    json_int_t at = json_integer_value(json_object_get(entry, "at"));
    c->name = read_text(r, json_object_get(entry, "name"));
    c->at = (int)at;
    c->category = json_is_true(json_object_get(entry, "category"));
    c->output = read_text(r, json_object_get(entry, "output"));
    int good = c->name && at >= 0 && at < columns &&
               read_values(r, json_object_get(entry, "values"), c) == 0 &&
               (!c->category || c->values_count);
    return good ? 0 : -1;
}

static struct nc_column *read_columns(const struct reader *r, const json_t *list, int columns,
                                      int *count)
{
    size_t n = json_array_size(list);
    struct nc_column *out =
        n > 0 && n < NC_MOST_COLUMNS ? r->memory(r->context, n * sizeof *out) : NULL;
    for (size_t i = 0; out && i < n; i++) {
        if (read_column(r, json_array_get(list, i), columns, &out[i]) != 0)
            return NULL;
    }
    *count = (int)n;
    return out;
}

static int read_table(const struct reader *r, const json_t *whole, struct nc_table *t)
{
    json_int_t columns = json_integer_value(json_object_get(whole, "columns"));
    if (columns < 1 || columns >= NC_MOST_COLUMNS)
        return -1;
    t->header = json_is_true(json_object_get(whole, "header"));
    t->columns = (int)columns;
    t->features =
        read_columns(r, json_object_get(whole, "features"), t->columns, &t->features_count);
    t->targets = read_columns(r, json_object_get(whole, "targets"), t->columns, &t->targets_count);
    return t->features && t->targets ? 0 : -1;
}

int nc_table_parse(struct nc_table *out, const char *json, nc_table_memory *memory, void *context)
{
    const struct reader r = {memory, context};
    json_t *whole = json_loads(json, 0, NULL);
    *out = (struct nc_table){0};
    int result = whole ? read_table(&r, whole, out) : -1;
    json_decref(whole);
    return result;
}
