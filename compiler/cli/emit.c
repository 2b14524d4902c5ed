/* netcc emit: the network as NAME.h and NAME.c for a product. */
#include "cli/cli.h"

#include "weights.h"

static const Option options[] = {
    {"out", 'o', OPTION_TEXT, offsetof(Args, out), "DIR", "the folder to write to", 0, true},
    {"train", 0, OPTION_FLAG, offsetof(Args, train), NULL, "with training", 0, false},
    OPTION_WEIGHTS("weights to compile in", false),
    OPTION_SET,
    {"target", 0, OPTION_LATER, 0, NULL, "", 0, false},
    {"quantize", 0, OPTION_LATER, 0, NULL, "", 0, false},
    OPTION_END,
};

/* The weights in packed layout, or NULL after an error. */
static float *load_weights(Job *job)
{
    struct nc_session *s = &job->session;
    s->weights = arena_alloc(job->arena, job->nc->weights_bytes + 1);
    return job_load_weights(job, job->args->weights) ? s->weights : NULL;
}

static bool emit(Job *job)
{
    const Args *args = job->args;
    const float *weights = NULL;
    if (!job_compile(job, args->train ? 0 : 1,
                     NC_PREDICTS | (args->train ? NC_TRAINS | NC_EVALUATES : 0)) ||
        (args->train && !job_needs_training(job)))
        return false;
    if (args->weights && !(weights = load_weights(job)))
        return false;
    if (!job_make_folder(job, args->out))
        return false;
    return emit_product(job->arena, job->diag, job->program, args->out, args->train, weights);
}

static int run(const Args *args)
{
    Job job;
    job_prepare(&job, args);
    return job_end(&job, job_read(&job) && emit(&job));
}

const Command command_emit = {"emit", "SPEC", "The network as C for a product.", options, run};
