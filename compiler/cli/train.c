/* netcc train: epochs over data.train, validation after each, weights into a folder. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"
#include "weights.h"

static const Option options[] = {
    OPTION_WEIGHTS("start from these weights", false),
    {"out", 'o', OPTION_TEXT, offsetof(Args, out), "DIR",
     "where the weights go (default: runs/NAME-DATE-TIME)", 0, false},
    OPTION_SET,
    {"steps", 0, OPTION_NUMBER, offsetof(Args, steps), "N", "stop after N steps", 1, false},
    OPTION_BACKEND,
    OPTION_THREADS,
    OPTION_SEED,
    {"show", 0, OPTION_NUMBER, offsetof(Args, show), "N",
     "at the end, a confusion matrix and N classified samples", 1, false},
    {"quiet", 0, OPTION_FLAG, offsetof(Args, quiet), NULL, "only the result", 0, false},
    OPTION_JSON,
    {"resume", 0, OPTION_LATER, 0, NULL, "", 0, false},
    OPTION_END,
};

/* Everything that training reads and writes */
typedef struct {
    Job *job;
    Samples train, other; /* other: validation or test samples; no rows where there are none */
    Samples test;
    const Samples *validation;    /* what epochs end with, or NULL */
    double values[NC_MAX_VALUES]; /* of the last validation */
    bool values_current;          /* no step was made since */
    const char *folder, *path;
    double saved_at;
    struct nc_report report;
} Training;

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
}

/* Where folders of runs go that were not named */
static const char runs[] = "runs";

/* ---- the folder -------------------------------------------------------------------------------- */

static bool open_folder(Training *t)
{
    Job *job = t->job;
    t->folder = job->args->out;
    if (!t->folder) {
        char stamp[32];
        time_t now = time(NULL);
        strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", localtime(&now));
        t->folder = arena_printf(job->arena, "%s/%s-%s", runs, job->model->name, stamp);
    }
    t->path = arena_printf(job->arena, "%s/weights.safetensors", t->folder);
    return job_make_folder(job, t->folder);
}

static int save(Training *t, struct nc_error *err)
{
    const char *const metadata[] = {"format", "netcc", "model", t->job->model->name};
    t->saved_at = nc_seconds();
    return nc_weights_save(t->job->nc, t->job->session.weights, t->path, metadata, 2, err);
}

/* The spec as it was run, --set applied. */
static bool write_spec(Training *t)
{
    Str text = str_new(t->job->arena);
    const char *path = arena_printf(t->job->arena, "%s/spec.yaml", t->folder);
    yaml_print(&text, t->job->model->spec);
    FILE *file = fopen(path, "w");
    bool good = file && fputs(text.text, file) >= 0;
    if (file && fclose(file) != 0)
        good = false;
    return good ||
           diag_error(t->job->diag, (Loc){0}, "%s: cannot be written: %s", path, strerror(errno));
}

/* ---- epochs ------------------------------------------------------------------------------------ */

static void on_step(void *context, const struct nc_progress *progress)
{
    Training *t = context;
    t->values_current = false;
    nc_report_step(&t->report, progress);
}

/* Checkpoints are written at the ends of epochs, but not more often than this. */
#define SAVE_SECONDS 2.0

static int on_epoch(void *context, const struct nc_progress *progress, struct nc_error *err)
{
    Training *t = context;
    if (t->validation) {
        nc_evaluate(&t->job->session, &t->validation->samples, t->values);
        t->values_current = true;
    }
    if (nc_seconds() - t->saved_at > SAVE_SECONDS && save(t, err) != 0)
        return -1;
    nc_report_epoch(&t->report, progress, t->validation ? t->values : NULL);
    return 0;
}

static bool run_epochs(Training *t)
{
    Job *job = t->job;
    const TrainOptions *o = &job->model->train_options;
    struct nc_error err;
    const struct nc_train_options how = {.epochs = o->epochs,
                                         .steps = job->args->steps,
                                         .shuffle = o->shuffle,
                                         .learning_rate = o->learning_rate,
                                         .stop = &interrupted,
                                         .context = t,
                                         .step = on_step,
                                         .epoch = on_epoch};
    catch_signals();
    int result = nc_train(&job->session, &t->train.samples, &how, &err);
    nc_report_clear(&t->report);
    if (result == 0)
        result = save(t, &err);
    return result == 0 || job_fault(job, &err);
}

/* The test samples' values, unless the last epoch has just found them. */
static void report_test(Training *t)
{
    const Samples *test = t->test.samples.count ? &t->test : NULL;
    if (!test)
        return;
    if (!t->values_current || t->validation != test)
        nc_evaluate(&t->job->session, &test->samples, t->values);
    nc_report_eval(&t->report, t->values);
}

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

static bool start(Training *t)
{
    Job *job = t->job;
    const char *weights = job->args->weights;
    unsigned uses = NC_TRAINS | NC_EVALUATES | (job->args->show ? NC_PREDICTS : 0);
    return job_compile(job, 0, uses) && job_needs_training(job) && open_data(t) &&
           job_start(job, uses) && (!weights || job_load_weights(job, weights)) && open_folder(t);
}

static bool finish(Training *t)
{
    const Args *args = t->job->args;
    if (interrupted)
        diag_note(t->job->diag, (Loc){0}, "interrupted; the weights so far are kept");
    if (!write_spec(t))
        return false;
    report_test(t);
    if (args->show && !args->json)
        show_results(t->job, t->test.samples.count ? &t->test : &t->train, args->show);
    nc_report_done(&t->report, t->path);
    return true;
}

static bool train(Training *t)
{
    if (!start(t))
        return false;
    job_say(t->job);
    nc_report_open(&t->report, t->job->nc, t->job->args->json, t->job->args->quiet);
    if (run_epochs(t))
        return finish(t);
    rmdir(t->folder); /* if nothing is in it */
    if (!t->job->args->out)
        rmdir(runs);
    return false;
}

static int run(const Args *args)
{
    Job job;
    Training t = {.job = &job};
    job_prepare(&job, args);
    job.options.reads_data = true;
    bool good = job_read(&job) && train(&t);
    samples_close(&t.train);
    samples_close(&t.other);
    samples_close(&t.test);
    return job_end(&job, good);
}

const Command command_train = {"train", "SPEC", "Train a network and write its weights.", options,
                               run};
