/* Model: a spec, understood. What `build` makes of the tree and all later passes work on. */
#ifndef NETCC_MODEL_H
#define NETCC_MODEL_H

#include "graph/graph.h"
#include "spec/yaml.h"
#include "results.h"
#include "table.h"
#include "watch.h"

/* A tensor that the caller hands in or gets back. shape[0] is BATCH. */
typedef struct {
    const char *name;
    Shape shape;
    Loc loc;
} Port;

/* A named array of a data source. */
typedef struct {
    const char *port;   /* of the model: an input's name, or a target's (its output's name) */
    const char *path;   /* resolved; NULL for builtin */
    const char *member; /* of an npz */
    Loc loc;            /* of the value that names it */
} DataArray;

typedef enum {
    SOURCE_NONE,
    SOURCE_IDX,
    SOURCE_NPY,
    SOURCE_NPZ,
    SOURCE_CSV,
    SOURCE_IMAGES,
    SOURCE_DIGITS,
    SOURCE_SPIRAL
} SourceKind;

/* Which rows of a source count, where data.validation_split divides it. */
typedef enum { PART_WHOLE, PART_TRAIN, PART_VALIDATION } SourcePart;

/* Pictures: a folder with a sub-folder for every class, or with a table that says each one's. */
typedef struct {
    const char *folder;
    const char *table; /* of labels, or NULL */
    Loc table_loc;
    const char **files; /* below the folder, by the table; NULL: there is none */
    const int32_t *labels;
    int64_t count; /* of files */
} ImageSource;

/* data.train, data.test or data.validation. */
typedef struct {
    SourceKind kind;
    Loc loc;
    DataArray *x, *y;
    int x_count, y_count;
    int64_t count;   /* builtin: samples */
    uint32_t seed;   /* builtin */
    int64_t classes; /* spiral */
    double noise;    /* spiral */
    TableSource csv;
    ImageSource images;
    SourcePart part;
} DataSource;

/* How pictures fill the input: see struct nc_frame, whose sizes the input's port completes. */
typedef struct {
    bool given; /* the spec says how */
    bool resizes;
    int64_t resize[2]; /* [0] alone: the short side; none where resizes is true: the input's size */
    int resize_count;
    bool antialias, bgr;
} Framing;

typedef struct nc_class_names ClassNames;

/* Where the features of a frozen trunk are kept between epochs; auto: in memory if they are small. */
typedef enum { CACHE_AUTO, CACHE_MEMORY, CACHE_FILE, CACHE_OFF } CacheKind;

typedef struct {
    bool present; /* the spec has a train section */
    int64_t batch_size;
    int64_t epochs;
    uint32_t seed;
    bool shuffle;
    double learning_rate;
    struct nc_watch stop; /* early stopping; monitor NULL: none */
    struct nc_watch keep; /* which weights are the best */
    bool restore_best_weights;
    bool save_best_only; /* false: those of every epoch are kept */
    CacheKind feature_cache;
} TrainOptions;

/* A layer and the uses of blocks that it stands in, from the innermost. */
typedef struct LayerPath LayerPath;
struct LayerPath {
    const char *name;
    const LayerPath *outer; /* or NULL */
};

/* What a pattern of the spec says of the layers and parameters that it matches. */
typedef enum { RULE_FREEZE, RULE_UNFREEZE, RULE_RATE } RuleKind;
typedef struct {
    RuleKind kind;
    const char *pattern;
    Loc loc;
    double rate;   /* of RULE_RATE: a factor of the learning rate */
    int64_t epoch; /* of RULE_UNFREEZE: the first that trains it */
} TrainRule;

/* Names of tensors in a file, and what they are here: patterns, whose stars correspond. */
typedef struct {
    const char *theirs, *ours; /* a parameter, or a layer */
    Loc loc;
} NameRule;

typedef struct {
    const char *pattern;
    Loc loc;
} NamePattern;

/* Weights that training starts from */
typedef struct {
    const Yaml *weights; /* the file's name; NULL: none */
    Loc loc;
    bool torch; /* names and layouts are PyTorch's, though the file does not say so */
    NameRule *map;
    int map_count;
    NamePattern *skip; /* parameters and tensors that are not taken */
    int skip_count;
} Pretrained;

/* A layer as the spec's list has it, blocks written out */
typedef struct {
    const LayerPath *path;
    const char *kind;
} LayerName;

/* May sums be rounded otherwise than the ops' definitions do, where that is quicker? In products only
 * with NUMERICS_FAST, for it takes memory. */
typedef enum { NUMERICS_AUTO, NUMERICS_FAST, NUMERICS_STRICT } Numerics;

typedef struct Model Model;
struct Model {
    Arena *arena;
    Diag *diag;
    const char *spec_path;
    const Yaml *spec;
    bool reads_data; /* the data section's files must exist: data.test's, */
    bool trains;     /* and with this all */
    bool thawed;     /* everything trains, whatever the spec says: for comparisons */
    int64_t epoch;   /* whose network this is, where train.unfreeze changes it; 0: the first */
    const char *name;
    Numerics numerics;

    Port *inputs, *outputs, *targets; /* targets: one per output with a loss */
    int inputs_count, outputs_count, targets_count;
    Param **params; /* weights, moving statistics, optimizer slots */
    int params_count;
    const char **metrics; /* names of the metrics, after the loss, of train and eval outputs */
    int metrics_count;

    LayerName *layers;
    int layers_count;
    Pretrained pretrained;
    TrainOptions train_options;
    TrainRule *rules;
    int rules_count;
    bool one_hot; /* whole-number labels become rows of 0 and 1 where a target is such rows */
    DataSource train_data, test_data, validation_data;
    /* Where `splits` is set and some layers are frozen before all that train: what these layers give,
     * which train and eval then take for inputs. predict is the graph that computes it. */
    bool splits;
    Port *features;
    int features_count;
    int trunk_layers;        /* how many that are */
    double validation_split; /* share of data.train that validates; 0: none */
    bool stratified;         /* of every class the same share */
    int64_t fold[2];         /* the one that validates, from 1, and how many there are; 0: none */
    Framing framing;
    bool standardise;         /* inputs have parameters NAME/mean and NAME/variance */
    const char *weights_path; /* of --weights: tells of a table; or NULL */
    Table *table;             /* data.train is csv */
    ClassNames *classes;      /* one per target */
    const char **metadata;    /* what weights say beside numbers: pairs of key and text */
    int metadata_count;       /* pairs */

    /* One table of parameters, four graphs. Outputs:
     *   predict  the model's outputs
     *   train    "loss", then the metrics: each a sum over the batch's rows, shape []; plus updates
     *   eval     the same in inference mode, no updates
     *   grad     "loss" (the mean), then d loss / d every trainable parameter under its name, then
     *            d loss / d every input under its name; dropout off, batch-norm in training mode
     * train, eval and grad are NULL where the spec has no train section. */
    Graph *predict, *train, *eval, *grad;
};

/* build_trainable.c: the first epoch in which a layer trains, 0 for never; the spec itself says
 * whether it does from the start. The same of a parameter of that layer. */
int64_t layer_since(const Model *model, const LayerPath *layer, bool trainable);
int64_t parameter_since(const Model *model, const char *parameter, const LayerPath *layer,
                        int64_t since);
/* All names that patterns can mean, for messages. */
const char **layer_and_param_names(const Model *model, int *count);
/* Has that epoch come? */
bool trains_since(const Model *model, int64_t since);
/* The first epoch after `epoch` that unfreezes something, or 0. */
int64_t next_unfreezing(const Model *model, int64_t epoch);
/* The factor of a parameter's learning rate. */
double parameter_rate(const Model *model, const char *parameter, const LayerPath *layer);

/* The first parameter that is a stateful layer's memory, or NULL. */
const Param *model_memory(const Model *model);

/* The parameter of that name, or NULL. */
const Param *model_find(const Model *model, const char *name);

/* build: the tree becomes graphs. false after errors (in diag). Data files are not opened. */
bool build(Model *model);

#endif
