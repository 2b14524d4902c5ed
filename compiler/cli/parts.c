/* Parts of the training data: the rows that validate, and what standardise needs to know of the
 * rest. */
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

/* ---- data.validation_split --------------------------------------------------------------------- */

/* Rows are drawn for validation as those of an epoch that never comes. */
enum { SPLIT_EPOCH = INT32_MAX };

static int64_t share(double part, int64_t count)
{
    return (int64_t)floor(part * (double)count + 0.5);
}

/* The class of each row by the first target: its number, or the place of the 1 in its row. */
static int64_t class_of(const struct nc_array *target, uint32_t row, float *values)
{
    int64_t best = 0;
    nc_array_gather(target, &row, 1, values, sizeof *values);
    if (target->row_elements == 1)
        return (int64_t)values[0];
    for (int64_t i = 1; i < target->row_elements; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

/* Marks the first share of each class, in the shuffled order. */
static bool mark_by_class(Job *job, const Samples *s, const uint32_t *order, char *chosen)
{
    enum { MOST_CLASSES = 1 << 20 };
    const struct nc_array *target = &s->targets[0];
    float *values = ARENA_ARRAY(job->arena, float, target->row_elements);
    int64_t *total = ARENA_ARRAY(job->arena, int64_t, MOST_CLASSES);
    int64_t *taken = ARENA_ARRAY(job->arena, int64_t, MOST_CLASSES);
    for (int64_t i = 0; i < s->samples.count; i++) {
        int64_t class = class_of(target, (uint32_t)i, values);
        if (class < 0 || class >= MOST_CLASSES)
            return false;
        total[class]++;
    }
    for (int64_t i = 0; i < s->samples.count; i++) {
        int64_t class = class_of(target, order[i], values);
        if (taken[class] < share(job->model->validation_split, total[class])) {
            taken[class]++;
            chosen[order[i]] = 1;
        }
    }
    return true;
}

/* chosen[row]: the row validates. False where targets are no classes. */
static bool mark_rows(Job *job, const Samples *s, char *chosen)
{
    int64_t count = s->samples.count;
    uint32_t *order = ARENA_ARRAY(job->arena, uint32_t, count);
    nc_shuffle(order, count, job_seed(job), SPLIT_EPOCH);
    if (job->model->stratified)
        return s->targets_count && mark_by_class(job, s, order, chosen);
    for (int64_t i = 0; i < share(job->model->validation_split, count); i++)
        chosen[order[i]] = 1;
    return true;
}

/* Copies the rows of an array whose mark is `mark`. */
static bool keep_rows(struct nc_array *array, const char *chosen, char mark, int64_t kept)
{
    size_t row_bytes = (size_t)array->row_elements * nc_dtype_size(array->dtype);
    unsigned char *block = malloc((size_t)kept * row_bytes + 1), *to = block;
    if (!block)
        return false;
    for (int64_t row = 0; row < array->shape[0]; row++) {
        if (chosen[row] != mark)
            continue;
        memcpy(to, array->data + (size_t)row * row_bytes, row_bytes);
        to += row_bytes;
    }
    struct nc_array copy = *array;
    copy.shape[0] = kept;
    copy.data = copy.block = block;
    copy.map = NULL;
    nc_array_close(array);
    *array = copy;
    return true;
}

static int64_t count_marked(const char *chosen, int64_t count, char mark)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++)
        n += chosen[i] == mark;
    return n;
}

bool samples_take_part(Job *job, const DataSource *source, Samples *s)
{
    int64_t count = s->samples.count;
    char mark = source->part == PART_VALIDATION, *chosen = ARENA_ARRAY(job->arena, char, count + 1);
    if (source->part == PART_WHOLE)
        return true;
    if (!mark_rows(job, s, chosen))
        return diag_error(job->diag, source->loc, "stratified needs a target that holds classes");
    int64_t kept = count_marked(chosen, count, mark);
    if (!kept || kept == count)
        return diag_error(job->diag, source->loc, "validation_split leaves no rows for %s",
                          !kept == !mark ? "training" : "validation");
    bool good = true;
    for (int i = 0; i < s->inputs_count; i++)
        good = keep_rows(&s->inputs[i], chosen, mark, kept) && good;
    for (int i = 0; i < s->targets_count; i++)
        good = keep_rows(&s->targets[i], chosen, mark, kept) && good;
    s->samples.count = kept;
    return good || diag_error(job->diag, source->loc, "out of memory for validation_split");
}

/* ---- data.standardise -------------------------------------------------------------------------- */

/* Adds up (value - base) or its square by feature, the position along the last axis. */
static void add_up(const struct nc_array *array, int64_t features, const double *base, double *sum,
                   float *row)
{
    for (int64_t i = 0; i < array->shape[0]; i++) {
        uint32_t index = (uint32_t)i;
        nc_array_gather(array, &index, 1, row, sizeof *row);
        for (int64_t k = 0; k < array->row_elements; k++) {
            double value = (double)row[k] - (base ? base[k % features] : 0);
            sum[k % features] += base ? value * value : value;
        }
    }
}

/* A feature that never changes keeps its scale, so that it becomes 0. */
static Moments measure(Arena *arena, const struct nc_array *array, int64_t features)
{
    double *mean = ARENA_ARRAY(arena, double, features);
    double *variance = ARENA_ARRAY(arena, double, features);
    float *row = ARENA_ARRAY(arena, float, array->row_elements);
    Moments m = {ARENA_ARRAY(arena, float, features), ARENA_ARRAY(arena, float, features)};
    double count = (double)(array->shape[0] * (array->row_elements / features));
    add_up(array, features, NULL, mean, row);
    for (int64_t k = 0; k < features; k++)
        mean[k] /= count;
    add_up(array, features, mean, variance, row);
    for (int64_t k = 0; k < features; k++) {
        m.mean[k] = (float)mean[k];
        m.variance[k] = variance[k] > 0 ? (float)(variance[k] / count) : 1;
    }
    return m;
}

/* Positions of categories are no measures. */
static void spare_categories(const Table *t, Moments *m)
{
    for (int k = 0; k < t->features_count; k++) {
        if (t->features[k].category) {
            m->mean[k] = 0;
            m->variance[k] = 1;
        }
    }
}

void samples_measure(Job *job, const Samples *s)
{
    Moments *moments = ARENA_ARRAY(job->arena, Moments, s->inputs_count);
    for (int i = 0; i < s->inputs_count; i++) {
        const struct nc_port *port = &job->nc->inputs[i];
        moments[i] = measure(job->arena, &s->inputs[i], port->shape[port->rank - 1]);
    }
    if (job->model->table && job->nc->inputs[0].rank == 1)
        spare_categories(job->model->table, &moments[0]);
    job->moments = moments;
}
