/* netcc export: trained weights in another format, checked against the spec on the way. */
#include "cli/results.h"

#include <string.h>

#include "keras_file.h"
#include "onnx/export.h"
#include "progress.h"
#include "weights.h"

static const Option options[] = {
    OPTION_WEIGHTS("the trained weights", true),
    {"out", 'o', OPTION_TEXT, offsetof(Args, out), "FILE", ".onnx, .h5, .safetensors or .npz", 0,
     true},
    OPTION_SET,
    OPTION_JSON,
    OPTION_END,
};

static const char *extension(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    return dot && (!slash || dot > slash) ? dot : "";
}

static bool ends_in(const char *path, const char *end)
{
    size_t a = strlen(path), b = strlen(end);
    return a >= b && !strcmp(path + a - b, end);
}

static bool check_format(Job *job, const char *path)
{
    static const char *const known[] = {".onnx", ".h5", ".safetensors", ".npz"};
    const char *end = extension(path);
    if (ends_in(path, ".weights.h5"))
        return diag_error(job->diag, (Loc){0},
                          "%s: Keras takes what ends in .weights.h5 for another layout; end it in "
                          ".h5 alone",
                          path);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(end, known[i]))
            return true;
    }
    return diag_error(job->diag, (Loc){0},
                      "%s: weights go into .h5, .safetensors or .npz, the whole network into .onnx",
                      path);
}

/* Weights and moving statistics, in canonical layout. */
static int collect(Job *job, struct nc_named *arrays)
{
    int count = 0;
    for (int i = 0; i < job->nc->parameters_count; i++) {
        const struct nc_parameter *p = &job->nc->parameters[i];
        if (p->role == NC_ROLE_SLOT)
            continue;
        float *values = ARENA_ARRAY(job->arena, float, p->elements + 1);
        nc_unpack(p, job->nc->real_bytes, job->session.weights, values);
        arrays[count] = (struct nc_named){.name = p->name, .rank = p->rank, .data = values};
        memcpy(arrays[count++].shape, p->shape, sizeof p->shape);
    }
    return count;
}

static int write_weights(Job *job, const char *path, struct nc_error *err)
{
    const char *const metadata[] = {"format", "netcc", "model", job->model->name};
    if (!strcmp(extension(path), ".safetensors"))
        return nc_weights_save(job->nc, job->session.weights, path, metadata, 2, err);
    struct nc_named *arrays =
        ARENA_ARRAY(job->arena, struct nc_named, job->nc->parameters_count + 1);
    int count = collect(job, arrays);
    return !strcmp(extension(path), ".h5") ? nc_keras_write(path, arrays, count, err)
                                           : nc_npz_write(path, arrays, count, err);
}

static bool write_onnx(Job *job, const Graph *predict, const char *path)
{
    struct nc_named *arrays =
        ARENA_ARRAY(job->arena, struct nc_named, job->nc->parameters_count + 1);
    int count = collect(job, arrays);
    return onnx_export(job->arena, job->diag, job->model, predict, arrays, count, path);
}

static bool export(Job *job)
{
    const Args *args = job->args;
    struct nc_error err;
    if (!check_format(job, args->out) || !job_read(job))
        return false;
    const Graph *predict = job->model->predict; /* passes replace it */
    if (!job_compile(job, 1, NC_PREDICTS))
        return false;
    job->session.weights = arena_alloc(job->arena, job->nc->weights_bytes + 1);
    if (!job_load_weights(job, args->weights))
        return false;
    bool onnx = !strcmp(extension(args->out), ".onnx");
    if (onnx && !write_onnx(job, predict, args->out))
        return false;
    if (!onnx && write_weights(job, args->out, &err) != 0)
        return job_fault(job, &err);
    if (args->json) {
        fputs("{\"event\":\"done\",\"weights\":", stdout);
        nc_json_text(stdout, args->out);
        puts("}");
    }
    return true;
}

static int run(const Args *args)
{
    Job job;
    job_prepare(&job, args);
    return job_end(&job, export(&job));
}

const Command command_export = {"export", "SPEC",
                                "Trained weights, or the network with them, in another format.",
                                options, run};
