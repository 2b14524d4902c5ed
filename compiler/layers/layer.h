/* Layer: one record per layer kind, in one of the files of this folder.
 *
 *     LAYER(flatten) = {
 *         .record = {.name = "flatten", .doc = "All axes but the batch as one."},
 *         .build = build_flatten,
 *     };
 *
 * A layer is a macro over ops: build appends nodes to the graph at hand. It runs once for each of
 * the model's graphs; what a user got wrong comes to light in the first. */
#ifndef NETCC_LAYER_H
#define NETCC_LAYER_H

#include "attributes.h"
#include "model.h"

typedef enum { FOR_PREDICT, FOR_TRAIN, FOR_EVAL, FOR_GRAD } Purpose;

/* Who made a tensor: for messages. */
typedef struct {
    const char *name;
    Loc loc;
} Origin;

typedef struct LayerBuild LayerBuild;

typedef struct {
    Record record;
    int least_inputs, most_inputs;     /* 0: one */
    Node *(*build)(LayerBuild *build); /* NULL after an error */
} Layer;
#define LAYER(ident) const Layer layer_##ident

enum { ANY_INPUTS = 1 << 20 };

struct LayerBuild {
    Model *model;
    Arena *arena;
    Diag *diag;
    Graph *graph;
    Purpose purpose;
    const Layer *layer;
    const char *name; /* of this layer in the spec */
    Loc loc;
    const AttrValue *attrs;
    const LayerPath *path;
    int64_t since;  /* the first epoch that trains it; 0: none */
    bool trainable; /* that has come */
    Node *const *in;
    const Origin *origins; /* of the inputs */
    int inputs;
    int *streams; /* random streams that the graph has used so far */
};

const AttrValue *layer_attr(const LayerBuild *build, const char *key);

/* A parameter LAYER/SUFFIX of the model, made if it is not there yet, as a node of the graph. NULL
 * after an error. */
Node *layer_weight(LayerBuild *build, const char *suffix, Shape shape, const char *initializer);
/* The same for a state that is saved but not trained. */
Node *layer_state(LayerBuild *build, const char *suffix, Shape shape, const char *initializer);

/* What the layer keeps from call to call, LAYER/SUFFIX [n, ...], row by row; zeros at the start. The
 * graph sets its next version with update_param. */
Node *layer_memory(LayerBuild *build, const char *suffix, Shape shape);

/* x + bias LAYER/bias along the last axis if attribute use_bias is set. NULL after an error. */
Node *layer_bias(LayerBuild *build, Node *x);
/* Applies the activation that attribute `key` names. */
Node *layer_activate(LayerBuild *build, const char *key, Node *x);

/* Reports a fault of this layer, then every input's shape and where it comes from. */
void *input_fault(LayerBuild *build, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The position that an axis attribute means, negative ones from the end; -1 after an error. */
int layer_axis(LayerBuild *build, const char *key);
/* A hidden layer that has an axis attribute works along the last one only. */
bool last_axis_only(LayerBuild *build);

/* At most 2^31 elements but for the batch. */
bool shape_fits(Shape shape);

/* Gets or makes a parameter of the model. */
Param *model_param(Model *model, const char *name, Shape shape);

/* Attributes that several layers share. */
#define ATTR_USE_BIAS                                                                              \
    {                                                                                              \
        "use_bias", ATTR_BOOL, "true", "add a bias", 0, 0, NULL                                    \
    }
#define ATTR_LAYER_ACTIVATION(value)                                                               \
    {                                                                                              \
        "activation", ATTR_ACTIVATION, value, "applied to the result", 0, 0, NULL                  \
    }
#define ATTR_INITIALIZE(what, value)                                                               \
    {                                                                                              \
        what "_initializer", ATTR_INITIALIZER, value, "first values of the " what, 0, 0, NULL      \
    }
#define ATTR_EXTENT(key, doc)                                                                      \
    {                                                                                              \
        key, ATTR_INT, NULL, doc, 1, INT32_MAX, NULL                                               \
    }

#endif
