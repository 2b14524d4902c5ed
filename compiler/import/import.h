/* import: a network from another program's file becomes a spec and weights of ours.
 *
 * An importer is one record, import_NAME, in the list of import/table.c. It fills an Import: a
 * Yaml tree that is the spec, and tensors under the names that this spec's parameters have, in
 * canonical layout (CONVENTIONS: Keras's names, kernels [in, out] and HWIO, gates i f c o).
 * import_check then builds the model of that very text and checks that tensors and parameters are
 * the same set with the same shapes; import_write writes spec.yaml and weights.safetensors.
 *
 * Weights without an architecture are read by weight_file.h, which knows the formats of weights;
 * importers take theirs from there too where they can. What needs a library of its own is called
 * through a plugin (plugin.h), a thin wrapper; the importer itself is part of netcc.
 *
 * What netcc cannot express is an error that names layer and attribute; nothing is dropped in
 * silence but what changes no result. */
#ifndef NETCC_IMPORT_H
#define NETCC_IMPORT_H

#include "spec/yaml.h"
#include "weight_file.h"

typedef struct Import Import;

/* A tensor of the result. Its values are in memory, or made when they are written, one tensor at a
 * time. */
typedef struct ImportTensor ImportTensor;
typedef int import_fill(const ImportTensor *tensor, float *out, struct nc_error *err);
struct ImportTensor {
    const char *name;  /* of our parameter: conv1/kernel */
    const char *place; /* in the file, for messages; NULL: the name */
    int rank;
    int64_t shape[NC_MAX_RANK]; /* in our layout */
    int64_t elements;
    const float *values; /* in the arena or a mapping that lives as long; NULL: fill makes them */
    import_fill *fill;
    const void *context; /* fill's */
    /* import_from_file's: a tensor of an open weight file, its axes permuted */
    const struct nc_weight_file *file;
    int index;
    int perm[NC_MAX_RANK]; /* axis i of ours is axis perm[i] of the file's tensor */
    unsigned flipped;      /* bit i: axis i of ours runs backwards */
};

struct Import {
    Arena *arena;
    Diag *diag;
    const char *path;         /* FILE */
    const char *weights;      /* --weights: where the values are if not in FILE; or NULL */
    const char *trained_with; /* --trained-with: what made a file that does not say; or NULL */
    const char *out;          /* the folder to write */
    bool flat;                /* --flat: no blocks */
    const char *name;         /* of the model, a C identifier */
    Yaml *spec;               /* a map; importers may add `train` to it */
    Yaml *inputs;             /* by name: their sizes */
    Yaml *layers;             /* a list */
    Yaml *outputs;            /* a list of names, or NULL: the last layer */
    ImportTensor **tensors;
    int tensors_count;
    const char **names; /* that import_name has given */
    int names_count;
    const char **metadata; /* pairs, for the weights file */
    int metadata_count;
    const char **notes; /* lines for the user: what was left out though it changes no result */
    int notes_count;
    struct nc_weight_file file; /* for an importer that keeps one open; closed by the command */
    void *held;                 /* what the tensors' values lie in: given to release at the end */
    void (*release)(void *held);
    const char *text; /* import_check's: the spec, and the model that it makes */
    const struct Model *model;
};

typedef struct {
    const char *name; /* "Keras": for messages */
    bool (*recognises)(const struct nc_file_head *head);
    bool (*read)(Import *import); /* false after errors */
} Importer;

extern const Importer *const importers[]; /* ends with NULL */

/* The importer of a file, or NULL after an error. */
const Importer *import_find(Import *import);
/* Builds import->model of the spec. Importers that look for each parameter of the model call it
 * themselves, before they add tensors. */
bool import_build(Import *import);
/* Builds the spec, if that is yet to be done, and holds the tensors against its parameters; false after errors. */
bool import_check(Import *import);
/* Writes FOLDER/spec.yaml and FOLDER/weights.safetensors of what was checked. */
bool import_write(Import *import, const char *folder);

/* The layers with repeated stages as uses of blocks, which go into *blocks; the list itself where there
 * are none. */
Yaml *import_blocks(Arena *arena, Yaml *flat, Yaml **blocks);

/* ---- for importers ----------------------------------------------------------------------------- */

/* An error about the file: `path: message`. */
bool import_error(Import *import, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool import_fault(Import *import, const struct nc_error *err);
void import_note(Import *import, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A name of theirs as a C identifier that no other of this import has: what is not a letter or a
 * digit becomes _, and a number is appended where it is taken. */
const char *import_name(Import *import, const char *theirs);

/* Begins the spec. A single input is called "input" where the layers name it. */
void import_begin(Import *import, const char *name);
void import_input(Import *import, const char *name, int rank, const int64_t *shape);
/* Appends `- KIND: {name: NAME, from: ...}` to the layers; the map of its attributes, to be filled
 * by yaml_put. `from` may be NULL: it reads the layer before. */
Yaml *import_layer(Import *import, const char *kind, const char *name, const char *const *from,
                   int from_count);
/* `outputs:`, needed unless the one output is the last layer. */
void import_outputs(Import *import, const char *const *names, int count);

/* Adds a tensor named LAYER/SUFFIX; the caller sets where its values come from. */
ImportTensor *import_tensor(Import *import, const char *layer, const char *suffix, int rank,
                            const int64_t *shape);
/* The same, from a file that stays open; `perm` may be NULL: as it lies. Shape follows from perm. */
ImportTensor *import_from_file(Import *import, const char *layer, const char *suffix,
                               const struct nc_weight_file *file, int index, const int *perm);

/* y[i0, i1, ..] = x[..], axis i of y being axis perm[i] of x, which has `shape`. Axes of y whose
 * bit is set in `flipped` run backwards. */
void import_permute(const float *x, int rank, const int64_t *shape, const int *perm,
                    unsigned flipped, float *y);

#endif
