/* Samples: arrays opened and checked against the model before anything is computed with them. What
 * the spec names is blamed at the spec's line, what the command line names by its file. */
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "data/image.h"
#include "weights.h"

/* ---- shapes ------------------------------------------------------------------------------------ */

/* Trailing axes of one element say nothing: [28, 28, 1] and [28, 28] are one shape. */
static int significant(int rank, const int64_t *shape)
{
    while (rank > 0 && shape[rank - 1] == 1)
        rank--;
    return rank;
}

static bool fits(const struct nc_array *array, const struct nc_port *port)
{
    int rank = significant(array->rank - 1, array->shape + 1);
    return rank == significant(port->rank, port->shape) &&
           memcmp(array->shape + 1, port->shape, (size_t)rank * sizeof *port->shape) == 0;
}

/* One array, what it is for, and whom to blame. */
typedef struct {
    const struct nc_array *array;
    const struct nc_port *port;
    const char *role; /* "input" or "target" */
    const char *path; /* or NULL */
    Loc loc;
} Check;

/* "path: " or nothing */
static const char *file_prefix(Arena *arena, const char *path)
{
    return path ? arena_printf(arena, "%s: ", path) : "";
}

static bool check_shape(Job *job, const Check *c)
{
    char have[NC_SHAPE_TEXT], want[NC_SHAPE_TEXT];
    if (fits(c->array, c->port))
        return true;
    nc_shape_text(c->array->rank - 1, c->array->shape + 1, have);
    nc_shape_text(c->port->rank, c->port->shape, want);
    return diag_error(job->diag, c->loc, "%sa sample has shape %s, but %s '%s' has %s",
                      file_prefix(job->arena, c->path), have, c->role, c->port->name, want);
}

/* ---- labels ------------------------------------------------------------------------------------ */

int64_t sparse_classes(const struct nc_model *model, int target)
{
    const struct nc_port *t = &model->targets[target];
    for (int i = 0; i < model->predict.outputs_count; i++) {
        const struct nc_port *o = &model->predict.outputs[i];
        int64_t classes = o->rank ? o->shape[o->rank - 1] : 1;
        if (!strcmp(o->name, t->name) && classes > 1 && t->elements * classes == o->elements)
            return classes;
    }
    return 0;
}

static bool check_labels(Job *job, const Check *c, int64_t classes)
{
    enum { ROWS = 256 };
    int64_t width = c->array->row_elements, count = c->array->shape[0];
    float *values = ARENA_ARRAY(job->arena, float, ROWS *width);
    uint32_t index[ROWS];
    for (int64_t first = 0; first < count; first += ROWS) {
        long n = count - first < ROWS ? (long)(count - first) : ROWS;
        for (long i = 0; i < n; i++)
            index[i] = (uint32_t)(first + i);
        nc_array_gather(c->array, index, n, values, sizeof *values);
        for (int64_t i = 0; i < n * width; i++) {
            double label = (double)values[i];
            if (label >= 0 && label < (double)classes && label == floor(label))
                continue;
            return diag_error(job->diag, c->loc,
                              "%ssample %lld has label %g; '%s' takes whole numbers from 0 to %lld",
                              file_prefix(job->arena, c->path), (long long)(first + i / width),
                              label, c->port->name, (long long)classes - 1);
        }
    }
    return true;
}

/* ---- one-hot rows ------------------------------------------------------------------------------ */

/* Does the array hold one label where the port holds a row of classes? */
static bool holds_labels(const struct nc_array *array, const struct nc_port *port)
{
    struct nc_port label = *port;
    label.rank--;
    return port->rank && !fits(array, port) && fits(array, &label);
}

/* Labels become rows of 0 and 1, in memory: one byte a class. */
static bool expand_labels(Job *job, const Check *c, struct nc_array *array)
{
    int64_t classes = c->port->shape[c->port->rank - 1];
    int64_t labels = array->shape[0] * array->row_elements;
    if (!check_labels(job, c, classes))
        return false;
    unsigned char *rows = calloc((size_t)labels, (size_t)classes);
    if (!rows)
        return diag_error(job->diag, c->loc, "no memory for %lld one-hot rows", (long long)labels);
    float *values = ARENA_ARRAY(job->arena, float, array->row_elements);
    for (int64_t i = 0; i < array->shape[0]; i++) {
        uint32_t index = (uint32_t)i;
        nc_array_gather(array, &index, 1, values, sizeof *values);
        for (int64_t k = 0; k < array->row_elements; k++)
            rows[(i * array->row_elements + k) * classes + (int64_t)values[k]] = 1;
    }
    struct nc_array expanded = {.dtype = NC_U8,
                                .rank = c->port->rank + 1,
                                .shape = {array->shape[0]},
                                .row_elements = c->port->elements,
                                .data = rows,
                                .block = rows};
    memcpy(expanded.shape + 1, c->port->shape, sizeof(int64_t) * (size_t)c->port->rank);
    nc_array_close(array);
    *array = expanded;
    return true;
}

static bool check_target(Job *job, const Check *c, int target, struct nc_array *array)
{
    int64_t classes = sparse_classes(job->nc, target);
    if (job->model->one_hot && holds_labels(array, c->port))
        return expand_labels(job, c, array);
    return check_shape(job, c) && (!classes || check_labels(job, c, classes));
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

static int find_port(const struct nc_port *ports, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (!name || !strcmp(ports[i].name, name))
            return i;
    }
    return -1;
}

static int64_t *rows_of(struct nc_array *arrays)
{
    return &arrays[0].shape[0];
}

static bool same_count(Job *job, const Samples *s, Loc loc, const char *path, int64_t rows)
{
    if (rows == s->samples.count)
        return true;
    return diag_error(job->diag, loc, "%s%lld samples, but there are %lld of input '%s'",
                      file_prefix(job->arena, path), (long long)rows, (long long)s->samples.count,
                      job->nc->inputs[0].name);
}

/* Opens the arrays of one side (x or y) into their ports' places. */
static bool open_side(Job *job, const DataSource *source, bool is_target, Samples *out)
{
    const DataArray *list = is_target ? source->y : source->x;
    int list_count = is_target ? source->y_count : source->x_count;
    const struct nc_port *ports = is_target ? job->nc->targets : job->nc->inputs;
    int count = is_target ? job->nc->targets_count : job->nc->inputs_count;
    struct nc_array *arrays = is_target ? out->targets : out->inputs;
    for (int i = 0; i < list_count; i++) {
        int at = find_port(ports, count, list[i].port);
        if (at < 0)
            continue; /* a target that no loss reads */
        if (!open_array(job, source->kind, &list[i], &arrays[at]))
            return false;
        const Check check = {&arrays[at], &ports[at], is_target ? "target" : "input", list[i].path,
                             list[i].loc};
        if (!is_target && at == 0)
            out->samples.count = *rows_of(arrays);
        if (!(is_target ? check_target(job, &check, at, &arrays[at]) : check_shape(job, &check)))
            return false;
    }
    return true;
}

static bool check_counts(Job *job, const DataSource *source, const Samples *s)
{
    for (int i = 0; i < source->x_count + source->y_count; i++) {
        bool y = i >= source->x_count;
        const DataArray *data = y ? &source->y[i - source->x_count] : &source->x[i];
        int at = y ? find_port(job->nc->targets, s->targets_count, data->port)
                   : find_port(job->nc->inputs, s->inputs_count, data->port);
        if (at >= 0 &&
            !same_count(job, s, data->loc, data->path, *rows_of(&(y ? s->targets : s->inputs)[at])))
            return false;
    }
    return true;
}

static bool all_there(Job *job, Loc loc, const struct nc_array *arrays, const struct nc_port *ports,
                      int count, const char *role)
{
    for (int i = 0; i < count; i++) {
        if (!arrays[i].rank)
            return diag_error(job->diag, loc, "no samples of %s '%s'", role, ports[i].name);
    }
    return true;
}

static bool open_digits(Job *job, const DataSource *source, Samples *out)
{
    struct nc_error err;
    if (job->nc->inputs_count != 1 || job->nc->targets_count != 1)
        return diag_error(job->diag, source->loc, "the digits have one input and one target");
    if (nc_digits_make(&out->inputs[0], &out->targets[0], source->count, source->seed, &err) != 0)
        return diag_error(job->diag, source->loc, "%s", err.message);
    out->samples.count = source->count;
    const Check x = {&out->inputs[0], &job->nc->inputs[0], "input", NULL, source->loc};
    const Check y = {&out->targets[0], &job->nc->targets[0], "target", NULL, source->loc};
    return check_shape(job, &x) && check_target(job, &y, 0, &out->targets[0]);
}

static bool open_spiral(Job *job, const DataSource *source, Samples *out)
{
    struct nc_error err;
    const struct nc_spiral how = {source->count, source->classes, source->noise, source->seed};
    if (job->nc->inputs_count != 1 || job->nc->targets_count != 1)
        return diag_error(job->diag, source->loc, "a spiral has one input and one target");
    if (nc_spiral_make(&out->inputs[0], &out->targets[0], &how, &err) != 0)
        return diag_error(job->diag, source->loc, "%s", err.message);
    out->samples.count = source->count;
    const Check x = {&out->inputs[0], &job->nc->inputs[0], "input", NULL, source->loc};
    const Check y = {&out->targets[0], &job->nc->targets[0], "target", NULL, source->loc};
    return check_shape(job, &x) && check_target(job, &y, 0, &out->targets[0]);
}

/* ---- csv --------------------------------------------------------------------------------------- */

/* Rows of as many numbers as the port has become rows of its shape. */
static void shape_rows(struct nc_array *array, const struct nc_port *port)
{
    if (array->row_elements != port->elements)
        return;
    array->rank = port->rank + 1;
    memcpy(array->shape + 1, port->shape, sizeof *port->shape * (size_t)port->rank);
}

/* The columns of target k; they stand side by side. */
static TablePart target_part(const Table *t, const struct nc_port *port)
{
    TablePart part = {0};
    for (int i = 0; i < t->targets_count; i++) {
        if (t->targets[i].output && strcmp(t->targets[i].output, port->name))
            continue;
        if (!part.count++)
            part.columns = &t->targets[i];
    }
    return part;
}

static bool open_csv(Job *job, const DataSource *source, Samples *out)
{
    const Table *t = job->model->table;
    TablePart *parts = ARENA_ARRAY(job->arena, TablePart, out->targets_count + 1);
    parts[0] = (TablePart){.columns = t->features, .count = t->features_count};
    for (int i = 0; i < out->targets_count; i++)
        parts[i + 1] = target_part(t, &job->nc->targets[i]);
    bool good = table_read(job->diag, t, &source->csv, parts, out->targets_count + 1);
    out->inputs[0] = parts[0].array;
    shape_rows(&out->inputs[0], &job->nc->inputs[0]);
    out->samples.count = out->inputs[0].shape[0];
    for (int i = 0; i < out->targets_count; i++) {
        const struct nc_port *port = &job->nc->targets[i];
        const Check check = {&out->targets[i], port, "target", source->csv.path, source->csv.loc};
        out->targets[i] = parts[i + 1].array;
        if (!good)
            continue;
        shape_rows(&out->targets[i], port);
        good = check_target(job, &check, i, &out->targets[i]);
    }
    return good;
}

static bool open_images(Job *job, const DataSource *source, Samples *out)
{
    const Check y = {&out->targets[0], &job->nc->targets[0], "target", NULL, source->loc};
    if (!pictures_of_source(job, source, &out->inputs[0], &out->targets[0]))
        return false;
    out->samples.count = *rows_of(out->inputs);
    return check_target(job, &y, 0, &out->targets[0]);
}

static Samples samples_new(Job *job)
{
    Samples s = {.inputs_count = job->nc->inputs_count, .targets_count = job->nc->targets_count};
    s.inputs = ARENA_ARRAY(job->arena, struct nc_array, s.inputs_count + 1);
    s.targets = ARENA_ARRAY(job->arena, struct nc_array, s.targets_count + 1);
    s.samples = (struct nc_samples){s.inputs, s.targets, 0};
    return s;
}

static bool open_source(Job *job, const DataSource *source, Samples *out)
{
    if (source->kind == SOURCE_DIGITS)
        return open_digits(job, source, out);
    if (source->kind == SOURCE_SPIRAL)
        return open_spiral(job, source, out);
    if (source->kind == SOURCE_CSV)
        return open_csv(job, source, out);
    if (source->kind == SOURCE_IMAGES)
        return open_images(job, source, out);
    return open_side(job, source, false, out) && open_side(job, source, true, out) &&
           all_there(job, source->loc, out->inputs, job->nc->inputs, out->inputs_count, "input") &&
           all_there(job, source->loc, out->targets, job->nc->targets, out->targets_count,
                     "target") &&
           check_counts(job, source, out);
}

bool samples_open(Job *job, const DataSource *source, Samples *out)
{
    *out = samples_new(job);
    bool good = open_source(job, source, out);
    if (good && out->samples.count < 1)
        good = diag_error(job->diag, source->loc, "no samples");
    good = good && samples_take_part(job, source, out);
    if (good && source == &job->model->train_data && job->model->standardise)
        good = samples_measure(job, out);
    if (!good)
        samples_close(out);
    return good;
}

/* ---- files of the command line ----------------------------------------------------------------- */

/* The file in `NAME=FILE`, or NULL where the text does not start with that name. */
static const char *file_named(const char *text, const char *name)
{
    size_t length = strlen(name);
    return !strncmp(text, name, length) && text[length] == '=' ? text + length + 1 : NULL;
}

/* The file of `NAME=FILE` or `FILE`, and which of the ports it is for: -1 after an error. */
static int parse_file(Job *job, const char *text, const struct nc_port *ports, int count,
                      const char *role, const char **path)
{
    for (int i = 0; i < count; i++) {
        *path = file_named(text, ports[i].name);
        if (*path)
            return i;
    }
    *path = text;
    if (count == 1)
        return 0;
    diag_error(job->diag, (Loc){0}, "--%s %s: there are %d; say which as --%s NAME=FILE", role,
               text, count, role);
    return -1;
}

static bool has_ending(const char *path, const char *ending)
{
    size_t a = strlen(path), b = strlen(ending);
    return a >= b && !strcasecmp(path + a - b, ending);
}

static bool is_csv(const char *path)
{
    return has_ending(path, ".csv") || has_ending(path, ".tsv");
}

/* A table of as many numbers as a port takes, for models that were not trained from csv. */
static const Table *plain_table(Arena *arena, int64_t elements)
{
    Table *t = ARENA_NEW(arena, Table);
    t->columns = t->features_count = (int)elements;
    t->features = ARENA_ARRAY(arena, TableColumn, elements);
    for (int i = 0; i < t->columns; i++)
        t->features[i] = (TableColumn){.name = arena_printf(arena, "%d", i), .at = i};
    return t;
}

/* A file and the port that it is for. */
typedef struct {
    const char *path;
    struct nc_port port;
    bool is_target;
} PortFile;

static bool open_csv_file(Job *job, const PortFile *file, struct nc_array *out)
{
    bool trained = job->model->table && !file->is_target;
    const Table *t = trained ? job->model->table : plain_table(job->arena, file->port.elements);
    const TableSource source = {.path = file->path};
    TablePart part = {.columns = t->features, .count = t->features_count};
    bool good = table_read(job->diag, t, &source, &part, 1);
    *out = part.array;
    if (!good)
        nc_array_close(out);
    return good;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool open_file(Job *job, const PortFile *file, struct nc_array *out)
{
    struct nc_error err;
    if (is_csv(file->path))
        return open_csv_file(job, file, out);
    if (!file->is_target && (nc_image_named(file->path) || is_folder(file->path)))
        return pictures_of_path(job, file->path, &file->port, out);
    return nc_npy_open(out, file->path, &err) == 0 || job_fault(job, &err);
}

static bool open_file_side(Job *job, const Texts *files, bool is_target, Samples *out)
{
    const struct nc_port *ports = is_target ? job->nc->targets : job->nc->inputs;
    struct nc_array *arrays = is_target ? out->targets : out->inputs;
    int count = is_target ? out->targets_count : out->inputs_count;
    const char *role = is_target ? "target" : "input";
    for (int i = 0; i < files->count; i++) {
        const char *path;
        int at = parse_file(job, files->items[i], ports, count, role, &path);
        if (at < 0)
            return false;
        if (arrays[at].rank)
            return diag_error(job->diag, (Loc){0}, "%s '%s' is given twice", role, ports[at].name);
        const PortFile file = {path, ports[at], is_target};
        if (!open_file(job, &file, &arrays[at]))
            return false;
        if (is_csv(path))
            shape_rows(&arrays[at], &ports[at]);
        const Check check = {&arrays[at], &ports[at], role, path, {0}};
        if (!(is_target ? check_target(job, &check, at, &arrays[at]) : check_shape(job, &check)))
            return false;
        if (!is_target && i == 0)
            out->samples.count = *rows_of(&arrays[at]);
        if (!same_count(job, out, (Loc){0}, path, *rows_of(&arrays[at])))
            return false;
    }
    return all_there(job, (Loc){0}, arrays, ports, count, role);
}

bool samples_open_files(Job *job, const Texts *inputs, const Texts *targets, Samples *out)
{
    *out = samples_new(job);
    if (!targets)
        out->samples.targets = NULL;
    if (open_file_side(job, inputs, false, out) &&
        (!targets || open_file_side(job, targets, true, out)))
        return true;
    samples_close(out);
    return false;
}

/* The port as it will be once compiled */
static struct nc_port unbatched(const Port *port)
{
    struct nc_port out = {.name = port->name,
                          .rank = port->shape.rank - 1,
                          .elements = shape_row(port->shape),
                          .batched = 1};
    memcpy(out.shape, port->shape.dim + 1, (size_t)out.rank * sizeof *out.shape);
    return out;
}

bool samples_count_rows(Job *job, const char *text, int64_t *rows)
{
    struct nc_array array;
    const Port *port = &job->model->inputs[0];
    for (int i = 0; i < job->model->inputs_count; i++) {
        const char *path = file_named(text, job->model->inputs[i].name);
        port = path ? &job->model->inputs[i] : port;
        text = path ? path : text;
    }
    const PortFile file = {text, unbatched(port), false};
    if (!open_file(job, &file, &array))
        return false;
    *rows = *rows_of(&array);
    nc_array_close(&array);
    return *rows > 0 || diag_error(job->diag, (Loc){0}, "%s: no samples", text);
}

void samples_close(Samples *s)
{
    for (int i = 0; i < s->inputs_count; i++)
        nc_array_close(&s->inputs[i]);
    for (int i = 0; i < s->targets_count; i++)
        nc_array_close(&s->targets[i]);
    *s = (Samples){0};
}
