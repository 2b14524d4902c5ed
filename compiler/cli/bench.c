/* netcc bench: speed on random data in memory, beside what this machine can do. Two runs: one of the
 * network as it is, one of a unit whose entry tells which kernel begins. */
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>

#include "bench.h"
#include "machine.h"
#include "native.h"
#include "pool.h"
#include "progress.h"
#include "work.h"

enum { RUN_SECONDS = 2 };
#define KERNELS_PART 0.3 /* of that time */

static const Option options[] = {
    {"train", 0, OPTION_FLAG, offsetof(Args, train), NULL,
     "training steps (the default where the spec trains)", 0, false},
    {"predict", 0, OPTION_FLAG, offsetof(Args, predict), NULL, "predictions", 0, false},
    {"batch", 0, OPTION_NUMBER, offsetof(Args, batch), "N", "rows of a call (default: the spec's)",
     1, false},
    {"seconds", 0, OPTION_NUMBER, offsetof(Args, seconds), "N", "how long to measure (default: 2)",
     1, false},
    OPTION_SET,
    OPTION_BACKEND,
    OPTION_THREADS,
    OPTION_JSON,
    OPTION_END,
};

/* One kernel call of the entry */
typedef struct {
    const Kernel *kernel;
    bool sliced; /* its calls share the rows of a step */
    long calls;
    double seconds;
} Row;

typedef struct {
    struct nc_timer timer; /* first: the timed unit sees no more of it */
    Row *rows;
    int count;
    long current, entries; /* the call under way, or -1; how often the entry was run */
    double since;
} Clock;

typedef struct {
    Job *job;
    bool train;
    double seconds; /* of a run */
    const Entry *entry;
    struct nc_machine machine;
    struct nc_bench bench;
    int threads;
    const char *backend;
    double flops; /* of the entry's products, a second */
    Clock clock;
} Bench;

/* ---- kernels ----------------------------------------------------------------------------------- */

static void begin(const struct nc_timer *timer, long call)
{
    Clock *clock = (Clock *)timer;
    double now = nc_seconds();
    if (clock->current >= 0)
        clock->rows[clock->current].seconds += now - clock->since;
    if (call >= 0)
        clock->rows[call].calls++;
    else
        clock->entries++;
    clock->current = call;
    clock->since = nc_seconds();
}

/* In the order of the emitter's numbers */
static void add_rows(Arena *arena, Clock *clock, Kernel *const *kernels, int count, bool sliced)
{
    for (int i = 0; i < count; i++) {
        Row row = {.kernel = kernels[i], .sliced = sliced};
        if (kernels[i]->body_count)
            add_rows(arena, clock, kernels[i]->body, kernels[i]->body_count, kernels[i]->slice > 0);
        else
            ARENA_PUSH(arena, clock->rows, clock->count, row);
    }
}

static bool time_kernels(Bench *b)
{
    Job *job = b->job;
    struct nc_model timed = *job->nc;
    const LoadRequest request = {job->arena, job->diag, job->program, &timed, emit_timed_unit};
    struct nc_session session = job->session;
    struct nc_bench bench;
    struct nc_error err;
    Backend *backend = backend_open(&request, (BackendKind)job->args->backend);
    if (!backend)
        return false;
    b->clock.current = -1;
    b->clock.timer.begin = begin;
    if (session.env)
        b->clock.timer.env = *session.env;
    add_rows(job->arena, &b->clock, b->entry->kernels, b->entry->kernels_count, false);
    session.model = &timed;
    session.env = &b->clock.timer.env;
    int failed = nc_bench_run(&session, b->train, b->bench.n, KERNELS_PART * b->seconds,
                              job->model->train_options.learning_rate, &bench, &err);
    backend_close(backend);
    return !failed || job_fault(job, &err);
}

/* "dense matmul" */
static const char *row_name(Arena *arena, const Row *row)
{
    const Kernel *kernel = row->kernel;
    const Node *node = kernel->nodes_count ? kernel->nodes[0] : NULL;
    bool anchored = node && op_of(node)->class == OP_KERNEL && !kernel->stages_count;
    const char *what = anchored ? op_of(node)->name : kernel->template;
    return node && node->name ? arena_printf(arena, "%s %s", node->name, what) : what;
}

/* What a row of the table says, of one step */
typedef struct {
    double calls, ms, share, gflops, of_peak, bytes, gbs, of_limit;
    const char *bound;
} Figures;

static double total_seconds(const Clock *clock)
{
    double total = 0;
    for (int i = 0; i < clock->count; i++)
        total += clock->rows[i].seconds;
    return total;
}

static Figures figures(const Bench *b, const Row *row)
{
    Figures f = {.calls = (double)row->calls / (double)b->clock.entries};
    double seconds = fmax(row->seconds / (double)b->clock.entries, 1e-12);
    Work work = kernel_work(row->kernel);
    double n = (double)b->bench.n / (row->sliced ? f.calls : 1);
    double flops = f.calls * (work.row * n + work.fixed);
    f.bytes = f.calls * kernel_bytes(row->kernel, n, b->job->nc->real_bytes);
    f.ms = seconds * 1e3;
    f.share = row->seconds / fmax(total_seconds(&b->clock), 1e-12);
    f.gflops = flops / seconds * 1e-9;
    f.of_peak = flops / seconds / b->machine.flops;
    f.gbs = f.bytes / seconds * 1e-9;
    f.of_limit = nc_machine_share(&b->machine, flops / fmax(f.calls, 1), f.bytes / fmax(f.calls, 1),
                                  seconds / fmax(f.calls, 1), &f.bound);
    return f;
}

/* Bytes that the kernels of one step read and write */
static double step_bytes(const Bench *b)
{
    double bytes = 0;
    for (int i = 0; i < b->clock.count; i++)
        bytes += figures(b, &b->clock.rows[i]).bytes;
    return bytes;
}

static double steps_per_second(const Bench *b)
{
    return (double)b->bench.calls / b->bench.seconds;
}

static double samples_per_second(const Bench *b)
{
    return (double)b->bench.n * steps_per_second(b);
}

/* ---- printing ---------------------------------------------------------------------------------- */

static void print_plain(const Bench *b)
{
    const struct nc_machine *m = &b->machine;
    printf("%s, %s %ld rows a call on %d thread%s, %s, %s\n", b->job->model->name,
           b->train ? "training," : "predicting,", b->bench.n, b->threads,
           b->threads > 1 ? "s" : "", b->backend, m->isa);
    printf("%.0f samples/s, %.4g ms a call, %.1f GFLOP/s: %.0f %% of this machine's %.1f\n",
           samples_per_second(b), b->bench.latency * 1e3, b->flops * 1e-9,
           100 * b->flops / m->flops, m->flops * 1e-9);
    if (b->job->nc->prepared_bytes && !b->train)
        printf("prepared once: %.4g ms, %.3f MB\n", b->bench.prepare * 1e3,
               (double)b->job->nc->prepared_bytes * 1e-6);
    printf("it moves %.3f MB a call, %.1f GB/s; ", step_bytes(b) * 1e-6,
           step_bytes(b) * steps_per_second(b) * 1e-9);
    fputs("this machine reads", stdout);
    for (int i = 0; i < NC_LEVELS; i++)
        printf("%s %.1f GB/s from %s", i ? "," : "", m->bandwidth[i] * 1e-9, nc_level_names[i]);
    printf("\n\n%-36s %6s %9s %6s %8s %7s %9s %7s %14s\n", "kernel", "calls", "ms", "share",
           "GFLOP/s", "of peak", "MB", "GB/s", "of the limit");
    for (int i = 0; i < b->clock.count; i++) {
        Figures f = figures(b, &b->clock.rows[i]);
        printf("%-36s %6.0f %9.4f %5.1f%% %8.1f %6.0f%% %9.3f %7.1f %6.0f%% %s\n",
               row_name(b->job->arena, &b->clock.rows[i]), f.calls, f.ms, 100 * f.share, f.gflops,
               100 * f.of_peak, f.bytes * 1e-6, f.gbs, 100 * f.of_limit, f.bound);
    }
}

static void print_number(const char *key, double value)
{
    printf(",\"%s\":", key);
    nc_json_number(stdout, value);
}

static void print_kernel(const Bench *b, const Row *row)
{
    Figures f = figures(b, row);
    const Kernel *kernel = row->kernel;
    fputs("{\"name\":", stdout);
    nc_json_text(stdout, row_name(b->job->arena, row));
    printf(",\"template\":\"%s\"", kernel->template);
    print_number("calls", f.calls);
    print_number("ms", f.ms);
    print_number("share", f.share);
    print_number("gflops", f.gflops);
    print_number("peak_share", f.of_peak);
    print_number("bytes", f.bytes);
    print_number("gbs", f.gbs);
    printf(",\"bound\":\"%s\"", f.bound);
    print_number("limit_share", f.of_limit);
    putchar('}');
}

static void print_json(const Bench *b)
{
    const struct nc_machine *m = &b->machine;
    printf("{\"event\":\"bench\",\"name\":\"%s\",\"mode\":\"%s\",\"batch\":%ld,\"threads\":%d,"
           "\"backend\":\"%s\",\"isa\":\"%s\"",
           b->job->model->name, b->train ? "train" : "predict", b->bench.n, b->threads, b->backend,
           m->isa);
    print_number("samples_per_second", samples_per_second(b));
    print_number("latency_ms", b->bench.latency * 1e3);
    print_number("prepare_ms", b->bench.prepare * 1e3);
    print_number("prepared_bytes", b->train ? 0 : (double)b->job->nc->prepared_bytes);
    print_number("gflops", b->flops * 1e-9);
    print_number("peak_share", b->flops / m->flops);
    print_number("peak_gflops", m->flops * 1e-9);
    print_number("bytes", step_bytes(b));
    print_number("gbs", step_bytes(b) * steps_per_second(b) * 1e-9);
    fputs(",\"bandwidth_gbs\":{", stdout);
    for (int i = 0; i < NC_LEVELS; i++)
        printf("%s\"%s\":%.9g", i ? "," : "", nc_level_names[i], m->bandwidth[i] * 1e-9);
    fputs("},\"kernels\":[", stdout);
    for (int i = 0; i < b->clock.count; i++) {
        fputs(i ? "," : "", stdout);
        print_kernel(b, &b->clock.rows[i]);
    }
    puts("]}");
}

/* ---- the command ------------------------------------------------------------------------------- */

static bool choose_mode(Bench *b)
{
    const Args *args = b->job->args;
    if (args->train && args->predict)
        return diag_error(b->job->diag, (Loc){0}, "either --train or --predict, not both");
    b->train = args->train || (!args->predict && b->job->model->train_options.present);
    return !b->train || job_needs_training(b->job);
}

static bool measure(Bench *b)
{
    Job *job = b->job;
    struct nc_error err;
    b->threads = nc_pool_threads(job->pool);
    b->backend = backend_name(job->backend);
    nc_bench_fill(&job->session);
    if (nc_bench_run(&job->session, b->train, job->nc->batch, b->seconds,
                     job->model->train_options.learning_rate, &b->bench, &err) != 0)
        return job_fault(job, &err);
    if (nc_machine_measure(&b->machine, job->session.env, b->threads) != 0)
        return diag_error(job->diag, (Loc){0}, "no memory to measure this machine's");
    Work work = entry_products(b->entry);
    b->flops =
        (work.row * (double)b->bench.n + work.fixed) * (double)b->bench.calls / b->bench.seconds;
    return time_kernels(b);
}

static bool bench(Job *job)
{
    Bench b = {.job = job,
               .seconds = (double)(job->args->seconds ? job->args->seconds : RUN_SECONDS)};
    if (!choose_mode(&b))
        return false;
    unsigned uses = b.train ? NC_TRAINS : NC_PREDICTS;
    if (!job_compile(job, job->args->batch, uses) || !job_start(job, uses) ||
        !job_init_weights(job, NULL))
        return false;
    b.entry = b.train ? job->program->train : job->program->predict;
    if (!measure(&b))
        return false;
    (job->args->json ? print_json : print_plain)(&b);
    return true;
}

/* `auto` would change over while it is timed: it means the best there is. */
static int run(const Args *args)
{
    Job job;
    Args mine = *args;
    Compiler compiler;
    const char *why;
    job_prepare(&job, &mine);
    if (mine.backend == BACKEND_AUTO)
        mine.backend = compiler_find(job.arena, &compiler, &why) ? BACKEND_CC : BACKEND_TCC;
    return job_end(&job, job_read(&job) && bench(&job));
}

const Command command_bench = {"bench", "SPEC", "Speed on random data, kernel by kernel.", options,
                               run};
