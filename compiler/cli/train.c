/* netcc train: epochs over data.train, validation after each, into a folder: checkpoints from which
 * --resume goes on, the best weights so far, a log, and at the end the weights. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/diverge.h"
#include "cli/pretrained.h"
#include "cli/resume.h"
#include "cli/stage.h"
#include "cli/training.h"
#include "log.h"
#include "weights.h"

static const Option options[] = {
    OPTION_WEIGHTS("start from these weights", false),
    {"out", 'o', OPTION_TEXT, offsetof(Args, out), "DIR",
     "where the weights go (default: runs/NAME-DATE-TIME)", 0, false},
    {"resume", 0, OPTION_FLAG, offsetof(Args, resume), NULL,
     "go on from the checkpoint in --out, bit for bit", 0, false},
    OPTION_SET,
    {"steps", 0, OPTION_NUMBER, offsetof(Args, steps), "N", "stop after N steps", 1, false},
    OPTION_BACKEND,
    OPTION_THREADS,
    OPTION_SEED,
    {"show", 0, OPTION_NUMBER, offsetof(Args, show), "N",
     "at the end, a confusion matrix and N classified samples", 1, false},
    {"quiet", 0, OPTION_FLAG, offsetof(Args, quiet), NULL, "only the result", 0, false},
    OPTION_JSON,
    OPTION_END,
};

static volatile sig_atomic_t interrupted;

/* The first signal ends training after the step, the second ends the process. */
static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = interrupt,
                               .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file beyond the limit is an error like a full disk */
}

/* ---- epochs ------------------------------------------------------------------------------------ */

static void on_step(void *context, const struct nc_progress *progress)
{
    Training *t = context;
    t->values_current = false;
    nc_report_step(&t->report, progress);
}

static double watched_value(const Training *t, const struct nc_watch *watch)
{
    const struct nc_progress *p = &t->standing.progress;
    int k = watch->value - p->values_count;
    return k >= 0 && t->validation ? t->values[k] : p->values[k < 0 ? watch->value : k];
}

/* Keeps the weights if they are the best so far. */
static void judge(Training *t)
{
    struct nc_standing *s = &t->standing;
    size_t bytes = t->job->nc->weights_bytes;
    int64_t epoch = s->progress.epoch;
    if (nc_watch_epoch(&s->keep, epoch, watched_value(t, &s->keep))) {
        memcpy(t->best, t->job->session.weights, bytes);
        t->best_is_new = true;
    }
    if (s->stop.monitor && nc_watch_epoch(&s->stop, epoch, watched_value(t, &s->stop)) &&
        t->stop_best) {
        memcpy(t->stop_best, t->job->session.weights, bytes);
        s->best = t->stop_best;
    }
}

/* Has early stopping ended the run? */
static bool is_stopped(const Training *t)
{
    const struct nc_standing *s = &t->standing;
    return s->stop.monitor && nc_watch_is_over(&s->stop, s->progress.epoch);
}

/* Is all done that the spec and --steps ask for? */
static bool is_finished(const Training *t)
{
    const struct nc_progress *p = &t->standing.progress;
    bool whole = p->count && p->samples == p->count;
    return (t->job->args->steps && p->iteration >= t->job->args->steps) ||
           (whole && (p->epoch >= t->job->model->train_options.epochs || is_stopped(t)));
}

/* Checkpoints are written at the ends of epochs, but not more often than this, and within an epoch
 * that takes longer than many times this. Tests that kill runs want them more often. */
static double save_seconds(void)
{
    const char *text = getenv("NETCC_SAVE_SECONDS");
    return text ? strtod(text, NULL) : 2.0;
}
#define LONG_EPOCH 150

static int save_between(void *context, struct nc_error *err)
{
    Training *t = context;
    const struct nc_progress *p = &t->standing.progress;
    bool due = nc_seconds() - t->saved_at > LONG_EPOCH * t->save_seconds;
    return due && p->samples < p->count ? training_save(t, err) : 0;
}

/* Of a whole epoch, beside the report of it. */
static int end_epoch(Training *t, struct nc_error *err)
{
    judge(t);
    if (!t->job->model->train_options.save_best_only) {
        char name[48];
        snprintf(name, sizeof name, "epoch-%04lld.safetensors",
                 (long long)t->standing.progress.epoch);
        if (training_save_weights(t, t->job->session.weights, name, err) != 0)
            return -1;
    }
    bool due = !t->has_saved || nc_seconds() - t->saved_at >= t->save_seconds;
    if (due && training_save(t, err) != 0)
        return -1;
    return is_stopped(t);
}

/* The limit of steps ends an epoch early, and the part is reported; after a signal it is not. */
static int on_epoch(void *context, const struct nc_progress *progress, struct nc_error *err)
{
    Training *t = context;
    bool whole = progress->samples == progress->count;
    if (!whole && interrupted)
        return 0;
    if (t->validation) {
        if (nc_evaluate(&t->job->session, features_of(&t->features, t->validation), t->values,
                        err) != 0)
            return -1;
        t->values_current = true;
    }
    const double *validation = t->validation ? t->values : NULL;
    nc_report_epoch(&t->report, progress, validation);
    if (training_begin(t, err) != 0 ||
        nc_log_epoch(t->folder, t->job->nc, progress, validation, err) != 0)
        return -1;
    return whole ? end_epoch(t, err) : 0;
}

/* The last checkpoint first, from which more epochs can follow; then what the run has led to. */
static int save_end(Training *t, struct nc_error *err)
{
    const struct nc_standing *s = &t->standing;
    bool is_saved = t->has_saved && s->progress.iteration == t->saved_iteration;
    if ((!is_saved || t->best_is_new) && training_save(t, err) != 0)
        return -1;
    if (s->best && is_finished(t)) {
        memcpy(t->job->session.weights, s->best, t->job->nc->weights_bytes);
        t->values_current = false;
    }
    return training_save_weights(t, t->job->session.weights, TRAINING_WEIGHTS, err);
}

/* The loss was no number: where did that begin? */
static bool explain_divergence(Training *t, const struct nc_error *err)
{
    job_fault(t->job, err);
    const Divergence divergence = {.job = t->job,
                                   .samples = features_of(&t->features, &t->train),
                                   .rows = &t->train.samples,
                                   .progress = &t->standing.progress,
                                   .checkpoint = t->begun || t->job->args->resume
                                                     ? training_file(t, TRAINING_CHECKPOINT)
                                                     : NULL};
    diverge_explain(&divergence);
    return false;
}

/* Has the last epoch before `next` ended, and is there more to do? */
static bool is_due(const Training *t, int64_t next)
{
    const struct nc_progress *p = &t->standing.progress;
    return next && !interrupted && !is_finished(t) && p->epoch == next - 1 &&
           p->samples == p->count;
}

/* What a frozen trunk gives for all samples, before the steps that read it. */
static bool make_features(Training *t)
{
    Job *job = t->job;
    const Samples *const sets[MOST_SETS] = {&t->train, &t->other, &t->test};
    if (!features_make(job, sets, t->folder, &t->features))
        return false;
    const struct nc_features seen = {.layers = job->model->trunk_layers,
                                     .samples = t->features.samples,
                                     .bytes = t->features.bytes,
                                     .file = t->features.in_file ? t->folder : NULL,
                                     .found = t->features.found,
                                     .seconds = t->features.seconds};
    if (job->trunk)
        nc_report_features(&t->report, &seen);
    return true;
}

/* The network of a later epoch; the blocks of best weights follow it. */
static bool enter_stage(Training *t, int64_t epoch)
{
    Job *job = t->job;
    int64_t all, trained;
    void **kept[] = {&t->best, &t->stop_best};
    bool best = t->standing.best != NULL;
    if (!stage_enter(job, epoch, t->uses, kept, 2))
        return false;
    t->standing.best = best ? t->stop_best : NULL;
    t->report.model = job->nc;
    trained = stage_trained(job->nc, &all);
    nc_report_unfreeze(&t->report, epoch, trained, all);
    return make_features(t);
}

/* The epochs that one network is trained for; *next is the one that brings another, or 0. */
static int run_stage(Training *t, int64_t *next, struct nc_error *err)
{
    Job *job = t->job;
    const TrainOptions *o = &job->model->train_options;
    *next = next_unfreezing(job->model, job->options.epoch ? job->options.epoch : 1);
    const struct nc_train_options how = {.epochs = o->epochs,
                                         .until = *next ? *next - 1 : 0,
                                         .steps = job->args->steps,
                                         .shuffle = o->shuffle,
                                         .learning_rate = o->learning_rate,
                                         .stop = &interrupted,
                                         .progress = &t->standing.progress,
                                         .context = t,
                                         .step = on_step,
                                         .save = save_between,
                                         .epoch = on_epoch};
    int result = is_finished(t)
                     ? 0
                     : nc_train(&job->session, features_of(&t->features, &t->train), &how, err);
    nc_report_clear(&t->report);
    return result;
}

static bool run_epochs(Training *t)
{
    Job *job = t->job;
    struct nc_error err;
    int64_t next;
    t->save_seconds = save_seconds();
    t->saved_at = nc_seconds();
    catch_signals();
    int result = run_stage(t, &next, &err);
    while (result == 0 && is_due(t, next)) {
        if (!enter_stage(t, next))
            return false;
        result = run_stage(t, &next, &err);
    }
    if (result != 0 && !isfinite(t->standing.progress.values[0]))
        return explain_divergence(t, &err);
    if (result == 0)
        result = save_end(t, &err);
    return result == 0 || job_fault(job, &err);
}

/* The test samples' values, unless the last epoch has just found them. */
static bool report_test(Training *t)
{
    const Samples *test = t->test.samples.count ? &t->test : NULL;
    struct nc_error err;
    if (!test)
        return true;
    if ((!t->values_current || t->validation != test) &&
        nc_evaluate(&t->job->session, features_of(&t->features, test), t->values, &err) != 0)
        return job_fault(t->job, &err);
    nc_report_eval(&t->report, t->values);
    return true;
}

/* ---- the command ------------------------------------------------------------------------------- */

static bool open_data(Training *t)
{
    Job *job = t->job;
    const Model *m = job->model;
    if (m->train_data.kind == SOURCE_NONE)
        return diag_error(job->diag, m->spec->loc, "the spec has no data.train");
    if (!samples_open(job, &m->train_data, &t->train) ||
        (m->test_data.kind != SOURCE_NONE && !samples_open(job, &m->test_data, &t->test)) ||
        (m->validation_data.kind != SOURCE_NONE &&
         !samples_open(job, &m->validation_data, &t->other)))
        return false;
    t->validation = t->other.samples.count ? &t->other : t->test.samples.count ? &t->test : NULL;
    return true;
}

/* A checkpoint counts, else --weights, else the spec's pretrained weights. */
static bool load_first(Training *t)
{
    return t->job->args->resume ? training_load_checkpoint(t) : weights_load(t->job, true);
}

/* A run that starts anew where another stands; its first checkpoint takes that one's place. */
static void note_replaced(Training *t)
{
    const char *path = training_file(t, TRAINING_CHECKPOINT);
    if (!t->job->args->resume && access(path, F_OK) == 0)
        diag_note(t->job->diag, (Loc){0},
                  "%s: of another run, which this one replaces; --resume would go on with it",
                  path);
}

static bool start(Training *t, Args *args)
{
    Job *job = t->job;
    unsigned uses = NC_TRAINS | NC_EVALUATES | (args->show ? NC_PREDICTS : 0);
    t->uses = uses;
    t->folder = args->out ? args->out : training_name_folder(job);
    t->first_epoch = 1;
    return training_take_stand(t) && training_take_seed(t, args) && training_take_epoch(t) &&
           job_compile(job, 0, uses) && job_needs_training(job) && open_data(t) &&
           training_is_same_run(t) && job_start(job, uses) && training_new_blocks(t) &&
           load_first(t) && job_make_folder(job, t->folder);
}

/* On stderr, whatever stdout is for. */
static void say_where(Training *t)
{
    const struct nc_progress *p = &t->standing.progress;
    const char *command = next_command(t->job, "train");
    const char *out = shell_quoted(t->job->arena, t->folder);
    if (!is_finished(t))
        diag_note(
            t->job->diag, (Loc){0},
            "interrupted in epoch %lld after step %lld of %lld; to go on: %s --out %s --resume",
            (long long)p->epoch, (long long)p->step, (long long)p->steps, command, out);
    else if (is_stopped(t))
        diag_note(t->job->diag, (Loc){0},
                  "early stopping ended the run: %s was best in epoch %lld (%.6g)",
                  t->standing.stop.monitor, (long long)t->standing.stop.best_epoch,
                  t->standing.stop.best);
    else if (t->job->args->resume && p->iteration == t->first_iteration)
        diag_note(t->job->diag, (Loc){0},
                  "the run was finished after epoch %lld, step %lld; --set train.epochs=N makes "
                  "it longer",
                  (long long)p->epoch, (long long)p->iteration);
}

/* What samples may come in */
static const char *example_input(const Model *model)
{
    if (model->table)
        return "x.csv";
    return model->train_data.kind == SOURCE_IMAGES ? "x.png" : "x.npy";
}

/* For people: the commands that may come next. */
static void print_next(Training *t)
{
    Job *job = t->job;
    const char *weights = shell_quoted(job->arena, training_file(t, TRAINING_WEIGHTS));
    if (job->args->json || job->args->quiet)
        return;
    printf("next:\n");
    if (t->test.samples.count)
        printf("  %s --weights %s\n", next_command(job, "eval"), weights);
    printf("  %s --weights %s --input %s\n", next_command(job, "predict"), weights,
           example_input(job->model));
    if (is_finished(t))
        printf("  %s --weights %s -o product\n", next_command(job, "emit"), weights);
    else
        printf("  %s --out %s --resume\n", next_command(job, "train"),
               shell_quoted(job->arena, t->folder));
}

/* --show wants the network in one piece. */
static bool show(Training *t)
{
    Job *job = t->job;
    if (job->trunk) {
        features_close(&t->features);
        job->options.split = false;
        if (!stage_enter(job, job->options.epoch, t->uses, NULL, 0))
            return false;
        t->report.model = job->nc;
    }
    show_results(job, t->test.samples.count ? &t->test : &t->train, job->args->show);
    return true;
}

static bool finish(Training *t)
{
    const Args *args = t->job->args;
    bool finished = is_finished(t);
    say_where(t);
    if (finished && !report_test(t))
        return false;
    if (finished && args->show && !args->json && !show(t))
        return false;
    nc_report_done(&t->report, training_file(t, TRAINING_WEIGHTS));
    print_next(t);
    return true;
}

static bool train(Training *t, Args *args)
{
    if (!start(t, args))
        return false;
    note_replaced(t);
    job_say(t->job);
    nc_report_open(&t->report, t->job->nc, args->json, args->quiet);
    if (make_features(t) && run_epochs(t))
        return finish(t);
    rmdir(t->folder); /* if nothing is in it */
    if (!args->out)
        rmdir(TRAINING_RUNS);
    return false;
}

static void release(Training *t)
{
    features_close(&t->features);
    samples_close(&t->train);
    samples_close(&t->other);
    samples_close(&t->test);
    nc_safetensors_close(&t->checkpoint);
    free(t->best);
    free(t->stop_best);
}

static int run(const Args *given)
{
    Job job;
    Args args = *given;
    Training t = {.job = &job};
    if (args.resume && !args.out) {
        fputs("netcc train: --resume needs --out DIR, the folder of the run\n", stderr);
        return EXIT_USAGE;
    }
    job_prepare(&job, &args);
    job.options.reads_data = job.options.trains = true;
    job.options.split = true;
    bool good = job_read(&job) && train(&t, &args);
    release(&t);
    return job_end(&job, good);
}

const Command command_train = {"train", "SPEC", "Train a network and write its weights.", options,
                               run};
