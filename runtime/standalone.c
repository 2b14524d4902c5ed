/* The main function of an executable of `netcc build`: predict, eval, train, bench and info for the
 * one model that is linked with it. It prints what netcc would. */
#include "data/array.h"
#include "standalone.h"

#include "bench.h"
#include "cpu.h"
#include "fit.h"
#include "init.h"
#include "machine.h"
#include "pool.h"
#include "progress.h"
#include "weights.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DONE = 0, USER = 1, USAGE = 2, MOST_FILES = 16, MOST_ISAS = 8 };
#define BENCH_SECONDS 2.0

/* ---- options ---------------------------------------------------------------------------------- */

struct files {
    const char *items[MOST_FILES];
    int count;
};

struct options {
    struct files inputs, targets;
    const char *output, *weights, *out;
    long epochs, steps, batch, threads, seed; /* 0: not given; seed: -1 */
    int json, quiet, train, predict;
};

/* The model, what is to be done with it, and its memory */
struct run {
    const struct nc_standalone *s;
    const struct nc_code *code;
    const char *program, *command;
    struct options options;
    struct nc_model model;
    struct nc_session session;
    struct nc_pool *pool;
    struct nc_array *inputs, *targets;
    struct nc_samples samples;
    struct nc_report report;
    char path[4096]; /* of the weights that train writes */
};

enum option_kind { FLAG, TEXT, NUMBER, FILES };
struct option {
    const char *name;
    enum option_kind kind;
    size_t at;
    const char *commands; /* that take it */
    const char *argument, *help;
};

#define AT(field) offsetof(struct options, field)
static const struct option option_table[] = {
    {"input", FILES, AT(inputs), "predict", "[NAME=]FILE", "samples as npy; once for every input"},
    {"x", FILES, AT(inputs), "eval train", "[NAME=]FILE", "samples as npy or idx"},
    {"y", FILES, AT(targets), "eval train", "[NAME=]FILE", "their targets"},
    {"output", TEXT, AT(output), "predict", "FILE", "npy (default: printed)"},
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

__attribute__((format(printf, 2, 3))) static int complain(const struct run *r, const char *format,
                                                          ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", r->program);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return -1;
}

static int fault(const struct run *r, const struct nc_error *err)
{
    return err->path[0] ? complain(r, "%s: %s", err->path, err->message)
                        : complain(r, "%s", err->message);
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

static const struct option *find_option(const struct run *r, const char *word)
{
    for (int i = 0; i < OPTIONS; i++) {
        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, option_table[i].name) == 0 &&
            has_word(option_table[i].commands, r->command))
            return &option_table[i];
    }
    return NULL;
}

static int store(struct run *r, const struct option *option, const char *value)
{
    void *field = (char *)&r->options + option->at;
    struct files *files = field;
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
            return complain(r, "--%s takes a whole number, not '%s'", option->name, value);
        return 0;
    case FILES:
        break;
    }
    if (files->count == MOST_FILES)
        return complain(r, "--%s is given too often", option->name);
    files->items[files->count++] = value;
    return 0;
}

static int parse(struct run *r, int argc, char **argv)
{
    r->options.seed = -1;
    for (int i = 2; i < argc; i++) {
        const struct option *option = find_option(r, argv[i]);
        if (!option)
            return complain(r, "%s: unknown option '%s'; '%s --help' lists them", r->command,
                            argv[i], r->program);
        if (option->kind != FLAG && ++i == argc)
            return complain(r, "--%s needs a value", option->name);
        if (store(r, option, argv[i]) != 0)
            return -1;
    }
    return 0;
}

/* ---- samples ---------------------------------------------------------------------------------- */

static int ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static int open_array(struct nc_array *out, const char *path, struct nc_error *err)
{
    int is_idx = ends_with(path, ".gz") || strstr(path, "-idx") || ends_with(path, ".idx");
    return is_idx ? nc_idx_open(out, path, err) : nc_npy_open(out, path, err);
}

/* The file of `NAME=FILE` or `FILE` and the port it is for, or -1. */
static int port_of(struct run *r, const char *text, const struct nc_port *ports, int count,
                   const char **path)
{
    for (int i = 0; i < count; i++) {
        size_t length = strlen(ports[i].name);
        if (strncmp(text, ports[i].name, length) == 0 && text[length] == '=') {
            *path = text + length + 1;
            return i;
        }
    }
    *path = text;
    return count == 1 ? 0 : complain(r, "%s: say which of %d it is, as NAME=FILE", text, count);
}

static int fit_target(struct run *r, int k, const char *path, struct nc_error *err)
{
    const struct nc_port *port = &r->model.targets[k];
    int64_t classes = nc_sparse_classes(&r->model, k);
    if (r->s->one_hot && nc_fit_one_hot(&r->targets[k], port, path, err) != 0)
        return -1;
    if (nc_fit_shape(&r->targets[k], port, path, err) != 0)
        return -1;
    return classes ? nc_fit_labels(&r->targets[k], classes, path, err) : 0;
}

static int open_side(struct run *r, int is_target)
{
    const struct files *files = is_target ? &r->options.targets : &r->options.inputs;
    const struct nc_port *ports = is_target ? r->model.targets : r->model.inputs;
    struct nc_array *arrays = is_target ? r->targets : r->inputs;
    int count = is_target ? r->model.targets_count : r->model.inputs_count;
    struct nc_error err;
    for (int i = 0; i < files->count; i++) {
        const char *path;
        int at = port_of(r, files->items[i], ports, count, &path);
        if (at < 0)
            return -1;
        if (arrays[at].rank)
            return complain(r, "'%s' is given twice", ports[at].name);
        if (open_array(&arrays[at], path, &err) != 0 ||
            (is_target ? fit_target(r, at, path, &err)
                       : nc_fit_shape(&arrays[at], &ports[at], path, &err)) != 0)
            return fault(r, &err);
        if (!r->samples.count)
            r->samples.count = arrays[at].shape[0];
        if (arrays[at].shape[0] != r->samples.count || !r->samples.count)
            return complain(r, "%s: %lld samples, not %lld", path, (long long)arrays[at].shape[0],
                            (long long)r->samples.count);
    }
    for (int i = 0; i < count; i++) {
        if (!arrays[i].rank)
            return complain(r, "no samples of '%s'; see '%s --help'", ports[i].name, r->program);
    }
    return 0;
}

static int draw_digits(struct run *r, long count, unsigned seed)
{
    struct nc_error err;
    if (nc_digits_make(&r->inputs[0], &r->targets[0], count, seed, &err) != 0 ||
        nc_fit_shape(&r->inputs[0], &r->model.inputs[0], NULL, &err) != 0 ||
        fit_target(r, 0, NULL, &err) != 0)
        return fault(r, &err);
    r->samples.count = count;
    return 0;
}

static void close_samples(struct run *r)
{
    for (int i = 0; r->inputs && i < r->model.inputs_count; i++)
        nc_array_close(&r->inputs[i]);
    for (int i = 0; r->targets && i < r->model.targets_count; i++)
        nc_array_close(&r->targets[i]);
    free(r->inputs);
    free(r->targets);
    r->inputs = r->targets = NULL;
    r->samples = (struct nc_samples){0};
}

/* Files, or the digits that the spec trains on: `digits` of them. */
static int open_samples(struct run *r, int with_targets, long digits, unsigned seed)
{
    r->inputs = calloc((size_t)r->model.inputs_count + 1, sizeof *r->inputs);
    r->targets = calloc((size_t)r->model.targets_count + 1, sizeof *r->targets);
    if (!r->inputs || !r->targets)
        return complain(r, "out of memory");
    r->samples = (struct nc_samples){r->inputs, r->targets, 0};
    if (digits && !r->options.inputs.count && !r->options.targets.count)
        return draw_digits(r, digits, seed);
    return open_side(r, 0) == 0 && (!with_targets || open_side(r, 1) == 0) ? 0 : -1;
}

/* ---- memory and weights ----------------------------------------------------------------------- */

static int load_weights(struct run *r, const char *path)
{
    struct nc_misfit misfit;
    struct nc_error err;
    if (nc_weights_load(&r->model, r->session.weights, path, &misfit, &err) == 0)
        return 0;
    fault(r, &err);
    fputs(misfit.text, stderr);
    return -1;
}

/* Memory, threads, and the weights inside, of a file, or made up. */
static int start(struct run *r, unsigned uses)
{
    struct nc_error err;
    const struct options *o = &r->options;
    if (o->threads != 1)
        r->pool = nc_pool_new((int)o->threads);
    if (nc_session_open(&r->session, &r->model, uses, &err) != 0)
        return fault(r, &err);
    r->session.env = nc_pool_env(r->pool);
    r->session.seed = o->seed >= 0 ? (uint32_t)o->seed : r->s->seed;
    if (nc_init_parameters(&r->model, r->session.weights,
                           uses & NC_TRAINS ? r->session.state : NULL, r->session.seed, &err) != 0)
        return fault(r, &err);
    if (o->weights)
        return load_weights(r, o->weights);
    if (r->s->weights)
        memcpy(r->session.weights, r->s->weights, r->model.weights_bytes);
    return 0;
}

static int needs_training(const struct run *r)
{
    return r->model.train.run ? 0 : complain(r, "this model was built without training");
}

static int needs_weights(const struct run *r)
{
    if (r->s->weights || r->options.weights)
        return 0;
    return complain(r, "no weights are built in; --weights FILE names some");
}

/* ---- predict ---------------------------------------------------------------------------------- */

static void print_rows(const struct run *r, void *const *outputs)
{
    const struct nc_entry *entry = &r->model.predict;
    for (int64_t row = 0; row < r->samples.count; row++) {
        for (int k = 0; k < entry->outputs_count; k++) {
            int64_t n = entry->outputs[k].elements;
            for (int64_t i = 0; i < n; i++)
                printf(k || i ? " %.9g" : "%.9g", (double)((float *)outputs[k])[row * n + i]);
        }
        putchar('\n');
    }
}

static void print_json(const struct run *r, void *const *outputs)
{
    const struct nc_entry *entry = &r->model.predict;
    printf("{\"event\":\"predict\",\"outputs\":{");
    for (int k = 0; k < entry->outputs_count; k++) {
        int64_t n = entry->outputs[k].elements;
        fputs(k ? "," : "", stdout);
        nc_json_text(stdout, entry->outputs[k].name);
        fputs(":[", stdout);
        for (int64_t i = 0; i < r->samples.count * n; i++) {
            fputs(i % n ? "," : i ? "],[" : "[", stdout);
            nc_json_number(stdout, (double)((float *)outputs[k])[i]);
        }
        fputs("]]", stdout);
    }
    puts("}}");
}

static int write_outputs(struct run *r, void *const *outputs)
{
    const struct nc_entry *entry = &r->model.predict;
    const char *path = r->options.output;
    struct nc_error err;
    if (!ends_with(path, ".npy") || entry->outputs_count != 1)
        return complain(r, "%s: only one output, as npy, is written", path);
    const struct nc_port *port = &entry->outputs[0];
    struct nc_named array = {.name = port->name, .rank = port->rank + 1, .data = outputs[0]};
    if (port->rank == NC_MAX_RANK)
        return complain(r, "'%s' has too many axes", port->name);
    array.shape[0] = r->samples.count;
    memcpy(array.shape + 1, port->shape, (size_t)port->rank * sizeof *port->shape);
    if (nc_npy_write(path, &array, &err) != 0)
        return fault(r, &err);
    if (r->options.json) {
        printf("{\"event\":\"predict\",\"rows\":%lld,\"output\":", (long long)r->samples.count);
        nc_json_text(stdout, path);
        puts("}");
    }
    return 0;
}

static int predict_into(struct run *r, void **outputs)
{
    const struct nc_entry *entry = &r->model.predict;
    for (int i = 0; i < entry->outputs_count; i++) {
        outputs[i] = malloc(
            (size_t)entry->outputs[i].elements * (size_t)r->samples.count * sizeof(float) + 1);
        if (!outputs[i])
            return complain(r, "out of memory");
    }
    struct nc_error err;
    if (nc_predict(&r->session, &r->samples, outputs, &err) != 0)
        return fault(r, &err);
    if (r->options.output)
        return write_outputs(r, outputs);
    (r->options.json ? print_json : print_rows)(r, outputs);
    return 0;
}

static int predict(struct run *r)
{
    int count = r->model.predict.outputs_count;
    if (needs_weights(r) != 0 || open_samples(r, 0, 0, 0) != 0 || start(r, NC_PREDICTS) != 0)
        return -1;
    void **outputs = calloc((size_t)count + 1, sizeof *outputs);
    int result = outputs ? predict_into(r, outputs) : complain(r, "out of memory");
    for (int i = 0; outputs && i < count; i++)
        free(outputs[i]);
    free(outputs);
    return result;
}

/* ---- eval and train --------------------------------------------------------------------------- */

static int report_values(struct run *r)
{
    double values[NC_MAX_VALUES];
    struct nc_error err;
    if (nc_evaluate(&r->session, &r->samples, values, &err) != 0)
        return fault(r, &err);
    nc_report_eval(&r->report, values);
    return 0;
}

static int eval(struct run *r)
{
    if (needs_training(r) != 0 || needs_weights(r) != 0 ||
        open_samples(r, 1, r->s->test_digits, r->s->test_digits_seed) != 0 ||
        start(r, NC_EVALUATES) != 0)
        return -1;
    nc_report_open(&r->report, &r->model, r->options.json, 0);
    return report_values(r);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void step_done(void *context, const struct nc_progress *progress)
{
    nc_report_step(&((struct run *)context)->report, progress);
}

static int save(struct run *r, struct nc_error *err)
{
    const char *const metadata[] = {"format", "netcc", "model", r->model.name};
    return nc_weights_save(&r->model, r->session.weights, r->path, metadata, 2, err);
}

static int epoch_done(void *context, const struct nc_progress *progress, struct nc_error *err)
{
    struct run *r = context;
    nc_report_epoch(&r->report, progress, NULL);
    return save(r, err);
}

static int make_folder(struct run *r)
{
    const char *folder = r->options.out ? r->options.out : ".";
    if ((size_t)snprintf(r->path, sizeof r->path, "%s/weights.safetensors", folder) >=
        sizeof r->path)
        return complain(r, "%s: too long", folder);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return complain(r, "%s: cannot be made: %s", folder, strerror(errno));
    return 0;
}

static int train_epochs(struct run *r)
{
    const struct options *o = &r->options;
    const struct nc_train_options how = {.epochs = o->epochs ? o->epochs : r->s->epochs,
                                         .steps = o->steps,
                                         .shuffle = r->s->shuffle,
                                         .learning_rate = r->s->learning_rate,
                                         .stop = &interrupted,
                                         .context = r,
                                         .step = step_done,
                                         .epoch = epoch_done};
    struct nc_error err;
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    nc_report_open(&r->report, &r->model, o->json, o->quiet);
    if (nc_train(&r->session, &r->samples, &how, &err) != 0 || save(r, &err) != 0) {
        nc_report_clear(&r->report);
        return fault(r, &err);
    }
    return 0;
}

static int train(struct run *r)
{
    if (needs_training(r) != 0 || (r->s->standardised && needs_weights(r) != 0) ||
        open_samples(r, 1, r->s->digits, r->s->digits_seed) != 0 || make_folder(r) != 0 ||
        start(r, NC_TRAINS | NC_EVALUATES) != 0 || train_epochs(r) != 0)
        return -1;
    if (r->s->test_digits && !r->options.inputs.count) {
        close_samples(r);
        if (open_samples(r, 1, r->s->test_digits, r->s->test_digits_seed) != 0)
            return -1;
        if (report_values(r) != 0)
            return -1;
    }
    nc_report_done(&r->report, r->path);
    return 0;
}

/* ---- bench and info --------------------------------------------------------------------------- */

static int bench(struct run *r)
{
    int training = r->options.train || (!r->options.predict && r->model.train.run);
    const struct nc_work *work = training ? &r->s->train_work : &r->s->predict_work;
    struct nc_machine machine;
    struct nc_bench b;
    struct nc_error err;
    if ((training && needs_training(r) != 0) || start(r, training ? NC_TRAINS : NC_PREDICTS) != 0)
        return -1;
    int threads = nc_pool_threads(r->pool);
    nc_bench_fill(&r->session);
    if (nc_bench_run(&r->session, training, r->model.batch, BENCH_SECONDS, r->s->learning_rate, &b,
                     &err) != 0)
        return fault(r, &err);
    if (nc_machine_measure(&machine, r->session.env, threads) != 0)
        return complain(r, "out of memory");
    double calls = (double)b.calls / b.seconds, rate = calls * (double)b.n;
    double flops = rate * work->row + calls * work->fixed;
    if (r->options.json)
        printf("{\"event\":\"bench\",\"name\":\"%s\",\"mode\":\"%s\",\"batch\":%ld,\"threads\":%d,"
               "\"isa\":\"%s\",\"samples_per_second\":%.9g,\"latency_ms\":%.9g,\"gflops\":%.9g,"
               "\"peak_share\":%.9g,\"peak_gflops\":%.9g}\n",
               r->model.name, training ? "train" : "predict", b.n, threads, r->code->isa, rate,
               b.latency * 1e3, flops * 1e-9, flops / machine.flops, machine.flops * 1e-9);
    else
        printf("%s, %s %ld rows a call on %d thread%s, %s\n"
               "%.0f samples/s, %.4g ms a call, %.1f GFLOP/s: %.0f %% of this machine's %.1f\n",
               r->model.name, training ? "training," : "predicting,", b.n, threads,
               threads > 1 ? "s" : "", r->code->isa, rate, b.latency * 1e3, flops * 1e-9,
               100 * flops / machine.flops, machine.flops * 1e-9);
    return 0;
}

static void print_ports(const char *role, const struct nc_port *ports, int count)
{
    char shape[NC_SHAPE_TEXT];
    for (int i = 0; i < count; i++)
        printf("%-12s %s %s\n", role, ports[i].name,
               nc_shape_text(ports[i].rank, ports[i].shape, shape));
}

static void json_ports(const char *key, const struct nc_port *ports, int count)
{
    char shape[NC_SHAPE_TEXT];
    printf(",\"%s\":[", key);
    for (int i = 0; i < count; i++)
        printf("%s{\"name\":\"%s\",\"shape\":%s}", i ? "," : "", ports[i].name,
               nc_shape_text(ports[i].rank, ports[i].shape, shape));
    putchar(']');
}

static long long count_parameters(const struct nc_model *model)
{
    long long count = 0;
    for (int i = 0; i < model->parameters_count; i++)
        count += model->parameters[i].role == NC_ROLE_SLOT ? 0 : model->parameters[i].elements;
    return count;
}

static int info(struct run *r)
{
    const struct nc_model *m = &r->model;
    const char *weights = r->s->weights ? "built in" : "none";
    if (r->options.json) {
        printf("{\"event\":\"info\",\"name\":\"%s\",\"isa\":\"%s\",\"batch\":%ld,\"parameters\":"
               "%lld,\"weights\":%s,\"trains\":%s",
               m->name, r->code->isa, m->batch, count_parameters(m),
               r->s->weights ? "true" : "false", m->train.run ? "true" : "false");
        json_ports("inputs", m->inputs, m->inputs_count);
        json_ports("outputs", m->predict.outputs, m->predict.outputs_count);
        puts("}");
        return 0;
    }
    printf("%-12s %s\n%-12s %s\n%-12s %ld\n", "name", m->name, "code", r->code->isa, "batch",
           m->batch);
    print_ports("input", m->inputs, m->inputs_count);
    print_ports("output", m->predict.outputs, m->predict.outputs_count);
    printf("%-12s %lld\n%-12s %s\n%-12s %s\n", "parameters", count_parameters(m), "weights",
           weights, "training", m->train.run ? "yes" : "no");
    return 0;
}

/* ---- main ------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *help;
    int (*run)(struct run *r);
} commands[] = {
    {"predict", "the network's outputs for samples in files", predict},
    {"eval", "loss and metrics on samples in files", eval},
    {"train", "train on samples in files and write the weights", train},
    {"bench", "speed on random data", bench},
    {"info", "what this is", info},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(const struct run *r)
{
    printf("%s: the network '%s', built by netcc\n\nusage: %s COMMAND [options]\n", r->program,
           r->s->model->name, r->program);
    for (int c = 0; c < COMMANDS; c++) {
        printf("\n  %-10s %s\n", commands[c].name, commands[c].help);
        for (int i = 0; i < OPTIONS; i++) {
            const struct option *o = &option_table[i];
            if (has_word(o->commands, commands[c].name))
                printf("      --%s %s%*s%s\n", o->name, o->argument ? o->argument : "",
                       (int)(24 - strlen(o->name) - (o->argument ? strlen(o->argument) : 0)), "",
                       o->help);
        }
    }
    return DONE;
}

/* The best code that this machine runs. */
static int choose_code(struct run *r)
{
    const char *names[MOST_ISAS];
    int count = r->s->code_count < MOST_ISAS ? r->s->code_count : MOST_ISAS;
    for (int i = 0; i < count; i++)
        names[i] = r->s->code[i].isa;
    int chosen = nc_cpu_choose(names, count);
    if (chosen < 0)
        return complain(r, "this processor runs none of the code inside (%s ...)", names[0]);
    r->code = &r->s->code[chosen];
    r->model = *r->s->model;
    r->model.predict.run = r->code->predict;
    r->model.train.run = r->code->train;
    r->model.eval.run = r->code->eval;
    return 0;
}

static int limit_batch(struct run *r)
{
    if (r->options.batch > r->model.batch)
        return complain(r, "--batch: this was built for batches of at most %ld", r->model.batch);
    if (r->options.batch)
        r->model.batch = r->options.batch;
    return 0;
}

static int run_command(struct run *r, int (*run)(struct run *r), int argc, char **argv)
{
    if (parse(r, argc, argv) != 0)
        return USAGE;
    int result = choose_code(r) == 0 && limit_batch(r) == 0 ? run(r) : -1;
    close_samples(r);
    nc_session_close(&r->session);
    nc_pool_free(r->pool);
    return result == 0 ? DONE : USER;
}

int nc_standalone_main(const struct nc_standalone *standalone, int argc, char **argv)
{
    static struct run run;
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    run.s = standalone;
    run.program = slash ? slash + 1 : argc ? argv[0] : standalone->model->name;
    run.command = argc > 1 ? argv[1] : "";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return help(&run);
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(run.command, commands[i].name) == 0)
            return run_command(&run, commands[i].run, argc, argv);
    }
    complain(&run, "'%s' is no command of this program; --help lists them", run.command);
    return USAGE;
}
