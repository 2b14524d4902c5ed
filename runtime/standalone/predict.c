/* predict of an executable of `netcc build`: rows of numbers, JSON, or a file. */
#include "standalone/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_rows(const struct nc_run *r, void *const *outputs)
{
    const struct nc_entry *entry = &r->model.predict;
    for (int64_t row = 0; row < r->samples.count; row++) {
        for (int k = 0; k < entry->outputs_count; k++) {
            int64_t n = entry->outputs[k].elements;
            for (int64_t i = 0; i < n; i++)
                printf(k || i ? " %.9g" : "%.9g", (double)((float *)outputs[k])[row * n + i]);
        }
        putchar('\n');
    }
}

static void print_json(const struct nc_run *r, void *const *outputs)
{
    const struct nc_entry *entry = &r->model.predict;
    printf("{\"event\":\"predict\",\"outputs\":{");
    for (int k = 0; k < entry->outputs_count; k++) {
        int64_t n = entry->outputs[k].elements;
        fputs(k ? "," : "", stdout);
        nc_json_text(stdout, entry->outputs[k].name);
        fputs(":[", stdout);
        for (int64_t i = 0; i < r->samples.count * n; i++) {
            fputs(i % n ? "," : i ? "],[" : "[", stdout);
            nc_json_number(stdout, (double)((float *)outputs[k])[i]);
        }
        fputs("]]", stdout);
    }
    puts("}}");
}

static int write_outputs(struct nc_run *r, void *const *outputs)
{
    const struct nc_entry *entry = &r->model.predict;
    const char *path = r->options.output;
    struct nc_error err;
    if (!nc_run_ends_with(path, ".npy") || entry->outputs_count != 1)
        return nc_run_complain(r, "%s: only one output, as npy, is written", path);
    const struct nc_port *port = &entry->outputs[0];
    struct nc_named array = {.name = port->name, .rank = port->rank + 1, .data = outputs[0]};
    if (port->rank == NC_MAX_RANK)
        return nc_run_complain(r, "'%s' has too many axes", port->name);
    array.shape[0] = r->samples.count;
    memcpy(array.shape + 1, port->shape, (size_t)port->rank * sizeof *port->shape);
    if (nc_npy_write(path, &array, &err) != 0)
        return nc_run_fault(r, &err);
    if (r->options.json) {
        printf("{\"event\":\"predict\",\"rows\":%lld,\"output\":", (long long)r->samples.count);
        nc_json_text(stdout, path);
        puts("}");
    }
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
    if (r->options.output)
        return write_outputs(r, outputs);
    (r->options.json ? print_json : print_rows)(r, outputs);
    return 0;
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
