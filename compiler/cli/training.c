#include "cli/training.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/resume.h"
#include "cli/stage.h"
#include "log.h"
#include "weights.h"

/* ---- the folder -------------------------------------------------------------------------------- */

const char *training_name_folder(Job *job)
{
    char stamp[32];
    time_t now = time(NULL);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", localtime(&now));
    return arena_printf(job->arena, "%s/%s-%s", TRAINING_RUNS, job->model->name, stamp);
}

const char *training_file(const Training *t, const char *name)
{
    return arena_printf(t->job->arena, "%s/%s", t->folder, name);
}

/* The spec as it was run, --set applied. */
static int write_spec(Training *t, struct nc_error *err)
{
    Str text = str_new(t->job->arena);
    const char *path = training_file(t, "spec.yaml");
    yaml_print(&text, t->job->model->spec);
    FILE *file = fopen(path, "w");
    bool good = file && fputs(text.text, file) >= 0;
    if (file && fclose(file) != 0)
        good = false;
    return good ? 0 : nc_fail(err, path, "cannot be written: %s", strerror(errno));
}

/* Pieces that a killed run was writing */
static void sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *part = strstr(entry->d_name, ".safetensors.");
        size_t length = strlen(entry->d_name);
        if (features_is_piece(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
        else if (part && length > 5 && strcmp(entry->d_name + length - 5, ".part") == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

int training_begin(Training *t, struct nc_error *err)
{
    if (t->begun)
        return 0;
    t->begun = true;
    sweep(t->folder);
    return write_spec(t, err) == 0 ? nc_log_cut(t->folder, t->first_epoch, err) : -1;
}

int training_save_weights(Training *t, const void *weights, const char *name, struct nc_error *err)
{
    const Model *m = t->job->model;
    const char **pairs = ARENA_ARRAY(t->job->arena, const char *, 2 * m->metadata_count + 4);
    memcpy(pairs, (const char *[]){"format", "netcc", "model", m->name}, 4 * sizeof *pairs);
    for (int i = 0; i < 2 * m->metadata_count; i++)
        pairs[4 + i] = m->metadata[i];
    return nc_weights_save(t->job->nc, weights, training_file(t, name), pairs,
                           m->metadata_count + 2, err);
}

/* The best weights go first: where a checkpoint knows of them, they are there. */
int training_save(Training *t, struct nc_error *err)
{
    if (training_begin(t, err) != 0 ||
        (t->best_is_new && training_save_weights(t, t->best, TRAINING_BEST, err) != 0))
        return -1;
    t->best_is_new = false;
    if (nc_checkpoint_save(&t->job->session, &t->standing, training_file(t, TRAINING_CHECKPOINT),
                           err) != 0)
        return -1;
    t->has_saved = true;
    t->saved_at = nc_seconds();
    t->saved_iteration = t->standing.progress.iteration;
    return 0;
}

/* ---- going on ---------------------------------------------------------------------------------- */

/* Where the run stands before its first step: at its start, or where the checkpoint says. */
bool training_take_stand(Training *t)
{
    Job *job = t->job;
    const TrainOptions *o = &job->model->train_options;
    struct nc_error err;
    t->standing = (struct nc_standing){.keep = o->keep, .stop = o->stop};
    if (!job->args->resume)
        return true;
    if (job->args->weights)
        return diag_error(job->diag, (Loc){0},
                          "--resume goes on with the checkpoint's weights; leave --weights out");
    const char *path = training_file(t, TRAINING_CHECKPOINT);
    if (access(path, F_OK) != 0)
        return diag_error(job->diag, (Loc){0},
                          "%s: there is no checkpoint; without --resume the run starts anew", path);
    return nc_checkpoint_open(&t->checkpoint, &t->standing, path, &err) == 0 ||
           job_fault(job, &err);
}

/* The seed is the checkpoint's, however it was set then; job_seed() asks the arguments. */
bool training_take_seed(Training *t, Args *args)
{
    if (!args->resume) {
        t->standing.seed = job_seed(t->job);
        return true;
    }
    if (args->seed >= 0 && (uint32_t)args->seed != t->standing.seed)
        return diag_error(t->job->diag, (Loc){0}, "--seed %lld: the run began with seed %lu",
                          (long long)args->seed, (unsigned long)t->standing.seed);
    args->seed = t->standing.seed;
    return true;
}

/* The network is that of the epoch which the checkpoint ends or stands in. */
bool training_take_epoch(Training *t)
{
    Job *job = t->job;
    if (t->standing.progress.epoch < 2 || !next_unfreezing(job->model, 0))
        return true;
    job->options.spec = job->model->spec;
    job->options.epoch = t->standing.progress.epoch;
    return job_read(job);
}

bool training_is_same_run(Training *t)
{
    const char *now = resume_spec(t->job, t->train.samples.count,
                                  t->validation ? t->validation->samples.count : 0);
    const char *then = t->standing.spec;
    t->standing.spec = now;
    return !t->job->args->resume ||
           resume_same(t->job, training_file(t, TRAINING_CHECKPOINT), then, now);
}

bool training_new_blocks(Training *t)
{
    size_t bytes = t->job->nc->weights_bytes + 1;
    bool restores = t->job->model->train_options.restore_best_weights;
    t->best = malloc(bytes);
    t->stop_best = restores ? calloc(1, bytes) : NULL;
    return (t->best && (t->stop_best || !restores)) ||
           diag_error(t->job->diag, (Loc){0}, "out of memory");
}

bool training_load_checkpoint(Training *t)
{
    struct nc_error err;
    struct nc_watch *stop = &t->standing.stop;
    const struct nc_progress *p = &t->standing.progress;
    const char *path = training_file(t, TRAINING_CHECKPOINT);
    if (t->stop_best && !nc_checkpoint_has_best(&t->checkpoint))
        stop->best_epoch = stop->wait = 0; /* there is nothing to restore: it begins to watch now */
    void *best = stop->best_epoch ? t->stop_best : NULL;
    if (nc_checkpoint_load(&t->checkpoint, &t->job->session, best, path, &err) != 0)
        return job_fault(t->job, &err);
    if (best)
        t->standing.best = best;
    t->first_epoch = p->samples < p->count ? p->epoch : p->epoch + 1;
    t->first_iteration = p->iteration;
    return true;
}
