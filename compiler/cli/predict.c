/* netcc predict: the outputs for samples in files, into a file or printed. */
#include "cli/pretrained.h"
#include "cli/results.h"

#include <stdio.h>

#include "progress.h"

static const Option options[] = {
    OPTION_WEIGHTS("the trained weights (default: the spec's pretrained)", false),
    OPTION_INPUT,
    {"output", 'o', OPTION_TEXT, offsetof(Args, output), "FILE",
     "npy, npz for several outputs, csv or json (default: printed)", 0, false},
    OPTION_SET,
    OPTION_BACKEND,
    OPTION_THREADS,
    OPTION_JSON,
    OPTION_END,
};

enum { MOST_ROWS = 128 }; /* of a batch, where the spec says none */

static bool present(Job *job, const Results *results, int64_t rows)
{
    const Args *args = job->args;
    if (!args->output) {
        results_print(job, results);
        return true;
    }
    if (!results_write(job, results, args->output))
        return false;
    if (args->json) {
        printf("{\"event\":\"predict\",\"rows\":%lld,\"output\":", (long long)rows);
        nc_json_text(stdout, args->output);
        puts("}");
    }
    return true;
}

static bool predict(Job *job, Samples *samples)
{
    Results results;
    struct nc_error err;
    int64_t rows;
    if (!samples_count_rows(job, &job->args->inputs, &rows))
        return false;
    bool any_batch = !job->model->train_options.present && !model_memory(job->model);
    int64_t batch = !any_batch ? 0 : rows < MOST_ROWS ? rows : MOST_ROWS;
    if (!job_compile(job, batch, NC_PREDICTS) ||
        !samples_open_files(job, &job->args->inputs, NULL, samples) ||
        !job_start(job, NC_PREDICTS) || !weights_load(job, false) ||
        !results_new(job, &job->nc->predict, rows, &results))
        return false;
    if (nc_predict(&job->session, &samples->samples, results.pointers, &err) != 0)
        return job_fault(job, &err);
    results.files = samples->files;
    return present(job, &results, rows);
}

static int run(const Args *args)
{
    Job job;
    Samples samples = {0};
    job_prepare(&job, args);
    bool good = job_read(&job);
    if (good && weights_missing(&job, "predict"))
        return EXIT_USAGE;
    good = good && predict(&job, &samples);
    samples_close(&samples);
    return job_end(&job, good);
}

const Command command_predict = {"predict", "SPEC", "The network's outputs for samples in files.",
                                 options, run};
