/* Tier 1: the system's compiler makes a shared object of a unit. It runs as a child without a shell,
 * in a folder of its own that also takes its temporary files, so that ending it leaves nothing. */
#include "driver/driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

extern char **environ;

struct Build {
    Arena *arena;
    const char *folder, *source, *object, *log;
    const char *why; /* it failed */
    pid_t child;     /* 0: none */
    bool own_group;
    BuildState state;
};

/* A third of a core beside threads that train; much nicer and it would hardly ever be done. */
enum { MOST_WORDS = 40, NICENESS = 3 };

static const char *const common_flags[] = {
    "-std=c99",          "-w", "-O3", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math",
    "-ffp-contract=off", NULL};

/* By the names of runtime/native.h: the same code as the precompiled vocabulary's. */
static const struct {
    const char *isa;
    const char *flags[3];
} isa_flags[] = {
    {"avx512", {"-march=x86-64-v4", "-mprefer-vector-width=512", NULL}},
    {"avx2", {"-march=x86-64-v3", NULL}},
    {"sse2", {"-march=x86-64", NULL}},
};

/* ---- which compiler ---------------------------------------------------------------------------- */

/* The words of a text, appended to a list; their number at the end. */
static int split(Arena *arena, const char *text, const char **words, int count)
{
    while (*text) {
        text += strspn(text, " \t");
        size_t length = strcspn(text, " \t");
        if (length && count < MOST_WORDS / 2)
            words[count++] = arena_strndup(arena, text, length);
        text += length;
    }
    return count;
}

static int add_all(const char *const *from, const char **words, int count)
{
    while (*from)
        words[count++] = *from++;
    return count;
}

/* Where the shell would find a command, or NULL. */
static const char *find_command(Arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? name : NULL;
    for (path = path ? path : "/usr/bin:/bin"; path; path = strchr(path, ':')) {
        path += *path == ':';
        int length = (int)strcspn(path, ":");
        const char *candidate = length ? arena_printf(arena, "%.*s/%s", length, path, name)
                                       : arena_printf(arena, "./%s", name);
        struct stat info;
        if (access(candidate, X_OK) == 0 && stat(candidate, &info) == 0 && S_ISREG(info.st_mode))
            return candidate;
    }
    return NULL;
}

/* A compiler that is replaced changes its size or time; asking its version would take 10 ms. */
static const char *identify(Arena *arena, const char *path, const char *const *command)
{
    struct stat info = {0};
    char *real = realpath(path, NULL);
    stat(path, &info);
    Str text = str_new(arena);
    str_printf(&text, "abi %d\n%s %lld %lld.%09ld\n", NC_ABI, real ? real : path,
               (long long)info.st_size, (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    for (; *command; command++)
        str_printf(&text, "%s ", *command);
    str_printf(&text, "\n%s", nc_native_select()->name);
    free(real);
    return text.text;
}

bool compiler_find(Arena *arena, Compiler *compiler, const char **why)
{
    const char *wish = getenv("CC"), **words = ARENA_ARRAY(arena, const char *, MOST_WORDS);
    int count = split(arena, wish && *wish ? wish : "cc", words, 0);
    compiler->path = count ? find_command(arena, words[0]) : NULL;
    if (!compiler->path) {
        *why = arena_printf(arena, "no C compiler ('%s') found", count ? words[0] : "");
        return false;
    }
    count = add_all(common_flags, words, count);
    for (size_t i = 0; i < sizeof isa_flags / sizeof *isa_flags; i++) {
        if (!strcmp(isa_flags[i].isa, nc_native_select()->name))
            count = add_all(isa_flags[i].flags, words, count);
    }
    compiler->command = words;
    compiler->identity = identify(arena, compiler->path, words);
    return true;
}

/* ---- the folder of a build --------------------------------------------------------------------- */

static const char build_prefix[] = "build-";

static void remove_folder(Arena *arena, const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlink(arena_printf(arena, "%s/%s", path, entry->d_name));
    if (folder)
        closedir(folder);
    rmdir(path);
}

/* Folders of builds that were killed; no build takes that long. */
static void sweep(Arena *arena, const char *cache)
{
    enum { LONGEST_BUILD = 3600 }; /* seconds */
    struct stat info;
    DIR *folder = opendir(cache);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        const char *path = arena_printf(arena, "%s/%s", cache, entry->d_name);
        if (strncmp(entry->d_name, build_prefix, strlen(build_prefix)) == 0 &&
            lstat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
            time(NULL) - info.st_mtime > LONGEST_BUILD)
            remove_folder(arena, path);
    }
    if (folder)
        closedir(folder);
}

/* Inside the cache, so that its object can be renamed into it; else among temporary files. */
static const char *make_folder(Arena *arena)
{
    const char *cache = cache_folder(arena), *tmp = getenv("TMPDIR");
    if (cache)
        sweep(arena, cache);
    char *path = cache ? arena_printf(arena, "%s/%sXXXXXX", cache, build_prefix) : NULL;
    if (path && mkdtemp(path))
        return path;
    path = arena_printf(arena, "%s/netcc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(path);
}

static bool write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    bool good = file && fputs(text, file) >= 0;
    if (file && fclose(file) != 0)
        good = false;
    return good;
}

/* ---- the child --------------------------------------------------------------------------------- */

/* The environment with TMPDIR changed. */
static char **child_environment(Arena *arena, const char *folder)
{
    int count = 0, kept = 0;
    while (environ[count])
        count++;
    char **list = ARENA_ARRAY(arena, char *, count + 2);
    for (int i = 0; i < count; i++) {
        if (strncmp(environ[i], "TMPDIR=", 7) != 0)
            list[kept++] = environ[i];
    }
    list[kept] = arena_printf(arena, "TMPDIR=%s", folder);
    return list;
}

static char **arguments(const Build *build, const Compiler *compiler)
{
    const char **words = ARENA_ARRAY(build->arena, const char *, MOST_WORDS + 8);
    int count = add_all(compiler->command, words, 0);
    const char *const tail[] = {"-o", build->object, build->source, "-lm", NULL};
    add_all(tail, words, count);
    return (char **)words;
}

static int spawn(Build *build, const Compiler *compiler)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t usual;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, build->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_init(&how);
    sigemptyset(&usual);
    sigaddset(&usual, SIGINT);
    sigaddset(&usual, SIGTERM);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_setsigdefault(&how, &usual);
    posix_spawnattr_setflags(
        &how, (short)(POSIX_SPAWN_SETSIGDEF | (build->own_group ? POSIX_SPAWN_SETPGROUP : 0)));
    int failed =
        posix_spawn(&build->child, compiler->path, &files, &how, arguments(build, compiler),
                    child_environment(build->arena, build->folder));
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

Build *build_start(Arena *arena, const Compiler *compiler, const char *unit, bool background,
                   const char **why)
{
    Build *build = ARENA_NEW(arena, Build);
    build->arena = arena;
    build->folder = make_folder(arena);
    if (!build->folder) {
        *why = arena_printf(arena, "no folder for temporary files (%s)", strerror(errno));
        return NULL;
    }
    build->source = arena_printf(arena, "%s/unit.c", build->folder);
    build->object = arena_printf(arena, "%s/unit.so", build->folder);
    build->log = arena_printf(arena, "%s/log", build->folder);
    build->own_group = background;
    int failed = write_text(build->source, unit) ? spawn(build, compiler) : errno;
    if (failed) {
        *why = arena_printf(arena, "'%s' cannot be run (%s)", compiler->path, strerror(failed));
        build->child = 0;
        build_close(build);
        return NULL;
    }
    if (background)
        setpriority(PRIO_PROCESS, (id_t)build->child, NICENESS);
    return build;
}

/* The first line that the compiler wrote */
static const char *first_line(Build *build)
{
    char text[400] = "";
    FILE *file = fopen(build->log, "r");
    if (!file || !fgets(text, sizeof text, file))
        snprintf(text, sizeof text, "without a message");
    if (file)
        fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return arena_strdup(build->arena, text);
}

BuildState build_wait(Build *build, bool block)
{
    int status;
    if (build->state != BUILD_RUNNING)
        return build->state;
    pid_t ended;
    do
        ended = waitpid(build->child, &status, block ? 0 : WNOHANG);
    while (ended < 0 && errno == EINTR);
    if (ended == 0)
        return BUILD_RUNNING;
    build->child = 0;
    bool good = ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    build->state = good ? BUILD_DONE : BUILD_FAILED;
    if (!good)
        build->why = first_line(build);
    return build->state;
}

bool build_take(Build *build, const char *key, Code *code, const char **why)
{
    if (build->state != BUILD_DONE) {
        *why = arena_printf(build->arena, "the C compiler failed: %s", build->why);
        return false;
    }
    if (!library_open(build->object, code)) {
        *why = "the C compiler's object cannot be loaded";
        return false;
    }
    cache_store(build->arena, key, build->object, build->source);
    return true;
}

void build_close(Build *build)
{
    if (build->child) {
        kill(build->own_group ? -build->child : build->child, SIGKILL);
        waitpid(build->child, NULL, 0);
        build->child = 0;
    }
    remove_folder(build->arena, build->folder);
}
