/* Private to the Keras importer: a network as Keras's JSON has it, flattened to calls of layers. */
#ifndef NETCC_KERAS_H
#define NETCC_KERAS_H

#include <jansson.h>

#include "import/import.h"
#include "records/record.h"

/* A layer of the result and where it comes from. */
typedef struct {
    const char *ours;   /* name in the spec */
    const char *theirs; /* its own name, and for messages that of the models around it: a/b/dense */
    const char *label;
    const char *kind;  /* ours */
    const char *group; /* of the outermost model's layer that it lies in: a group of .h5 files */
    const char *path;  /* in Keras 3's files: layers/model/layers/dense_1 */
    int index;         /* among the outermost model's layers, from 0 */
    bool trainable;
    bool channels_first;
    bool again; /* a second call of the layer before of that label */
} KerasLayer;

typedef struct {
    Import *import;
    Arena *arena;
    json_t *architecture;               /* {class_name, config} */
    json_t *training;                   /* training_config or compile_config, or NULL */
    int version;                        /* 1, 2 or 3; 1 stands for all before 2 */
    bool channels_first, channels_last; /* layers that say so were seen */
    KerasLayer **layers;
    int layers_count;
    bool drops_training;     /* regularizers and constraints were left out */
    bool drops_initializers; /* some that netcc lacks were */
    const char *made_by;     /* --trained-with, or NULL */
    bool unsure;             /* nobody says how kernels lie: told once */
} Keras;

/* keras_graph.c: inputs, layers and outputs into the spec. */
bool keras_read_graph(Keras *keras);

/* keras_layer.c: the layer's kind and attributes. `from` names its inputs. */
bool keras_add_layer(Keras *keras, KerasLayer *layer, const char *class, json_t *config,
                     const char *const *from, int from_count);
/* Keras's own way from ClassName to class_name. */
const char *keras_snake_case(Arena *arena, const char *class);

/* keras_value.c: JSON as YAML of an attribute's type; NULL after an error. */
Yaml *keras_value(Keras *keras, const KerasLayer *layer, const AttrDef *def, json_t *value);
Yaml *keras_number(Keras *keras, double value);
/* Is it what the attribute has anyway? */
bool keras_is_default(const AttrDef *def, const Yaml *value);

/* keras_bind.c: the tensors of import->model's parameters from import->file. */
bool keras_bind(Keras *keras);

/* keras_train.c: `train`, where netcc has loss, optimizer and metrics; else a note. */
void keras_read_training(Keras *keras);

/* A fault of a layer: `path: layer a/b: message`. */
bool keras_fault(Keras *keras, const KerasLayer *layer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A text of the JSON as it may stand in a message, and any value. */
const char *keras_text(json_t *object, const char *key);
const char *keras_show(Arena *arena, json_t *value);

#endif
