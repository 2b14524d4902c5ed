/* predict of an executable of `netcc build`. */
#include "standalone/run.h"

#include "results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The classes of an output have the names of its target's. */
static const struct nc_class_names *classes_of(const struct nc_run *r, const char *output)
{
    for (int i = 0; i < r->model.targets_count; i++) {
        if (strcmp(r->model.targets[i].name, output) == 0 && r->classes[i].names)
            return &r->classes[i];
    }
    return NULL;
}

static int write_file(struct nc_run *r, const struct nc_results *results)
{
    const char *path = r->options.output;
    struct nc_error err;
    if (nc_results_write(results, path, &err) != 0)
        return nc_run_fault(r, &err);
    if (r->options.json) {
        printf("{\"event\":\"predict\",\"rows\":%lld,\"output\":", (long long)results->rows);
        nc_json_text(stdout, path);
        puts("}");
    }
    return 0;
}

static int present(struct nc_run *r, void *const *outputs)
{
    const struct nc_entry *entry = &r->model.predict;
    struct nc_named arrays[NC_MAX_VALUES];
    const struct nc_class_names *classes[NC_MAX_VALUES];
    struct nc_results results = {entry->outputs_count, arrays, classes, r->samples.count,
                                 (const char *const *)r->files};
    if (results.count > NC_MAX_VALUES)
        return nc_run_complain(r, "more than %d outputs", NC_MAX_VALUES);
    for (int k = 0; k < results.count; k++) {
        const struct nc_port *port = &entry->outputs[k];
        if (port->rank == NC_MAX_RANK)
            return nc_run_complain(r, "'%s' has too many axes", port->name);
        arrays[k] = (struct nc_named){.name = port->name,
                                      .rank = port->rank + 1,
                                      .shape = {results.rows},
                                      .data = outputs[k]};
        memcpy(arrays[k].shape + 1, port->shape, (size_t)port->rank * sizeof *port->shape);
        classes[k] = classes_of(r, port->name);
    }
    if (r->options.output)
        return write_file(r, &results);
    (r->options.json ? nc_results_json : nc_results_print)(&results, stdout);
    return 0;
}

static int predict_into(struct nc_run *r, void **outputs)
{
    const struct nc_entry *entry = &r->model.predict;
    for (int i = 0; i < entry->outputs_count; i++) {
        outputs[i] = malloc(
            (size_t)entry->outputs[i].elements * (size_t)r->samples.count * sizeof(float) + 1);
        if (!outputs[i])
            return nc_run_complain(r, "out of memory");
    }
    struct nc_error err;
    if (nc_predict(&r->session, &r->samples, outputs, &err) != 0)
        return nc_run_fault(r, &err);
    return present(r, outputs);
}

int nc_run_predict(struct nc_run *r)
{
    int count = r->model.predict.outputs_count;
    if (nc_run_needs_weights(r) != 0 || nc_run_open(r, 0, 0, 0) != 0 ||
        nc_run_start(r, NC_PREDICTS) != 0)
        return -1;
    void **outputs = calloc((size_t)count + 1, sizeof *outputs);
    int result = outputs ? predict_into(r, outputs) : nc_run_complain(r, "out of memory");
    for (int i = 0; outputs && i < count; i++)
        free(outputs[i]);
    free(outputs);
    return result;
}
