/* cli: the commands of the command line. Each command is a record in a file of its own, with its
 * options in one table from which parsing, messages and --help come. */
#ifndef NETCC_CLI_H
#define NETCC_CLI_H

#include "driver/driver.h"
#include "train.h"

#define NETCC_VERSION "0.1.0"

enum { EXIT_DONE = 0, EXIT_USER = 1, EXIT_USAGE = 2 }; /* 3: bug() */

/* ---- options ----------------------------------------------------------------------------------- */

enum { MOST_REPEATS = 64 };
typedef struct {
    const char *items[MOST_REPEATS];
    int count;
} Texts;

/* All that any command can be told. */
typedef struct {
    const char *operand; /* SPEC, or what a command takes instead */
    const char *weights, *trained_with, *out, *output, *after;
    Texts sets, inputs, targets, words;
    int64_t steps, threads, seed, show; /* 0: not given; seed: -1 */
    int64_t backend;                    /* BackendKind */
    int64_t seconds;                    /* 0: not given */
    int64_t batch;                      /* 0: not given */
    int64_t task;                       /* of `new` */
    bool quiet, json, train, predict, resume, flat;
} Args;

typedef enum {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_TEXTS,  /* Texts: may be repeated */
    OPTION_NUMBER, /* int64_t, at least `low` */
    OPTION_CHOICE, /* int64_t, the position among argument's a|b|c */
    OPTION_LATER   /* known, not in this build */
} OptionType;

typedef struct {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* short form, or 0 */
    OptionType type;
    size_t at;            /* offset in Args */
    const char *argument; /* as --help shows it; NULL for a flag */
    const char *help;
    int64_t low;
    bool required;
} Option;

typedef struct {
    const char *name;
    const char *operand; /* "SPEC"; in brackets where it may be left out; NULL: none */
    const char *help;
    const Option *options;
    int (*run)(const Args *args);
} Command;

#define OPTION_SET                                                                                 \
    {                                                                                              \
        "set", 0, OPTION_TEXTS, offsetof(Args, sets), "PATH=VALUE",                                \
            "change the spec: train.epochs=3, layers.1.dense.units=64", 0, false                   \
    }
#define OPTION_WEIGHTS(text, needed)                                                               \
    {                                                                                              \
        "weights", 0, OPTION_TEXT, offsetof(Args, weights), "FILE", text, 0, needed                \
    }
#define OPTION_BACKEND                                                                             \
    {                                                                                              \
        "backend", 0, OPTION_CHOICE, offsetof(Args, backend), "auto|tcc|cc",                       \
            "tcc starts at once, cc runs faster, auto (the default) does both", 0, false           \
    }
#define OPTION_THREADS                                                                             \
    {                                                                                              \
        "threads", 0, OPTION_NUMBER, offsetof(Args, threads), "N",                                 \
            "threads to use (default: one per core)", 1, false                                     \
    }
#define OPTION_SEED                                                                                \
    {                                                                                              \
        "seed", 0, OPTION_NUMBER, offsetof(Args, seed), "N", "seed of everything random", 0, false \
    }
#define OPTION_JSON                                                                                \
    {                                                                                              \
        "json", 0, OPTION_FLAG, offsetof(Args, json), NULL, "one JSON object a line on stdout", 0, \
            false                                                                                  \
    }
#define OPTION_INPUT                                                                               \
    {                                                                                              \
        "input", 0, OPTION_TEXTS, offsetof(Args, inputs), "[NAME=]FILE",                           \
            "samples as npy, csv, tsv or idx, once for every input; or pictures: files, folders",  \
            0, true                                                                                \
    }
#define OPTION_END                                                                                 \
    {                                                                                              \
        NULL, 0, OPTION_FLAG, 0, NULL, NULL, 0, false                                              \
    }

/* Runs the command that argv names. */
int run_command_line(int argc, char **argv);

/* commands.c; each list ends with NULL. Hidden ones run as any other, but nothing lists them. */
extern const Command *const shown_commands[], *const hidden_commands[];
extern const char *const later_commands[];     /* known, not in this build */
const Command *command_find(const char *name); /* NULL: no such command */
/* The option of a word, `--name`, `--name=value` or `-o`, or NULL; *value where the word holds it. */
const Option *option_match(const Command *command, const char *word, const char **value);

extern const Command command_train, command_eval, command_predict, command_grad, command_check,
    command_emit, command_summary, command_bench, command_build, command_import, command_export,
    command_dump, command_ops, command_new, command_schema, command_completion, command_complete,
    command_man, command_docs;

/* ---- a job: from a spec to something that runs ------------------------------------------------- */

typedef struct {
    const Args *args;
    Arena *arena;
    Diag *diag;
    CompileOptions options;
    Model *model;
    Program *program;
    struct nc_model *nc;
    struct nc_model
        *trunk; /* of a split program: its trunk, and nc is its head from job_start on */
    Backend *backend;
    struct nc_pool *pool;
    struct nc_session session;
    const struct nc_samples *training; /* open training data, whose moments weights begin with */
} Job;

void job_prepare(Job *job, const Args *args);
/* Each returns false with messages in job->diag. */
bool job_read(Job *job);
/* batch 0: the spec's; uses: of enum nc_use_of */
bool job_compile(Job *job, int64_t batch, unsigned uses);
bool job_start(Job *job, unsigned uses); /* backend, threads, memory, initial state */
/* The weights as the spec's initialisers and the training data say, but those that are `given`, by
 * parameter, from elsewhere; NULL: none is. */
bool job_init_weights(Job *job, const char *given);
/* All weights from a file. */
bool job_load_weights(Job *job, const char *path);
bool job_fault(Job *job, const struct nc_error *err); /* adds it as an error */
bool job_make_folder(Job *job, const char *path);     /* with those above it; it may be there */
/* Prints the messages so far on stderr. */
void job_say(Job *job);
/* Frees everything; the exit code. */
int job_end(Job *job, bool good);
/* An error where the spec changes the network between epochs, which only `netcc train` can follow. */
bool job_one_network(Job *job);
bool job_needs_training(Job *job); /* an error where the spec has no train section */
uint32_t job_seed(const Job *job);

/* ---- samples ----------------------------------------------------------------------------------- */

/* Opened and checked against the model's ports. */
typedef struct {
    struct nc_array *inputs, *targets; /* by port */
    int inputs_count, targets_count;
    struct nc_samples samples;
    const char *const *files; /* by row: of pictures that the command line names; or NULL */
} Samples;

/* data.train, data.test or data.validation; errors stand at the spec's line. */
bool samples_open(Job *job, const DataSource *source, Samples *out);
/* --input and --target files; `targets` NULL: none are needed. */
bool samples_open_files(Job *job, const Texts *inputs, const Texts *targets, Samples *out);
/* How many rows the files of the first --input have, for when the model is yet to be compiled. */
bool samples_count_rows(Job *job, const Texts *inputs, int64_t *rows);
void samples_close(Samples *samples);
/* pictures.c: the pictures of a source and their class numbers; those that the command line
 * names, which it takes over. */
bool pictures_of_source(Job *job, const DataSource *source, struct nc_array *x, struct nc_array *y);
struct nc_images;
bool pictures_open(Job *job, struct nc_images *images, const struct nc_port *port,
                   struct nc_array *out);
/* parts.c: keeps the rows that data.validation_split or data.fold means. */
bool samples_take_part(Job *job, const DataSource *source, Samples *samples);

/* show.c: after training, how the test samples were classified. */
void show_results(Job *job, const Samples *test, int64_t count);

#endif
