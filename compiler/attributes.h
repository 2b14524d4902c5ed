/* Attributes: a mapping of the spec, read as a list of AttrDefs says. */
#ifndef NETCC_ATTRIBUTES_H
#define NETCC_ATTRIBUTES_H

#include "records/record.h"

/* Bounds of an AttrDef that messages put into words. */
#define UNBOUNDED 1e30
#define BELOW_ONE 0x1.fffffffffffffp-1
#define ABOVE_ZERO 0x1p-1022

#define ATTRS_END                                                                                  \
    {                                                                                              \
        .type = ATTR_END                                                                           \
    }

/* `name`, or `{name: arguments}`. */
typedef struct {
    const char *name;
    Loc loc;          /* of the name */
    const Yaml *args; /* NULL: none */
} Named;

/* `what` ("loss", "layer") is for messages. */
bool read_named(Diag *diag, const Yaml *value, const char *what, Named *out);
/* The same, looked up in a family; NULL after an error. */
const Record *read_record(Diag *diag, const Yaml *value, const Family *family, Named *out);

/* Reads `value` into one AttrValue per def: a map by its keys, anything else but null into the
 * first attribute. The keys in `also` (ends with NULL; may be NULL) are the caller's own. `owner`
 * and `loc` say what lacks a required attribute. */
bool read_attrs(Diag *diag, const char *owner, Loc loc, const AttrDef *defs,
                const char *const *also, const Yaml *value, AttrValue **out);

/* Is the word in a list that ends with NULL? The list may be NULL. */
bool listed(const char *const *list, const char *word);
/* Every key of a map must be in `keys` (ends with NULL). */
bool check_keys(Diag *diag, const Yaml *map, const char *what, const char *const *keys);
/* The place of a key of a map. */
Loc key_loc(const Yaml *map, const char *key);
/* Is it a map? If not, an error: "WHAT: expected a map, found ...". */
bool expect_map(Diag *diag, const Yaml *value, const char *what);

const AttrValue *find_attr(const AttrDef *defs, const AttrValue *values, const char *key);

#endif
