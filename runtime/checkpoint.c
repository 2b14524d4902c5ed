/* What a run has come to is a list of named numbers, and that list is all that knows them: it is
 * walked to write the metadata and walked again to read them. */
#include "checkpoint.h"

#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The block of stateful layers, as it lies in memory */
#define MEMORY "memory"
#define BEST "best:" /* before a parameter's name: its value in the best epoch */

/* ---- metadata --------------------------------------------------------------------------------- */

enum { MOST_PAIRS = 32, TEXT_BYTES = 40, SUMS_BYTES = NC_MAX_VALUES * 28 };

/* A number of the standing under its key. */
struct field {
    const char *key;
    int64_t *whole;
    double *real; /* where whole is NULL */
};

enum { FIELDS = 11 };
static void list_fields(struct nc_standing *s, struct field fields[FIELDS])
{
    struct nc_progress *p = &s->progress;
    const struct field all[FIELDS] = {
        {"epoch", &p->epoch, NULL},
        {"step", &p->step, NULL},
        {"samples", &p->samples, NULL},
        {"iteration", &p->iteration, NULL},
        {"seconds", NULL, &p->seconds},
        {"best", NULL, &s->keep.best},
        {"best_epoch", &s->keep.best_epoch, NULL},
        {"early_stopping.best", NULL, &s->stop.best},
        {"early_stopping.best_epoch", &s->stop.best_epoch, NULL},
        {"early_stopping.wait", &s->stop.wait, NULL},
        {"count", &p->count, NULL},
    };
    memcpy(fields, all, sizeof all);
}

/* Pairs of strings under construction */
struct metadata {
    const char *pairs[2 * MOST_PAIRS];
    int count;
    char texts[FIELDS + 1][TEXT_BYTES];
    char sums[SUMS_BYTES];
};

static void add(struct metadata *m, const char *key, const char *value)
{
    m->pairs[2 * m->count] = key;
    m->pairs[2 * m->count++ + 1] = value;
}

/* 17 digits bring back every double exactly. */
static void print_sums(char text[SUMS_BYTES], const struct nc_progress *p)
{
    size_t length = 0;
    text[0] = '\0';
    for (int i = 0; i < p->values_count; i++)
        length += (size_t)snprintf(text + length, SUMS_BYTES - length, i ? " %.17g" : "%.17g",
                                   p->sums[i]);
}

static void describe(struct metadata *m, const struct nc_standing *standing)
{
    struct nc_standing s = *standing;
    struct field fields[FIELDS];
    list_fields(&s, fields);
    m->count = 0;
    add(m, "format", "netcc checkpoint 1");
    add(m, "spec", s.spec);
    for (int i = 0; i < FIELDS; i++) {
        if (fields[i].whole)
            snprintf(m->texts[i], TEXT_BYTES, "%lld", (long long)*fields[i].whole);
        else
            snprintf(m->texts[i], TEXT_BYTES, "%.17g", *fields[i].real);
        add(m, fields[i].key, m->texts[i]);
    }
    snprintf(m->texts[FIELDS], TEXT_BYTES, "%lu", (unsigned long)s.seed);
    add(m, "seed", m->texts[FIELDS]);
    print_sums(m->sums, &s.progress);
    add(m, "sums", m->sums);
    add(m, "monitor", s.keep.monitor ? s.keep.monitor : "");
    add(m, "early_stopping.monitor", s.stop.monitor ? s.stop.monitor : "");
}

/* The value of a key, or NULL with err. */
static const char *find(const struct nc_safetensors *file, const char *key, const char *path,
                        struct nc_error *err)
{
    const char *value = nc_st_metadata(file, key);
    if (!value)
        nc_fail(err, path, "is no checkpoint of a run: its metadata lack '%s'", key);
    return value;
}

static int read_fields(const struct nc_safetensors *file, struct nc_standing *s, const char *path,
                       struct nc_error *err)
{
    struct field fields[FIELDS];
    list_fields(s, fields);
    for (int i = 0; i < FIELDS; i++) {
        const char *text = find(file, fields[i].key, path, err);
        char *end = NULL;
        if (!text)
            return -1;
        if (fields[i].whole)
            *fields[i].whole = strtoll(text, &end, 10);
        else
            *fields[i].real = strtod(text, &end);
        if (end == text || *end || (fields[i].whole && *fields[i].whole < 0))
            return nc_fail(err, path, "'%s' in its metadata is no number: %.40s", fields[i].key,
                           text);
    }
    return 0;
}

static void read_sums(const char *text, struct nc_progress *p)
{
    char *end;
    for (int i = 0; i < NC_MAX_VALUES; i++) {
        p->sums[i] = strtod(text, &end);
        if (end == text)
            return;
        text = end;
        if (p->samples)
            p->values[i] = p->sums[i] / (double)p->samples;
    }
}

static void forget(struct nc_watch *watch)
{
    watch->best_epoch = watch->wait = 0;
    watch->best = 0;
}

/* What was seen of another value says nothing about this one. */
static void match(struct nc_watch *watch, const char *monitor)
{
    if (!watch->monitor || strcmp(watch->monitor, monitor) != 0)
        forget(watch);
}

static int read_standing(const struct nc_safetensors *file, struct nc_standing *s, const char *path,
                         struct nc_error *err)
{
    static const char *const keys[] = {"spec", "seed", "sums", "monitor", "early_stopping.monitor"};
    const char *texts[5];
    for (int i = 0; i < 5; i++) {
        if (!(texts[i] = find(file, keys[i], path, err)))
            return -1;
    }
    if (read_fields(file, s, path, err) != 0)
        return -1;
    s->spec = texts[0];
    s->seed = (uint32_t)strtoul(texts[1], NULL, 10);
    read_sums(texts[2], &s->progress);
    match(&s->keep, texts[3]);
    match(&s->stop, texts[4]);
    return 0;
}

int nc_checkpoint_open(struct nc_safetensors *file, struct nc_standing *s, const char *path,
                       struct nc_error *err)
{
    if (nc_safetensors_open(file, path, err) != 0)
        return -1;
    if (read_standing(file, s, path, err) == 0)
        return 0;
    nc_safetensors_close(file);
    return -1;
}

/* ---- tensors ---------------------------------------------------------------------------------- */

/* All tensors that are written, in one list */
struct contents {
    struct nc_tensors now, best;
    struct nc_named *list;
    int count;
    char **names; /* of the best ones */
};

static int name_best(struct contents *c, struct nc_error *err)
{
    c->count = c->now.count + c->best.count;
    c->list = calloc((size_t)c->count + 1, sizeof *c->list); /* one more for the memory */
    c->names = calloc((size_t)c->best.count + 1, sizeof *c->names);
    if (!c->list || !c->names)
        return nc_fail(err, NULL, "out of memory");
    memcpy(c->list, c->now.list, (size_t)c->now.count * sizeof *c->list);
    for (int i = 0; i < c->best.count; i++) {
        struct nc_named *named = &c->list[c->now.count + i];
        *named = c->best.list[i];
        if (asprintf(&c->names[i], BEST "%s", named->name) < 0)
            return nc_fail(err, NULL, "out of memory");
        named->name = c->names[i];
    }
    return 0;
}

/* Within an epoch it counts. It has no name that a parameter could have. */
static void add_memory(struct contents *c, const struct nc_session *session)
{
    int64_t elements = (int64_t)(session->model->memory_bytes / sizeof(float));
    if (elements)
        c->list[c->count++] = (struct nc_named){
            .name = MEMORY, .rank = 1, .shape = {elements}, .data = session->train_memory};
}

static int collect(struct contents *c, const struct nc_session *session, const void *best,
                   struct nc_error *err)
{
    const struct nc_model *model = session->model;
    if (nc_tensors_unpack(&c->now, model, session->weights, session->state, err) != 0 ||
        (best && nc_tensors_unpack(&c->best, model, best, NULL, err) != 0))
        return -1;
    if (name_best(c, err) != 0)
        return -1;
    add_memory(c, session);
    return 0;
}

static void discard(struct contents *c)
{
    nc_names_free(c->names, c->best.count);
    free(c->list);
    nc_tensors_free(&c->now);
    nc_tensors_free(&c->best);
}

int nc_checkpoint_save(const struct nc_session *session, const struct nc_standing *standing,
                       const char *path, struct nc_error *err)
{
    struct metadata metadata;
    struct contents c = {0};
    describe(&metadata, standing);
    int result = collect(&c, session, standing->best, err);
    if (result == 0)
        result = nc_safetensors_write(path, c.list, c.count, metadata.pairs, metadata.count, err);
    discard(&c);
    return result;
}

int nc_checkpoint_has_best(const struct nc_safetensors *file)
{
    for (int i = 0; i < file->count; i++) {
        if (strncmp(file->tensors[i].name, BEST, strlen(BEST)) == 0)
            return 1;
    }
    return 0;
}

static int is_of(const struct nc_st_tensor *t, const struct nc_parameter *p)
{
    return t && t->rank == p->rank &&
           memcmp(t->shape, p->shape, (size_t)p->rank * sizeof *p->shape) == 0;
}

/* Packs the tensor PREFIX + the parameter's name into its block. */
static int load_one(const struct nc_safetensors *file, const char *prefix,
                    const struct nc_parameter *p, size_t real_bytes, void *block, const char *path,
                    struct nc_error *err)
{
    char name[512];
    snprintf(name, sizeof name, "%s%s", prefix, p->name);
    const struct nc_st_tensor *t = nc_safetensors_find(file, name);
    if (!is_of(t, p))
        return nc_fail(err, path, "%.200s is %s", name, t ? "of another shape" : "missing");
    float *values = malloc((size_t)p->elements * sizeof *values + 1);
    int result = values ? nc_st_read(t, values, err) : nc_fail(err, path, "out of memory");
    if (result == 0)
        nc_pack(p, real_bytes, values, block);
    free(values);
    return result;
}

static int load_memory(const struct nc_safetensors *file, const struct nc_session *session,
                       const char *path, struct nc_error *err)
{
    int64_t elements = (int64_t)(session->model->memory_bytes / sizeof(float));
    const struct nc_parameter whole = {.name = MEMORY,
                                       .rank = 1,
                                       .shape = {elements},
                                       .elements = elements,
                                       .packed_elements = elements,
                                       .levels = 1,
                                       .level = {{0, elements, 1}}};
    return elements ? load_one(file, "", &whole, sizeof(float), session->train_memory, path, err)
                    : 0;
}

int nc_checkpoint_load(const struct nc_safetensors *file, struct nc_session *session, void *best,
                       const char *path, struct nc_error *err)
{
    const struct nc_model *model = session->model;
    for (int i = 0; i < model->parameters_count; i++) {
        const struct nc_parameter *p = &model->parameters[i];
        int slot = p->role == NC_ROLE_SLOT;
        void *block = slot ? session->state : session->weights;
        if (load_one(file, "", p, model->real_bytes, block, path, err) != 0 ||
            (best && !slot && load_one(file, BEST, p, model->real_bytes, best, path, err) != 0))
            return -1;
    }
    return load_memory(file, session, path, err);
}
