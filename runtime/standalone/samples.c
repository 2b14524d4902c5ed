/* Samples of an executable of `netcc build`: files opened and checked against the model. */
#include "standalone/run.h"

#include "data/open.h"
#include "fit.h"

#include <stdlib.h>
#include <string.h>

/* The file of `NAME=FILE` or `FILE` and the port it is for, or -1. */
static int port_of(struct nc_run *r, const char *text, const struct nc_port *ports, int count,
                   const char **path)
{
    for (int i = 0; i < count; i++) {
        size_t length = strlen(ports[i].name);
        if (strncmp(text, ports[i].name, length) == 0 && text[length] == '=') {
            *path = text + length + 1;
            return i;
        }
    }
    *path = text;
    return count == 1 ? 0
                      : nc_run_complain(r, "%s: say which of %d it is, as NAME=FILE", text, count);
}

static int open_side(struct nc_run *r, int is_target)
{
    const struct nc_files *files = is_target ? &r->options.targets : &r->options.inputs;
    const struct nc_port *ports = is_target ? r->model.targets : r->model.inputs;
    struct nc_array *arrays = is_target ? r->targets : r->inputs;
    int count = is_target ? r->model.targets_count : r->model.inputs_count;
    struct nc_error err;
    for (int i = 0; i < files->count; i++) {
        const char *path;
        int at = port_of(r, files->items[i], ports, count, &path);
        if (at < 0)
            return -1;
        if (arrays[at].rank)
            return nc_run_complain(r, "'%s' is given twice", ports[at].name);
        const struct nc_table *table = r->table_json && !is_target ? &r->table : NULL;
        const struct nc_fit fit = {&ports[at], is_target ? "target" : "input", path};
        if (nc_open_samples(&arrays[at], path, &ports[at], table, &err) != 0 ||
            (is_target ? nc_fit_target(&arrays[at], &fit, &r->model, at, r->s->one_hot, &err)
                       : nc_fit_shape(&arrays[at], &fit, &err)) != 0)
            return nc_run_fault(r, &err);
        if (!r->samples.count)
            r->samples.count = arrays[at].shape[0];
        if (arrays[at].shape[0] != r->samples.count || !r->samples.count)
            return nc_run_complain(r, "%s: %lld samples, not %lld", path,
                                   (long long)arrays[at].shape[0], (long long)r->samples.count);
    }
    for (int i = 0; i < count; i++) {
        if (!arrays[i].rank)
            return nc_run_complain(r, "no samples of '%s'; see '%s --help'", ports[i].name,
                                   r->program);
    }
    return 0;
}

/* The only file, a csv that holds the targets as well. */
static int open_table(struct nc_run *r, const char *path)
{
    int count = r->model.targets_count;
    const struct nc_table_file file = {.path = path};
    struct nc_error err;
    struct nc_table_part *parts = calloc((size_t)count + 1, sizeof *parts);
    if (!parts)
        return nc_run_complain(r, "out of memory");
    parts[0] =
        (struct nc_table_part){.columns = r->table.features, .count = r->table.features_count};
    for (int i = 0; i < count; i++)
        parts[i + 1] = nc_table_target(&r->table, r->model.targets[i].name);
    int result = nc_table_read(&r->table, &file, parts, count + 1, &err);
    r->inputs[0] = parts[0].array;
    nc_shape_rows(&r->inputs[0], &r->model.inputs[0]);
    const struct nc_fit x = {&r->model.inputs[0], "input", path};
    if (result == 0)
        result = nc_fit_shape(&r->inputs[0], &x, &err);
    r->samples.count = r->inputs[0].shape[0];
    for (int i = 0; i < count; i++) {
        r->targets[i] = parts[i + 1].array;
        const struct nc_fit y = {&r->model.targets[i], "target", path};
        nc_shape_rows(&r->targets[i], y.port);
        if (result == 0)
            result = nc_fit_target(&r->targets[i], &y, &r->model, i, r->s->one_hot, &err);
    }
    free(parts);
    return result == 0 ? 0 : nc_run_fault(r, &err);
}

/* Is the only file such a csv? */
static const char *table_named(const struct nc_run *r)
{
    const struct nc_options *o = &r->options;
    const char *path = o->inputs.count == 1 ? o->inputs.items[0] : "", *name = "";
    if (r->model.inputs_count == 1)
        name = r->model.inputs[0].name;
    if (*name && strncmp(path, name, strlen(name)) == 0 && path[strlen(name)] == '=')
        path += strlen(name) + 1;
    return r->table_json && !o->targets.count && nc_is_table(path) ? path : NULL;
}

static int draw_digits(struct nc_run *r, long count, unsigned seed)
{
    struct nc_error err;
    const struct nc_fit x = {&r->model.inputs[0], "input", NULL};
    const struct nc_fit y = {&r->model.targets[0], "target", NULL};
    if (nc_digits_make(&r->inputs[0], &r->targets[0], count, seed, &err) != 0 ||
        nc_fit_shape(&r->inputs[0], &x, &err) != 0 ||
        nc_fit_target(&r->targets[0], &y, &r->model, 0, r->s->one_hot, &err) != 0)
        return nc_run_fault(r, &err);
    r->samples.count = count;
    return 0;
}

void nc_run_close(struct nc_run *r)
{
    for (int i = 0; r->inputs && i < r->model.inputs_count; i++)
        nc_array_close(&r->inputs[i]);
    for (int i = 0; r->targets && i < r->model.targets_count; i++)
        nc_array_close(&r->targets[i]);
    free(r->inputs);
    free(r->targets);
    r->inputs = r->targets = NULL;
    r->samples = (struct nc_samples){0};
}

int nc_run_open(struct nc_run *r, int with_targets, long digits, unsigned seed)
{
    r->inputs = calloc((size_t)r->model.inputs_count + 1, sizeof *r->inputs);
    r->targets = calloc((size_t)r->model.targets_count + 1, sizeof *r->targets);
    if (!r->inputs || !r->targets)
        return nc_run_complain(r, "out of memory");
    r->samples = (struct nc_samples){r->inputs, r->targets, 0};
    if (digits && !r->options.inputs.count && !r->options.targets.count)
        return draw_digits(r, digits, seed);
    const char *table = with_targets ? table_named(r) : NULL;
    if (table)
        return open_table(r, table);
    return open_side(r, 0) == 0 && (!with_targets || open_side(r, 1) == 0) ? 0 : -1;
}
