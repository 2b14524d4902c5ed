/* Options of an executable of `netcc build`, and its messages. */
#include "standalone/run.h"

#include "spelling.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_kind { FLAG, TEXT, NUMBER, FILES };
struct option {
    const char *name;
    enum option_kind kind;
    size_t at;
    const char *commands; /* that take it */
    const char *argument, *help;
};

#define AT(field) offsetof(struct nc_options, field)
static const struct option option_table[] = {
    {"input", FILES, AT(inputs), "predict", "[NAME=]FILE",
     "csv, tsv, npy or idx, once for every input; or pictures"},
    {"x", FILES, AT(inputs), "eval train", "[NAME=]FILE",
     "samples as csv, tsv, npy or idx, or pictures"},
    {"y", FILES, AT(targets), "eval train", "[NAME=]FILE",
     "their targets, where no csv of --x holds them"},
    {"output", TEXT, AT(output), "predict", "FILE", "npy, csv or json (default: printed)"},
    {"out", TEXT, AT(out), "train", "DIR", "where the weights go (default: .)"},
    {"weights", TEXT, AT(weights), "predict eval train", "FILE",
     "safetensors, instead of the weights inside"},
    {"epochs", NUMBER, AT(epochs), "train", "N", "passes over the samples"},
    {"steps", NUMBER, AT(steps), "train", "N", "stop after N steps"},
    {"batch", NUMBER, AT(batch), "train bench", "N", "rows of a step"},
    {"seed", NUMBER, AT(seed), "train", "N", "seed of everything random"},
    {"threads", NUMBER, AT(threads), "predict eval train bench", "N",
     "threads to use (default: one per core)"},
    {"train", FLAG, AT(train), "bench", NULL, "training steps"},
    {"predict", FLAG, AT(predict), "bench", NULL, "predictions"},
    {"quiet", FLAG, AT(quiet), "train", NULL, "only the result"},
    {"json", FLAG, AT(json), "predict eval train bench info", NULL,
     "one JSON object a line on stdout"},
};
enum { OPTIONS = sizeof option_table / sizeof *option_table };

int nc_run_complain(const struct nc_run *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", r->program);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return -1;
}

int nc_run_fault(const struct nc_run *r, const struct nc_error *err)
{
    nc_run_complain(r, "%s%s%s", err->path, err->path[0] ? ": " : "", err->message);
    if (err->note[0])
        fprintf(stderr, "note: %s\n", err->note);
    return -1;
}

/* Is `word` one of the words of `list`? */
static int has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += length) {
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return 1;
    }
    return 0;
}

static const struct option *find_option(const struct nc_run *r, const char *word)
{
    for (int i = 0; i < OPTIONS; i++) {
        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, option_table[i].name) == 0 &&
            has_word(option_table[i].commands, r->command))
            return &option_table[i];
    }
    return NULL;
}

static int unknown_option(const struct nc_run *r, const char *word)
{
    const char *names[OPTIONS];
    int count = 0;
    for (int i = 0; i < OPTIONS; i++) {
        if (has_word(option_table[i].commands, r->command))
            names[count++] = option_table[i].name;
    }
    const char *near =
        strncmp(word, "--", 2) == 0 ? nc_nearest_spelling(word + 2, names, count) : NULL;
    if (near)
        return nc_run_complain(r, "%s: unknown option '%s'; did you mean '--%s'?", r->command, word,
                               near);
    return nc_run_complain(r, "%s: unknown option '%s'; '%s --help' lists them", r->command, word,
                           r->program);
}

static int store(struct nc_run *r, const struct option *option, const char *value)
{
    void *field = (char *)&r->options + option->at;
    struct nc_files *files = field;
    char *end;
    switch (option->kind) {
    case FLAG:
        *(int *)field = 1;
        return 0;
    case TEXT:
        *(const char **)field = value;
        return 0;
    case NUMBER:
        errno = 0;
        *(long *)field = strtol(value, &end, 10);
        if (errno || *end || end == value || *(long *)field < (field != &r->options.seed))
            return nc_run_complain(r, "--%s takes a whole number, not '%s'", option->name, value);
        return 0;
    case FILES:
        break;
    }
    if (files->count == NC_MOST_FILES)
        return nc_run_complain(r, "--%s is given too often", option->name);
    files->items[files->count++] = value;
    return 0;
}

int nc_run_parse(struct nc_run *r, int argc, char **argv)
{
    r->options.seed = -1;
    for (int i = 2; i < argc; i++) {
        const struct option *option = find_option(r, argv[i]);
        if (!option)
            return unknown_option(r, argv[i]);
        if (option->kind != FLAG && ++i == argc)
            return nc_run_complain(r, "--%s needs a value", option->name);
        if (store(r, option, argv[i]) != 0)
            return -1;
    }
    return 0;
}

void nc_run_list_options(const char *command)
{
    for (int i = 0; i < OPTIONS; i++) {
        const struct option *o = &option_table[i];
        if (has_word(o->commands, command))
            printf("      --%s %s%*s%s\n", o->name, o->argument ? o->argument : "",
                   (int)(24 - strlen(o->name) - (o->argument ? strlen(o->argument) : 0)), "",
                   o->help);
    }
}
