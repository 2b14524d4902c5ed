/* netcc dump: what a spec has become after a pass. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "spelling.h"

static const Option options[] = {
    {"after", 0, OPTION_TEXT, offsetof(Args, after), "PASS", "the pass after which to look", 0,
     true},
    OPTION_SET,
    OPTION_END,
};

static bool is_pass(const char *name)
{
    int count = 0;
    for (; pass_names[count]; count++) {
        if (!strcmp(name, pass_names[count]))
            return true;
    }
    const char *near = nc_nearest_spelling(name, pass_names, count);
    fprintf(stderr, "netcc dump: unknown pass '%s'", name);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "\npasses:");
    for (int i = 0; i < count; i++)
        fprintf(stderr, " %s", pass_names[i]);
    fprintf(stderr, "\n");
    return false;
}

static int run(const Args *args)
{
    Job job;
    if (!is_pass(args->after))
        return EXIT_USAGE;
    job_prepare(&job, args);
    Str dump = str_new(job.arena);
    job.options.dump_after = args->after;
    job.options.dump = &dump;
    bool good = job_read(&job) && compile_model(job.model, &job.options) && !job.diag->errors;
    if (good)
        fputs(dump.text, stdout);
    return job_end(&job, good);
}

const Command command_dump = {"dump", "SPEC", "What a spec has become after a pass.", options, run};
