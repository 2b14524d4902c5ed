/* What the weights of an executable of `netcc build` say beside numbers: those inside, or with --weights
 * those of a file, whose table may have other categories in the same places. */
#include "standalone/run.h"

#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    return calloc(1, bytes + 1);
}

static const char *table_inside(const struct nc_run *r)
{
    for (int i = 0; i < r->s->metadata_count; i++) {
        if (strcmp(r->s->metadata[2 * i], "table") == 0)
            return r->s->metadata[2 * i + 1];
    }
    return NULL;
}

/* The table of the weights of --weights, or NULL; what else is wrong with them is found later. */
static char *table_of_file(const struct nc_run *r)
{
    struct nc_safetensors file;
    struct nc_error ignored;
    if (!r->options.weights || nc_safetensors_open(&file, r->options.weights, &ignored) != 0)
        return NULL;
    const char *json = nc_st_metadata(&file, "table");
    char *copy = json ? strdup(json) : NULL;
    nc_safetensors_close(&file);
    return copy;
}

/* Does the code inside, made for one table, also suit another? */
static int same_form(const struct nc_run *r, const struct nc_table *a, const struct nc_table *b)
{
    if (a->features_count != b->features_count)
        return nc_run_complain(r, "%s: is of a table with %d features; this was built for %d",
                               r->options.weights, b->features_count, a->features_count);
    for (int i = 0; i < a->features_count; i++) {
        const struct nc_column *x = &a->features[i], *y = &b->features[i];
        if (x->category != y->category || (x->category && x->values_count != y->values_count))
            return nc_run_complain(r, "%s: column '%s' has %d categories; this was built for %d",
                                   r->options.weights, y->name, y->category ? y->values_count : 0,
                                   x->category ? x->values_count : 0);
    }
    return 0;
}

static int read_table(struct nc_run *r)
{
    const char *inside = table_inside(r);
    char *json = inside ? table_of_file(r) : NULL;
    struct nc_table other;
    if (!inside)
        return 0;
    if (nc_table_parse(&r->table, inside, allocate, NULL) != 0)
        return nc_run_complain(r, "out of memory");
    r->table_json = inside;
    if (!json)
        return 0;
    if (nc_table_parse(&other, json, allocate, NULL) != 0)
        return nc_run_complain(r, "%s: its table cannot be read", r->options.weights);
    r->table_json = json;
    if (same_form(r, &r->table, &other) != 0)
        return -1;
    r->table = other;
    return 0;
}

/* A target's classes are a column's values, where it has them. */
static void name_classes(struct nc_run *r, int target)
{
    struct nc_class_names *classes = &r->classes[target];
    *classes = r->s->classes[target];
    for (int i = 0; i < r->table.targets_count; i++) {
        const struct nc_column *c = &r->table.targets[i];
        if (c->category && (!c->output || !strcmp(c->output, r->model.targets[target].name))) {
            classes->names = c->values;
            classes->count = c->values_count;
        }
    }
}

int nc_run_read_metadata(struct nc_run *r)
{
    r->classes = calloc((size_t)r->model.targets_count + 1, sizeof *r->classes);
    if (!r->classes)
        return nc_run_complain(r, "out of memory");
    if (read_table(r) != 0)
        return -1;
    for (int i = 0; i < r->model.targets_count; i++)
        name_classes(r, i);
    return 0;
}
