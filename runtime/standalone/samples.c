/* Samples of an executable of `netcc build`: files opened and checked against the model. */
#include "standalone/run.h"

#include "data/image.h"
#include "data/open.h"
#include "fit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* What files are for: the inputs or the targets */
struct side {
    int is_target, count;
    const struct nc_files *files;
    const struct nc_port *ports;
    struct nc_array *arrays;
};

static struct side side_of(struct nc_run *r, int is_target)
{
    if (is_target)
        return (struct side){1, r->model.targets_count, &r->options.targets, r->model.targets,
                             r->targets};
    return (struct side){0, r->model.inputs_count, &r->options.inputs, r->model.inputs, r->inputs};
}

static int is_picture(const char *path)
{
    struct stat info;
    return nc_image_named(path) || (stat(path, &info) == 0 && S_ISDIR(info.st_mode));
}

/* Does what is open for a port fit it, and what is open for others? */
static int fit(struct nc_run *r, const struct side *side, int at, const char *path)
{
    struct nc_array *array = &side->arrays[at];
    const struct nc_fit want = {&side->ports[at], side->is_target ? "target" : "input", path};
    struct nc_error err;
    if ((side->is_target ? nc_fit_target(array, &want, &r->model, at, r->s->one_hot, &err)
                         : nc_fit_shape(array, &want, &err)) != 0)
        return nc_run_fault(r, &err);
    if (!r->samples.count)
        r->samples.count = array->shape[0];
    if (array->shape[0] != r->samples.count || !r->samples.count)
        return nc_run_complain(r, "%s: %lld samples, not %lld", path, (long long)array->shape[0],
                               (long long)r->samples.count);
    return 0;
}

/* One word of the command line. Pictures wait for others of their input. */
static int open_word(struct nc_run *r, const struct side *side, const char *word)
{
    const char *path;
    struct nc_error err;
    const struct nc_table *table = r->table_json && !side->is_target ? &r->table : NULL;
    int at = port_of(r, word, side->ports, side->count, &path);
    if (at < 0)
        return -1;
    int picture = !side->is_target && is_picture(path);
    if (side->arrays[at].rank || (!side->is_target && !picture && r->pictures[at].count))
        return nc_run_complain(r, "'%s' is given twice%s", side->ports[at].name,
                               side->is_target ? "" : "; only pictures can be several");
    if (picture)
        return nc_images_find(&r->pictures[at], path, &err) == 0 ? 0 : nc_run_fault(r, &err);
    if (nc_open_samples(&side->arrays[at], path, &side->ports[at], table, &err) != 0)
        return nc_run_fault(r, &err);
    return fit(r, side, at, path);
}

static int copy_names(struct nc_run *r, const struct nc_images *pictures)
{
    r->files = calloc((size_t)pictures->count, sizeof *r->files);
    if (!r->files)
        return nc_run_complain(r, "out of memory");
    for (; r->files_count < pictures->count; r->files_count++) {
        r->files[r->files_count] = strdup(pictures->paths[r->files_count]);
        if (!r->files[r->files_count])
            return nc_run_complain(r, "out of memory");
    }
    return 0;
}

static int open_pictures(struct nc_run *r, const struct side *side, int at)
{
    const struct nc_framing *f = &r->s->framing;
    struct nc_images *pictures = &r->pictures[at];
    struct nc_frame frame;
    struct nc_error err;
    if (nc_frame_of_port(&frame, &side->ports[at], &err) != 0)
        return nc_run_complain(r, "%s: %s", pictures->paths[0], err.message);
    if (f->own_size) {
        frame.resize_height = f->resize_height;
        frame.resize_width = f->resize_width;
    }
    frame.antialias = f->antialias;
    frame.bgr = f->bgr;
    if (!r->files && copy_names(r, pictures) != 0)
        return -1;
    if (nc_images_open(&side->arrays[at], pictures, &frame, &err) != 0)
        return nc_run_fault(r, &err);
    return fit(r, side, at, r->files[0]);
}

static int open_side(struct nc_run *r, int is_target)
{
    const struct side side = side_of(r, is_target);
    for (int i = 0; i < side.files->count; i++) {
        if (open_word(r, &side, side.files->items[i]) != 0)
            return -1;
    }
    for (int i = 0; i < side.count; i++) {
        if (!is_target && r->pictures[i].count && open_pictures(r, &side, i) != 0)
            return -1;
        if (!side.arrays[i].rank)
            return nc_run_complain(r, "no samples of '%s'; see '%s --help'", side.ports[i].name,
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
    for (int i = 0; r->pictures && i < r->model.inputs_count; i++)
        nc_images_free(&r->pictures[i]);
    nc_names_free(r->files, (int)r->files_count);
    free(r->inputs);
    free(r->targets);
    free(r->pictures);
    r->inputs = r->targets = NULL;
    r->pictures = NULL;
    r->files = NULL;
    r->files_count = 0;
    r->samples = (struct nc_samples){0};
}

int nc_run_open(struct nc_run *r, int with_targets, long digits, unsigned seed)
{
    r->inputs = calloc((size_t)r->model.inputs_count + 1, sizeof *r->inputs);
    r->targets = calloc((size_t)r->model.targets_count + 1, sizeof *r->targets);
    r->pictures = calloc((size_t)r->model.inputs_count + 1, sizeof *r->pictures);
    if (!r->inputs || !r->targets || !r->pictures)
        return nc_run_complain(r, "out of memory");
    r->samples = (struct nc_samples){r->inputs, r->targets, 0};
    if (digits && !r->options.inputs.count && !r->options.targets.count)
        return draw_digits(r, digits, seed);
    const char *table = with_targets ? table_named(r) : NULL;
    if (table)
        return open_table(r, table);
    return open_side(r, 0) == 0 && (!with_targets || open_side(r, 1) == 0) ? 0 : -1;
}
