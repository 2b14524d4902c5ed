/* What the parts of build share: the spec after reading, before it becomes graphs. */
#ifndef NETCC_BUILD_H
#define NETCC_BUILD_H

#include "layers/layer.h"
#include "model.h"

/* A tensor by position: the inputs first, then the layers in their order. */
typedef int Position;

/* What stands at a position behind the inputs: a layer, or, while the list is read, another name of
 * the tensor that it reads. */
typedef enum { ENTRY_LAYER, ENTRY_LEFT_OUT, ENTRY_BLOCK_INPUT, ENTRY_BLOCK } EntryKind;

typedef struct {
    EntryKind kind;
    const Layer *layer; /* of an ENTRY_LAYER */
    const char *name;
    const char *input;             /* of an ENTRY_BLOCK_INPUT: what the block calls it */
    const struct NameScope *scope; /* what the names in `from` mean */
    Loc loc;                       /* of the layer's kind in the spec */
    const LayerPath *path;         /* of an ENTRY_LAYER */
    const AttrValue *attrs;
    bool trainable;
    bool needs_from;  /* it is the first of several inputs' readers */
    const Yaml *from; /* NULL: the tensor before */
    Position *in;
    int inputs;
} LayerSpec;

/* Names inside one list of layers. */
typedef struct NameScope {
    const char *prefix; /* an entry is called PREFIX_name outside; NULL: no more than its name */
    const char *const *inputs; /* a block's, by the names it has for them */
    int inputs_count;
    Position first_input;
} NameScope;

typedef struct {
    const Source *block, *use;
} SourcePair;

/* One use of a block: what its parameters stand for there, and where it is. */
typedef struct {
    const char **names;
    const Yaml **values;
    int count;
    Loc loc;
    const char *note;    /* what messages about the block's text say of this use */
    SourcePair *sources; /* that its copies point into */
    int sources_count;
} BlockUse;

/* A sub-network that layers may name. */
typedef struct {
    const char *name;
    Loc loc;
    const Yaml *parameters; /* a map, null for what a use must give; or NULL */
    const char **inputs;
    int inputs_count;
    bool prefix; /* names inside begin with that of the use */
    const Yaml *layers;
    bool open;   /* being written out: it cannot stand inside itself */
    bool used;   /* somewhere */
    bool faulty; /* one use has told of its errors */
} Block;

/* The list that an entry stands in: the spec's, or a block's at one use. */
typedef struct {
    const NameScope *scope;
    BlockUse *use;         /* or NULL */
    const LayerPath *path; /* of the use; or NULL */
    bool trainable;
    int *seen; /* by kind of layer, then by block: those without a name so far */
} Place;

/* One item of a list of layers. */
typedef struct {
    const Place *place;
    Named named;
    const Layer *layer; /* or */
    Block *block;
    const Yaml *name, *from, *first;
    bool trainable, kept;
    int64_t repeat;
} Item;

typedef struct {
    const char *name;
    bool left_out;
    Position position;
} NamedPosition;

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

/* Numbers along the input's last axis, or one for all of it; count 0: none. */
typedef struct {
    double *values;
    int64_t count;
} Channels;

/* The network cut in two behind its frozen layers. */
typedef struct {
    bool *frozen;    /* by position: made of inputs and what stays as it is */
    Position *taken; /* frozen, and read by what is not; in the order of the model's features */
    int taken_count;
} Split;

typedef struct {
    Model *model;
    Arena *arena;
    Diag *diag;
    Block *blocks;
    int blocks_count;
    int copies;  /* nodes of the spec's tree that uses of blocks have made */
    int stacked; /* entries that blocks and `repeat` have made */
    LayerSpec *layers;
    int layers_count;
    NamedPosition *names; /* of inputs and layers, sorted */
    Position *outputs;    /* one per model->outputs */
    double scale, offset; /* of every input */
    Channels mean, deviation;
    double target_scale; /* of numeric targets */
    TableSource csv;     /* data.train's */
    bool reads;          /* the files of the source at hand must exist */
    TrainSpec train;
    const Split *split; /* the graphs for training begin behind it; NULL: with the inputs */
} Build;

/* A graph under construction. */
typedef struct {
    Graph *graph;
    Purpose purpose;
    Node **inputs;  /* as the caller hands them in */
    Node **outputs; /* the model's */
    Node **value;   /* by position */
} GraphParts;

/* build_values.c: a block's text at one use, with its parameters put in; NULL after an error. */
Yaml *yaml_in_use(Build *build, BlockUse *use, const Yaml *node);
Loc loc_in_use(Build *build, BlockUse *use, Loc loc);

/* build_blocks.c: `blocks`, and one use of a block with all that is in it. */
bool read_blocks(Build *build);
Block *find_block(const Build *build, const char *name);
bool use_block(Build *build, const Item *item, const Yaml *args, const char *name, int repetition);
bool check_blocks_used(Build *build);

/* build_list.c: `layers` as a flat list of entries. */
bool read_list(Build *build, const Place *place, const Yaml *list);
const LayerPath *path_new(Build *build, const char *name, const Place *place);
Place place_new(Build *build, const NameScope *scope, BlockUse *use, bool trainable);
void add_entry(Build *build, LayerSpec entry);

/* build_layers.c: `layers` and `outputs`. */
bool read_layers(Build *build);
/* Who made the tensor at a position. */
Origin origin_of(const Build *build, Position position);

/* build_trainable.c: the patterns of `train` that say what trains; they are read before the graphs
 * are built, and each must mean something that is there. */
bool read_train_rules(Build *build, const Yaml *train);
bool check_train_rules(const Build *build);

/* build_pretrained.c: `pretrained`, but for its patterns of what is frozen, which are rules. */
bool read_pretrained(Build *build, const Yaml *map);
void note_images(Model *model);
bool read_freezing(Build *build, const Yaml *patterns);

/* build_graph.c: inputs and layers as nodes; false after an error. */
bool build_forward(Build *build, Purpose purpose, GraphParts *out);

/* build_train.c: `train`; the outputs' shapes are known. */
bool read_train(Build *build, const Yaml *train);
/* build_split.c: where the model is to be split and can be: its features, the trunk that computes
 * them, and build->split. */
void split_network(Build *build);
/* objective.c: the graphs that a train section asks for. */
bool build_train_graphs(Build *build);

/* build_data.c: `data`. Scale and offset are read first, as they go into the graphs; the sources
 * need the model's ports. */
bool read_scaling(Build *build, const Yaml *data);
bool read_sources(Build *build, const Yaml *data);
/* Must the files of data.train, data.validation or data.test exist? */
bool reads_section(const Model *model, const char *section);

/* build_table.c: csv sources. The table of data.train comes first, as inputs may be sized by it; it
 * is bound to the targets when these are known. */
bool read_table(Build *build, const Yaml *data);
bool read_csv(Build *build, const Yaml *value, DataSource *out);
bool bind_table(Build *build);
/* What target 0 .. tells apart, for messages and for binding names to it. */
int64_t target_units(const Build *build, int target);
bool loss_classifies(const LossSpec *spec);
void note_loss(Build *build, int target);
void name_classes(Build *build, int target, const char *const *names, int count);
/* data.classes, and what weights are to say of tables and classes. */
bool read_classes(Build *build, const Yaml *value);
void add_metadata(Build *build);

/* build_images.c: pictures, and how they fill the input. */
bool read_framing(Build *build, const AttrValue *values, const Yaml *data);
bool read_images(Build *build, const Yaml *value, DataSource *out);
bool bind_images(Build *build);

/* What the sections of a spec may hold, for the reference and the schema; lists of keys end with
 * NULL and name what has a reader of its own. */
extern const AttrDef train_attrs[], stopping_attrs[], checkpoint_attrs[];
extern const AttrDef scaling_attrs[], csv_attrs[], digits_attrs[], spiral_attrs[];
extern const char *const top_keys[];
extern const AttrDef top_attrs[];
extern const char *const pretrained_keys[];
extern const char *const layer_own_keys[];
extern const char *const block_keys[];
extern const char *const train_other_keys[];
extern const char *const watch_keys[];
extern const char *const data_section_keys[];
extern const char *const source_keys[];
extern const char *const csv_keys[];
extern const char *const images_keys[];

/* C identifiers that are no keywords; what a name is for goes into the message. */
bool is_name(const char *name);
bool check_name(Diag *diag, Loc loc, const char *what, const char *name);

#endif
