/* Results: arrays that a command computes, and the files they go to. */
#include "cli/results.h"

#include <string.h>

bool results_new(Job *job, const struct nc_entry *entry, int64_t rows, Results *out)
{
    size_t real = job->nc->real_bytes;
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

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && !strcmp(text + a - b, end);
}

bool results_write(Job *job, const Results *results, const char *path)
{
    struct nc_error err;
    if (ends_with(path, ".npz"))
        return nc_npz_write(path, results->arrays, results->count, &err) == 0 ||
               job_fault(job, &err);
    if (!ends_with(path, ".npy"))
        return diag_error(job->diag, (Loc){0}, "%s: only npy and npz files are written", path);
    if (results->count != 1)
        return diag_error(job->diag, (Loc){0}, "%s: %d arrays do not fit into an npy; use npz",
                          path, results->count);
    return nc_npy_write(path, &results->arrays[0], &err) == 0 || job_fault(job, &err);
}
