/* Private to the main function of an executable of `netcc build`: one run of it. Functions that
 * return int give 0, or -1 after a message on stderr. */
#ifndef NC_RUN_H
#define NC_RUN_H

#include "data/table.h"
#include "standalone.h"

#include "pool.h"
#include "progress.h"

enum { NC_MOST_FILES = 16 };

struct nc_files {
    const char *items[NC_MOST_FILES];
    int count;
};

struct nc_options {
    struct nc_files inputs, targets;
    const char *output, *weights, *out;
    long epochs, steps, batch, threads, seed; /* 0: not given; seed: -1 */
    int json, quiet, train, predict;
};

/* The model, what is to be done with it, and its memory */
struct nc_run {
    const struct nc_standalone *s;
    const struct nc_code *code;
    const char *program, *command;
    struct nc_options options;
    struct nc_model model;
    struct nc_session session;
    struct nc_pool *pool;
    struct nc_array *inputs, *targets;
    struct nc_images *pictures; /* by input, before they are opened */
    char **files;               /* by row: of pictures; or NULL */
    int64_t files_count;
    struct nc_samples samples;
    struct nc_report report;
    struct nc_table table;          /* how csv files are read: the weights' */
    const char *table_json;         /* the same as text; NULL: there is none */
    struct nc_class_names *classes; /* by target */
    char path[4096];                /* of the weights that train writes */
};

/* options.c */
int nc_run_parse(struct nc_run *run, int argc, char **argv);
/* The options of a command, as --help shows them. */
void nc_run_list_options(const char *command);
int nc_run_complain(const struct nc_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int nc_run_fault(const struct nc_run *run, const struct nc_error *err);

/* table.c: how csv files are read and what classes are called, as the weights in use say */
int nc_run_read_metadata(struct nc_run *run);

/* samples.c: files, or the digits that the spec trains on: `digits` of them */
int nc_run_open(struct nc_run *run, int with_targets, long digits, unsigned seed);
void nc_run_close(struct nc_run *run);

/* main.c: memory, threads, and the weights inside, of a file, or made up */
int nc_run_start(struct nc_run *run, unsigned uses);
int nc_run_needs_training(const struct nc_run *run);
int nc_run_needs_weights(const struct nc_run *run);

/* The commands */
int nc_run_predict(struct nc_run *run);
int nc_run_eval(struct nc_run *run);
int nc_run_train(struct nc_run *run);
int nc_run_bench(struct nc_run *run);
int nc_run_info(struct nc_run *run);

#endif
