/* What the parts of build share: the spec after reading, before it becomes graphs. */
#ifndef NETCC_BUILD_H
#define NETCC_BUILD_H

#include "layers/layer.h"
#include "model.h"

/* A tensor by position: the inputs first, then the layers in their order. */
typedef int Position;

typedef struct {
    const Layer *layer;
    const char *name;
    Loc loc; /* of the layer's kind in the spec */
    const AttrValue *attrs;
    bool trainable;
    const Yaml *from; /* NULL: the tensor before */
    Position *in;
    int inputs;
} LayerSpec;

typedef struct {
    const Loss *loss;
    const AttrValue *attrs;
    Loc loc;
    double weight;
    int output; /* of the model; its target is the loss's position */
} LossSpec;

typedef struct {
    const Metric *metric;
    const AttrValue *attrs;
    const char *name; /* as reported */
    Loc loc;
    int loss; /* whose prediction and target it compares */
} MetricSpec;

typedef struct {
    LossSpec *losses;
    int losses_count;
    MetricSpec *metrics;
    int metrics_count;
    OptimizerUse optimizer;
} TrainSpec;

typedef struct {
    Model *model;
    Arena *arena;
    Diag *diag;
    LayerSpec *layers;
    int layers_count;
    Position *outputs;    /* one per model->outputs */
    double scale, offset; /* of every input */
    double target_scale;  /* of numeric targets */
    TableSource csv;      /* data.train's */
    TrainSpec train;
} Build;

/* A graph under construction. */
typedef struct {
    Graph *graph;
    Purpose purpose;
    Node **inputs;  /* as the caller hands them in */
    Node **outputs; /* the model's */
} GraphParts;

/* build_layers.c: `layers` and `outputs`. */
bool read_layers(Build *build);
/* Who made the tensor at a position. */
Origin origin_of(const Build *build, Position position);

/* build_trainable.c: the patterns of `train` that say what trains; they are read before the graphs
 * are built, and each must mean something that is there. */
bool read_train_rules(Build *build, const Yaml *train);
bool read_patterns(Build *build, RuleKind kind, const Yaml *value, const char *what);
bool check_train_rules(const Build *build);

/* build_graph.c: inputs and layers as nodes; false after an error. */
bool build_forward(Build *build, Purpose purpose, GraphParts *out);

/* build_train.c: `train`; the outputs' shapes are known. */
bool read_train(Build *build, const Yaml *train);
/* objective.c: the graphs that a train section asks for. */
bool build_train_graphs(Build *build);

/* build_data.c: `data`. Scale and offset are read first, as they go into the graphs; the sources
 * need the model's ports. */
bool read_scaling(Build *build, const Yaml *data);
bool read_sources(Build *build, const Yaml *data);

/* build_table.c: csv sources. The table of data.train comes first, as inputs may be sized by it; it
 * is bound to the targets when these are known. */
bool read_table(Build *build, const Yaml *data);
bool read_csv(Build *build, const Yaml *value, DataSource *out);
bool bind_table(Build *build);
/* data.classes, and what weights are to say of tables and classes. */
bool read_classes(Build *build, const Yaml *value);
void add_metadata(Build *build);

/* What the sections of a spec may hold, for the reference and the schema; lists of keys end with
 * NULL and name what has a reader of its own. */
extern const AttrDef train_attrs[], stopping_attrs[], checkpoint_attrs[];
extern const AttrDef scaling_attrs[], csv_attrs[], digits_attrs[], spiral_attrs[];
extern const char *const top_keys[];
extern const char *const layer_own_keys[];
extern const char *const train_other_keys[];
extern const char *const watch_keys[];
extern const char *const data_section_keys[];
extern const char *const source_keys[];
extern const char *const csv_keys[];

/* C identifiers that are no keywords; what a name is for goes into the message. */
bool is_name(const char *name);
bool check_name(Diag *diag, Loc loc, const char *what, const char *name);

#endif
