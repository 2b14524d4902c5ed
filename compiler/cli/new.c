/* netcc new: a folder with a commented spec that trains as it stands, and sample data where the
 * task wants a table. The files are templates/new/TASK/..., with $NAME for the name. */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "embedded.h"

#define TASKS "classify-images|classify-table|regress-table|forecast"

static const Option options[] = {
    {"task", 0, OPTION_CHOICE, offsetof(Args, task), TASKS,
     "what the network is to do (default: classify-images)", 0, false},
    OPTION_END,
};

/* The folder of the task's files among the embedded ones */
static const char *task_folder(Arena *arena, int64_t task)
{
    const char *name = TASKS;
    for (; task > 0; task--)
        name = strchr(name, '|') + 1;
    return arena_printf(arena, "templates/new/%.*s", (int)strcspn(name, "|"), name);
}

static const char *with_name(Arena *arena, const char *text, const char *name)
{
    Str out = str_new(arena);
    for (const char *hole; (hole = strstr(text, "$NAME")); text = hole + strlen("$NAME")) {
        str_addn(&out, text, (size_t)(hole - text));
        str_add(&out, name);
    }
    str_add(&out, text);
    return out.text;
}

/* NAME stands in the spec, so it must be one that C can use. */
static bool is_identifier(const char *name)
{
    bool ok = isalpha((unsigned char)*name) || *name == '_';
    for (; *name && ok; name++)
        ok = isalnum((unsigned char)*name) || *name == '_';
    return ok;
}

static int fail(const char *path, const char *why)
{
    fprintf(stderr, "netcc new: %s: %s\n", path, why);
    return EXIT_USER;
}

/* Writes a file that is not there yet. */
static int write_new(const char *path, const char *text)
{
    FILE *file = fopen(path, "wx");
    if (!file)
        return fail(path, strerror(errno));
    bool good = fputs(text, file) >= 0;
    good = fclose(file) == 0 && good;
    return good ? EXIT_DONE : fail(path, strerror(errno));
}

static int write_files(Arena *arena, const char *name, int64_t task)
{
    const char *folder = task_folder(arena, task);
    const char *spec = embedded_text(folder, "spec.yaml"),
               *table = embedded_text(folder, "data.csv");
    const char *path = arena_printf(arena, "%s/%s.yaml", name, name);
    if (mkdir(name, 0777) != 0 && errno != EEXIST)
        return fail(name, strerror(errno));
    int status = write_new(path, with_name(arena, spec, name));
    if (status == EXIT_DONE && table)
        status = write_new(arena_printf(arena, "%s/%s.csv", name, name), table);
    if (status == EXIT_DONE)
        printf("%s is ready; train it with\n\n    netcc train %s --out %s/run\n", path, path, name);
    return status;
}

static int run(const Args *args)
{
    const char *name = args->operand;
    if (!is_identifier(name)) {
        fprintf(stderr, "netcc new: the name '%s' is not a C identifier (letters, digits and _)\n",
                name);
        return EXIT_USAGE;
    }
    Arena *arena = arena_new();
    int status = write_files(arena, name, args->task);
    arena_free(arena);
    return status;
}

const Command command_new = {"new", "NAME", "A folder with a commented spec to start from.",
                             options, run};
