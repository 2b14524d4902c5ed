/* Weights: a layout is walked level by level, so that any packing is undone by the code that made
 * it. Files always hold the canonical order; a file that
 * does not fit is not taken in parts. */
#include "weights.h"

#include "safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- packing ---------------------------------------------------------------------------------- */

/* A run of cells that lie at a fixed distance in both orders. */
typedef void copy_run(void *packed, int64_t packed_step, float *canonical, int64_t canonical_step,
                      int64_t n);

struct walk {
    const struct nc_parameter *parameter;
    struct nc_layout_level level[2 * NC_MAX_RANK];
    int levels;
    int64_t packed_step[2 * NC_MAX_RANK], canonical_step[2 * NC_MAX_RANK]; /* of each level */
    int64_t at[NC_MAX_RANK]; /* index along each axis so far */
    size_t real_bytes;
    char *packed;
    float *canonical;
    copy_run *copy;
};

/* The parameter's levels; without any it lies row-major. A scalar is one cell. */
static void copy_levels(struct walk *w)
{
    const struct nc_parameter *p = w->parameter;
    w->levels = p->levels ? p->levels : p->rank;
    for (int i = 0; i < w->levels; i++) {
        struct nc_layout_level row = {i, i < p->rank ? p->shape[i] : 1, 1};
        w->level[i] = p->levels ? p->level[i] : row;
    }
}

static struct walk walk_of(const struct nc_parameter *p)
{
    struct walk w = {.parameter = p};
    int64_t stride[NC_MAX_RANK], step = 1;
    copy_levels(&w);
    for (int axis = p->rank - 1; axis >= 0; axis--) {
        stride[axis] = step;
        step *= p->shape[axis];
    }
    step = 1;
    for (int i = w.levels - 1; i >= 0; i--) {
        w.packed_step[i] = step;
        w.canonical_step[i] = stride[w.level[i].axis] * w.level[i].factor;
        step *= w.level[i].extent;
    }
    return w;
}

/* How many positions of a level lie within the tensor; the rest is padding. */
static int64_t positions(const struct walk *w, const struct nc_layout_level *level)
{
    int64_t room = w->parameter->shape[level->axis] - w->at[level->axis];
    int64_t most = (room + level->factor - 1) / level->factor;
    return most < level->extent ? most : level->extent;
}

static void walk_level(struct walk *w, int i, int64_t packed, int64_t canonical)
{
    const struct nc_layout_level *level = &w->level[i];
    int64_t n = positions(w, level);
    if (i == w->levels - 1) {
        w->copy(w->packed + (size_t)packed * w->real_bytes, w->packed_step[i],
                w->canonical + canonical, w->canonical_step[i], n);
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        walk_level(w, i + 1, packed + k * w->packed_step[i], canonical + k * w->canonical_step[i]);
        w->at[level->axis] += level->factor;
    }
    w->at[level->axis] -= n * level->factor;
}

#define DEFINE_VISITS(REAL)                                                                        \
    static void pack_##REAL(void *packed, int64_t ps, float *canonical, int64_t cs, int64_t n)     \
    {                                                                                              \
        REAL *p = packed;                                                                          \
        for (int64_t i = 0; i < n; i++)                                                            \
            p[i * ps] = (REAL)canonical[i * cs];                                                   \
    }                                                                                              \
    static void unpack_##REAL(void *packed, int64_t ps, float *canonical, int64_t cs, int64_t n)   \
    {                                                                                              \
        const REAL *p = packed;                                                                    \
        for (int64_t i = 0; i < n; i++)                                                            \
            canonical[i * cs] = (float)p[i * ps];                                                  \
    }
DEFINE_VISITS(float)
DEFINE_VISITS(double)

static void walk_all(const struct nc_parameter *p, size_t real_bytes, char *packed,
                     float *canonical, copy_run *copy)
{
    struct walk w = walk_of(p);
    w.real_bytes = real_bytes;
    w.packed = packed;
    w.canonical = canonical;
    w.copy = copy;
    if (w.levels == 0)
        copy(packed, 1, canonical, 1, 1);
    else
        walk_level(&w, 0, 0, 0);
}

void nc_pack(const struct nc_parameter *p, size_t real_bytes, const float *canonical, void *block)
{
    char *packed = (char *)block + (size_t)p->offset * real_bytes;
    memset(packed, 0, (size_t)p->packed_elements * real_bytes);
    walk_all(p, real_bytes, packed, (float *)canonical,
             real_bytes == sizeof(float) ? pack_float : pack_double);
}

void nc_unpack(const struct nc_parameter *p, size_t real_bytes, const void *block, float *canonical)
{
    char *packed = (char *)block + (size_t)p->offset * real_bytes;
    walk_all(p, real_bytes, packed, canonical,
             real_bytes == sizeof(float) ? unpack_float : unpack_double);
}

int64_t nc_packed_index(const struct nc_parameter *p, int64_t e)
{
    struct walk w = walk_of(p);
    int64_t index[NC_MAX_RANK], packed = p->offset;
    for (int axis = p->rank - 1; axis >= 0; axis--) {
        index[axis] = e % p->shape[axis];
        e /= p->shape[axis];
    }
    for (int i = 0; i < w.levels; i++) {
        const struct nc_layout_level *level = &w.level[i];
        packed += index[level->axis] / level->factor % level->extent * w.packed_step[i];
    }
    return packed;
}

const struct nc_parameter *nc_find_parameter(const struct nc_model *model, const char *name)
{
    for (int i = 0; i < model->parameters_count; i++) {
        if (strcmp(model->parameters[i].name, name) == 0)
            return &model->parameters[i];
    }
    return NULL;
}

/* ---- files ------------------------------------------------------------------------------------ */

const char *nc_shape_text(int rank, const int64_t *shape, char text[NC_SHAPE_TEXT])
{
    size_t length = 0;
    text[length++] = '[';
    for (int i = 0; i < rank && i < NC_MAX_RANK; i++)
        length += (size_t)snprintf(text + length, NC_SHAPE_TEXT - length, i ? ", %lld" : "%lld",
                                   (long long)shape[i]);
    snprintf(text + length, NC_SHAPE_TEXT - length, "]");
    return text;
}

/* Optimizer state is not part of the model. */
static int is_saved(const struct nc_parameter *p)
{
    return p->role != NC_ROLE_SLOT;
}

static int64_t largest(const struct nc_model *model)
{
    int64_t most = 0;
    for (int i = 0; i < model->parameters_count; i++) {
        if (model->parameters[i].elements > most)
            most = model->parameters[i].elements;
    }
    return most;
}

static int64_t all_elements(const struct nc_model *model, int slots_too)
{
    int64_t total = 0;
    for (int i = 0; i < model->parameters_count; i++)
        total += slots_too || is_saved(&model->parameters[i]) ? model->parameters[i].elements : 0;
    return total;
}

int nc_tensors_unpack(struct nc_tensors *out, const struct nc_model *model, const void *weights,
                      const void *state, struct nc_error *err)
{
    float *values = malloc((size_t)all_elements(model, state != NULL) * sizeof *values + 1);
    struct nc_named *list = calloc((size_t)model->parameters_count + 1, sizeof *list);
    *out = (struct nc_tensors){.list = list, .values = values};
    if (!values || !list) {
        nc_tensors_free(out);
        return nc_fail(err, NULL, "out of memory");
    }
    for (int i = 0; i < model->parameters_count; i++) {
        const struct nc_parameter *p = &model->parameters[i];
        const void *block = is_saved(p) ? weights : state;
        if (!block)
            continue;
        nc_unpack(p, model->real_bytes, block, values);
        struct nc_named *named = &list[out->count++];
        *named = (struct nc_named){.name = p->name, .rank = p->rank, .data = values};
        memcpy(named->shape, p->shape, sizeof named->shape);
        values += p->elements;
    }
    return 0;
}

void nc_tensors_free(struct nc_tensors *tensors)
{
    free(tensors->list);
    free(tensors->values);
    *tensors = (struct nc_tensors){0};
}

int nc_weights_save(const struct nc_model *model, const void *weights, const char *path,
                    const char *const *metadata, int metadata_count, struct nc_error *err)
{
    struct nc_tensors tensors;
    if (nc_tensors_unpack(&tensors, model, weights, NULL, err) != 0)
        return -1;
    int result =
        nc_safetensors_write(path, tensors.list, tensors.count, metadata, metadata_count, err);
    nc_tensors_free(&tensors);
    return result;
}

static int all_finite(const struct nc_parameter *p, size_t real_bytes, const void *block,
                      float *values)
{
    nc_unpack(p, real_bytes, block, values);
    for (int64_t i = 0; i < p->elements; i++) {
        if (!isfinite(values[i]))
            return 0;
    }
    return 1;
}

const char *nc_weights_not_finite(const struct nc_model *model, const void *weights)
{
    float *values = malloc((size_t)largest(model) * sizeof *values + 1);
    const char *name = NULL;
    for (int i = 0; values && !name && i < model->parameters_count; i++) {
        const struct nc_parameter *p = &model->parameters[i];
        if (is_saved(p) && !all_finite(p, model->real_bytes, weights, values))
            name = p->name;
    }
    free(values);
    return name;
}

/* Adds a line to the list; a line without room is dropped and the list says that it goes on. */
static void note(struct nc_misfit *m, const char *name, const char *text)
{
    static const char more[] = "...\n";
    size_t room = sizeof m->text - m->length, need = strlen(name) + strlen(text) + 4;
    if (room >= need + sizeof more)
        m->length += (size_t)snprintf(m->text + m->length, room, "%s: %s\n", name, text);
    else if (m->length < 4 || strcmp(m->text + m->length - 4, more) != 0)
        m->length += (size_t)snprintf(m->text + m->length, room, "%s", more);
}

static int same_shape(const struct nc_parameter *p, int rank, const int64_t *shape)
{
    return p->rank == rank && memcmp(p->shape, shape, (size_t)rank * sizeof *shape) == 0;
}

static void check_shape(struct nc_misfit *m, const struct nc_parameter *p, int rank,
                        const int64_t *shape)
{
    char want[NC_SHAPE_TEXT], have[NC_SHAPE_TEXT], text[2 * NC_SHAPE_TEXT + 40];
    if (same_shape(p, rank, shape))
        return;
    m->differing++;
    snprintf(text, sizeof text, "the model has %s, the file %s",
             nc_shape_text(p->rank, p->shape, want), nc_shape_text(rank, shape, have));
    note(m, p->name, text);
}

static void check_one(const struct nc_parameter *p, const struct nc_weight_file *file,
                      struct nc_misfit *m)
{
    int i = nc_weight_find(file, p->name);
    if (i >= 0) {
        check_shape(m, p, file->weights[i].rank, file->weights[i].shape);
        return;
    }
    m->missing++;
    note(m, p->name, "not in the file");
}

static void note_extra(const struct nc_model *model, const struct nc_weight_file *file,
                       struct nc_misfit *m)
{
    for (int i = 0; i < file->count; i++) {
        const struct nc_parameter *p = nc_find_parameter(model, file->weights[i].name);
        if (p && is_saved(p))
            continue;
        m->extra++;
        note(m, file->weights[i].name, "not in the model");
    }
}

static int check_all(const struct nc_model *model, const struct nc_weight_file *file,
                     struct nc_misfit *m, struct nc_error *err)
{
    for (int i = 0; i < model->parameters_count; i++) {
        if (is_saved(&model->parameters[i]))
            check_one(&model->parameters[i], file, m);
    }
    note_extra(model, file, m);
    if (m->missing + m->extra + m->differing == 0)
        return 0;
    return nc_fail(err, file->path,
                   "does not fit the model: %d missing, %d of another shape, %d unknown",
                   m->missing, m->differing, m->extra);
}

int nc_weights_take(const struct nc_model *model, void *weights, const struct nc_weight_file *file,
                    struct nc_misfit *misfit, struct nc_error *err)
{
    *misfit = (struct nc_misfit){0};
    if (check_all(model, file, misfit, err) != 0)
        return -1;
    float *values = malloc((size_t)largest(model) * sizeof *values + 1);
    int result = values ? 0 : nc_fail(err, file->path, "out of memory");
    for (int i = 0; i < model->parameters_count && result == 0; i++) {
        const struct nc_parameter *p = &model->parameters[i];
        if (!is_saved(p))
            continue;
        result = nc_weight_read(file, nc_weight_find(file, p->name), values, err);
        if (result == 0)
            nc_pack(p, model->real_bytes, values, weights);
    }
    free(values);
    return result;
}

int nc_weights_load(const struct nc_model *model, void *weights, const char *path,
                    struct nc_misfit *misfit, struct nc_error *err)
{
    struct nc_weight_file file;
    *misfit = (struct nc_misfit){0};
    if (nc_weight_file_open(&file, path, err) != 0)
        return -1;
    int result = nc_weights_take(model, weights, &file, misfit, err);
    nc_weight_file_close(&file);
    return result;
}
