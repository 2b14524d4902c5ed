/* The template expander: reads a template line by line into a small block structure and writes it
 * with its holes filled. */
#include "template.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedded.h"

TemplateRecord *template_record(Arena *arena)
{
    TemplateRecord *record = ARENA_NEW(arena, TemplateRecord);
    record->arena = arena;
    return record;
}

static void set(TemplateRecord *record, const char *name, TemplateValue value)
{
    ARENA_PUSH(record->arena, record->names, record->names_count, name);
    ARENA_PUSH(record->arena, record->values, record->values_count, value);
}

void template_int(TemplateRecord *record, const char *name, int64_t value)
{
    set(record, name, (TemplateValue){.kind = T_INT, .integer = value});
}

void template_text(TemplateRecord *record, const char *name, const char *text)
{
    set(record, name, (TemplateValue){.kind = T_TEXT, .text = text});
}

void template_list(TemplateRecord *record, const char *name)
{
    set(record, name, (TemplateValue){.kind = T_LIST});
}

static TemplateValue *find(const TemplateRecord *record, const char *name, size_t length)
{
    for (int i = 0; record && i < record->names_count; i++) {
        if (!strncmp(record->names[i], name, length) && !record->names[i][length])
            return &record->values[i];
    }
    return NULL;
}

int64_t template_get_int(const TemplateRecord *record, const char *name)
{
    TemplateValue *value = find(record, name, strlen(name));
    if (!value || value->kind != T_INT)
        bug("no template integer %s", name);
    return value->integer;
}

const char *template_get_text(const TemplateRecord *record, const char *name)
{
    TemplateValue *value = find(record, name, strlen(name));
    if (!value || value->kind != T_TEXT)
        bug("no template text %s", name);
    return value->text;
}

int template_get_list(const TemplateRecord *record, const char *name,
                      const TemplateRecord *const **items)
{
    TemplateValue *value = find(record, name, strlen(name));
    if (!value || value->kind != T_LIST)
        bug("no template list %s", name);
    *items = (const TemplateRecord *const *)value->items;
    return value->count;
}

TemplateRecord **template_items(TemplateRecord *record, const char *name, int *count)
{
    const TemplateRecord *const *items;
    *count = template_get_list(record, name, &items);
    return find(record, name, strlen(name))->items;
}

TemplateRecord *template_item(TemplateRecord *record, const char *list)
{
    TemplateValue *value = find(record, list, strlen(list));
    if (!value || value->kind != T_LIST)
        bug("no template list %s", list);
    TemplateRecord *item = template_record(record->arena);
    ARENA_PUSH(record->arena, value->items, value->count, item);
    return item;
}

static bool value_equal(const TemplateValue *a, const TemplateValue *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == T_INT)
        return a->integer == b->integer;
    if (a->kind == T_TEXT)
        return !strcmp(a->text, b->text);
    if (a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++) {
        if (!template_equal(a->items[i], b->items[i]))
            return false;
    }
    return true;
}

bool template_equal(const TemplateRecord *a, const TemplateRecord *b)
{
    if (a->names_count != b->names_count)
        return false;
    for (int i = 0; i < a->names_count; i++) {
        if (strcmp(a->names[i], b->names[i]) || !value_equal(&a->values[i], &b->values[i]))
            return false;
    }
    return true;
}

const char *template_source(Arena *arena, const char *name)
{
    const char *folder = getenv("NETCC_TEMPLATES");
    if (folder && *folder) {
        char *path = arena_printf(arena, "%s/%s.c", folder, name);
        FILE *file = fopen(path, "rb");
        if (file) {
            Str text = str_new(arena);
            char chunk[4096];
            size_t got;
            while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
                str_addn(&text, chunk, got);
            fclose(file);
            return text.text;
        }
    }
    const char *source = embedded_text("templates", name);
    if (!source)
        bug("no template %s", name);
    return source;
}

/* Loop variables of the enclosing for lines, innermost first. */
typedef struct Frame Frame;
struct Frame {
    const Frame *outer;
    const char *name;
    size_t length;
    TemplateRecord *item; /* or NULL: */
    int64_t index;
};

typedef struct {
    Str *out;
    const char *name;
    const char *source;
    const TemplateRecord *values;
} Expansion;

static int line_number(const Expansion *x, const char *at)
{
    int line = 1;
    for (const char *p = x->source; p < at; p++)
        line += *p == '\n';
    return line;
}

static size_t name_length(const char *p)
{
    size_t length = 0;
    while (isalnum((unsigned char)p[length]) || p[length] == '_')
        length++;
    return length;
}

/* Resolves the hole at p (after the $); *end is set behind it. */
static TemplateValue resolve(const Expansion *x, const Frame *frame, const char *p,
                             const char **end)
{
    size_t length = name_length(p);
    *end = p + length;
    for (const Frame *f = frame; f; f = f->outer) {
        if (f->length != length || memcmp(f->name, p, length))
            continue;
        if (!f->item)
            return (TemplateValue){.kind = T_INT, .integer = f->index};
        if (p[length] != '$')
            bug("template %s:%d: $%.*s needs a field", x->name, line_number(x, p), (int)length, p);
        const char *field = p + length + 1;
        size_t field_length = name_length(field);
        *end = field + field_length;
        TemplateValue *value = find(f->item, field, field_length);
        if (!value)
            bug("template %s:%d: no field $%.*s$%.*s", x->name, line_number(x, p), (int)length, p,
                (int)field_length, field);
        return *value;
    }
    TemplateValue *value = find(x->values, p, length);
    if (!value)
        bug("template %s:%d: $%.*s is not bound", x->name, line_number(x, p), (int)length, p);
    return *value;
}

static const char *line_end(const char *p)
{
    const char *end = strchr(p, '\n');
    return end ? end + 1 : p + strlen(p);
}

/* The control word of a line, or NULL: "param", "for", "if", "end". */
static const char *control(const char *line, const char *end)
{
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    if (end - line < 3 || memcmp(line, "//:", 3))
        return NULL;
    line += 3;
    while (line < end && *line == ' ')
        line++;
    return line;
}

static bool word_is(const char *p, const char *word)
{
    size_t length = strlen(word);
    return !strncmp(p, word, length) && !isalnum((unsigned char)p[length]);
}

/* The start of the `end` line that closes the block whose body starts at p. */
static const char *block_end(const Expansion *x, const char *p)
{
    const char *start = p;
    for (int depth = 0; *p; p = line_end(p)) {
        const char *word = control(p, line_end(p));
        if (!word)
            continue;
        if (word_is(word, "for") || word_is(word, "if"))
            depth++;
        else if (word_is(word, "end") && depth-- == 0)
            return p;
    }
    bug("template %s:%d: a block has no end", x->name, line_number(x, start));
}

static void write_value(const Expansion *x, TemplateValue value, const char *at)
{
    if (value.kind == T_LIST)
        bug("template %s:%d: a list is not text", x->name, line_number(x, at));
    if (value.kind == T_INT)
        str_printf(x->out, "%lld", (long long)value.integer);
    else
        str_add(x->out, value.text);
}

static void expand_line(const Expansion *x, const Frame *frame, const char *p, const char *end)
{
    while (p < end) {
        const char *hole = memchr(p + 1, '$', (size_t)(end - p - 1));
        if (*p == '$' && (isalpha((unsigned char)p[1]) || p[1] == '_')) {
            const char *at = p + 1;
            write_value(x, resolve(x, frame, at, &p), at);
        } else {
            const char *stop = hole ? hole : end;
            str_addn(x->out, p, (size_t)(stop - p));
            p = stop;
        }
    }
}

static void expand(const Expansion *x, const Frame *frame, const char *p, const char *end);

static void expand_for(const Expansion *x, const Frame *frame, const char *word, const char *body,
                       const char *end)
{
    const char *variable = word + 3;
    while (*variable == ' ')
        variable++;
    size_t length = name_length(variable);
    const char *hole = strchr(variable, '$');
    if (!hole || hole >= line_end(word))
        bug("template %s:%d: for NAME in $LIST", x->name, line_number(x, word));
    TemplateValue list = resolve(x, frame, hole + 1, &hole);
    if (list.kind == T_TEXT)
        bug("template %s:%d: for over a text", x->name, line_number(x, word));
    int64_t count = list.kind == T_LIST ? list.count : list.integer;
    for (int64_t i = 0; i < count; i++) {
        Frame inner = {frame, variable, length, list.kind == T_LIST ? list.items[i] : NULL, i};
        expand(x, &inner, body, end);
    }
}

static bool truth(TemplateValue value)
{
    return value.kind == T_INT    ? value.integer != 0
           : value.kind == T_TEXT ? *value.text != 0
                                  : value.count != 0;
}

static void expand(const Expansion *x, const Frame *frame, const char *p, const char *end)
{
    while (p < end) {
        const char *next = line_end(p);
        const char *word = control(p, next);
        if (!word) {
            expand_line(x, frame, p, next);
        } else if (word_is(word, "for") || word_is(word, "if")) {
            const char *close = block_end(x, next);
            const char *hole = strchr(word, '$');
            if (word_is(word, "for"))
                expand_for(x, frame, word, next, close);
            else if (!hole || hole >= next)
                bug("template %s:%d: if $FLAG", x->name, line_number(x, word));
            else if (truth(resolve(x, frame, hole + 1, &hole)))
                expand(x, frame, next, close);
            next = line_end(close);
        } else if (!word_is(word, "param")) {
            bug("template %s:%d: unknown control line", x->name, line_number(x, word));
        }
        p = next;
    }
}

static bool mentions(const char *source, const char *name)
{
    size_t length = strlen(name);
    for (const char *p = source; (p = strchr(p, '$')); p++) {
        if (name_length(p + 1) == length && !memcmp(p + 1, name, length))
            return true;
    }
    return false;
}

void template_expand(Str *out, const char *name, const char *source, const TemplateRecord *values)
{
    Expansion x = {out, name, source, values};
    const char *start = strstr(source, "//: begin\n");
    start = start ? start + strlen("//: begin\n") : source;
    expand(&x, NULL, start, source + strlen(source));
    for (int i = 0; i < values->values_count; i++) {
        if (!mentions(source, values->names[i]))
            bug("template %s does not use $%s", name, values->names[i]);
    }
}

/* "//:param $X 8 meaning" -> "#define $X 8"; a default in braces {...}, to the line's last one, may
 * hold spaces. */
static void write_default(Str *out, const char *word, const char *end)
{
    const char *hole = word + 5;
    while (*hole == ' ')
        hole++;
    const char *value = hole;
    while (value < end && *value != ' ' && *value != '\n')
        value++;
    str_printf(out, "#define %.*s ", (int)(value - hole), hole);
    while (*value == ' ')
        value++;
    const char *stop = value;
    if (*value == '{') {
        value++;
        for (stop = end; stop > value && *stop != '}';)
            stop--;
    } else {
        while (stop < end && *stop != ' ' && *stop != '\n')
            stop++;
    }
    str_addn(out, value, (size_t)(stop - value));
    str_add(out, "\n");
}

char *template_with_defaults(Arena *arena, const char *source)
{
    Str out = str_new(arena);
    for (const char *p = source; *p; p = line_end(p)) {
        const char *word = control(p, line_end(p));
        if (word && word_is(word, "param"))
            write_default(&out, word, line_end(p));
        else
            str_addn(&out, p, (size_t)(line_end(p) - p));
    }
    return out.text;
}
