/* The loops over samples. An epoch walks a shuffled order; sums of loss and metrics are kept in
 * double over all of it. */
#include "train.h"

#include "float_mode.h"
#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

double nc_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- memory ----------------------------------------------------------------------------------- */

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t arena_bytes(const struct nc_model *model, unsigned uses)
{
    size_t bytes = 0;
    if (uses & NC_PREDICTS)
        bytes = most(model->prepare.arena_bytes, model->predict.arena_bytes);
    if (uses & NC_TRAINS)
        bytes = most(bytes, model->train.arena_bytes);
    if (uses & NC_EVALUATES)
        bytes = most(bytes, model->eval.arena_bytes);
    if (uses & NC_DIFFERENTIATES)
        bytes = most(bytes, model->grad.arena_bytes);
    return bytes;
}

/* Hands out pieces of the block; without a block it only measures. */
struct carver {
    char *block;
    size_t used;
};

static void *carve(struct carver *c, size_t bytes)
{
    void *piece = c->block ? c->block + c->used : NULL;
    c->used += (bytes + NC_ALIGN - 1) / NC_ALIGN * NC_ALIGN;
    return piece;
}

static void carve_ports(struct carver *c, const struct nc_model *model, const struct nc_port *ports,
                        int count, void **pieces)
{
    for (int i = 0; i < count; i++)
        pieces[i] = carve(c, (size_t)ports[i].elements * (size_t)model->batch * model->real_bytes);
}

static size_t carve_all(struct nc_session *s, unsigned uses)
{
    const struct nc_model *model = s->model;
    struct carver c = {s->block, 0};
    s->weights = uses & NC_BORROWS_WEIGHTS ? NULL : carve(&c, model->weights_bytes);
    s->prepared = carve(&c, uses & NC_PREDICTS ? model->prepared_bytes : 0);
    s->state = carve(&c, uses & NC_TRAINS ? model->state_bytes : 0);
    s->train_memory = carve(&c, uses & NC_TRAINS ? model->memory_bytes : 0);
    s->memory = carve(&c, uses & (NC_PREDICTS | NC_EVALUATES) ? model->memory_bytes : 0);
    carve_ports(&c, model, model->inputs, model->inputs_count, s->inputs);
    if (uses & ~(unsigned)(NC_PREDICTS | NC_BORROWS_WEIGHTS))
        carve_ports(&c, model, model->targets, model->targets_count, s->targets);
    s->values = carve(&c, NC_MAX_VALUES * model->real_bytes);
    s->arena = carve(&c, arena_bytes(model, uses));
    return c.used;
}

static int outputs_count(const struct nc_model *model)
{
    size_t count = most((size_t)model->predict.outputs_count, (size_t)model->train.outputs_count);
    count = most(count, (size_t)model->eval.outputs_count);
    return (int)most(count, (size_t)model->grad.outputs_count);
}

/* The machine's memory in bytes; a system that does not say has no limit. */
static double machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (double)pages * (double)page : INFINITY;
}

/* A large block lies in huge pages where the system has them: a network's weights and tensors are read
 * from end to end, and small pages cost a look-up each. */
static void *block_alloc(size_t bytes)
{
    enum { HUGE = 2 << 20 };
    size_t align = bytes >= HUGE ? HUGE : NC_ALIGN;
    void *block = aligned_alloc(align, (bytes + NC_ALIGN + align - 1) / align * align);
#ifdef MADV_HUGEPAGE
    if (block && align == HUGE)
        madvise(block, bytes, MADV_HUGEPAGE);
#endif
    return block;
}

int nc_session_open(struct nc_session *s, struct nc_model *model, unsigned uses,
                    struct nc_error *err)
{
    *s = (struct nc_session){.model = model};
    if (model->metrics_count + 1 > NC_MAX_VALUES)
        return nc_fail(err, NULL, "more than %d metrics", NC_MAX_VALUES - 1);
    int count = model->inputs_count + model->targets_count + outputs_count(model);
    s->pointers = calloc((size_t)count + 1, sizeof(void *));
    if (!s->pointers)
        return nc_fail(err, NULL, "out of memory");
    s->inputs = s->pointers;
    s->targets = s->inputs + model->inputs_count;
    s->outputs = s->targets + model->targets_count;
    size_t bytes = carve_all(s, uses);
    if ((double)bytes > machine_memory()) {
        nc_session_close(s);
        return nc_fail(err, NULL, "%.1f GB of memory are needed, and this machine has %.1f GB",
                       (double)bytes / 1e9, machine_memory() / 1e9);
    }
    s->block = block_alloc(bytes);
    if (!s->block) {
        nc_session_close(s);
        return nc_fail(err, NULL, "out of memory: %.0f MB are needed", (double)bytes / 1e6);
    }
    carve_all(s, uses);
    if (s->weights)
        memset(s->weights, 0, model->weights_bytes);
    if (uses & NC_TRAINS) {
        memset(s->state, 0, model->state_bytes);
        memset(s->train_memory, 0, model->memory_bytes);
    }
    if (uses & (NC_PREDICTS | NC_EVALUATES))
        memset(s->memory, 0, model->memory_bytes);
    return 0;
}

void nc_session_close(struct nc_session *s)
{
    free(s->block);
    free(s->pointers);
    *s = (struct nc_session){0};
}

/* ---- one batch -------------------------------------------------------------------------------- */

/* Rows of a shuffled epoch lie anywhere: they are asked for a few rows before they are needed. */
static void prefetch_rows(const struct nc_array *array, const uint32_t *index, long n)
{
    enum { LINE = 64, MOST = 4096 }; /* bytes; more than that the machine fetches by itself */
    size_t bytes = (size_t)array->row_elements * nc_dtype_size(array->dtype);
    size_t ahead = bytes < MOST ? bytes : MOST;
    for (long i = 0; i < n; i++)
        for (size_t at = 0; at < ahead; at += LINE)
            __builtin_prefetch(array->data + index[i] * bytes + at);
}

/* Rows index[0..n) of one array, one after another. */
static void gather_memory(char *staging, const struct nc_array *array, const uint32_t *index,
                          long n, size_t real_bytes)
{
    enum { GROUP = 4 };
    size_t row_bytes = (size_t)array->row_elements * real_bytes;
    for (long i = 0; i < n; i += GROUP) {
        long rest = n - i - GROUP, here = rest < 0 ? n - i : GROUP;
        prefetch_rows(array, index + i + here, rest < GROUP ? n - i - here : GROUP);
        nc_array_gather(array, index + i, here, staging + (size_t)i * row_bytes, real_bytes);
    }
}

/* Where rows go in the staging, and which */
struct rows {
    long at;
    const uint32_t *index;
    long n;
};

static int gather(const struct nc_session *s, void *staging, const struct nc_array *array,
                  const struct rows *rows, struct nc_error *err)
{
    size_t real_bytes = s->model->real_bytes;
    char *to = (char *)staging + (size_t)rows->at * (size_t)array->row_elements * real_bytes;
    if (array->maker)
        return nc_array_read(array, rows->index, rows->n, to, real_bytes, s->env, err);
    gather_memory(to, array, rows->index, rows->n, real_bytes);
    return 0;
}

static int gather_all(const struct nc_session *s, void *const *staging,
                      const struct nc_array *arrays, int count, const struct rows *rows,
                      struct nc_error *err)
{
    for (int i = 0; arrays && i < count; i++) {
        if (gather(s, staging[i], &arrays[i], rows, err) != 0)
            return -1;
    }
    return 0;
}

static int stage(struct nc_session *s, const struct nc_samples *samples, const struct rows *rows,
                 struct nc_error *err)
{
    const struct nc_model *model = s->model;
    return gather_all(s, s->inputs, samples->inputs, model->inputs_count, rows, err) == 0 &&
                   gather_all(s, s->targets, samples->targets, model->targets_count, rows, err) == 0
               ? 0
               : -1;
}

/* index = first, first + 1, ... */
static void count_up(uint32_t *index, int64_t first, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        index[i] = (uint32_t)(first + i);
}

static int stage_in_order(struct nc_session *s, const struct nc_samples *samples, int64_t first,
                          long n, struct nc_error *err)
{
    enum { CHUNK = 512 };
    uint32_t index[CHUNK];
    for (long at = 0; at < n; at += CHUNK) {
        const struct rows rows = {at, index, n - at < CHUNK ? n - at : CHUNK};
        count_up(index, first + at, rows.n);
        if (stage(s, samples, &rows, err) != 0)
            return -1;
    }
    return 0;
}

struct nc_call nc_session_call(const struct nc_session *s, const struct nc_entry *entry,
                               const struct nc_hyper *hyper, long n)
{
    return (struct nc_call){.weights = s->weights,
                            .prepared = s->prepared,
                            .state = s->state,
                            .memory = entry == &s->model->train ? s->train_memory : s->memory,
                            .inputs = (const void *const *)s->inputs,
                            .targets = (const void *const *)s->targets,
                            .outputs = s->outputs,
                            .hyper = hyper,
                            .n = n,
                            .arena = s->arena,
                            .env = s->env};
}

static void call(struct nc_session *s, const struct nc_entry *entry, const struct nc_hyper *hyper,
                 long n)
{
    const struct nc_call call = nc_session_call(s, entry, hyper, n);
    unsigned mode = nc_float_mode_fast();
    entry->run(&call);
    nc_float_mode_restore(mode);
}

void nc_session_prepare(struct nc_session *s)
{
    const struct nc_hyper hyper = {0};
    if (s->model->prepared_bytes)
        call(s, &s->model->prepare, &hyper, 1);
}

static double value_at(const struct nc_session *s, int i)
{
    return s->model->real_bytes == sizeof(float) ? (double)((const float *)s->values)[i]
                                                 : ((const double *)s->values)[i];
}

/* A call whose outputs are sums of the loss and the metrics; they are added to `sums`. */
static void call_summing(struct nc_session *s, const struct nc_entry *entry,
                         const struct nc_hyper *hyper, long n, double *sums)
{
    for (int i = 0; i <= s->model->metrics_count; i++)
        s->outputs[i] = (char *)s->values + (size_t)i * s->model->real_bytes;
    call(s, entry, hyper, n);
    for (int i = 0; i <= s->model->metrics_count; i++)
        sums[i] += value_at(s, i);
}

static void poll_backend(struct nc_session *s)
{
    if (s->poll)
        s->poll(s->poll_context);
}

static long batch_size(const struct nc_session *s, int64_t left)
{
    return left < s->model->batch ? (long)left : s->model->batch;
}

/* ---- training --------------------------------------------------------------------------------- */

struct run {
    struct nc_session *session;
    const struct nc_samples *samples;
    const struct nc_train_options *options;
    struct nc_progress *progress;
    uint32_t *order; /* of the samples in this epoch */
};

static int is_over(const struct run *run)
{
    const struct nc_train_options *o = run->options;
    return (o->steps > 0 && run->progress->iteration >= o->steps) || (o->stop && *o->stop);
}

static void begin_epoch(struct run *run)
{
    struct nc_progress *p = run->progress;
    p->epoch++;
    p->step = p->samples = 0;
    p->seconds = 0;
    memset(p->sums, 0, sizeof p->sums);
    memset(run->session->train_memory, 0, run->session->model->memory_bytes);
}

/* A function of seed and epoch alone, whatever came before */
static void order_samples(struct run *run)
{
    const struct nc_progress *p = run->progress;
    if (run->options->shuffle)
        nc_shuffle(run->order, p->count, run->session->seed, (uint32_t)p->epoch);
    else
        count_up(run->order, 0, p->count);
}

static int train_step(struct run *run, struct nc_error *err)
{
    struct nc_session *s = run->session;
    struct nc_progress *p = run->progress;
    long n = batch_size(s, p->count - p->samples);
    struct nc_hyper hyper = {.learning_rate = (float)run->options->learning_rate,
                             .iteration = (float)(p->iteration + 1),
                             .seed = s->seed,
                             .epoch = (uint32_t)p->epoch,
                             .first_sample = (uint64_t)p->samples};
    const struct rows rows = {0, run->order + p->samples, n};
    if (stage(s, run->samples, &rows, err) != 0)
        return -1;
    call_summing(s, &s->model->train, &hyper, n, p->sums);
    p->iteration++;
    p->step++;
    p->samples += n;
    for (int i = 0; i < p->values_count; i++)
        p->values[i] = p->sums[i] / (double)p->samples;
    if (isfinite(p->values[0]))
        return 0;
    return nc_fail(
        err, NULL, "the loss is %s at step %lld of epoch %lld; a smaller learning rate may help",
        isnan(p->values[0]) ? "not a number" : "infinite", (long long)p->step, (long long)p->epoch);
}

/* The rest of the epoch, which is all of it unless training goes on from within. */
static int train_epoch(struct run *run, struct nc_error *err)
{
    const struct nc_train_options *o = run->options;
    struct nc_progress *p = run->progress;
    double start = nc_seconds() - p->seconds;
    int64_t first = p->step;
    order_samples(run);
    while (p->samples < p->count && !is_over(run)) {
        poll_backend(run->session);
        if (train_step(run, err) != 0)
            return -1;
        p->seconds = nc_seconds() - start;
        if (o->step)
            o->step(o->context, p);
        if (o->save && o->save(o->context, err) != 0)
            return -1;
    }
    return p->step > first && o->epoch ? o->epoch(o->context, p, err) : 0;
}

static int train_epochs(struct run *run, struct nc_error *err)
{
    struct nc_progress *p = run->progress;
    int result = 0;
    if (p->epoch && p->samples < p->count)
        result = train_epoch(run, err);
    int64_t until =
        run->options->until && run->options->until < p->epochs ? run->options->until : p->epochs;
    while (p->epoch < until && result == 0 && !is_over(run)) {
        begin_epoch(run);
        result = train_epoch(run, err);
    }
    return result < 0 ? -1 : 0;
}

int nc_train(struct nc_session *session, const struct nc_samples *samples,
             const struct nc_train_options *options, struct nc_error *err)
{
    long batch = session->model->batch;
    struct nc_progress fresh = {0}, *p = options->progress ? options->progress : &fresh;
    struct run run = {session, samples, options, p, NULL};
    p->epochs = options->epochs;
    p->count = samples->count;
    p->steps = (samples->count + batch - 1) / batch;
    p->values_count = session->model->metrics_count + 1;
    if (samples->count > UINT32_MAX)
        return nc_fail(err, NULL, "more than 2^32 samples");
    run.order = malloc((size_t)samples->count * sizeof *run.order + 1);
    int result = run.order ? train_epochs(&run, err) : nc_fail(err, NULL, "out of memory");
    free(run.order);
    return result;
}

/* ---- the other loops -------------------------------------------------------------------------- */

/* Calls `visit` for batch after batch, staged in order. */
typedef void visit_batch(struct nc_session *s, void *context, int64_t first, long n);

static int each_batch(struct nc_session *s, const struct nc_samples *samples, visit_batch *visit,
                      void *context, struct nc_error *err)
{
    for (int64_t first = 0; first < samples->count;) {
        long n = batch_size(s, samples->count - first);
        poll_backend(s);
        if (stage_in_order(s, samples, first, n, err) != 0)
            return -1;
        visit(s, context, first, n);
        first += n;
    }
    return 0;
}

/* Of a call that updates nothing */
static struct nc_hyper still(const struct nc_session *s, int64_t first)
{
    return (struct nc_hyper){.iteration = 1, .seed = s->seed, .first_sample = (uint64_t)first};
}

static void evaluate_batch(struct nc_session *s, void *sums, int64_t first, long n)
{
    const struct nc_hyper hyper = still(s, first);
    call_summing(s, &s->model->eval, &hyper, n, sums);
}

int nc_evaluate(struct nc_session *s, const struct nc_samples *samples, double *values,
                struct nc_error *err)
{
    for (int i = 0; i <= s->model->metrics_count; i++)
        values[i] = 0;
    memset(s->memory, 0, s->model->memory_bytes);
    int result = each_batch(s, samples, evaluate_batch, values, err);
    for (int i = 0; i <= s->model->metrics_count; i++)
        values[i] /= (double)samples->count;
    return result;
}

static void predict_batch(struct nc_session *s, void *context, int64_t first, long n)
{
    const struct nc_entry *entry = &s->model->predict;
    const struct nc_hyper hyper = still(s, first);
    void *const *outputs = context;
    for (int i = 0; i < entry->outputs_count; i++)
        s->outputs[i] = (char *)outputs[i] +
                        (size_t)first * (size_t)entry->outputs[i].elements * s->model->real_bytes;
    call(s, entry, &hyper, n);
}

int nc_predict(struct nc_session *s, const struct nc_samples *samples, void *const *outputs,
               struct nc_error *err)
{
    memset(s->memory, 0, s->model->memory_bytes);
    poll_backend(s);
    nc_session_prepare(s);
    return each_batch(s, samples, predict_batch, (void *)outputs, err);
}

static void gradient_batch(struct nc_session *s, void *context, int64_t first, long n)
{
    const struct nc_hyper hyper = still(s, first);
    memcpy(s->outputs, context, (size_t)s->model->grad.outputs_count * sizeof *s->outputs);
    call(s, &s->model->grad, &hyper, n);
}

int nc_gradient(struct nc_session *s, const struct nc_samples *samples, void *const *outputs,
                struct nc_error *err)
{
    return each_batch(s, samples, gradient_batch, (void *)outputs, err);
}
