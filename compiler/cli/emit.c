/* netcc emit: the network as NAME.h and NAME.c for a product. */
#include "cli/pretrained.h"

#include "weights.h"

static const Option options[] = {
    {"out", 'o', OPTION_TEXT, offsetof(Args, out), "DIR", "the folder to write to", 0, true},
    {"train", 0, OPTION_FLAG, offsetof(Args, train), NULL, "with training", 0, false},
    OPTION_WEIGHTS("weights to compile in (default with --train: initial ones)", false),
    {"batch", 0, OPTION_NUMBER, offsetof(Args, batch), "N",
     "the largest n (default: 1, with --train the spec's batch_size)", 1, false},
    OPTION_SEED,
    OPTION_SET,
    {"target", 0, OPTION_LATER, 0, NULL, "", 0, false},
    {"quantize", 0, OPTION_LATER, 0, NULL, "", 0, false},
    OPTION_END,
};

/* The weights in packed layout, or NULL after an error. */
static float *make_weights(Job *job)
{
    job->session.weights = arena_alloc(job->arena, job->nc->weights_bytes + 1);
    return weights_load(job, true) ? job->session.weights : NULL;
}

static bool emit(Job *job)
{
    const Args *args = job->args;
    const float *weights = NULL;
    if (args->train && !job_one_network(job))
        return false;
    if (!job_compile(job, args->batch ? args->batch : !args->train,
                     NC_PREDICTS | (args->train ? NC_TRAINS | NC_EVALUATES : 0)) ||
        (args->train && !job_needs_training(job)))
        return false;
    if ((args->weights || args->train) && !(weights = make_weights(job)))
        return false;
    if (!job_make_folder(job, args->out))
        return false;
    return emit_product(job->arena, job->diag, job->program, args->out, args->train, weights);
}

static int run(const Args *args)
{
    Job job;
    job_prepare(&job, args);
    job.options.product = true;
    return job_end(&job, job_read(&job) && emit(&job));
}

const Command command_emit = {"emit", "SPEC", "The network as C for a product.", options, run};
