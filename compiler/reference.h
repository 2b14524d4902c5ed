/* Reference: what a spec can hold, as Markdown, from the records and the schema's descriptions. */
#ifndef NETCC_REFERENCE_H
#define NETCC_REFERENCE_H

#include "records/record.h"

void write_reference(Str *out);

/* How an attribute's type reads: "integer", "relu|tanh", ... */
const char *attr_type_text(const AttrDef *def);

#endif
