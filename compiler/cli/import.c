/* netcc import: a network of another program as a spec and weights. */
#include "import/import.h"

#include <stdio.h>

#include "cli/cli.h"
#include "model.h"
#include "progress.h"

static const Option options[] = {
    {"out", 'o', OPTION_TEXT, offsetof(Args, out), "DIR",
     "folder for spec.yaml and weights.safetensors", 0, true},
    OPTION_WEIGHTS("the values, where FILE has the architecture only", false),
    {"trained-with", 0, OPTION_TEXT, offsetof(Args, trained_with), "tensorflow|theano",
     "what made a Keras file that does not say", 0, false},
    {"flat", 0, OPTION_FLAG, offsetof(Args, flat), NULL,
     "layer by layer: repeated stages do not become blocks", 0, false},
    OPTION_JSON,
    OPTION_END,
};

static void report_json(const Import *import, const Importer *importer)
{
    printf("{\"event\":\"done\",\"format\":");
    nc_json_text(stdout, importer->name);
    printf(",\"layers\":%d,\"spec\":", import->layers->count);
    nc_json_text(stdout, arena_printf(import->arena, "%s/spec.yaml", import->out));
    printf(",\"weights\":");
    nc_json_text(stdout, arena_printf(import->arena, "%s/weights.safetensors", import->out));
    puts("}");
}

static void report(const Import *import, const Importer *importer)
{
    int64_t elements = 0;
    for (int i = 0; i < import->tensors_count; i++)
        elements += import->tensors[i]->elements;
    for (int i = 0; i < import->notes_count; i++)
        printf("note: %s\n", import->notes[i]);
    printf("%s (%s): %d layers, %lld numbers in %d tensors\n%s/spec.yaml\n"
           "%s/weights.safetensors\n",
           import->path, importer->name, import->layers->count, (long long)elements,
           import->tensors_count, import->out, import->out);
}

static bool import(Job *job, Import *state)
{
    const Importer *importer = import_find(state);
    if (!importer || !importer->read(state) || !import_check(state) ||
        !job_make_folder(job, state->out) || !import_write(state, state->out))
        return false;
    (job->args->json ? report_json : report)(state, importer);
    return true;
}

static int run(const Args *args)
{
    Job job;
    job_prepare(&job, args);
    Import state = {.arena = job.arena,
                    .diag = job.diag,
                    .path = args->operand,
                    .weights = args->weights,
                    .trained_with = args->trained_with,
                    .out = args->out,
                    .flat = args->flat};
    bool good = import(&job, &state);
    nc_weight_file_close(&state.file);
    if (state.release)
        state.release(state.held);
    return job_end(&job, good);
}

const Command command_import = {"import", "FILE", "A network of another program as a spec.",
                                options, run};
