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

static bool is_picture(const char *path)
{
    return nc_image_named(path) || is_folder(path);
}

static bool open_file(Job *job, const char *path, const struct nc_port *port, bool is_target,
                      struct nc_array *out)
{
    struct nc_error err;
    const Table *table = is_target ? NULL : job->model->table;
    return nc_open_samples(out, path, port, table, &err) == 0 || job_fault(job, &err);
}

static bool fit_file(Job *job, const Side *side, const Place *place, Samples *out)
{
    if (!samples_fit(job, side, place))
        return false;
    if (out->samples.count < 0)
        out->samples.count = side->arrays[place->at].shape[0];
    return samples_same_count(job, out, side, place);
}

/* One of the files of --input or --target. Pictures wait in a list for others of their input. */
static bool open_word(Job *job, const Side *side, const char *word, struct nc_images *pictures,
                      Samples *out)
{
    Place place = {0};
    struct nc_error err;
    place.at = parse_file(job, word, side, &place.path);
    if (place.at < 0)
        return false;
    struct nc_array *array = &side->arrays[place.at];
    bool picture = !side->is_target && is_picture(place.path);
    if (array->rank || (!picture && pictures[place.at].count))
        return diag_error(job->diag, (Loc){0}, "%s '%s' is given twice%s", side->role,
                          side->ports[place.at].name,
                          side->is_target ? "" : "; only pictures can be several");
    if (picture)
        return nc_images_find(&pictures[place.at], place.path, &err) == 0 || job_fault(job, &err);
    return open_file(job, place.path, &side->ports[place.at], side->is_target, array) &&
           fit_file(job, side, &place, out);
}

/* The pictures of an input, whose paths name the rows. */
static bool open_pictures(Job *job, const Side *side, int at, struct nc_images *pictures,
                          Samples *out)
{
    const Place place = {.at = at, .path = arena_strdup(job->arena, pictures->paths[0])};
    const char **files = ARENA_ARRAY(job->arena, const char *, pictures->count);
    for (int64_t i = 0; i < pictures->count; i++)
        files[i] = arena_strdup(job->arena, pictures->paths[i]);
    if (!out->files)
        out->files = files;
    return pictures_open(job, pictures, &side->ports[at], &side->arrays[at]) &&
           fit_file(job, side, &place, out);
}

static bool open_words(Job *job, const Texts *files, const Side *side, Samples *out)
{
    struct nc_images *pictures = ARENA_ARRAY(job->arena, struct nc_images, side->count + 1);
    bool good = true;
    for (int i = 0; i < files->count && good; i++)
        good = open_word(job, side, files->items[i], pictures, out);
    for (int at = 0; at < side->count; at++) {
        if (good && pictures[at].count)
            good = open_pictures(job, side, at, &pictures[at], out);
        nc_images_free(&pictures[at]);
    }
    return good && samples_complete(job, side, (Loc){0});
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

/* The file of `NAME=FILE` or `FILE`, and its input: the first where none is named. */
static int input_of(const Model *model, const char *text, const char **path)
{
    for (int i = 0; i < model->inputs_count; i++) {
        *path = file_named(text, model->inputs[i].name);
        if (*path)
            return i;
    }
    *path = text;
    return 0;
}

/* The pictures of the input that the first file is for. */
static bool count_pictures(Job *job, const Texts *inputs, int input, int64_t *rows)
{
    struct nc_images pictures = {0};
    struct nc_error err;
    bool good = true;
    for (int i = 0; i < inputs->count && good; i++) {
        const char *path;
        if (input_of(job->model, inputs->items[i], &path) == input)
            good = nc_images_find(&pictures, path, &err) == 0 || job_fault(job, &err);
    }
    *rows = pictures.count;
    nc_images_free(&pictures);
    return good;
}

bool samples_count_rows(Job *job, const Texts *inputs, int64_t *rows)
{
    struct nc_array array;
    const char *path;
    int input = input_of(job->model, inputs->items[0], &path);
    if (is_picture(path))
        return count_pictures(job, inputs, input, rows);
    const struct nc_port row = unbatched(&job->model->inputs[input]);
    if (!open_file(job, path, &row, false, &array))
        return false;
    *rows = array.shape[0];
    nc_array_close(&array);
    return *rows > 0 || diag_error(job->diag, (Loc){0}, "%s: no samples", path);
}
