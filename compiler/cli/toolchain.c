/* The compiler runs as a child without a shell; what it says goes into a file. */
#include "cli/toolchain.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MOST_WORDS = 64 };

const char *toolchain_file(const Toolchain *t, const char *name)
{
    return arena_printf(t->job->arena, "%s/%s", t->folder, name);
}

/* ---- runs -------------------------------------------------------------------------------------- */

static int add_words(Arena *arena, char **words, int count, const char *text)
{
    while (*text) {
        text += strspn(text, " \t");
        size_t length = strcspn(text, " \t");
        if (length && count < MOST_WORDS - 1)
            words[count++] = arena_strndup(arena, text, length);
        text += length;
    }
    return count;
}

bool toolchain_start(const Toolchain *t, const char *name, const char *flags,
                     const char *const *files, const char *tail, Run *run)
{
    Arena *arena = t->job->arena;
    char **words = ARENA_ARRAY(arena, char *, MOST_WORDS + 1);
    const char *wish = getenv("CC");
    int count = add_words(arena, words, 0, wish && *wish ? wish : "cc");
    count = add_words(arena, words, count, flags);
    for (; *files && count < MOST_WORDS - 1; files++)
        words[count++] = arena_strdup(arena, *files);
    add_words(arena, words, count, tail);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    run->log = toolchain_file(t, arena_printf(arena, "%s.log", name));
    posix_spawn_file_actions_addopen(&actions, 1, run->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int failed = posix_spawnp(&run->child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return !failed || diag_error(t->job->diag, (Loc){0}, "the C compiler '%s' cannot be run: %s",
                                 words[0], strerror(failed));
}

static const char *first_line(const Toolchain *t, const char *path)
{
    char text[400] = "";
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof text, file))
        snprintf(text, sizeof text, "without a message");
    if (file)
        fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return arena_strdup(t->job->arena, text);
}

static bool succeeds(const Run *run)
{
    int status;
    pid_t ended;
    do
        ended = waitpid(run->child, &status, 0);
    while (ended < 0 && errno == EINTR);
    return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool toolchain_finish(const Toolchain *t, const Run *run)
{
    return succeeds(run) ||
           diag_error(t->job->diag, (Loc){0}, "the C compiler failed: %s", first_line(t, run->log));
}

/* ---- libraries --------------------------------------------------------------------------------- */

typedef struct {
    const char *name, *package; /* Debian's */
    bool shared_first;          /* it is everywhere; else the archive is wanted */
} Library;

/* jansson reads the header of weights. */
static const Library jansson = {"jansson", "libjansson-dev", false},
                     zlib = {"z", "zlib1g-dev", true};
/* By the names of the plugins that need them */
static const Library decoders[] = {{"png", "libpng-dev", false}, {"jpeg", "libjpeg-dev", false}};
enum { DECODERS = sizeof decoders / sizeof *decoders };

typedef enum { ABSENT, SHARED, STATIC } Presence;

/* Does the compiler know a file of that name? It answers with the path, or the name alone. One that
 * does not understand the question is taken to know all. */
static bool has_file(const Toolchain *t, const char *name)
{
    const char *files[] = {arena_printf(t->job->arena, "-print-file-name=%s", name), NULL};
    Run run;
    if (!toolchain_start(t, "find", "", files, "", &run))
        return false;
    return !succeeds(&run) || strchr(first_line(t, run.log), '/');
}

static Presence find_library(const Toolchain *t, const Library *library)
{
    const char *archive = arena_printf(t->job->arena, "lib%s.a", library->name);
    const char *shared = arena_printf(t->job->arena, "lib%s.so", library->name);
    if (library->shared_first && has_file(t, shared))
        return SHARED;
    if (has_file(t, archive))
        return STATIC;
    return has_file(t, shared) ? SHARED : ABSENT;
}

/* Adds the library; false where it is not there. */
static bool add_library(const Toolchain *t, const Library *library, Str *flags)
{
    Presence presence = find_library(t, library);
    if (presence == ABSENT)
        return false;
    str_printf(flags,
               presence == STATIC ? " -Wl,--push-state,-Bstatic -l%s -Wl,--pop-state" : " -l%s",
               library->name);
    if (presence == SHARED && !library->shared_first)
        diag_note(t->job->diag, (Loc){0},
                  "lib%s.a is not there (package %s has it): the executable will need lib%s.so "
                  "wherever it runs",
                  library->name, library->package, library->name);
    return true;
}

static bool need_library(const Toolchain *t, const Library *library, Str *flags)
{
    return add_library(t, library, flags) ||
           diag_error(t->job->diag, (Loc){0},
                      "netcc build needs lib%s, which the C compiler does not find; install the "
                      "package %s",
                      library->name, library->package);
}

/* Decoders of pictures that libnetcc.a has and whose library is there. */
static const char *const *add_decoders(const Toolchain *t, Str *flags)
{
    const char **linked = NULL;
    int count = 0;
    for (int i = 0; i < DECODERS; i++) {
        bool inside =
            strstr(" " NC_LINKED " ", arena_printf(t->job->arena, " %s ", decoders[i].name));
        if (inside && add_library(t, &decoders[i], flags))
            ARENA_PUSH(t->job->arena, linked, count, decoders[i].name);
        else
            diag_note(t->job->diag, (Loc){0},
                      "without lib%s (package %s) the executable reads no %s pictures",
                      decoders[i].name, decoders[i].package, decoders[i].name);
    }
    ARENA_PUSH(t->job->arena, linked, count, NULL);
    return linked;
}

bool toolchain_libraries(const Toolchain *t, bool pictures, Libraries *out)
{
    static const char *const none[] = {NULL};
    Str flags = str_new(t->job->arena);
    str_add(&flags, "-Wl,--as-needed");
    out->linked = pictures ? add_decoders(t, &flags) : none;
    if (!need_library(t, &jansson, &flags) || !need_library(t, &zlib, &flags))
        return false;
    str_add(&flags, " -lm -lpthread -ldl");
    out->flags = flags.text;
    return true;
}
