/* Reading image sources. Pictures lie in sub-folders named after their classes, or a table says what
 * each one is; data.train's classes are those of all sources. */
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "data/csv.h"
#include "data/image.h"
#include "safetensors.h"

const char *const images_keys[] = {"folder", "labels", NULL};

/* ---- how pictures fill the input --------------------------------------------------------------- */

static bool is_picture(const Model *model)
{
    Shape shape = model->inputs[0].shape;
    return model->inputs_count == 1 &&
           (shape.rank == 3 || (shape.rank == 4 && (shape.dim[3] == 1 || shape.dim[3] == 3)));
}

static bool wants_picture(Build *build, Loc loc, const char *what)
{
    const Port *input = &build->model->inputs[0];
    if (is_picture(build->model))
        return true;
    if (build->model->inputs_count > 1)
        return diag_error(build->diag, loc, "%s feed one input, but the model has %d", what,
                          build->model->inputs_count);
    diag_error(build->diag, loc, "%s are [n, height, width, 1 or 3], but input '%s' is %s", what,
               input->name, shape_text(build->arena, input->shape));
    diag_note(build->diag, input->loc, "'%s' is here", input->name);
    return false;
}

/* Is what is left after resizing at least the input? With a short side only the picture tells. */
static bool resize_fits(Build *build, Loc loc)
{
    const Framing *f = &build->model->framing;
    const Port *input = &build->model->inputs[0];
    const int64_t *size = &input->shape.dim[1];
    int64_t height = f->resize[0], width = f->resize_count == 2 ? f->resize[1] : f->resize[0];
    if (!f->resizes || f->resize_count == 0)
        return true;
    if (f->resize_count == 2 ? height >= size[0] && width >= size[1]
                             : height >= (size[0] < size[1] ? size[0] : size[1]))
        return true;
    diag_error(build->diag, loc, "resize leaves less than input '%s', %s", input->name,
               shape_text(build->arena, input->shape));
    diag_note(build->diag, input->loc, "'%s' is here", input->name);
    return false;
}

static bool read_resize(Build *build, const AttrValue *resize)
{
    Framing *f = &build->model->framing;
    f->resizes = true;
    if (!resize->loc.source)
        return true;
    if (resize->count < 1 || resize->count > 2 || (resize->count == 2 && !resize->list[0]) ||
        (resize->count == 2 && !resize->list[1]))
        return diag_error(build->diag, resize->loc,
                          "resize: expected the short side, [height, width], or 0");
    f->resizes = resize->list[0] != 0;
    f->resize_count = f->resizes ? resize->count : 0;
    memcpy(f->resize, resize->list, (size_t)resize->count * sizeof *f->resize);
    return resize_fits(build, resize->loc);
}

bool read_framing(Build *build, const AttrValue *values, const Yaml *data)
{
    static const char *const keys[] = {"resize", "antialias", "channel_order"};
    Framing *f = &build->model->framing;
    f->resizes = true;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const AttrValue *value = find_attr(scaling_attrs, values, keys[i]);
        if (value->loc.source && !wants_picture(build, key_loc(data, keys[i]), "pictures"))
            return false;
        f->given |= value->loc.source != NULL;
    }
    f->antialias = find_attr(scaling_attrs, values, "antialias")->i;
    f->bgr = find_attr(scaling_attrs, values, "channel_order")->i;
    return read_resize(build, find_attr(scaling_attrs, values, "resize"));
}

/* ---- tables of labels -------------------------------------------------------------------------- */

typedef struct {
    Build *build;
    const char *path;
    Loc loc;
    struct nc_csv csv;
    const char **files, **texts; /* pictures and labels */
    int64_t *lines;              /* of the file, on which they stand */
    int count;
} Labels;

static bool bad_row(const Labels *l, int64_t i, const char *message, const char *text)
{
    return diag_error(l->build->diag, l->loc, "%s:%lld: %s '%s'", l->path, (long long)l->lines[i],
                      message, text);
}

static bool labels_fault(Labels *l, const struct nc_error *err)
{
    return diag_error(l->build->diag, l->loc, "%s: %s", err->path[0] ? err->path : l->path,
                      err->message);
}

static void add_label(Labels *l)
{
    Arena *arena = l->build->arena;
    int files = l->count, texts = l->count;
    ARENA_PUSH(arena, l->files, files, arena_strdup(arena, nc_csv_at(&l->csv, 0)));
    ARENA_PUSH(arena, l->texts, texts, arena_strdup(arena, nc_csv_at(&l->csv, 1)));
    ARENA_PUSH(arena, l->lines, l->count, l->csv.line);
}

/* A first row that names no picture is a header. */
static bool read_labels(Labels *l)
{
    struct nc_error err;
    int more;
    if (nc_csv_open(&l->csv, l->path, 0, &err) != 0)
        return labels_fault(l, &err);
    if (l->csv.columns != 2)
        return diag_error(l->build->diag, l->loc,
                          "%s: %d columns, but labels are two: a picture's file, its class",
                          l->path, l->csv.columns);
    while ((more = nc_csv_next(&l->csv, &err)) > 0) {
        if (l->csv.row || nc_image_named(nc_csv_at(&l->csv, 0)))
            add_label(l);
    }
    if (more < 0)
        return labels_fault(l, &err);
    return l->count > 0 || diag_error(l->build->diag, l->loc, "%s: no rows", l->path);
}

static bool is_class_number(const char *text, int32_t *number)
{
    double value;
    if (!nc_csv_number(text, &value) || value < 0 || value > INT32_MAX ||
        value != (double)(int32_t)value)
        return false;
    *number = (int32_t)value;
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The different texts, sorted. */
static const char **distinct(Labels *l, int *count)
{
    const char **sorted = ARENA_ARRAY(l->build->arena, const char *, l->count);
    memcpy(sorted, l->texts, (size_t)l->count * sizeof *sorted);
    qsort(sorted, (size_t)l->count, sizeof *sorted, by_text);
    *count = 0;
    for (int64_t i = 0; i < l->count; i++) {
        if (!i || strcmp(sorted[i], sorted[*count - 1]) != 0)
            sorted[(*count)++] = sorted[i];
    }
    return sorted;
}

/* Numbers are class numbers; texts are names of classes. */
static bool number_labels(Labels *l, int32_t *labels)
{
    const ClassNames *classes = &l->build->model->classes[0];
    bool numbers = true;
    for (int64_t i = 0; i < l->count; i++)
        numbers &= is_class_number(l->texts[i], &labels[i]);
    if (numbers)
        return true;
    if (!classes->names) {
        int count;
        const char **names = distinct(l, &count);
        name_classes(l->build, 0, names, count);
    }
    for (int64_t i = 0; i < l->count; i++) {
        int k = 0;
        while (k < classes->count && strcmp(classes->names[k], l->texts[i]) != 0)
            k++;
        if (k == classes->count)
            return bad_row(l, i, "no class is called", l->texts[i]);
        labels[i] = k;
    }
    return true;
}

static bool take_labels(Labels *l, ImageSource *out)
{
    Arena *arena = l->build->arena;
    if (!read_labels(l))
        return false;
    int32_t *labels = ARENA_ARRAY(arena, int32_t, l->count);
    for (int64_t i = 0; i < l->count; i++) {
        if (!nc_image_named(l->files[i]))
            return bad_row(l, i, "not the name of a PNG or JPEG picture:", l->files[i]);
    }
    out->files = l->files;
    out->labels = labels;
    out->count = l->count;
    return !l->build->model->targets_count || number_labels(l, labels);
}

/* ---- sources ----------------------------------------------------------------------------------- */

static const char *find_file(Build *build, const Yaml *value)
{
    const char *text;
    if (build->reads)
        return yaml_path(build->arena, build->diag, value, build->model->spec_path);
    return yaml_string(build->diag, value, "a path", &text) ? text : NULL;
}

bool read_images(Build *build, const Yaml *value, DataSource *out)
{
    const Yaml *folder = value, *labels = NULL;
    if (value->kind == YAML_MAP) {
        if (!check_keys(build->diag, value, "key", images_keys))
            return false;
        folder = yaml_get(value, "folder");
        labels = yaml_get(value, "labels");
        if (!folder)
            return diag_error(build->diag, value->loc, "images needs 'folder'");
    }
    if (!wants_picture(build, out->loc, "pictures"))
        return false;
    out->loc = folder->loc;
    out->images.folder = find_file(build, folder);
    out->images.table = labels ? find_file(build, labels) : NULL;
    out->images.table_loc = labels ? labels->loc : (Loc){0};
    return out->images.folder && (!labels || out->images.table);
}

/* ---- classes ----------------------------------------------------------------------------------- */

static bool classes_fit(Build *build, const DataSource *source)
{
    const ClassNames *c = &build->model->classes[0];
    int64_t units = target_units(build, 0), wanted = units == 1 ? 2 : units;
    Str list = str_new(build->arena);
    if (!c->names || c->count == wanted)
        return true;
    for (int i = 0; i < c->count && i < 12; i++)
        str_printf(&list, "%s%s", i ? ", " : "", c->names[i]);
    diag_error(build->diag, source->loc, "%d classes (%s%s), but output '%s' tells %lld apart",
               c->count, list.text, c->count > 12 ? ", ..." : "", build->model->targets[0].name,
               (long long)wanted);
    note_loss(build, 0);
    return false;
}

/* The names that weights were saved with, for commands that read no data. */
static bool name_by_weights(Build *build)
{
    const Model *model = build->model;
    struct nc_safetensors file;
    struct nc_error ignored;
    if (!model->weights_path || nc_safetensors_open(&file, model->weights_path, &ignored) != 0)
        return true;
    int count;
    const char *json = nc_st_metadata(&file, "classes");
    const char **names =
        json ? names_of_json(build->arena, json, model->targets[0].name, &count) : NULL;
    nc_safetensors_close(&file);
    if (names)
        name_classes(build, 0, names, count);
    return true;
}

static bool name_by_folder(Build *build, const DataSource *source)
{
    struct nc_error err;
    char **found;
    int count;
    if (nc_folder_classes(source->images.folder, &found, &count, &err) != 0)
        return diag_error(build->diag, source->loc, "%s: %s", err.path, err.message);
    const char **names = ARENA_ARRAY(build->arena, const char *, count);
    for (int i = 0; i < count; i++)
        names[i] = arena_strdup(build->arena, found[i]);
    nc_names_free(found, count);
    name_classes(build, 0, names, count);
    return true;
}

static bool name_labels(Build *build, DataSource *source)
{
    Labels labels = {.build = build, .path = source->images.table, .loc = source->images.table_loc};
    bool good = take_labels(&labels, &source->images);
    nc_csv_close(&labels.csv);
    return good;
}

static bool bind_source(Build *build, DataSource *source)
{
    Model *model = build->model;
    if (source->kind != SOURCE_IMAGES)
        return true;
    if (model->targets_count > 1)
        return diag_error(build->diag, source->loc,
                          "pictures have one target, their class, but the model has %d",
                          model->targets_count);
    if (model->targets_count && !loss_classifies(&build->train.losses[0])) {
        diag_error(build->diag, source->loc, "the targets of pictures are classes");
        note_loss(build, 0);
        return false;
    }
    bool reads = reads_section(model, source == &model->test_data ? "test" : "train");
    if (!model->targets_count || !reads)
        return model->targets_count && !model->classes[0].names ? name_by_weights(build) : true;
    model->one_hot |= !build->train.losses[0].loss->sparse && target_units(build, 0) > 1;
    if (source->images.table)
        return name_labels(build, source) && classes_fit(build, source);
    if (!model->classes[0].names && !name_by_folder(build, source))
        return false;
    return classes_fit(build, source);
}

bool bind_images(Build *build)
{
    Model *model = build->model;
    return bind_source(build, &model->train_data) && bind_source(build, &model->validation_data) &&
           bind_source(build, &model->test_data);
}
