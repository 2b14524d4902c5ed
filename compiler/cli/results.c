/* Results: arrays that a command computes, and the files they go to. */
#include "cli/results.h"

#include <string.h>

bool results_new(Job *job, const struct nc_entry *entry, int64_t rows, Results *out)
{
    size_t real = job->nc->real_bytes;
    out->entry = entry;
    out->files = NULL;
    out->rows = rows;
    out->count = entry->outputs_count;
    out->arrays = ARENA_ARRAY(job->arena, struct nc_named, out->count + 1);
    out->pointers = ARENA_ARRAY(job->arena, void *, out->count + 1);
    for (int i = 0; i < out->count; i++) {
        const struct nc_port *port = &entry->outputs[i];
        struct nc_named *array = &out->arrays[i];
        size_t elements = (size_t)port->elements * (size_t)(port->batched ? rows : 1);
        if (port->batched && port->rank == NC_MAX_RANK)
            return diag_error(job->diag, (Loc){0}, "'%s' has too many axes", port->name);
        out->pointers[i] = arena_alloc(job->arena, elements * real + 1);
        *array = (struct nc_named){
            .name = port->name, .rank = port->rank + port->batched, .data = out->pointers[i]};
        array->shape[0] = rows;
        memcpy(array->shape + port->batched, port->shape, (size_t)port->rank * sizeof(int64_t));
    }
    return true;
}

/* ---- classes ----------------------------------------------------------------------------------- */

const ClassNames *results_classes(const Job *job, int k)
{
    const Model *model = job->model;
    for (int i = 0; model->classes && i < model->targets_count; i++) {
        if (!strcmp(model->targets[i].name, model->outputs[k].name) && model->classes[i].names)
            return &model->classes[i];
    }
    return NULL;
}

/* As the runtime shows them; `rows` samples. */
static struct nc_results shown(const Job *job, const Results *results)
{
    const struct nc_class_names **classes =
        ARENA_ARRAY(job->arena, const struct nc_class_names *, results->count + 1);
    bool outputs = results->entry == &job->nc->predict;
    for (int k = 0; outputs && k < results->count; k++)
        classes[k] = results_classes(job, k);
    return (struct nc_results){.count = results->count,
                               .arrays = results->arrays,
                               .classes = classes,
                               .rows = results->rows,
                               .files = results->files};
}

bool results_write(Job *job, const Results *results, const char *path)
{
    const struct nc_results r = shown(job, results);
    struct nc_error err;
    return nc_results_write(&r, path, &err) == 0 || job_fault(job, &err);
}

void results_print(const Job *job, const Results *results)
{
    const struct nc_results r = shown(job, results);
    (job->args->json ? nc_results_json : nc_results_print)(&r, stdout);
}
