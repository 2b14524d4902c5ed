/* Runs ONNX test cases through the importer and the compiler, in memory:
 *
 *     conformance CASE...
 *
 * A case is a folder with model.onnx and test_data_set_K/{input,output}_I.pb, or MODEL.onnx beside
 * MODEL_output_0.pb, whose inputs then count up from 0 to 1. One line each:
 *
 *     ok NAME DIFFERENCE
 *     FAIL NAME: what is wrong
 *     none NAME: OPERATOR, which the importer refuses
 *
 * Outputs have to agree to 1e-3 relative or 1e-5 absolute, as ONNX's own runner wants. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/results.h"
#include "import/import.h"
#include "onnx/onnx.h"
#include "weights.h"

static const double relative = 1e-3, absolute = 1e-5;

typedef struct {
    Job job;
    Import import;
    Args args;
    const char *path, *name;
    double worst;
    char fault[600];
} Case;

__attribute__((format(printf, 2, 3))) static bool fail(Case *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->fault, sizeof c->fault, format, args);
    va_end(args);
    return false;
}

static bool fail_said(Case *c)
{
    const char *text = c->job.diag->text.text;
    return fail(c, "%.*s", (int)strcspn(text, "\n"), text);
}

/* ---- tensors in files -------------------------------------------------------------------------- */

static Host *read_tensor(Case *c, const char *path)
{
    struct nc_onnx_tensor tensor;
    struct nc_error err;
    void *own = NULL;
    Onnx onnx = {.import = &c->import, .arena = c->job.arena, .folder = ""};
    if (nc_onnx_tensor_open(&tensor, &own, path, &err) != 0) {
        fail(c, "%s: %s", path, err.message);
        return NULL;
    }
    Host *host = host_read(&onnx, &tensor);
    if (!host)
        fail_said(c);
    else
        host = host_transpose(&onnx, host, (int[]){0, 1, 2, 3, 4, 5, 6, 7}); /* its own copy */
    nc_onnx_tensor_close(own);
    return host;
}

/* ---- orders of axes ---------------------------------------------------------------------------- */

/* Port `index` of a kind: the order that the importer noted. */
static int read_order(const Case *c, const char *kind, int index, int *order)
{
    for (int i = 0; i < 2 * c->import.metadata_count; i += 2) {
        if (strncmp(c->import.metadata[i], kind, strlen(kind)) != 0 || index-- > 0)
            continue;
        int axes = 0;
        for (const char *at = c->import.metadata[i + 1] + 1; *at; at += *at == ',' ? 2 : 0) {
            order[axes++] = *at == 'n' || *at == '-' ? -1 : atoi(at);
            at += strcspn(at, ",]");
            if (*at == ']')
                break;
        }
        return axes;
    }
    return 0;
}

/* Where the element `e` of ONNX's tensor lies in ours. */
static int64_t our_position(const Host *host, int axes, const int *order, int64_t e)
{
    int64_t index[MAX_RANK], at = 0;
    for (int i = host->rank - 1; i >= 0; i--) {
        index[i] = e % host->dims[i];
        e /= host->dims[i];
    }
    for (int i = 0; i < axes; i++)
        at = order[i] < 0 ? at : at * host->dims[order[i]] + index[order[i]];
    return at;
}

/* ---- running ----------------------------------------------------------------------------------- */

static bool set_weights(Case *c)
{
    for (int i = 0; i < c->import.tensors_count; i++) {
        const ImportTensor *t = c->import.tensors[i];
        struct nc_error err;
        const struct nc_parameter *found = NULL;
        for (int k = 0; k < c->job.nc->parameters_count; k++) {
            const struct nc_parameter *p = &c->job.nc->parameters[k];
            found = strcmp(p->name, t->name) ? found : p;
        }
        if (!found)
            continue; /* simplified away */
        float *values = malloc((size_t)t->elements * sizeof *values + 1);
        if (!values || t->fill(t, values, &err) != 0)
            return fail(c, "no values for %s", t->name);
        nc_pack(found, sizeof(float), values, c->job.session.weights);
        free(values);
    }
    return true;
}

/* Compiled for as many rows as the first input has. */
static bool start(Case *c, int64_t rows)
{
    Job *job = &c->job;
    job->model = (Model *)(uintptr_t)c->import.model;
    return (job_compile(job, rows, NC_PREDICTS) && job_start(job, NC_PREDICTS)) || fail_said(c);
}

static bool open_input(Case *c, int k, const Host *host, struct nc_array *out, int64_t *rows)
{
    int order[MAX_RANK], axes = read_order(c, "onnx_input", k, order);
    float *values = ARENA_ARRAY(c->job.arena, float, host->count + 1);
    *out = (struct nc_array){.dtype = NC_F32, .rank = axes, .row_elements = host->count};
    if (!axes)
        return fail(c, "more inputs than the network has");
    for (int i = 0; i < axes; i++) {
        if (order[i] >= host->rank)
            return fail(c, "input %d has another rank", k);
        out->shape[i] = order[i] < 0 ? 1 : host->dims[order[i]];
    }
    out->row_elements /= out->shape[0] ? out->shape[0] : 1;
    if (k && out->shape[0] != *rows)
        return fail(c, "inputs of different batches");
    *rows = out->shape[0];
    for (int64_t e = 0; e < host->count; e++)
        values[our_position(host, axes, order, e)] = (float)host_at(host, e);
    out->data = (const unsigned char *)values;
    return true;
}

static bool close_enough(double have, double want)
{
    return have == want || (isnan(have) && isnan(want)) ||
           fabs(have - want) <= absolute + relative * fabs(want);
}

static bool compare(Case *c, int k, const struct nc_named *have, const Host *want)
{
    int order[MAX_RANK], axes = read_order(c, "onnx_output", k, order);
    int64_t count = 1;
    for (int i = 0; i < have->rank; i++)
        count *= have->shape[i];
    if (!axes || count != want->count)
        return fail(c, "output %d has %lld cells, not %lld", k, (long long)count,
                    (long long)want->count);
    for (int64_t e = 0; e < count; e++) {
        double x = (double)have->data[our_position(want, axes, order, e)], y = host_at(want, e);
        if (!close_enough(x, y))
            return fail(c, "output %d [%lld] is %.9g, not %.9g", k, (long long)e, x, y);
        c->worst = fabs(x - y) > c->worst ? fabs(x - y) : c->worst;
    }
    return true;
}

static bool run_network(Case *c, Host *const *inputs, int count, const char *outputs)
{
    struct nc_array *arrays = ARENA_ARRAY(c->job.arena, struct nc_array, count + 1);
    struct nc_error err;
    Results results;
    int64_t rows = 1;
    for (int k = 0; k < count; k++) {
        if (!open_input(c, k, inputs[k], &arrays[k], &rows))
            return false;
    }
    if (!c->job.nc && (!start(c, rows) || !set_weights(c)))
        return false;
    if (c->job.nc->inputs_count != count)
        return fail(c, "%d inputs in the test, %d in the network", count, c->job.nc->inputs_count);
    struct nc_samples samples = {.inputs = arrays, .count = rows};
    if (!results_new(&c->job, &c->job.nc->predict, rows, &results))
        return fail_said(c);
    if (nc_predict(&c->job.session, &samples, results.pointers, &err) != 0)
        return fail(c, "%s", err.message);
    for (int k = 0; k < results.count; k++) {
        Host *want = read_tensor(c, arena_printf(c->job.arena, "%s%d.pb", outputs, k));
        if (!want || !compare(c, k, &results.arrays[k], want))
            return false;
    }
    return true;
}

/* ---- cases ------------------------------------------------------------------------------------- */

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static bool run_data_set(Case *c, const char *folder)
{
    enum { MOST = 16 };
    Host *inputs[MOST];
    int count = 0;
    for (; count < MOST; count++) {
        const char *path = arena_printf(c->job.arena, "%s/input_%d.pb", folder, count);
        if (!exists(path))
            break;
        if (!(inputs[count] = read_tensor(c, path)))
            return false;
    }
    return run_network(c, inputs, count, arena_printf(c->job.arena, "%s/output_", folder));
}

static bool run_data_sets(Case *c)
{
    int count = 0;
    for (;; count++) {
        const char *folder = arena_printf(c->job.arena, "%s/test_data_set_%d", c->path, count);
        if (!exists(folder))
            break;
        if (!run_data_set(c, folder))
            return false;
    }
    return count > 0 || fail(c, "no data");
}

/* Inputs count up from 0 to 1. */
static bool run_light(Case *c)
{
    const Yaml *ports = c->import.inputs;
    Host **inputs = ARENA_ARRAY(c->job.arena, Host *, ports->count);
    Onnx onnx = {.import = &c->import, .arena = c->job.arena};
    for (int k = 0; k < ports->count; k++) {
        int64_t ours[MAX_RANK] = {1}, dims[MAX_RANK];
        int order[MAX_RANK], axes = read_order(c, "onnx_input", k, order), rank = 0;
        for (int i = 1; i < axes; i++)
            ours[i] = atoll(ports->pairs[k].value->items[i - 1]->text);
        for (int i = 0; i < axes; i++) {
            if (order[i] >= 0)
                dims[order[i]] = ours[i], rank++;
        }
        inputs[k] = host_new(&onnx, NC_ONNX_FLOAT, rank, dims);
        for (int64_t i = 0; i < inputs[k]->count; i++)
            inputs[k]->f[i] = (float)((double)i / (double)inputs[k]->count);
    }
    char *outputs = arena_strdup(c->job.arena, c->path);
    outputs[strlen(outputs) - strlen(".onnx")] = '\0';
    return run_network(c, inputs, ports->count, arena_printf(c->job.arena, "%s_output_", outputs));
}

/* The operator in the importer's words "node 'x' (Conv3D): ...", or all of them. */
static void print_refusal(const Case *c)
{
    const char *said = strstr(c->fault, "node '"), *open = said ? strstr(said, "' (") : NULL;
    const char *rest = said ? said : strstr(c->fault, ": ");
    if (open)
        printf("none %s: %.*s (%s)\n", c->name, (int)strcspn(open + 3, ")"), open + 3,
               strstr(open, "): ") ? strstr(open, "): ") + 3 : "");
    else
        printf("none %s: %s\n", c->name, rest ? rest : c->fault);
}

/* 1 passed, 0 refused, -1 failed */
static int run_case(Case *c, bool light)
{
    c->import =
        (Import){.arena = c->job.arena,
                 .diag = c->job.diag,
                 .path = light ? c->path : arena_printf(c->job.arena, "%s/model.onnx", c->path)};
    if (!import_onnx.read(&c->import)) {
        fail_said(c);
        return 0;
    }
    if (!import_check(&c->import)) {
        fail_said(c);
        return -1;
    }
    return (light ? run_light(c) : run_data_sets(c)) ? 1 : -1;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        Case c = {.path = argv[i], .name = slash ? slash + 1 : argv[i]};
        bool light = strlen(argv[i]) > 5 && !strcmp(argv[i] + strlen(argv[i]) - 5, ".onnx");
        c.args = (Args){.seed = 1, .threads = light ? 0 : 1, .backend = BACKEND_TCC};
        job_prepare(&c.job, &c.args);
        int result = run_case(&c, light);
        if (result > 0)
            printf("ok %s %.3g\n", c.name, c.worst);
        else if (result == 0)
            print_refusal(&c);
        else
            printf("FAIL %s: %s\n", c.name, c.fault);
        fflush(stdout);
        failed += result < 0;
        if (c.import.release)
            c.import.release(c.import.held);
        c.job.diag->text = str_new(c.job.arena);
        job_end(&c.job, true);
    }
    return failed > 0;
}
