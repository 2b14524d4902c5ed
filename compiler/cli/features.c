/* A file of features is named by a hash of all that they come from: the trunk's weights, its layers and
 * the samples. It appears whole or not at all. */
#include "cli/features.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pool.h"
#include "weights.h"

static const char prefix[] = "features-", ending[] = ".f32", piece[] = ".part";

/* Features up to this share of the machine's memory stay there. */
enum { MEMORY_SHARE = 4 };

/* ---- the key ------------------------------------------------------------------------------------ */

typedef struct {
    uint64_t value;
} Hash;

static void add_bytes(Hash *hash, const void *bytes, size_t count)
{
    const unsigned char *b = bytes;
    uint64_t word = 0;
    for (; count >= sizeof word; count -= sizeof word, b += sizeof word) {
        memcpy(&word, b, sizeof word);
        hash->value = (hash->value ^ word) * 0x9e3779b97f4a7c15u;
        hash->value ^= hash->value >> 29;
    }
    for (size_t i = 0; i < count; i++)
        hash->value = (hash->value ^ b[i]) * 0x100000001b3u;
}

static void add_text(Hash *hash, const char *text)
{
    add_bytes(hash, text, strlen(text) + 1);
}

/* Weights that no step changes, the trunk's among them; those of the head that are frozen do no harm. */
static bool add_weights(Hash *hash, Job *job)
{
    for (int i = 0; i < job->nc->parameters_count; i++) {
        const struct nc_parameter *p = &job->nc->parameters[i];
        if (p->role == NC_ROLE_SLOT || !model_find(job->model, p->name)->frozen)
            continue;
        float *values = malloc((size_t)p->elements * sizeof *values + 1);
        if (!values)
            return diag_error(job->diag, (Loc){0}, "out of memory");
        nc_unpack(p, job->nc->real_bytes, job->session.weights, values);
        add_text(hash, p->name);
        add_bytes(hash, values, (size_t)p->elements * sizeof *values);
        free(values);
    }
    return true;
}

static bool add_rows(Hash *hash, Job *job, const struct nc_array *array)
{
    enum { ROWS = 64 };
    struct nc_error err;
    uint32_t index[ROWS];
    float *values = malloc((size_t)array->row_elements * ROWS * sizeof *values + 1);
    int result = values ? 0 : nc_fail(&err, NULL, "out of memory");
    for (int64_t first = 0; first < array->shape[0] && result == 0; first += ROWS) {
        long n = array->shape[0] - first < ROWS ? (long)(array->shape[0] - first) : ROWS;
        for (long i = 0; i < n; i++)
            index[i] = (uint32_t)(first + i);
        result = nc_array_read(array, index, n, values, sizeof *values, job->session.env, &err);
        if (result == 0)
            add_bytes(hash, values, (size_t)(n * array->row_elements) * sizeof *values);
    }
    free(values);
    return result == 0 || job_fault(job, &err);
}

static bool key_of(Job *job, const Samples *samples, uint64_t *key)
{
    Hash hash = {0xcbf29ce484222325u};
    add_text(&hash, NETCC_VERSION);
    add_bytes(&hash, &job->model->numerics, sizeof job->model->numerics);
    for (int i = 0; i < job->model->layers_count; i++) {
        add_text(&hash, job->model->layers[i].path->name);
        add_text(&hash, job->model->layers[i].kind);
    }
    for (int i = 0; i < job->model->features_count; i++)
        add_text(&hash, job->model->features[i].name);
    Str spec = str_new(job->arena);
    yaml_print(&spec, yaml_get(job->model->spec, "layers"));
    add_text(&hash, spec.text);
    if (!add_weights(&hash, job))
        return false;
    for (int i = 0; i < samples->inputs_count; i++) {
        if (!add_rows(&hash, job, &samples->inputs[i]))
            return false;
    }
    *key = hash.value;
    return true;
}

/* ---- memory and files --------------------------------------------------------------------------- */

static int64_t row_bytes(const Job *job)
{
    int64_t bytes = 0;
    for (int i = 0; i < job->model->features_count; i++)
        bytes += shape_row(job->model->features[i].shape) * (int64_t)sizeof(float);
    return bytes;
}

static bool belongs_in_file(const Job *job, int64_t bytes)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    CacheKind kind = job->model->train_options.feature_cache;
    if (kind != CACHE_AUTO)
        return kind == CACHE_FILE;
    return pages > 0 && page > 0 && bytes > (int64_t)pages * page / MEMORY_SHARE;
}

/* Features lie one after another in a block, all rows of each. */
static void lay_out_set(Job *job, FeatureSet *set, const Samples *samples, unsigned char *block)
{
    int64_t rows = samples->samples.count;
    set->of = samples;
    set->count = job->model->features_count;
    set->arrays = ARENA_ARRAY(job->arena, struct nc_array, set->count + 1);
    for (int i = 0; i < set->count; i++) {
        const struct nc_port *port = &job->nc->inputs[i];
        struct nc_array *array = &set->arrays[i];
        *array = (struct nc_array){.dtype = NC_F32,
                                   .rank = port->rank + 1,
                                   .shape = {rows},
                                   .row_elements = port->elements,
                                   .data = block};
        memcpy(array->shape + 1, port->shape, sizeof *port->shape * (size_t)port->rank);
        block += rows * port->elements * (int64_t)sizeof(float);
    }
    set->samples = (struct nc_samples){set->arrays, samples->targets, rows};
}

static const char *file_name(Job *job, const char *folder, uint64_t key)
{
    return arena_printf(job->arena, "%s/%s%016llx%s", folder, prefix, (unsigned long long)key,
                        ending);
}

static bool file_fault(Job *job, const char *path)
{
    return diag_error(job->diag, (Loc){0}, "%s: cannot be written: %s", path, strerror(errno));
}

/* The block that is yet to be filled: room on the disk is taken first, so that a full one is an error
 * here. */
static void *map_fresh(Job *job, const char *path, size_t bytes)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int fault = file < 0 ? errno : posix_fallocate(file, 0, (off_t)bytes);
    void *map = MAP_FAILED;
    if (!fault)
        map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) {
        errno = fault ? fault : errno;
        file_fault(job, path);
        unlink(path);
        map = NULL;
    }
    if (file >= 0)
        close(file);
    return map;
}

/* A finished file of that size, or NULL. */
static void *map_finished(const char *path, size_t bytes)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *map = MAP_FAILED;
    if (file >= 0 && lseek(file, 0, SEEK_END) == (off_t)bytes)
        map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0)
        close(file);
    return map == MAP_FAILED ? NULL : map;
}

/* ---- the trunk ---------------------------------------------------------------------------------- */

typedef struct {
    Job *job;
} Trunk;

/* The backend changes the entry points of the job's model. */
static void poll_trunk(void *context)
{
    const Trunk *trunk = context;
    backend_poll(trunk->job->backend);
    trunk->job->trunk->prepare.run = trunk->job->nc->prepare.run;
    trunk->job->trunk->predict.run = trunk->job->nc->predict.run;
}

static bool compute(Job *job, const FeatureSet *set)
{
    struct nc_session session;
    struct nc_error err;
    Trunk trunk = {job};
    if (nc_session_open(&session, job->trunk, NC_PREDICTS | NC_BORROWS_WEIGHTS, &err) != 0)
        return job_fault(job, &err);
    session.weights = job->session.weights;
    session.env = job->session.env;
    session.seed = job->session.seed;
    session.poll = poll_trunk;
    session.poll_context = &trunk;
    void **outputs = ARENA_ARRAY(job->arena, void *, set->count + 1);
    for (int i = 0; i < set->count; i++)
        memcpy(&outputs[i], &set->arrays[i].data, sizeof outputs[i]);
    const struct nc_samples rows = {set->of->inputs, NULL, set->of->samples.count};
    poll_trunk(&trunk);
    bool good = nc_predict(&session, &rows, outputs, &err) == 0 || job_fault(job, &err);
    nc_session_close(&session);
    return good;
}

/* ---- a set -------------------------------------------------------------------------------------- */

static bool make_in_memory(Job *job, const Samples *samples, FeatureSet *set, size_t bytes)
{
    void *block = malloc(bytes + 1);
    if (!block)
        return diag_error(job->diag, (Loc){0},
                          "out of memory: the features of %lld samples take %.0f MB; "
                          "train.feature_cache can be file or off",
                          (long long)samples->samples.count, (double)bytes / 1e6);
    lay_out_set(job, set, samples, block);
    set->arrays[0].block = block;
    return compute(job, set);
}

static bool fill_file(Job *job, FeatureSet *set, const char *path, void *map, size_t bytes)
{
    const char *part = arena_printf(job->arena, "%s%s", path, piece);
    if (!compute(job, set) || (msync(map, bytes, MS_SYNC) != 0 && !file_fault(job, part)) ||
        (rename(part, path) != 0 && !file_fault(job, path))) {
        unlink(part);
        return false;
    }
    return true;
}

static bool make_in_file(Job *job, const Samples *samples, FeatureSet *set, size_t bytes,
                         const char *folder, bool *found)
{
    uint64_t key;
    if (!job_make_folder(job, folder) || !key_of(job, samples, &key))
        return false;
    const char *path = file_name(job, folder, key);
    void *map = map_finished(path, bytes);
    *found = map != NULL;
    if (!map)
        map = map_fresh(job, arena_printf(job->arena, "%s%s", path, piece), bytes);
    if (!map)
        return false;
    lay_out_set(job, set, samples, map);
    set->arrays[0].map = map;
    set->arrays[0].map_bytes = bytes;
    set->path = path;
    return *found || fill_file(job, set, path, map, bytes);
}

/* Files of features that are not in use, as after a change of the network. */
static void remove_stale(const char *folder, const Features *features)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        bool used = strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0 ||
                    features_is_piece(entry->d_name);
        for (int i = 0; i < MOST_SETS; i++) {
            const char *path = features->sets[i].path;
            used |= path && !strcmp(strrchr(path, '/') + 1, entry->d_name);
        }
        if (!used)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

/* ---- all of them -------------------------------------------------------------------------------- */

bool features_make(Job *job, const Samples *const sets[MOST_SETS], const char *folder,
                   Features *features)
{
    double start = nc_seconds();
    bool had_files = features->in_file;
    features_close(features);
    if (!job->trunk) {
        if (had_files)
            remove_stale(folder, features);
        return true;
    }
    for (int i = 0; i < MOST_SETS; i++)
        features->samples += sets[i] ? sets[i]->samples.count : 0;
    features->bytes = features->samples * row_bytes(job);
    features->in_file = belongs_in_file(job, features->bytes);
    features->found = features->in_file;
    for (int i = 0; i < MOST_SETS; i++) {
        bool found = false;
        if (!sets[i] || !sets[i]->samples.count)
            continue;
        size_t bytes = (size_t)(sets[i]->samples.count * row_bytes(job));
        FeatureSet *set = &features->sets[i];
        if (!(features->in_file ? make_in_file(job, sets[i], set, bytes, folder, &found)
                                : make_in_memory(job, sets[i], set, bytes)))
            return false;
        features->found &= found;
    }
    if (features->in_file)
        remove_stale(folder, features);
    features->seconds = nc_seconds() - start;
    return true;
}

const struct nc_samples *features_of(const Features *features, const Samples *samples)
{
    for (int i = 0; i < MOST_SETS; i++) {
        if (features->sets[i].of == samples)
            return &features->sets[i].samples;
    }
    return &samples->samples;
}

void features_close(Features *features)
{
    for (int i = 0; i < MOST_SETS; i++) {
        if (features->sets[i].of)
            nc_array_close(&features->sets[i].arrays[0]);
    }
    *features = (Features){0};
}

bool features_is_piece(const char *name)
{
    size_t length = strlen(name), end = sizeof piece - 1;
    return !strncmp(name, prefix, sizeof prefix - 1) && length > end &&
           !strcmp(name + length - end, piece);
}
