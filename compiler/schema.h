/* Schema: the JSON Schema of a spec. Its frame, templates/schema/spec.json, says where things stand
 * and what keys with readers of their own mean; all that has records is filled in from them. */
#ifndef NETCC_SCHEMA_H
#define NETCC_SCHEMA_H

#include <jansson.h>

#include "attributes.h"

/* A map of the spec that is no layer, loss or the like */
typedef struct {
    const char *name;        /* of its definition; "": the spec itself */
    const AttrDef *attrs;    /* or NULL */
    const char *const *keys; /* with readers of their own, described by the frame; or NULL */
} Section;
extern const Section sections[]; /* ends with a name that is NULL */

/* The definition of a section, or any other, in the schema. */
json_t *schema_section(const json_t *schema, const char *name);

/* The caller owns it. */
json_t *schema_of_spec(Arena *arena);
/* The description of a key among the properties of an object of the schema, or "". */
const char *schema_describe(const json_t *object, const char *key);

#endif
