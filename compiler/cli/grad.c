/* netcc grad: the loss of one batch and its derivatives, into an npz. */
#include "cli/results.h"

#include <stdio.h>
#include <string.h>

static const Option options[] = {
    OPTION_WEIGHTS("the weights", true),
    OPTION_INPUT,
    {"target", 0, OPTION_TEXTS, offsetof(Args, targets), "[NAME=]FILE",
     "targets as npy; once for every target", 0, true},
    {"output", 'o', OPTION_TEXT, offsetof(Args, output), "FILE",
     "npz with the loss and every derivative", 0, true},
    OPTION_SET,
    OPTION_BACKEND,
    OPTION_THREADS,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_END,
};

static bool grad(Job *job, Samples *samples)
{
    const Args *args = job->args;
    Results results;
    struct nc_error err;
    int64_t rows;
    size_t length = strlen(args->output);
    if (length < 4 || strcmp(args->output + length - 4, ".npz") != 0)
        return diag_error(job->diag, (Loc){0}, "%s: derivatives go into an npz file", args->output);
    if (!samples_count_rows(job, &args->inputs, &rows) ||
        !job_compile(job, rows, NC_DIFFERENTIATES) || !job_needs_training(job) ||
        !samples_open_files(job, &args->inputs, &args->targets, samples) ||
        !job_start(job, NC_DIFFERENTIATES) || !job_load_weights(job, args->weights) ||
        !results_new(job, &job->nc->grad, rows, &results))
        return false;
    if (nc_gradient(&job->session, &samples->samples, results.pointers, &err) != 0)
        return job_fault(job, &err);
    if (!results_write(job, &results, args->output))
        return false;
    double loss = (double)results.arrays[0].data[0];
    printf(args->json ? "{\"event\":\"grad\",\"loss\":%.9g}\n" : "loss %.9g\n", loss);
    return true;
}

static int run(const Args *args)
{
    Job job;
    Samples samples = {0};
    job_prepare(&job, args);
    bool good = job_read(&job) && grad(&job, &samples);
    samples_close(&samples);
    return job_end(&job, good);
}

const Command command_grad = {"grad", "SPEC", "The loss of a batch and its derivatives.", options,
                              run};
