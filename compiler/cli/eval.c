/* netcc eval: loss and metrics on data.test. */
#include "cli/pretrained.h"

#include "progress.h"

static const Option options[] = {
    OPTION_WEIGHTS("the trained weights (default: the spec's pretrained)", false),
    OPTION_SET,
    OPTION_BACKEND,
    OPTION_THREADS,
    OPTION_JSON,
    OPTION_END,
};

static bool eval(Job *job, Samples *test)
{
    double values[NC_MAX_VALUES];
    struct nc_report report;
    struct nc_error err;
    if (!job_compile(job, 0, NC_EVALUATES) || !job_needs_training(job))
        return false;
    if (job->model->test_data.kind == SOURCE_NONE) {
        diag_error(job->diag, job->model->spec->loc, "the spec has no data.test");
        diag_note(job->diag, (Loc){0}, "--set 'data.test={csv: FILE}' gives it one");
        return false;
    }
    if (!samples_open(job, &job->model->test_data, test) || !job_start(job, NC_EVALUATES) ||
        !weights_load(job, false))
        return false;
    if (nc_evaluate(&job->session, &test->samples, values, &err) != 0)
        return job_fault(job, &err);
    nc_report_open(&report, job->nc, job->args->json, false);
    nc_report_eval(&report, values);
    return true;
}

static int run(const Args *args)
{
    Job job;
    Samples test = {0};
    job_prepare(&job, args);
    job.options.reads_data = true;
    bool good = job_read(&job);
    if (good && weights_missing(&job, "eval"))
        return EXIT_USAGE;
    good = good && eval(&job, &test);
    samples_close(&test);
    return job_end(&job, good);
}

const Command command_eval = {"eval", "SPEC", "Loss and metrics of trained weights on data.test.",
                              options, run};
