/* A job: what most commands have in common, from reading the spec to memory with weights in it. */
#include "cli/cli.h"

#include "cli/pretrained.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard.h"
#include "init.h"
#include "moments.h"
#include "pool.h"
#include "weights.h"

void job_prepare(Job *job, const Args *args)
{
    nc_guard_mappings();
    *job = (Job){.args = args, .arena = arena_new()};
    job->diag = diag_new(job->arena);
    job->options = (CompileOptions){.spec_path = args->operand,
                                    .sets = args->sets.items,
                                    .sets_count = args->sets.count,
                                    .weights = args->weights};
}

bool job_read(Job *job)
{
    job->model = read_model(job->arena, job->diag, &job->options);
    return job->model != NULL;
}

bool job_compile(Job *job, int64_t batch, unsigned uses)
{
    job->options.uses = uses;
    job->options.batch = batch;
    job->program = compile_model(job->model, &job->options);
    if (!job->program || job->diag->errors)
        return false;
    job->nc =
        describe(job->arena, job->program, job->options.check ? sizeof(double) : sizeof(float));
    return true;
}

uint32_t job_seed(const Job *job)
{
    return job->args->seed >= 0 ? (uint32_t)job->args->seed : job->model->train_options.seed;
}

static void poll_backend(void *backend)
{
    backend_poll(backend);
}

/* Samples have been held against the whole; what follows takes features. */
static void split(Job *job)
{
    job->trunk = NULL;
    if (!job->model->features_count)
        return;
    job->trunk = describe_trunk(job->arena, job->model, job->nc);
    job->nc = describe_head(job->arena, job->model, job->nc);
}

bool job_start(Job *job, unsigned uses)
{
    split(job);
    const LoadRequest request = {job->arena, job->diag, job->program, job->nc, emit_unit};
    struct nc_error err;
    job->backend = job->options.check ? load_tcc(&request, EMIT_CHECK)
                                      : backend_open(&request, (BackendKind)job->args->backend);
    if (!job->backend)
        return false;
    if (job->args->threads != 1)
        job->pool = nc_pool_new((int)job->args->threads);
    struct nc_session *s = &job->session;
    if (nc_session_open(s, job->nc, uses, &err) != 0)
        return job_fault(job, &err);
    s->env = nc_pool_env(job->pool);
    s->seed = job_seed(job);
    s->poll = poll_backend;
    s->poll_context = job->backend;
    return nc_init_parameters(job->nc, NULL, uses & NC_TRAINS ? s->state : NULL, s->seed, NULL,
                              &err) == 0 ||
           job_fault(job, &err);
}

bool job_init_weights(Job *job, const char *given)
{
    void *weights = job->session.weights;
    const Table *table = job->model->table;
    const struct nc_model *whole = job->trunk ? job->trunk : job->nc;
    struct nc_error err;
    if (nc_init_parameters(job->nc, weights, NULL, job_seed(job), given, &err) != 0)
        return job_fault(job, &err);
    return !job->training || nc_moments_set(whole, job->training, table, weights, &err) == 0 ||
           job_fault(job, &err);
}

/* The lines of a misfit become notes. */
static bool take_weights(Job *job, const struct nc_weight_file *file)
{
    struct nc_misfit misfit;
    struct nc_error err;
    if (file->convention != NC_BY_PARAMETER)
        return weights_load_matched(job, file);
    if (nc_weights_take(job->nc, job->session.weights, file, &misfit, &err) == 0)
        return true;
    job_fault(job, &err);
    for (char *line = misfit.text, *end; (end = strchr(line, '\n')); line = end + 1)
        diag_note(job->diag, (Loc){0}, "%.*s", (int)(end - line), line);
    return false;
}

bool job_load_weights(Job *job, const char *path)
{
    struct nc_weight_file file;
    struct nc_error err;
    if (nc_weight_file_open(&file, path, &err) != 0)
        return job_fault(job, &err);
    bool good = take_weights(job, &file);
    nc_weight_file_close(&file);
    return good;
}

bool job_fault(Job *job, const struct nc_error *err)
{
    const char *colon = err->path[0] ? ": " : "";
    diag_error(job->diag, (Loc){0}, "%s%s%s", err->path, colon, err->message);
    if (err->note[0])
        diag_note(job->diag, (Loc){0}, "%s", err->note);
    return false;
}

bool job_needs_training(Job *job)
{
    if (job->model->train_options.present)
        return true;
    return diag_error(job->diag, job->model->spec->loc, "the spec has no train section");
}

bool job_one_network(Job *job)
{
    const Model *m = job->model;
    for (int i = 0; i < m->rules_count; i++) {
        if (m->rules[i].kind != RULE_UNFREEZE)
            continue;
        diag_error(job->diag, m->rules[i].loc,
                   "unfreeze needs netcc train; what is made here has one network for all epochs");
        diag_note(job->diag, (Loc){0}, "--set train.unfreeze=null leaves it out");
        return false;
    }
    return true;
}

bool job_make_folder(Job *job, const char *path)
{
    char *part = arena_strdup(job->arena, path);
    struct stat info;
    for (char *slash = part; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        mkdir(part, 0777);
        *slash = '/';
    }
    mkdir(part, 0777);
    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
        return diag_error(job->diag, (Loc){0}, "%s: is not a folder", path);
    if (access(path, W_OK | X_OK) == 0)
        return true;
    return diag_error(job->diag, (Loc){0}, "%s: cannot be written: %s", path, strerror(errno));
}

void job_say(Job *job)
{
    fputs(job->diag->text.text, stderr);
    job->diag->text = str_new(job->arena);
}

int job_end(Job *job, bool good)
{
    job_say(job);
    if (job->backend)
        backend_close(job->backend);
    nc_session_close(&job->session);
    nc_pool_free(job->pool);
    arena_free(job->arena);
    return good ? EXIT_DONE : EXIT_USER;
}
