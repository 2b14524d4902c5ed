/* netcc.h: the ABI between generated code, the runtime and an embedder.
 *
 * A model reaches the runtime only as one struct nc_model, whether its code came from libtcc, from
 * dlopen or from the linker. Sizes are in bytes where the name says so, else in elements. */
#ifndef NETCC_H
#define NETCC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NC_ABI 3
#define NC_MAX_RANK 8
#define NC_ALIGN 64

/* What changes from step to step. Generated code declares the same layout for itself. */
struct nc_hyper {
    float learning_rate;
    float iteration;       /* 1 for the first step (Adam's t) */
    uint32_t seed;         /* Philox key */
    uint32_t epoch;        /* Philox counter, with: */
    uint64_t first_sample; /* position of the batch's first row in the epoch */
};

/* How a kernel's work is spread over threads. parallel() must call task(job, lo, hi) over disjoint
 * ranges that together cover [0, units), and return when all are done. Results do not depend on how
 * the range is cut. A NULL env means serial. */
typedef void nc_task(const void *job, long lo, long hi);
struct nc_env {
    void *context;
    void (*parallel)(void *context, nc_task *task, const void *job, long units);
};

/* One call of an entry point. Arrays are row-major float32 (double in `netcc check`), n rows. */
struct nc_call {
    void *weights;              /* nc_model.weights_bytes, NC_ALIGN aligned, packed layout */
    void *prepared;             /* nc_model.prepared_bytes, NC_ALIGN aligned, or NULL: what prepare
                                 * makes of the weights, for predict */
    void *state;                /* nc_model.state_bytes, NC_ALIGN aligned, or NULL */
    void *memory;               /* nc_model.memory_bytes, NC_ALIGN aligned, or NULL: what stateful
                                 * layers keep from call to call, row by row; zeros at the start */
    const void *const *inputs;  /* one per nc_model.inputs */
    const void *const *targets; /* one per nc_model.targets, or NULL */
    void *const *outputs;       /* one per nc_entry.outputs */
    const struct nc_hyper *hyper;
    long n;      /* rows, 1..nc_model.batch */
    void *arena; /* nc_entry.arena_bytes, NC_ALIGN aligned, contents arbitrary */
    const struct nc_env *env;
};
typedef void nc_entry_function(const struct nc_call *call);

/* A tensor at the boundary. shape excludes the batch axis when batched. */
struct nc_port {
    const char *name;
    int rank;
    int64_t shape[NC_MAX_RANK];
    int64_t elements; /* per row when batched */
    int batched;
};

/* One level of a layout, from the outermost inwards: the index along `axis` is the sum over its
 * levels of (position in the level) * factor. */
struct nc_layout_level {
    int axis;
    int64_t extent;
    int64_t factor;
};

enum nc_init_kind {
    NC_INIT_CONSTANT,
    NC_INIT_UNIFORM,
    NC_INIT_NORMAL,
    NC_INIT_TRUNCATED_NORMAL,
    NC_INIT_ORTHOGONAL
};
struct nc_init {
    enum nc_init_kind kind;
    double a; /* constant: the value; uniform: low; normal: mean */
    double b; /* uniform: high; normal: standard deviation (of the untruncated distribution);
               * orthogonal: gain */
};

enum nc_role {
    NC_ROLE_WEIGHT, /* trained */
    NC_ROLE_MOVING, /* state of the model that is saved with it: moving mean and variance */
    NC_ROLE_SLOT,   /* optimizer state, named PARAMETER/SLOT; in the state block */
    NC_ROLE_MEMORY  /* what a stateful layer keeps; in the memory block, never an nc_parameter */
};

/* A weight, in packed layout at `offset` elements of the weights block (slots: state block).
 * Padding cells of the packed layout are zero. */
struct nc_parameter {
    const char *name;
    enum nc_role role;
    int rank;
    int64_t shape[NC_MAX_RANK];
    int64_t elements; /* product of shape */
    int64_t offset;
    int64_t packed_elements;
    int levels;
    struct nc_layout_level level[2 * NC_MAX_RANK];
    struct nc_init init;
    int trainable;
};

/* An entry point: what it computes for a call. */
struct nc_entry {
    nc_entry_function *run; /* NULL where the model lacks it */
    size_t arena_bytes;
    int outputs_count;
    const struct nc_port *outputs;
};

struct nc_model {
    int abi; /* NC_ABI */
    const char *name;
    long batch;        /* largest n */
    size_t real_bytes; /* 4, or 8 in `netcc check` */
    size_t weights_bytes, state_bytes;
    size_t prepared_bytes; /* 0: predict needs nothing prepared */
    size_t memory_bytes;   /* 0: no layer is stateful; the grad entry starts from zeros */
    int inputs_count, targets_count, parameters_count;
    const struct nc_port *inputs, *targets;
    const struct nc_parameter *parameters;
    struct nc_entry prepare; /* no outputs; before predict, whenever the weights have changed */
    struct nc_entry predict; /* outputs: the model's outputs */
    struct nc_entry train;   /* outputs: sum over rows of the loss, then of each metric */
    struct nc_entry eval;    /* the same, in inference mode, nothing updated */
    struct nc_entry
        grad; /* outputs: mean loss, d loss / d every trainable parameter, d every input */
    int metrics_count;
    const char *const *metrics; /* names, `OUTPUT_metric` where there are several outputs */
};

/* What the classes of an output are called */
struct nc_class_names {
    const char *const *names; /* NULL: they have numbers only */
    int count;
    double threshold; /* one unit: above it the second class is meant */
};

#ifdef __cplusplus
}
#endif
#endif
