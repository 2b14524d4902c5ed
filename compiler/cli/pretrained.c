/* What the spec's `pretrained` brings: matched by import/match.c, read, packed, and told about. */
#include "cli/pretrained.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import/match.h"
#include "progress.h"
#include "weights.h"

static bool is_saved(const struct nc_parameter *p)
{
    return p->role != NC_ROLE_SLOT;
}

static int take_values(Job *job, const Matching *matching, struct nc_error *err)
{
    for (int i = 0; i < job->nc->parameters_count; i++) {
        const struct nc_parameter *p = &job->nc->parameters[i];
        if (matching->matches[i].tensor < 0)
            continue;
        float *values = malloc((size_t)p->elements * sizeof *values + 1);
        int result = values ? match_read(matching, i, values, err)
                            : nc_fail(err, matching->file->path, "out of memory");
        if (result == 0)
            nc_pack(p, job->nc->real_bytes, values, job->session.weights);
        free(values);
        if (result != 0)
            return -1;
    }
    return 0;
}

/* ---- the table ---------------------------------------------------------------------------------- */

static const char *frozen_text(const Job *job, int i)
{
    const Param *param = model_find(job->model, job->nc->parameters[i].name);
    return param->frozen && !param->since ? "frozen, " : "";
}

static void print_row(const Job *job, const Matching *matching, int i, int width)
{
    char ours[NC_SHAPE_TEXT], theirs[NC_SHAPE_TEXT];
    const struct nc_parameter *p = &job->nc->parameters[i];
    const Match *match = &matching->matches[i];
    fprintf(stderr, "  %-*s %-18s ", width, p->name, nc_shape_text(p->rank, p->shape, ours));
    if (match->tensor < 0) {
        fprintf(stderr, "%snewly initialised%s\n", frozen_text(job, i),
                match->skipped ? ": skipped" : "");
        return;
    }
    const struct nc_weight *w = &matching->file->weights[match->tensor];
    fprintf(stderr, "%s %s%s%s\n", match_place(w), nc_shape_text(w->rank, w->shape, theirs),
            match->image[0] ? ", rows from channels first" : "",
            match->flipped ? ", windows mirrored" : "");
}

static void print_left_over(const Matching *matching)
{
    char shape[NC_SHAPE_TEXT];
    for (int i = 0; i < matching->file->count; i++) {
        const struct nc_weight *w = &matching->file->weights[i];
        if (matching->parameter[i] < 0)
            fprintf(stderr, "  %s: %s %s\n", matching->because[i], match_place(w),
                    nc_shape_text(w->rank, w->shape, shape));
    }
}

static void print_table(const Job *job, const Matching *matching)
{
    int width = 0, taken = 0, fresh = 0, left = 0;
    for (int i = 0; i < job->nc->parameters_count; i++) {
        const struct nc_parameter *p = &job->nc->parameters[i];
        int length = (int)strlen(p->name);
        width = is_saved(p) && length > width ? length : width;
        taken += matching->matches[i].tensor >= 0;
        fresh += is_saved(p) && matching->matches[i].tensor < 0;
    }
    for (int i = 0; i < matching->file->count; i++)
        left += matching->parameter[i] < 0;
    fprintf(stderr, "pretrained weights of %s: %d taken, %d newly initialised, %d left over\n",
            matching->file->path, taken, fresh, left);
    for (int i = 0; i < job->nc->parameters_count; i++) {
        if (is_saved(&job->nc->parameters[i]))
            print_row(job, matching, i, width);
    }
    print_left_over(matching);
}

/* ,"KEY":[...] of parameters without a tensor */
static void print_fresh_json(const Job *job, const Matching *matching)
{
    const char *comma = "";
    fputs(",\"initialised\":[", stdout);
    for (int i = 0; i < job->nc->parameters_count; i++) {
        if (!is_saved(&job->nc->parameters[i]) || matching->matches[i].tensor >= 0)
            continue;
        fputs(comma, stdout);
        nc_json_text(stdout, job->nc->parameters[i].name);
        comma = ",";
    }
    fputs("]", stdout);
}

static void print_left_json(const Matching *matching)
{
    const char *comma = "";
    fputs(",\"left_over\":[", stdout);
    for (int i = 0; i < matching->file->count; i++) {
        if (matching->parameter[i] >= 0)
            continue;
        fputs(comma, stdout);
        nc_json_text(stdout, match_place(&matching->file->weights[i]));
        comma = ",";
    }
    fputs("]", stdout);
}

static void print_json(const Job *job, const Matching *matching)
{
    const char *comma = "";
    fputs("{\"event\":\"pretrained\",\"file\":", stdout);
    nc_json_text(stdout, matching->file->path);
    fputs(",\"taken\":{", stdout);
    for (int i = 0; i < job->nc->parameters_count; i++) {
        if (matching->matches[i].tensor < 0)
            continue;
        fputs(comma, stdout);
        nc_json_text(stdout, job->nc->parameters[i].name);
        fputc(':', stdout);
        nc_json_text(stdout, match_place(&matching->file->weights[matching->matches[i].tensor]));
        comma = ",";
    }
    fputs("}", stdout);
    print_fresh_json(job, matching);
    print_left_json(matching);
    puts("}");
    fflush(stdout);
}

/* ---- all of it ---------------------------------------------------------------------------------- */

/* What the file brings needs no first value. */
static bool init_rest(Job *job, const Matching *matching)
{
    char *given = ARENA_ARRAY(job->arena, char, job->nc->parameters_count + 1);
    for (int i = 0; i < job->nc->parameters_count; i++)
        given[i] = matching->matches[i].tensor >= 0;
    return job_init_weights(job, given);
}

static bool load(Job *job, const struct nc_weight_file *file, bool says)
{
    Matching matching;
    struct nc_error err;
    if (!match_weights(job->model, job->nc, file, &matching))
        return false;
    if (!init_rest(job, &matching))
        return false;
    if (take_values(job, &matching, &err) != 0)
        return job_fault(job, &err);
    if (says && job->args->json)
        print_json(job, &matching);
    else if (says && !job->args->quiet)
        print_table(job, &matching);
    return true;
}

/* The list of what does not fit is cut. */
static bool check_complete(Job *job, const Matching *matching)
{
    enum { MOST_NOTES = 20 };
    int missing = 0, unknown = 0, notes = 0;
    for (int i = 0; i < job->nc->parameters_count; i++)
        missing += is_saved(&job->nc->parameters[i]) && matching->matches[i].tensor < 0;
    for (int i = 0; i < matching->file->count; i++)
        unknown += matching->parameter[i] < 0;
    if (!missing && !unknown)
        return true;
    diag_error(job->diag, (Loc){0}, "%s: does not fit the model: %d missing, %d unknown",
               matching->file->path, missing, unknown);
    for (int i = 0; i < job->nc->parameters_count; i++) {
        const struct nc_parameter *p = &job->nc->parameters[i];
        if (is_saved(p) && matching->matches[i].tensor < 0 && notes++ < MOST_NOTES)
            diag_note(job->diag, (Loc){0}, "%s: not in the file", p->name);
    }
    for (int i = 0; i < matching->file->count; i++) {
        if (matching->parameter[i] < 0 && notes++ < MOST_NOTES)
            diag_note(job->diag, (Loc){0}, "%s: %s", match_place(&matching->file->weights[i]),
                      matching->because[i]);
    }
    return false;
}

bool weights_load_matched(Job *job, const struct nc_weight_file *file)
{
    Model plain = *job->model;
    Matching matching;
    struct nc_error err;
    plain.pretrained = (Pretrained){0};
    if (!match_weights(&plain, job->nc, file, &matching) || !check_complete(job, &matching))
        return false;
    return take_values(job, &matching, &err) == 0 || job_fault(job, &err);
}

static bool load_pretrained(Job *job, bool says)
{
    const Pretrained *p = &job->model->pretrained;
    struct nc_weight_file file;
    struct nc_error err;
    const char *path = yaml_path(job->arena, job->diag, p->weights, job->model->spec_path);
    if (!path)
        return false;
    if (nc_weight_file_open(&file, path, &err) != 0)
        return diag_error(job->diag, p->loc, "%s: %s", err.path[0] ? err.path : path, err.message);
    if (p->torch && file.convention == NC_BY_PARAMETER)
        file.convention = NC_BY_TORCH;
    bool good = (!p->torch || file.convention == NC_BY_TORCH ||
                 diag_error(job->diag, p->loc, "%s: a %s file does not hold PyTorch's layouts",
                            path, file.format->name)) &&
                load(job, &file, says);
    nc_weight_file_close(&file);
    return good;
}

bool weights_load(Job *job, bool says)
{
    if (job->args->weights)
        return job_load_weights(job, job->args->weights);
    return job->model->pretrained.weights ? load_pretrained(job, says)
                                          : job_init_weights(job, NULL);
}

int weights_missing(Job *job, const char *command)
{
    if (job->args->weights || job->model->pretrained.weights)
        return 0;
    fprintf(stderr,
            "netcc %s: --weights is needed, as the spec has no pretrained; 'netcc %s --help' tells "
            "more\n",
            command, command);
    job_end(job, false);
    return EXIT_USAGE;
}
