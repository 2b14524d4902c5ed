/* Templates: legal C whose holes are $NAME and whose control lines are //: comments.
 *
 *     //:param $M 8  rows of a         a hole, its default, its meaning
 *     //: for v in $LIST ... //: end   repeats for 0..$LIST-1, or for each item of a list
 *     //: if $FLAG ... //: end         where FLAG is neither 0 nor empty
 *
 * $v$field reads a field of a record in a list. An unbound or an unused parameter is our bug. */
#ifndef NETCC_TEMPLATE_H
#define NETCC_TEMPLATE_H

#include <stdint.h>

#include "base/diag.h"

typedef struct TemplateValue TemplateValue;
typedef struct TemplateRecord TemplateRecord;

struct TemplateValue {
    enum { T_INT, T_TEXT, T_LIST } kind;
    int64_t integer;
    const char *text;
    TemplateRecord **items; /* list of records */
    int count;
};

struct TemplateRecord {
    Arena *arena;
    const char **names;
    TemplateValue *values;
    int names_count, values_count;
};

TemplateRecord *template_record(Arena *arena);
void template_int(TemplateRecord *record, const char *name, int64_t value);
void template_text(TemplateRecord *record, const char *name, const char *text);
int64_t template_get_int(const TemplateRecord *record, const char *name);
const char *template_get_text(const TemplateRecord *record, const char *name);
int template_get_list(const TemplateRecord *record, const char *name,
                      const TemplateRecord *const **items);
/* The same, to be changed */
TemplateRecord **template_items(TemplateRecord *record, const char *name, int *count);
/* An empty list under `name`, to be filled by template_item. */
void template_list(TemplateRecord *record, const char *name);
TemplateRecord *template_item(TemplateRecord *record, const char *list);

bool template_equal(const TemplateRecord *a, const TemplateRecord *b);

/* The embedded text of templates/NAME.c, or $NETCC_TEMPLATES/NAME.c; bug() where there is none. */
const char *template_source(Arena *arena, const char *name);

/* Appends the expansion of `source`. What is wrong with a template is reported as bug() with the
 * template's name and line. */
void template_expand(Str *out, const char *name, const char *source, const TemplateRecord *values);

/* The source with every //:param default as a #define: legal C for the tests. */
char *template_with_defaults(Arena *arena, const char *source);

#endif
