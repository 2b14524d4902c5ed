/* Pictures as samples: those of a source of the spec, with their classes, and those of the command
 * line. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "data/image.h"

/* How pictures fill a port: its shape, and what the spec says. */
static int frame_of(const Model *model, const struct nc_port *port, struct nc_frame *frame,
                    struct nc_error *err)
{
    const Framing *f = &model->framing;
    if (nc_frame_of_port(frame, port, err) != 0)
        return -1;
    if (!f->resizes || f->resize_count) {
        frame->resize_height = (int)f->resize[0];
        frame->resize_width = (int)f->resize[1];
    }
    frame->antialias = f->antialias;
    frame->bgr = f->bgr;
    return 0;
}

/* Pictures and the classes of them */
typedef struct {
    struct nc_images images;
    int32_t *labels;
    int64_t room;
} Labelled;

static bool label_rest(Labelled *l, int32_t label, int64_t first)
{
    if (l->images.count > l->room) {
        l->room = l->images.room;
        l->labels = realloc(l->labels, (size_t)l->room * sizeof *l->labels);
    }
    for (int64_t i = first; l->labels && i < l->images.count; i++)
        l->labels[i] = label;
    return l->labels || !l->images.count;
}

static bool add_class(Job *job, const DataSource *source, const char *name, Labelled *l)
{
    const ClassNames *classes = &job->model->classes[0];
    int64_t first = l->images.count;
    struct nc_error err;
    int32_t label = 0;
    while (label < classes->count && strcmp(classes->names[label], name) != 0)
        label++;
    if (label == classes->count)
        return diag_unknown(job->diag, source->loc, "class folder", name,
                            (const char *const *)classes->names, classes->count);
    if (nc_images_add(&l->images, arena_printf(job->arena, "%s/%s", source->images.folder, name),
                      &err) != 0)
        return diag_error(job->diag, source->loc, "%s: %s", err.path, err.message);
    return label_rest(l, label, first) || diag_error(job->diag, source->loc, "out of memory");
}

static bool add_classes(Job *job, const DataSource *source, Labelled *l)
{
    struct nc_error err;
    char **names;
    int count;
    if (nc_folder_classes(source->images.folder, &names, &count, &err) != 0)
        return diag_error(job->diag, source->loc, "%s: %s", err.path, err.message);
    bool good = true;
    for (int i = 0; i < count && good; i++)
        good = add_class(job, source, names[i], l);
    nc_names_free(names, count);
    return good;
}

static bool add_table(Job *job, const DataSource *source, Labelled *l)
{
    struct nc_error err;
    for (int64_t i = 0; i < source->images.count; i++) {
        const char *path =
            arena_printf(job->arena, "%s/%s", source->images.folder, source->images.files[i]);
        if (nc_images_add_path(&l->images, path, &err) != 0 ||
            !label_rest(l, source->images.labels[i], i))
            return diag_error(job->diag, source->loc, "out of memory");
    }
    return true;
}

static bool find_images(Job *job, const DataSource *source, Labelled *l)
{
    bool good = source->images.files ? add_table(job, source, l) : add_classes(job, source, l);
    if (good && !l->images.count)
        return diag_error(job->diag, source->loc, "%s: no PNG or JPEG pictures",
                          source->images.folder);
    return good;
}

bool pictures_of_source(Job *job, const DataSource *source, struct nc_array *x, struct nc_array *y)
{
    struct nc_frame frame;
    struct nc_error err;
    Labelled l = {0};
    if (frame_of(job->model, &job->nc->inputs[0], &frame, &err) != 0)
        return diag_error(job->diag, source->loc, "%s", err.message);
    bool good = find_images(job, source, &l);
    int64_t count = l.images.count;
    *y = (struct nc_array){.dtype = NC_I32,
                           .rank = 1,
                           .shape = {count},
                           .row_elements = 1,
                           .data = (unsigned char *)l.labels,
                           .block = l.labels};
    if (nc_images_open(x, &l.images, &frame, &err) != 0)
        return diag_error(job->diag, source->loc, "%s", err.message);
    return good;
}

bool pictures_open(Job *job, struct nc_images *images, const struct nc_port *port,
                   struct nc_array *out)
{
    struct nc_frame frame;
    struct nc_error err;
    if (frame_of(job->model, port, &frame, &err) != 0)
        return diag_error(job->diag, (Loc){0}, "%s: %s", images->paths[0], err.message);
    return nc_images_open(out, images, &frame, &err) == 0 || job_fault(job, &err);
}
