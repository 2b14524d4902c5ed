/* netcc build: a network as an executable of its own. The system's compiler makes an object of its
 * unit for every level of the instruction set; they are linked with a descriptor, the weights and
 * libnetcc.a, and the program picks one when it starts. */
#include "cli/pretrained.h"
#include "cli/toolchain.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/image.h"
#include "init.h"
#include "pool.h"
#include "progress.h"

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
enum { LEVELS = sizeof levels / sizeof *levels };

static const char unit_flags[] = "-c -std=c99 -w -O3 -fno-math-errno -fno-trapping-math "
                                 "-ffp-contract=off";

typedef struct {
    Job *job;
    Toolchain tools;
    const char *archive; /* libnetcc.a */
    const char *fresh;   /* beside the executable, whose name it gets in the end */
    Libraries libraries;
} Building;

/* ---- files ------------------------------------------------------------------------------------- */

static bool write_bytes(const Building *b, const char *name, const void *data, size_t bytes)
{
    const char *path = toolchain_file(&b->tools, name);
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
    b->tools.folder = mkdtemp(path);
    return b->tools.folder ||
           diag_error(b->job->diag, (Loc){0}, "no folder for temporary files: %s", strerror(errno));
}

static void remove_folder(const Building *b)
{
    DIR *folder = b->tools.folder ? opendir(b->tools.folder) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlink(toolchain_file(&b->tools, entry->d_name));
    if (folder) {
        closedir(folder);
        rmdir(b->tools.folder);
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

/* Said before compilers work for seconds */
static bool find_place(Building *b)
{
    const char *out = b->job->args->out;
    b->fresh = arena_printf(b->job->arena, "%s.%ld", out, (long)getpid());
    FILE *file = fopen(b->fresh, "wb");
    if (!file)
        return diag_error(b->job->diag, (Loc){0}, "%s: cannot be written: %s", out,
                          strerror(errno));
    fclose(file);
    unlink(b->fresh);
    return true;
}

/* ---- the compiler ------------------------------------------------------------------------------ */

/* The unit for one level, with its entries named after it. */
static bool start_level(const Building *b, int level, Run *run)
{
    static const char *const entries[] = {"prepare", "predict", "train", "eval"};
    Arena *arena = b->job->arena;
    const char *isa = levels[level].isa;
    Str flags = str_new(arena);
    str_printf(&flags, "%s %s", unit_flags, levels[level].flags);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        str_printf(&flags, " -Dnc_entry_%s=nc_entry_%s_%s", entries[i], entries[i], isa);
    const char *const files[] = {"-o", toolchain_file(&b->tools, arena_printf(arena, "%s.o", isa)),
                                 toolchain_file(&b->tools, "unit.c"), NULL};
    return toolchain_start(&b->tools, isa, flags.text, files, "", run);
}

/* As many at once as there are cores: of a large network each takes half a minute and a third of a
 * gigabyte. */
static bool compile_levels(const Building *b)
{
    Run runs[LEVELS];
    bool good = true;
    int started = 0, cores = nc_usable_cores();
    for (int ended = 0; ended < started || (good && started < LEVELS); ended++) {
        while (good && started < LEVELS && started - ended < cores) {
            good = start_level(b, started, &runs[started]);
            started += good;
        }
        if (ended < started)
            good = toolchain_finish(&b->tools, &runs[ended]) && good;
    }
    return good;
}

static bool link_all(const Building *b, bool has_weights)
{
    Arena *arena = b->job->arena;
    const char *out = b->job->args->out;
    const char *files[LEVELS + 8] = {"-o", b->fresh, toolchain_file(&b->tools, "model.c")};
    int count = 3;
    Run run;
    for (int i = 0; i < LEVELS; i++)
        files[count++] = toolchain_file(&b->tools, arena_printf(arena, "%s.o", levels[i].isa));
    if (has_weights)
        files[count++] = toolchain_file(&b->tools, "weights.s");
    files[count++] = b->archive;
    if (!toolchain_start(&b->tools, "link", "-std=c11 -w -O2 -s", files, b->libraries.flags,
                         &run) ||
        !toolchain_finish(&b->tools, &run) ||
        (rename(b->fresh, out) != 0 &&
         !diag_error(b->job->diag, (Loc){0}, "%s: cannot be written: %s", out, strerror(errno)))) {
        unlink(b->fresh);
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
                      emit_model(job->arena, job->program, job->nc, isas, b->libraries.linked,
                                 weights != NULL)) &&
           (!weights || (write_bytes(b, "weights.bin", weights, job->nc->weights_bytes) &&
                         write_text(b, "weights.s",
                                    emit_weights_inside(
                                        job->arena, toolchain_file(&b->tools, "weights.bin")))));
}

static bool load_weights(Job *job, const float **weights)
{
    *weights = NULL;
    if (!job->args->weights && !job->model->pretrained.weights)
        return true;
    job->session.weights = arena_alloc(job->arena, job->nc->weights_bytes + 1);
    if (!weights_load(job, true))
        return false;
    *weights = job->session.weights;
    return true;
}

static bool reads_pictures(const struct nc_model *model)
{
    struct nc_frame frame;
    struct nc_error ignored;
    for (int i = 0; i < model->inputs_count; i++) {
        if (nc_frame_of_port(&frame, &model->inputs[i], &ignored) == 0)
            return true;
    }
    return false;
}

static bool make(Building *b)
{
    const float *weights;
    return load_weights(b->job, &weights) && find_archive(b) && find_place(b) && make_folder(b) &&
           toolchain_libraries(&b->tools, reads_pictures(b->job->nc), &b->libraries) &&
           write_sources(b, weights) && compile_levels(b) && link_all(b, weights != NULL);
}

static bool build_executable(Job *job)
{
    Building b = {.job = job, .tools = {.job = job}};
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
