/* eval and train of an executable of `netcc build`. */
#include "standalone/run.h"

#include "moments.h"

#include "weights.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int report_values(struct nc_run *r)
{
    double values[NC_MAX_VALUES];
    struct nc_error err;
    if (nc_evaluate(&r->session, &r->samples, values, &err) != 0)
        return nc_run_fault(r, &err);
    nc_report_eval(&r->report, values);
    return 0;
}

int nc_run_eval(struct nc_run *r)
{
    if (nc_run_needs_training(r) != 0 || nc_run_needs_weights(r) != 0 ||
        nc_run_open(r, 1, r->s->test_digits, r->s->test_digits_seed) != 0 ||
        nc_run_start(r, NC_EVALUATES) != 0)
        return -1;
    nc_report_open(&r->report, &r->model, r->options.json, 0);
    return report_values(r);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void step_done(void *context, const struct nc_progress *progress)
{
    nc_report_step(&((struct nc_run *)context)->report, progress);
}

static int save(struct nc_run *r, struct nc_error *err)
{
    int count = r->s->metadata_count;
    const char **pairs = calloc((size_t)count + 2, 2 * sizeof *pairs);
    if (!pairs)
        return nc_fail(err, r->path, "out of memory");
    memcpy(pairs, (const char *[]){"format", "netcc", "model", r->model.name}, 4 * sizeof *pairs);
    for (int i = 0; i < count; i++) {
        const char *const *pair = r->s->metadata + 2 * i;
        pairs[2 * i + 4] = pair[0];
        pairs[2 * i + 5] = strcmp(pair[0], "table") == 0 ? r->table_json : pair[1];
    }
    int result = nc_weights_save(&r->model, r->session.weights, r->path, pairs, count + 2, err);
    free(pairs);
    return result;
}

static int epoch_done(void *context, const struct nc_progress *progress, struct nc_error *err)
{
    struct nc_run *r = context;
    nc_report_epoch(&r->report, progress, NULL);
    return save(r, err);
}

static int make_folder(struct nc_run *r)
{
    const char *folder = r->options.out ? r->options.out : ".";
    if ((size_t)snprintf(r->path, sizeof r->path, "%s/weights.safetensors", folder) >=
        sizeof r->path)
        return nc_run_complain(r, "%s: too long", folder);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return nc_run_complain(r, "%s: cannot be made: %s", folder, strerror(errno));
    return 0;
}

static int train_epochs(struct nc_run *r)
{
    const struct nc_options *o = &r->options;
    const struct nc_train_options how = {.epochs = o->epochs ? o->epochs : r->s->epochs,
                                         .steps = o->steps,
                                         .shuffle = r->s->shuffle,
                                         .learning_rate = r->s->learning_rate,
                                         .stop = &interrupted,
                                         .context = r,
                                         .step = step_done,
                                         .epoch = epoch_done};
    struct nc_error err;
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    nc_report_open(&r->report, &r->model, o->json, o->quiet);
    if (nc_train(&r->session, &r->samples, &how, &err) != 0 || save(r, &err) != 0) {
        nc_report_clear(&r->report);
        return nc_run_fault(r, &err);
    }
    return 0;
}

/* Without weights to go on from, training begins with what the samples are like. */
static int start(struct nc_run *r)
{
    struct nc_error err;
    const struct nc_table *table = r->table_json ? &r->table : NULL;
    if (nc_run_start(r, NC_TRAINS | NC_EVALUATES) != 0)
        return -1;
    if (r->s->weights || r->options.weights ||
        nc_moments_set(&r->model, &r->samples, table, r->session.weights, &err) == 0)
        return 0;
    return nc_run_fault(r, &err);
}

int nc_run_train(struct nc_run *r)
{
    if (nc_run_needs_training(r) != 0 || nc_run_open(r, 1, r->s->digits, r->s->digits_seed) != 0 ||
        make_folder(r) != 0 || start(r) != 0 || train_epochs(r) != 0)
        return -1;
    if (r->s->test_digits && !r->options.inputs.count) {
        nc_run_close(r);
        if (nc_run_open(r, 1, r->s->test_digits, r->s->test_digits_seed) != 0)
            return -1;
        if (report_values(r) != 0)
            return -1;
    }
    nc_report_done(&r->report, r->path);
    return 0;
}
