/* Yaml: the spec as a tree in which every key and value keeps its place.
 *
 * Scalars stay text: the attribute that reads a scalar gives it its type (CONVENTIONS: `no` can be
 * a name, `1e-3` and `1/255` are numbers). Duplicate keys, a second document, cyclic or exploding
 * aliases, excessive depth or size are errors with a place. */
#ifndef NETCC_YAML_H
#define NETCC_YAML_H

#include <stdint.h>

#include "base/diag.h"

typedef enum { YAML_SCALAR, YAML_LIST, YAML_MAP } YamlKind;

typedef struct Yaml Yaml;

typedef struct {
    const char *key;
    Loc loc; /* of the key */
    Yaml *value;
} YamlPair;

struct Yaml {
    YamlKind kind;
    Loc loc;
    const char *text; /* scalar: NUL-terminated, no embedded NUL; "" for an empty value */
    bool quoted;      /* scalar: written in quotes, so never null or a number */
    int count;        /* list items or map pairs */
    Yaml **items;     /* list */
    YamlPair *pairs;  /* map, in file order */
};

/* Reads a file into a Source, skipping a BOM; NULL with a message on failure (unreadable, a
 * directory, over 16 MB, not UTF-8, NUL bytes). */
Source *source_read(Arena *arena, Diag *diag, const char *path);
Source *source_given(Arena *arena, const char *name, const char *text);
Source *source_option(Arena *arena, const char *option, const char *text);

/* The tree, or NULL with messages in diag. */
Yaml *yaml_parse(Arena *arena, Diag *diag, const Source *source);

/* Applies `--set path=value`: path is keys and list indices joined by dots (`layers.1.dense.units`,
 * `train.optimizer.adam.learning_rate`); value is YAML flow text. A missing last key is added to
 * its map; a missing step on the way, an index out of range, or a scalar where a map is needed is
 * an error that names the option. The replaced nodes' Locs point into the option's Source. */
bool yaml_set(Arena *arena, Diag *diag, Yaml *root, const char *assignment);

/* The value of `key`, or NULL. */
Yaml *yaml_get(const Yaml *map, const char *key);

/* Is this a null: an empty unquoted scalar, `~` or `null`? */
bool yaml_is_null(const Yaml *value);

/* Typed readings of a scalar. Each returns false with a located message `expected WHAT, found ...`
 * where `what` names the attribute ("units"). Numbers take the forms 5, -1.5, 1e-3, 1_000 is
 * refused, a/b of two numbers; not NaN, not infinity, no overflow. Booleans: true, false. */
bool yaml_int(Diag *diag, const Yaml *value, const char *what, int64_t low, int64_t high,
              int64_t *out);
bool yaml_number(Diag *diag, const Yaml *value, const char *what, double *out);
bool yaml_bool(Diag *diag, const Yaml *value, const char *what, bool *out);
bool yaml_string(Diag *diag, const Yaml *value, const char *what, const char **out);
/* A list of integers; a single integer is a list of one. */
bool yaml_ints(Diag *diag, const Yaml *value, const char *what, int64_t low, int64_t high, int max,
               int64_t *out, int *count);
/* A file path: relative to the spec's directory, then to $NETCC_DATA. The resolved path (in the
 * arena), or NULL with a message at the value's Loc that names the file and where it was sought. */
const char *yaml_path(Arena *arena, Diag *diag, const Yaml *value, const char *spec_path);

/* "a number", "a list", "the text 'x'": how messages name what they found. */
const char *yaml_describe(Arena *arena, const Yaml *value);

/* Writes the tree as YAML text (the resolved spec of a run). */
void yaml_print(Str *out, const Yaml *value);
/* The same for people: what lies deeper than a section's keys or a list's items is in flow style
 * where it fits a line. */
void yaml_print_short(Str *out, const Yaml *value);

/* Trees that no file holds; nodes have no Loc. yaml_put replaces what the key had. */
Yaml *yaml_new_map(Arena *arena);
Yaml *yaml_new_list(Arena *arena);
Yaml *yaml_new_text(Arena *arena, const char *text);
Yaml *yaml_new_int(Arena *arena, int64_t value);
Yaml *yaml_new_number(Arena *arena, double value); /* the shortest text that reads back equal */
Yaml *yaml_new_bool(Arena *arena, bool value);
Yaml *yaml_new_ints(Arena *arena, const int64_t *values, int count);
void yaml_put(Arena *arena, Yaml *map, const char *key, Yaml *value);
void yaml_push(Arena *arena, Yaml *list, Yaml *item);

#endif
