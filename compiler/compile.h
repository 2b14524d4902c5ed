/* compile: from a spec to C. The list of passes is compile.c, and nothing else is. */
#ifndef NETCC_COMPILE_H
#define NETCC_COMPILE_H

#include "model.h"
#include "program.h"

typedef struct {
    Model *model;
    int64_t batch;
    Entry *predict, *train, *eval, *grad; /* NULL where the model has none */
    Entry *prepare; /* before predict, once for its weights; NULL: nothing depends on them alone */
    int64_t prepared_elements;
    int64_t weights_elements, state_elements;
    int64_t memory_elements; /* for `batch` rows; 0: no layer is stateful */
} Program;

typedef struct {
    const char *spec_path;
    const char *spec_text;   /* where the spec is in no file; or NULL */
    const Yaml *spec;        /* already read, --set applied; or NULL */
    int64_t epoch;           /* whose network is wanted, see train.unfreeze; 0: the first */
    const char *const *sets; /* --set path=value */
    int sets_count;
    int64_t batch;          /* 0: the spec's batch_size, or 1 without a train section */
    int64_t cache;          /* bytes of a slice of the batch (slice.c); 0: the default */
    int64_t band_cache;     /* bytes of a band's lines (band.c); 0: the default */
    unsigned uses;          /* of enum nc_use_of: the entries that are wanted; 0: all */
    const char *dump_after; /* a pass name, or NULL */
    Str *dump;              /* where the dump goes */
    bool check;             /* for `netcc check`: in double */
    bool product;           /* for `netcc emit`: no call prepares for others */
    bool split;             /* behind a frozen trunk, if there is one */
    bool thaw;              /* as if the spec froze nothing */
    bool reads_data;        /* the data section's files must exist: data.test's, and with */
    bool trains;            /* `trains` all */
    const char *weights;    /* --weights: they may tell of a table; or NULL */
} CompileOptions;

/* Reads and builds: NULL after errors. */
Model *read_model(Arena *arena, Diag *diag, const CompileOptions *options);
/* All passes after build. */
Program *compile_model(Model *model, const CompileOptions *options);

extern const char *const pass_names[]; /* ends with NULL */

/* emit.c: one C unit of the whole program. */
typedef enum {
    EMIT_JIT_TCC, /* block calls over natives, no includes, real = float */
    EMIT_JIT_CC,  /* vocabulary pasted, real = float, exported entry wrappers nc_entry_NAME */
    EMIT_CHECK    /* scalar C in double, no includes, for tcc */
} EmitTarget;
/* Entry wrappers have the type nc_entry_function and are named nc_entry_prepare, nc_entry_predict,
 * nc_entry_train, nc_entry_eval, nc_entry_grad. Compile EMIT_JIT_TCC with -DNC_ROWS=<of the natives>, EMIT_CHECK
 * with -DNC_SCALAR -DNC_DOUBLE. */
char *emit_unit(Arena *arena, const Program *program, EmitTarget target);
/* The same with the kernel calls of every entry told to a struct nc_timer, which call->env then is;
 * they are numbered as they stand in the entry, loops opened. */
struct nc_timer {
    struct nc_env env;
    void (*begin)(const struct nc_timer *timer, long call); /* -1: the entry's end */
};
char *emit_timed_unit(Arena *arena, const Program *program, EmitTarget target);

/* emit_product.c: NAME.h, NAME.c for `netcc emit`. `weights` in packed layout may be NULL. */
bool emit_product(Arena *arena, Diag *diag, const Program *program, const char *folder, bool train,
                  const float *weights);

/* emit_model.c, for `netcc build`: the descriptor and a main function as C; `isas`, which end with NULL,
 * name the units whose entries are nc_entry_predict_ISA ..., `linked` the plugins inside. And the assembler's text that puts the file
 * of packed weights into an object. */
char *emit_model(Arena *arena, const Program *program, const struct nc_model *nc,
                 const char *const *isas, const char *const *linked, bool has_weights);
char *emit_weights_inside(Arena *arena, const char *path);

/* describe.c: the model's descriptor; entries' run pointers are NULL until a driver sets them. */
struct nc_model *describe(Arena *arena, const Program *program, size_t real_bytes);
/* The same of a split program's trunk, which predict is, and of its head, train and eval. */
struct nc_model *describe_trunk(Arena *arena, const Model *model, const struct nc_model *whole);
struct nc_model *describe_head(Arena *arena, const Model *model, const struct nc_model *whole);

#endif
