/* The reference page: sections as the schema describes them, then every family of records. */
#include "reference.h"

#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "schema.h"

const char *attr_type_text(const AttrDef *def)
{
    switch (def->type) {
    case ATTR_INT:
        return "integer";
    case ATTR_NUMBER:
        return "number";
    case ATTR_BOOL:
        return "true or false";
    case ATTR_CHOICE:
        return def->choices;
    case ATTR_INTS:
        return "integers";
    case ATTR_ACTIVATION:
        return "activation";
    case ATTR_INITIALIZER:
        return "initializer";
    case ATTR_TEXT:
        return "text";
    case ATTR_SHAPES:
        return "{name: sizes}";
    default:
        return "value";
    }
}

/* ---- tables ------------------------------------------------------------------------------------ */

/* A cell: what would end it or mean something to Markdown is escaped. */
static void add_cell(Str *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("|*<>_\\", *text))
            str_add(out, "\\");
        str_addn(out, text, 1);
    }
}

static void add_bounds(Str *out, const AttrDef *def)
{
    if (def->low == def->high)
        return;
    bool whole = def->type != ATTR_NUMBER, low = def->low > -UNBOUNDED;
    bool high = def->high < (whole ? (double)(1 << 24) : UNBOUNDED);
    if (def->low == ABOVE_ZERO)
        str_add(out, ", above 0");
    else if (low)
        str_printf(out, high ? ", from %g" : ", at least %g", def->low);
    if (high && def->high == BELOW_ONE)
        str_add(out, " to below 1");
    else if (high)
        str_printf(out, low ? " to %g" : ", at most %g", def->high);
}

static void add_attribute(Str *out, const AttrDef *def)
{
    str_printf(out, "| `%s` | ", def->key);
    add_cell(out, attr_type_text(def));
    add_bounds(out, def);
    str_add(out, " | ");
    if (def->fallback)
        str_printf(out, "`%s`", def->fallback);
    else
        str_add(out, "required");
    str_add(out, " | ");
    add_cell(out, def->doc ? def->doc : "");
    str_add(out, " |\n");
}

static void begin_table(Str *out)
{
    str_add(out, "\n| key | type | default | |\n|---|---|---|---|\n");
}

static void add_attributes(Str *out, const AttrDef *defs)
{
    for (; defs && defs->type != ATTR_END; defs++) {
        if (defs->type != ATTR_POINTER)
            add_attribute(out, defs);
    }
}

/* Keys whose values have a form of their own: the schema says what they are for. */
static void add_keys(Str *out, const json_t *object, const char *const *keys)
{
    for (; *keys; keys++) {
        str_printf(out, "| `%s` | | | ", *keys);
        add_cell(out, schema_describe(object, *keys));
        str_add(out, " |\n");
    }
}

/* ---- sections ---------------------------------------------------------------------------------- */

static void add_section(Str *out, const char *title, const json_t *object, const Section *section)
{
    str_printf(out, "\n### %s\n", title);
    begin_table(out);
    if (section->keys)
        add_keys(out, object, section->keys);
    add_attributes(out, section->attrs);
}

static void add_sections(Str *out, const json_t *schema)
{
    static const Section digits = {"", digits_attrs, NULL}, spiral = {"", spiral_attrs, NULL};
    str_add(out, "\n## Sections\n");
    for (const Section *s = sections; s->name; s++)
        add_section(out, *s->name ? s->name : "the spec", schema_section(schema, s->name), s);
    add_section(out, "builtin: digits", NULL, &digits);
    add_section(out, "builtin: spiral", NULL, &spiral);
}

/* ---- families ---------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const Record *const *)a)->name, (*(const Record *const *)b)->name);
}

static const Record **sorted(Arena *arena, const Family *family)
{
    const Record **records = ARENA_ARRAY(arena, const Record *, family->count + 1);
    for (int i = 0; i < family->count; i++)
        records[i] = family->records[i];
    qsort(records, (size_t)family->count, sizeof *records, by_name);
    return records;
}

static void add_thing(Str *out, const char *name, const char *doc, const AttrDef *defs)
{
    str_printf(out, "\n### %s\n\n", name);
    add_cell(out, doc);
    str_add(out, "\n");
    if (!attr_count(defs))
        return;
    begin_table(out);
    add_attributes(out, defs);
}

static void add_family(Str *out, const char *title, const Family *family)
{
    const Record **records = sorted(out->arena, family);
    str_printf(out, "\n## %s\n", title);
    for (int i = 0; i < family->count; i++) {
        const Record *record = records[i];
        const AttrDef *defs = family == &optimizers
                                  ? optimizer_attrs(out->arena, (const Optimizer *)record)
                                  : record_attrs(record);
        add_thing(out, record->name, record->doc, defs);
        if (record->alias)
            str_printf(out, "\nShort: `%s`.\n", record->alias);
    }
}

static void add_activations(Str *out)
{
    str_add(out, "\n## Activations\n");
    for (int i = 0; i < OP_COUNT; i++) {
        if (op_table[i]->activation)
            add_thing(out, op_table[i]->name, op_table[i]->doc, op_table[i]->attrs);
    }
}

void write_reference(Str *out)
{
    json_t *schema = schema_of_spec(out->arena);
    str_add(out,
            "# Reference\n\n"
            "Made by `make docs` from the records of the compiler; `netcc ops NAME` prints the "
            "same.\nA name may stand alone, with arguments in braces, or with its first "
            "argument: `flatten`,\n`dense: {units: 10}`, `dropout: 0.2`. Numbers may be "
            "written 0.001, 1e-3 or 1/1000.\n");
    add_sections(out, schema);
    add_family(out, "Layers", &layers);
    add_activations(out);
    add_family(out, "Losses", &losses);
    add_family(out, "Metrics", &metrics);
    add_family(out, "Optimizers", &optimizers);
    add_family(out, "Initializers", &initializers);
    json_decref(schema);
}
