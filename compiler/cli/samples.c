/* Samples: arrays opened and checked against the model before anything is computed with them. What
 * the spec names is blamed at the spec's line. */
#include "cli/samples.h"

#include <string.h>

#include "data/open.h"
#include "fit.h"

/* ---- sides ------------------------------------------------------------------------------------- */

Samples samples_new(Job *job)
{
    Samples s = {.inputs_count = job->nc->inputs_count, .targets_count = job->nc->targets_count};
    s.inputs = ARENA_ARRAY(job->arena, struct nc_array, s.inputs_count + 1);
    s.targets = ARENA_ARRAY(job->arena, struct nc_array, s.targets_count + 1);
    s.samples = (struct nc_samples){s.inputs, s.targets, 0};
    return s;
}

Side side_of(const Job *job, Samples *s, bool is_target)
{
    if (is_target)
        return (Side){job->nc->targets, s->targets, s->targets_count, true, "target"};
    return (Side){job->nc->inputs, s->inputs, s->inputs_count, false, "input"};
}

/* "path: " or nothing */
static const char *file_prefix(Arena *arena, const char *path)
{
    return path ? arena_printf(arena, "%s: ", path) : "";
}

bool samples_fit(Job *job, const Side *side, const Place *place)
{
    struct nc_array *array = &side->arrays[place->at];
    const struct nc_fit fit = {&side->ports[place->at], side->role, place->path};
    struct nc_error err;
    int result = side->is_target
                     ? nc_fit_target(array, &fit, job->nc, place->at, job->model->one_hot, &err)
                     : nc_fit_shape(array, &fit, &err);
    return result == 0 || diag_error(job->diag, place->loc, "%s%s",
                                     file_prefix(job->arena, place->path), err.message);
}

bool samples_same_count(Job *job, const Samples *s, const Side *side, const Place *place)
{
    int64_t rows = side->arrays[place->at].shape[0];
    if (rows == s->samples.count)
        return true;
    return diag_error(job->diag, place->loc, "%s%lld samples, but there are %lld of input '%s'",
                      file_prefix(job->arena, place->path), (long long)rows,
                      (long long)s->samples.count, job->nc->inputs[0].name);
}

bool samples_complete(Job *job, const Side *side, Loc loc)
{
    for (int i = 0; i < side->count; i++) {
        if (!side->arrays[i].rank)
            return diag_error(job->diag, loc, "no samples of %s '%s'", side->role,
                              side->ports[i].name);
    }
    return true;
}

/* ---- a source of the spec ---------------------------------------------------------------------- */

static bool open_array(Job *job, SourceKind kind, const DataArray *data, struct nc_array *out)
{
    struct nc_error err;
    int result;
    if (kind == SOURCE_IDX)
        result = nc_idx_open(out, data->path, &err);
    else if (kind == SOURCE_NPY)
        result = nc_npy_open(out, data->path, &err);
    else
        result = nc_npz_open(out, data->path, data->member, &err);
    if (result == 0)
        return true;
    return diag_error(job->diag, data->loc, "%s: %s", err.path[0] ? err.path : data->path,
                      err.message);
}

static int find_port(const Side *side, const char *name)
{
    for (int i = 0; i < side->count; i++) {
        if (!name || !strcmp(side->ports[i].name, name))
            return i;
    }
    return -1;
}

/* Opens the arrays of one side (x or y) into their ports' places. */
static bool open_side(Job *job, const DataSource *source, bool is_target, Samples *out)
{
    const DataArray *list = is_target ? source->y : source->x;
    int list_count = is_target ? source->y_count : source->x_count;
    const Side side = side_of(job, out, is_target);
    for (int i = 0; i < list_count; i++) {
        const Place place = {find_port(&side, list[i].port), list[i].path, list[i].loc};
        if (place.at < 0)
            continue; /* a target that no loss reads */
        if (!open_array(job, source->kind, &list[i], &side.arrays[place.at]))
            return false;
        if (!is_target && place.at == 0)
            out->samples.count = side.arrays[0].shape[0];
        if (!samples_fit(job, &side, &place))
            return false;
    }
    return samples_complete(job, &side, source->loc);
}

/* All arrays have as many rows as the first input, which may have been opened last. */
static bool check_counts(Job *job, const DataSource *source, bool is_target, Samples *s)
{
    const DataArray *list = is_target ? source->y : source->x;
    int list_count = is_target ? source->y_count : source->x_count;
    const Side side = side_of(job, s, is_target);
    for (int i = 0; i < list_count; i++) {
        const Place place = {find_port(&side, list[i].port), list[i].path, list[i].loc};
        if (place.at >= 0 && !samples_same_count(job, s, &side, &place))
            return false;
    }
    return true;
}

/* ---- builtin ----------------------------------------------------------------------------------- */

static bool draw(const DataSource *source, Samples *out, struct nc_error *err)
{
    const struct nc_spiral how = {source->count, source->classes, source->noise, source->seed};
    int result =
        source->kind == SOURCE_SPIRAL
            ? nc_spiral_make(&out->inputs[0], &out->targets[0], &how, err)
            : nc_digits_make(&out->inputs[0], &out->targets[0], source->count, source->seed, err);
    return result == 0;
}

static bool open_builtin(Job *job, const DataSource *source, Samples *out)
{
    struct nc_error err;
    const Side inputs = side_of(job, out, false), targets = side_of(job, out, true);
    const Place place = {0, NULL, source->loc};
    if (inputs.count != 1 || targets.count != 1)
        return diag_error(job->diag, source->loc, "%s have one input and one target",
                          source->kind == SOURCE_SPIRAL ? "spirals" : "digits");
    if (!draw(source, out, &err))
        return diag_error(job->diag, source->loc, "%s", err.message);
    out->samples.count = source->count;
    return samples_fit(job, &inputs, &place) && samples_fit(job, &targets, &place);
}

/* ---- csv --------------------------------------------------------------------------------------- */

static bool open_csv(Job *job, const DataSource *source, Samples *out)
{
    const Table *t = job->model->table;
    TablePart *parts = ARENA_ARRAY(job->arena, TablePart, out->targets_count + 1);
    parts[0] = (TablePart){.columns = t->features, .count = t->features_count};
    for (int i = 0; i < out->targets_count; i++)
        parts[i + 1] = nc_table_target(t, job->nc->targets[i].name);
    bool good = table_read(job->diag, t, &source->csv, parts, out->targets_count + 1);
    const Side inputs = side_of(job, out, false), targets = side_of(job, out, true);
    out->inputs[0] = parts[0].array;
    nc_shape_rows(&inputs.arrays[0], &inputs.ports[0]);
    out->samples.count = out->inputs[0].shape[0];
    for (int i = 0; i < out->targets_count; i++) {
        const Place place = {i, source->csv.path, source->csv.loc};
        out->targets[i] = parts[i + 1].array;
        nc_shape_rows(&targets.arrays[i], &targets.ports[i]);
        good = good && samples_fit(job, &targets, &place);
    }
    return good;
}

/* ---- any source -------------------------------------------------------------------------------- */

static bool open_images(Job *job, const DataSource *source, Samples *out)
{
    const Side targets = side_of(job, out, true);
    const Place place = {0, NULL, source->loc};
    if (!pictures_of_source(job, source, &out->inputs[0], &out->targets[0]))
        return false;
    out->samples.count = out->inputs[0].shape[0];
    return samples_fit(job, &targets, &place);
}

static bool open_source(Job *job, const DataSource *source, Samples *out)
{
    if (source->kind == SOURCE_DIGITS || source->kind == SOURCE_SPIRAL)
        return open_builtin(job, source, out);
    if (source->kind == SOURCE_CSV)
        return open_csv(job, source, out);
    if (source->kind == SOURCE_IMAGES)
        return open_images(job, source, out);
    return open_side(job, source, false, out) && open_side(job, source, true, out) &&
           check_counts(job, source, false, out) && check_counts(job, source, true, out);
}

bool samples_open(Job *job, const DataSource *source, Samples *out)
{
    *out = samples_new(job);
    bool good = open_source(job, source, out);
    if (good && out->samples.count < 1)
        good = diag_error(job->diag, source->loc, "no samples");
    good = good && samples_take_part(job, source, out);
    if (!good)
        samples_close(out);
    else if (source == &job->model->train_data)
        job->training = &out->samples;
    return good;
}

void samples_close(Samples *s)
{
    for (int i = 0; i < s->inputs_count; i++)
        nc_array_close(&s->inputs[i]);
    for (int i = 0; i < s->targets_count; i++)
        nc_array_close(&s->targets[i]);
    *s = (Samples){0};
}
