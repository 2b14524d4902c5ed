/* The main function of an executable of `netcc build`: predict, eval, train, bench and info for the
 * one model that is linked with it. It prints what netcc would. */
#include "standalone/run.h"

#include "cpu.h"
#include "guard.h"
#include "init.h"
#include "plugin.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DONE = 0, USER = 1, USAGE = 2, MOST_ISAS = 8 };

/* ---- memory and weights ----------------------------------------------------------------------- */

static int load_weights(struct nc_run *r, const char *path)
{
    struct nc_misfit misfit;
    struct nc_error err;
    if (nc_weights_load(&r->model, r->session.weights, path, &misfit, &err) == 0)
        return 0;
    nc_run_fault(r, &err);
    fputs(misfit.text, stderr);
    return -1;
}

/* Weights that nothing changes stay where the program has them: they need not be copied, and what is
 * not read is not even loaded. */
static int borrows(const struct nc_run *r, unsigned uses)
{
    return r->s->weights && !r->options.weights && !(uses & NC_TRAINS);
}

static int fill_memory(struct nc_run *r, unsigned uses)
{
    const char *file = r->options.weights;
    struct nc_session *s = &r->session;
    struct nc_error err;
    void *fresh = file || r->s->weights ? NULL : s->weights;
    if (nc_init_parameters(&r->model, fresh, uses & NC_TRAINS ? s->state : NULL, s->seed, NULL,
                           &err) != 0)
        return nc_run_fault(r, &err);
    if (file)
        return load_weights(r, file);
    if (borrows(r, uses))
        memcpy(&s->weights, &r->s->weights, sizeof s->weights);
    else if (r->s->weights)
        memcpy(s->weights, r->s->weights, r->model.weights_bytes);
    return 0;
}

int nc_run_start(struct nc_run *r, unsigned uses)
{
    struct nc_error err;
    const struct nc_options *o = &r->options;
    if (o->threads != 1)
        r->pool = nc_pool_new((int)o->threads);
    if (nc_session_open(&r->session, &r->model, uses | (borrows(r, uses) ? NC_BORROWS_WEIGHTS : 0),
                        &err) != 0)
        return nc_run_fault(r, &err);
    r->session.env = nc_pool_env(r->pool);
    r->session.seed = o->seed >= 0 ? (uint32_t)o->seed : r->s->seed;
    return fill_memory(r, uses);
}

int nc_run_needs_training(const struct nc_run *r)
{
    return r->model.train.run ? 0 : nc_run_complain(r, "this model was built without training");
}

int nc_run_needs_weights(const struct nc_run *r)
{
    if (r->s->weights || r->options.weights)
        return 0;
    return nc_run_complain(r, "no weights are built in; --weights FILE names some");
}

/* ---- main ------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *help;
    int (*run)(struct nc_run *r);
} commands[] = {
    {"predict", "the network's outputs for samples in files", nc_run_predict},
    {"eval", "loss and metrics on samples in files", nc_run_eval},
    {"train", "train on samples in files and write the weights", nc_run_train},
    {"bench", "speed on random data", nc_run_bench},
    {"info", "what this is", nc_run_info},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(const struct nc_run *r)
{
    printf("%s: the network '%s', built by netcc\n\nusage: %s COMMAND [options]\n", r->program,
           r->s->model->name, r->program);
    for (int c = 0; c < COMMANDS; c++) {
        printf("\n  %-10s %s\n", commands[c].name, commands[c].help);
        nc_run_list_options(commands[c].name);
    }
    return DONE;
}

/* The best code that this machine runs. */
static int choose_code(struct nc_run *r)
{
    const char *names[MOST_ISAS];
    int count = r->s->code_count < MOST_ISAS ? r->s->code_count : MOST_ISAS;
    for (int i = 0; i < count; i++)
        names[i] = r->s->code[i].isa;
    int chosen = nc_cpu_choose(names, count);
    if (chosen < 0)
        return nc_run_complain(r, "this processor runs none of the code inside (%s ...)", names[0]);
    r->code = &r->s->code[chosen];
    r->model = *r->s->model;
    r->model.prepare.run = r->code->prepare;
    r->model.predict.run = r->code->predict;
    r->model.train.run = r->code->train;
    r->model.eval.run = r->code->eval;
    return 0;
}

static int limit_batch(struct nc_run *r)
{
    if (r->options.batch > r->model.batch)
        return nc_run_complain(r, "--batch: this was built for batches of at most %ld",
                               r->model.batch);
    if (r->options.batch)
        r->model.batch = r->options.batch;
    return 0;
}

static int run_command(struct nc_run *r, int (*run)(struct nc_run *r), int argc, char **argv)
{
    if (nc_run_parse(r, argc, argv) != 0)
        return USAGE;
    int result =
        choose_code(r) == 0 && limit_batch(r) == 0 && nc_run_read_metadata(r) == 0 ? run(r) : -1;
    nc_run_close(r);
    nc_session_close(&r->session);
    nc_pool_free(r->pool);
    return result == 0 ? DONE : USER;
}

int nc_standalone_main(const struct nc_standalone *standalone, int argc, char **argv)
{
    static struct nc_run run;
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    nc_guard_mappings();
    for (const struct nc_linked *l = standalone->linked; l->name; l++)
        nc_plugin_link(l->name, l->plugin);
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
    nc_run_complain(&run, "'%s' is no command of this program; --help lists them", run.command);
    return USAGE;
}
