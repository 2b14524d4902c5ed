/* Specs are compared as lists of their leaves, so that a table can show what differs under the paths
 * that --set takes. */
#include "cli/resume.h"

#include <string.h>

/* ---- the spec as lines ------------------------------------------------------------------------- */

static const char *const free_to_change[] = {"pretrained.weights",  "pretrained.map",
                                             "pretrained.skip",     "train.epochs",
                                             "train.feature_cache", "train.early_stopping",
                                             "train.checkpoint",    "data.test",
                                             "data.validation",     NULL};

static bool is_listed(const char *path)
{
    for (const char *const *p = free_to_change; *p; p++) {
        if (!strcmp(*p, path))
            return true;
    }
    return false;
}

/* Samples in files are known by their number: files may move. */
static bool names_files(const char *path, const Yaml *value)
{
    return !strcmp(path, "data.train") && !(value->kind == YAML_MAP && yaml_get(value, "builtin"));
}

static void add_lines(Str *out, const char *path, const Yaml *value)
{
    const char *dot = *path ? "." : "";
    if (is_listed(path) || names_files(path, value))
        return;
    if (value->kind == YAML_MAP) {
        for (int i = 0; i < value->count; i++)
            add_lines(out, arena_printf(out->arena, "%s%s%s", path, dot, value->pairs[i].key),
                      value->pairs[i].value);
    } else if (value->kind == YAML_LIST) {
        for (int i = 0; i < value->count; i++)
            add_lines(out, arena_printf(out->arena, "%s%s%d", path, dot, i), value->items[i]);
    } else {
        str_printf(out, "%s: ", path);
        for (const char *c = value->text; *c; c++)
            str_addn(out, *c == '\n' ? " " : c, 1);
        str_add(out, "\n");
    }
}

const char *resume_spec(Job *job, int64_t samples, int64_t validation_samples)
{
    Str text = str_new(job->arena);
    add_lines(&text, "", job->model->spec);
    str_printf(&text, "samples: %lld\n", (long long)samples);
    str_printf(&text, "validation samples: %lld\n", (long long)validation_samples);
    return text.text;
}

/* ---- two specs --------------------------------------------------------------------------------- */

enum { MOST_ROWS = 20, WIDEST = 40 };

/* A line's value, or NULL where no line has the path of the one at `line`. */
static const char *value_of(Arena *arena, const char *text, const char *line, size_t path_length)
{
    for (const char *l = text; *l; l = strchr(l, '\n') + 1) {
        if (!strncmp(l, line, path_length + 2))
            return arena_strndup(arena, l + path_length + 2, strcspn(l + path_length + 2, "\n"));
    }
    return NULL;
}

typedef struct {
    const char *path, *then, *now;
} Difference;

typedef struct {
    Difference *rows;
    int count;
} Differences;

/* Adds rows for the lines of `text` whose value in `other` differs or, where `only_missing`, that it
 * lacks. */
static void add_rows(Arena *arena, Differences *table, const char *text, const char *other,
                     bool only_missing)
{
    for (const char *end, *line = text; (end = strchr(line, '\n')); line = end + 1) {
        size_t length = (size_t)(strstr(line, ": ") - line);
        const char *mine = value_of(arena, line, line, length);
        const char *its = value_of(arena, other, line, length);
        Difference row = {arena_strndup(arena, line, length), mine, its ? its : "-"};
        if (only_missing)
            row = (Difference){row.path, "-", mine};
        if (only_missing ? !its : !its || strcmp(mine, its) != 0)
            ARENA_PUSH(arena, table->rows, table->count, row);
    }
}

static int width(const char *text, int least)
{
    int length = (int)strlen(text);
    return length > WIDEST ? WIDEST : length > least ? length : least;
}

static void print_table(Job *job, const Differences *table)
{
    const Difference head = {"", "in the checkpoint", "now"};
    int paths = 0, values = (int)strlen(head.then);
    for (int i = 0; i < table->count && i < MOST_ROWS; i++) {
        paths = width(table->rows[i].path, paths);
        values = width(table->rows[i].then, values);
    }
    for (int i = -1; i < table->count && i < MOST_ROWS; i++) {
        const Difference *row = i < 0 ? &head : &table->rows[i];
        diag_note(job->diag, (Loc){0}, "%-*s  %-*.*s  %.*s", paths, row->path, values, WIDEST,
                  row->then, WIDEST, row->now);
    }
    if (table->count > MOST_ROWS)
        diag_note(job->diag, (Loc){0}, "... and %d more", table->count - MOST_ROWS);
}

bool resume_same(Job *job, const char *path, const char *then, const char *now)
{
    Differences table = {0};
    add_rows(job->arena, &table, then, now, false);
    add_rows(job->arena, &table, now, then, true);
    if (!table.count)
        return true;
    diag_error(job->diag, (Loc){0}, "%s: is the checkpoint of another run; these differ:", path);
    print_table(job, &table);
    return false;
}

/* ---- commands ---------------------------------------------------------------------------------- */

const char *shell_quoted(Arena *arena, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./,:@%";
    if (*word && !word[strspn(word, plain)])
        return word;
    Str text = str_new(arena);
    str_add(&text, "'");
    for (const char *c = word; *c; c++) {
        if (*c == '\'')
            str_add(&text, "'\\''");
        else
            str_addn(&text, c, 1);
    }
    str_add(&text, "'");
    return text.text;
}

const char *next_command(Job *job, const char *command)
{
    Str text = str_new(job->arena);
    str_printf(&text, "netcc %s %s", command, shell_quoted(job->arena, job->args->operand));
    for (int i = 0; i < job->args->sets.count; i++)
        str_printf(&text, " --set %s", shell_quoted(job->arena, job->args->sets.items[i]));
    return text.text;
}
