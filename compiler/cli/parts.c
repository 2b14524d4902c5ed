/* Parts of the training data: the rows that validate, and what standardise needs to know of the
 * rest. */
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

/* ---- data.validation_split and data.fold --------------------------------------------------------------------- */

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

/* Does the row validate that is the at-th of `total` in the shuffled order? Folds take turns. */
static bool validates(const Model *model, int64_t at, int64_t total)
{
    if (model->fold[1])
        return at % model->fold[1] == model->fold[0] - 1;
    return at < share(model->validation_split, total);
}

/* Marks rows of each class, in the shuffled order. */
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
        chosen[order[i]] = validates(job->model, taken[class]++, total[class]);
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
    for (int64_t i = 0; i < count; i++)
        chosen[order[i]] = validates(job->model, i, count);
    return true;
}

/* The rows whose mark is `mark` */
static uint32_t *list_marked(Arena *arena, const char *chosen, int64_t count, char mark,
                             int64_t *kept)
{
    uint32_t *rows = ARENA_ARRAY(arena, uint32_t, count);
    *kept = 0;
    for (int64_t i = 0; i < count; i++) {
        if (chosen[i] == mark)
            rows[(*kept)++] = (uint32_t)i;
    }
    return rows;
}

bool samples_take_part(Job *job, const DataSource *source, Samples *s)
{
    int64_t count = s->samples.count;
    char mark = source->part == PART_VALIDATION, *chosen = ARENA_ARRAY(job->arena, char, count + 1);
    if (source->part == PART_WHOLE)
        return true;
    if (!mark_rows(job, s, chosen))
        return diag_error(job->diag, source->loc, "stratified needs a target that holds classes");
    int64_t kept;
    const uint32_t *rows = list_marked(job->arena, chosen, count, mark, &kept);
    if (!kept || kept == count)
        return diag_error(job->diag, source->loc, "%s leaves no rows for %s",
                          job->model->fold[1] ? "fold" : "validation_split",
                          !kept == !mark ? "training" : "validation");
    struct nc_error err;
    bool good = true;
    for (int i = 0; i < s->inputs_count && good; i++)
        good = nc_array_pick(&s->inputs[i], rows, kept, &err) == 0;
    for (int i = 0; i < s->targets_count && good; i++)
        good = nc_array_pick(&s->targets[i], rows, kept, &err) == 0;
    s->samples.count = kept;
    return good || diag_error(job->diag, source->loc, "validation_split: %s", err.message);
}

/* ---- data.standardise -------------------------------------------------------------------------- */

/* Adds up (value - base) or its square by feature, the position along the last axis. */
static int add_up(const struct nc_array *array, int64_t features, const double *base, double *sum,
                  float *row, struct nc_error *err)
{
    for (int64_t i = 0; i < array->shape[0]; i++) {
        uint32_t index = (uint32_t)i;
        if (nc_array_read(array, &index, 1, row, sizeof *row, NULL, err) != 0)
            return -1;
        for (int64_t k = 0; k < array->row_elements; k++) {
            double value = (double)row[k] - (base ? base[k % features] : 0);
            sum[k % features] += base ? value * value : value;
        }
    }
    return 0;
}

/* A feature that never changes keeps its scale, so that it becomes 0. */
static int measure(Arena *arena, const struct nc_array *array, int64_t features, Moments *m,
                   struct nc_error *err)
{
    double *mean = ARENA_ARRAY(arena, double, features);
    double *variance = ARENA_ARRAY(arena, double, features);
    float *row = ARENA_ARRAY(arena, float, array->row_elements);
    *m = (Moments){ARENA_ARRAY(arena, float, features), ARENA_ARRAY(arena, float, features)};
    double count = (double)(array->shape[0] * (array->row_elements / features));
    if (add_up(array, features, NULL, mean, row, err) != 0)
        return -1;
    for (int64_t k = 0; k < features; k++)
        mean[k] /= count;
    if (add_up(array, features, mean, variance, row, err) != 0)
        return -1;
    for (int64_t k = 0; k < features; k++) {
        m->mean[k] = (float)mean[k];
        m->variance[k] = variance[k] > 0 ? (float)(variance[k] / count) : 1;
    }
    return 0;
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

bool samples_measure(Job *job, const Samples *s)
{
    struct nc_error err;
    Moments *moments = ARENA_ARRAY(job->arena, Moments, s->inputs_count);
    for (int i = 0; i < s->inputs_count; i++) {
        const struct nc_port *port = &job->nc->inputs[i];
        int64_t features = port->shape[port->rank - 1];
        if (measure(job->arena, &s->inputs[i], features, &moments[i], &err) != 0)
            return job_fault(job, &err);
    }
    if (job->model->table && job->nc->inputs[0].rank == 1)
        spare_categories(job->model->table, &moments[0]);
    job->moments = moments;
    return true;
}
