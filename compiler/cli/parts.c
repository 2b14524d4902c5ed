/* Parts of the training data: the rows that validate, and the rest. */
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
