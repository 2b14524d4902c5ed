/* netcc build: a network as an executable of its own. The system's compiler makes an object of its
 * unit for every level of the instruction set; they are linked with a descriptor, the weights and
 * libnetcc.a, and the program picks one when it starts. */
#include "cli/cli.h"
#include "cli/pretrained.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"
#include "progress.h"

extern char **environ;

static const Option options[] = {
    {"out", 'o', OPTION_TEXT, offsetof(Args, out), "EXE", "the executable to write", 0, true},
    OPTION_WEIGHTS("weights to put inside", false),
    OPTION_SET,
    OPTION_JSON,
    OPTION_END,
};

/* Best first: the first that a machine runs is taken. */
static const struct {
    const char *isa, *flags;
} levels[] = {
#if defined(__x86_64__)
    {"avx512", "-march=x86-64-v4 -mprefer-vector-width=512"},
    {"avx2", "-march=x86-64-v3"},
    {"sse2", "-march=x86-64-v2"},
#else
    {"generic", ""},
#endif
};
enum { LEVELS = sizeof levels / sizeof *levels, MOST_WORDS = 64 };

static const char unit_flags[] = "-c -std=c99 -w -O3 -fno-math-errno -fno-trapping-math "
                                 "-ffp-contract=off";
/* jansson reads the header of weights; its archive keeps the executable free of it. */
static const char libraries[] = "-Wl,--as-needed -Wl,--push-state,-Bstatic -ljansson "
                                "-Wl,--pop-state -lz -lm -lpthread -ldl";

typedef struct {
    Job *job;
    const char *folder;  /* for what is made on the way */
    const char *archive; /* libnetcc.a */
} Building;

/* ---- files ------------------------------------------------------------------------------------- */

static const char *in_folder(const Building *b, const char *name)
{
    return arena_printf(b->job->arena, "%s/%s", b->folder, name);
}

static bool write_bytes(const Building *b, const char *name, const void *data, size_t bytes)
{
    const char *path = in_folder(b, name);
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(data, 1, bytes, file) == bytes;
    if (file && fclose(file) != 0)
        good = false;
    return good ||
           diag_error(b->job->diag, (Loc){0}, "%s: cannot be written: %s", path, strerror(errno));
}

static bool write_text(const Building *b, const char *name, const char *text)
{
    return write_bytes(b, name, text, strlen(text));
}

static bool make_folder(Building *b)
{
    const char *tmp = getenv("TMPDIR");
    char *path = arena_printf(b->job->arena, "%s/netcc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    b->folder = mkdtemp(path);
    return b->folder ||
           diag_error(b->job->diag, (Loc){0}, "no folder for temporary files: %s", strerror(errno));
}

static void remove_folder(const Building *b)
{
    DIR *folder = b->folder ? opendir(b->folder) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlink(in_folder(b, entry->d_name));
    if (folder) {
        closedir(folder);
        rmdir(b->folder);
    }
}

/* Beside netcc, or where it is installed. */
static bool find_archive(Building *b)
{
    static const char *const places[] = {"", "/../lib/netcc"};
    char own[4096];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        b->archive = arena_printf(b->job->arena, "%s%s/libnetcc.a", own, places[i]);
        if (access(b->archive, R_OK) == 0)
            return true;
    }
    return diag_error(b->job->diag, (Loc){0}, "libnetcc.a is neither in %s nor in %s/../lib/netcc",
                      own, own);
}

/* ---- the compiler ------------------------------------------------------------------------------ */

/* One run of it */
typedef struct {
    pid_t child;
    const char *log;
} Run;

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

/* $CC (or cc), the flags, and then files, which may hold spaces. `files` ends with NULL. */
static bool start(const Building *b, const char *name, const char *flags, const char *const *files,
                  const char *tail, Run *run)
{
    Arena *arena = b->job->arena;
    char **words = ARENA_ARRAY(arena, char *, MOST_WORDS + 1);
    const char *wish = getenv("CC");
    int count = add_words(arena, words, 0, wish && *wish ? wish : "cc");
    count = add_words(arena, words, count, flags);
    for (; *files && count < MOST_WORDS - 1; files++)
        words[count++] = arena_strdup(arena, *files);
    add_words(arena, words, count, tail);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    run->log = in_folder(b, arena_printf(arena, "%s.log", name));
    posix_spawn_file_actions_addopen(&actions, 1, run->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int failed = posix_spawnp(&run->child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return !failed || diag_error(b->job->diag, (Loc){0}, "the C compiler '%s' cannot be run: %s",
                                 words[0], strerror(failed));
}

static const char *first_line(const Building *b, const char *path)
{
    char text[400] = "";
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof text, file))
        snprintf(text, sizeof text, "without a message");
    if (file)
        fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return arena_strdup(b->job->arena, text);
}

static bool finish(const Building *b, const Run *run)
{
    int status;
    pid_t ended;
    do
        ended = waitpid(run->child, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    return diag_error(b->job->diag, (Loc){0}, "the C compiler failed: %s", first_line(b, run->log));
}

/* The unit for one level, with its entries named after it. */
static bool start_level(const Building *b, int level, Run *run)
{
    static const char *const entries[] = {"predict", "train", "eval"};
    Arena *arena = b->job->arena;
    const char *isa = levels[level].isa;
    Str flags = str_new(arena);
    str_printf(&flags, "%s %s", unit_flags, levels[level].flags);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        str_printf(&flags, " -Dnc_entry_%s=nc_entry_%s_%s", entries[i], entries[i], isa);
    const char *const files[] = {"-o", in_folder(b, arena_printf(arena, "%s.o", isa)),
                                 in_folder(b, "unit.c"), NULL};
    return start(b, isa, flags.text, files, "", run);
}

/* All at once: they take seconds each. */
static bool compile_levels(const Building *b)
{
    Run runs[LEVELS];
    bool good = true;
    int started = 0;
    while (started < LEVELS && start_level(b, started, &runs[started]))
        started++;
    for (int i = 0; i < started; i++)
        good = finish(b, &runs[i]) && good;
    return good && started == LEVELS;
}

/* To a temporary name beside the executable, which is then renamed. */
static bool link_all(const Building *b, bool has_weights)
{
    Arena *arena = b->job->arena;
    const char *out = b->job->args->out;
    const char *fresh = arena_printf(arena, "%s.%ld", out, (long)getpid());
    const char *files[LEVELS + 8] = {"-o", fresh, in_folder(b, "model.c")};
    int count = 3;
    Run run;
    for (int i = 0; i < LEVELS; i++)
        files[count++] = in_folder(b, arena_printf(arena, "%s.o", levels[i].isa));
    if (has_weights)
        files[count++] = in_folder(b, "weights.s");
    files[count++] = b->archive;
    if (!start(b, "link", "-std=c11 -w -O2 -s", files, libraries, &run) || !finish(b, &run) ||
        (rename(fresh, out) != 0 &&
         !diag_error(b->job->diag, (Loc){0}, "%s: cannot be written: %s", out, strerror(errno)))) {
        unlink(fresh);
        return false;
    }
    return true;
}

/* ---- the command ------------------------------------------------------------------------------- */

static bool write_sources(const Building *b, const float *weights)
{
    Job *job = b->job;
    const char *isas[LEVELS + 1] = {NULL};
    for (int i = 0; i < LEVELS; i++)
        isas[i] = levels[i].isa;
    return write_text(b, "unit.c", emit_unit(job->arena, job->program, EMIT_JIT_CC)) &&
           write_text(b, "model.c",
                      emit_model(job->arena, job->program, job->nc, isas, weights != NULL)) &&
           (!weights || (write_bytes(b, "weights.bin", weights, job->nc->weights_bytes) &&
                         write_text(b, "weights.s",
                                    emit_weights_inside(job->arena, in_folder(b, "weights.bin")))));
}

/* What `pretrained` lacks is initialised. */
static bool load_pretrained(Job *job)
{
    struct nc_error err;
    if (nc_init_parameters(job->nc, job->session.weights, NULL, job_seed(job), &err) != 0)
        return job_fault(job, &err);
    return pretrained_load(job, true);
}

static bool load_weights(Job *job, const float **weights)
{
    const char *given = job->args->weights;
    *weights = NULL;
    if (!given && !job->model->pretrained.weights)
        return true;
    job->session.weights = arena_alloc(job->arena, job->nc->weights_bytes + 1);
    if (given ? !job_load_weights(job, given) : !load_pretrained(job))
        return false;
    *weights = job->session.weights;
    return true;
}

static bool make(Building *b)
{
    const float *weights;
    return load_weights(b->job, &weights) && find_archive(b) && make_folder(b) &&
           write_sources(b, weights) && compile_levels(b) && link_all(b, weights != NULL);
}

static bool build_executable(Job *job)
{
    Building b = {.job = job};
    bool trains = job->model->train_options.present;
    if (!job_one_network(job) ||
        !job_compile(job, 0, NC_PREDICTS | (trains ? NC_TRAINS | NC_EVALUATES : 0)))
        return false;
    bool good = make(&b);
    remove_folder(&b);
    if (good && job->args->json) {
        fputs("{\"event\":\"done\",\"executable\":", stdout);
        nc_json_text(stdout, job->args->out);
        puts("}");
    }
    return good;
}

static int run(const Args *args)
{
    Job job;
    job_prepare(&job, args);
    return job_end(&job, job_read(&job) && build_executable(&job));
}

const Command command_build = {"build", "SPEC", "The network as an executable of its own.", options,
                               run};
