/* Samples from files that the command line names; a fault names the file. */
#include <string.h>
#include <sys/stat.h>

#include "cli/samples.h"
#include "data/image.h"
#include "data/open.h"

/* The file in `NAME=FILE`, or NULL where the text does not start with that name. */
static const char *file_named(const char *text, const char *name)
{
    size_t length = strlen(name);
    return !strncmp(text, name, length) && text[length] == '=' ? text + length + 1 : NULL;
}

/* The file of `NAME=FILE` or `FILE`, and which of the ports it is for: -1 after an error. */
static int parse_file(Job *job, const char *text, const Side *side, const char **path)
{
    for (int i = 0; i < side->count; i++) {
        *path = file_named(text, side->ports[i].name);
        if (*path)
            return i;
    }
    *path = text;
    if (side->count == 1)
        return 0;
    diag_error(job->diag, (Loc){0}, "--%s %s: there are %d; say which as --%s NAME=FILE",
               side->role, text, side->count, side->role);
    return -1;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool open_file(Job *job, const char *path, const struct nc_port *port, bool is_target,
                      struct nc_array *out)
{
    struct nc_error err;
    const Table *table = is_target ? NULL : job->model->table;
    if (!is_target && (nc_image_named(path) || is_folder(path)))
        return pictures_of_path(job, path, port, out);
    return nc_open_samples(out, path, port, table, &err) == 0 || job_fault(job, &err);
}

/* One of the files of --input or --target */
static bool open_word(Job *job, const Side *side, const char *word, Samples *out)
{
    Place place = {0};
    place.at = parse_file(job, word, side, &place.path);
    if (place.at < 0)
        return false;
    struct nc_array *array = &side->arrays[place.at];
    if (array->rank)
        return diag_error(job->diag, (Loc){0}, "%s '%s' is given twice", side->role,
                          side->ports[place.at].name);
    if (!open_file(job, place.path, &side->ports[place.at], side->is_target, array) ||
        !samples_fit(job, side, &place))
        return false;
    if (out->samples.count < 0)
        out->samples.count = array->shape[0];
    return samples_same_count(job, out, side, &place);
}

static bool open_words(Job *job, const Texts *files, const Side *side, Samples *out)
{
    for (int i = 0; i < files->count; i++) {
        if (!open_word(job, side, files->items[i], out))
            return false;
    }
    return samples_complete(job, side, (Loc){0});
}

bool samples_open_files(Job *job, const Texts *inputs, const Texts *targets, Samples *out)
{
    *out = samples_new(job);
    out->samples.count = -1;
    if (!targets)
        out->samples.targets = NULL;
    const Side x = side_of(job, out, false), y = side_of(job, out, true);
    if (open_words(job, inputs, &x, out) && (!targets || open_words(job, targets, &y, out)))
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
    const struct nc_port row = unbatched(port);
    if (!open_file(job, text, &row, false, &array))
        return false;
    *rows = array.shape[0];
    nc_array_close(&array);
    return *rows > 0 || diag_error(job->diag, (Loc){0}, "%s: no samples", text);
}
