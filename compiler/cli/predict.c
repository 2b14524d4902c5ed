/* netcc predict: the outputs for samples in files, into a file or printed. */
#include "cli/results.h"

#include <stdio.h>

#include "progress.h"

static const Option options[] = {
    OPTION_WEIGHTS("the trained weights", true),
    OPTION_INPUT,
    {"output", 'o', OPTION_TEXT, offsetof(Args, output), "FILE",
     "npy, or npz for several outputs (default: printed)", 0, false},
    OPTION_SET,
    OPTION_BACKEND,
    OPTION_THREADS,
    OPTION_JSON,
    OPTION_END,
};

enum { MOST_ROWS = 128 }; /* of a batch, where the spec says none */

static int64_t row_elements(const struct nc_named *array)
{
    int64_t elements = 1;
    for (int i = 1; i < array->rank; i++)
        elements *= array->shape[i];
    return elements;
}

static void print_plain(const Results *results, int64_t rows)
{
    for (int64_t row = 0; row < rows; row++) {
        for (int k = 0; k < results->count; k++) {
            int64_t n = row_elements(&results->arrays[k]);
            for (int64_t i = 0; i < n; i++)
                printf(k || i ? " %.9g" : "%.9g", (double)results->arrays[k].data[row * n + i]);
        }
        putchar('\n');
    }
}

/* One object: an array of rows for every output, each row flat. */
static void print_json(const Results *results, int64_t rows)
{
    printf("{\"event\":\"predict\",\"outputs\":{");
    for (int k = 0; k < results->count; k++) {
        int64_t n = row_elements(&results->arrays[k]);
        fputs(k ? "," : "", stdout);
        nc_json_text(stdout, results->arrays[k].name);
        fputs(":[", stdout);
        for (int64_t i = 0; i < rows * n; i++) {
            fputs(i % n ? "," : i ? "],[" : "[", stdout);
            nc_json_number(stdout, (double)results->arrays[k].data[i]);
        }
        fputs(rows ? "]]" : "]", stdout);
    }
    puts("}}");
}

static bool present(Job *job, const Results *results, int64_t rows)
{
    const Args *args = job->args;
    if (!args->output) {
        (args->json ? print_json : print_plain)(results, rows);
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
    int64_t rows;
    if (!samples_count_rows(job, job->args->inputs.items[0], &rows))
        return false;
    int64_t batch = job->model->train_options.present ? 0 : rows < MOST_ROWS ? rows : MOST_ROWS;
    if (!job_compile(job, batch, NC_PREDICTS) ||
        !samples_open_files(job, &job->args->inputs, NULL, samples) ||
        !job_start(job, NC_PREDICTS) || !job_load_weights(job, job->args->weights) ||
        !results_new(job, &job->nc->predict, rows, &results))
        return false;
    nc_predict(&job->session, &samples->samples, results.pointers);
    return present(job, &results, rows);
}

static int run(const Args *args)
{
    Job job;
    Samples samples = {0};
    job_prepare(&job, args);
    bool good = job_read(&job) && predict(&job, &samples);
    samples_close(&samples);
    return job_end(&job, good);
}

const Command command_predict = {"predict", "SPEC", "The network's outputs for samples in files.",
                                 options, run};
