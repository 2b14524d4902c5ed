/* Repeated stages of an imported network become uses of a block.
 *
 * Consecutive stretches of layers repeat one another where kinds and connections are the same, and each
 * layer's name differs in one number only, which grows by the same step from stretch to stretch: then
 * the names follow from the number of the stretch, and the layers keep theirs (`prefix: false`).
 * Attributes that differ are the block's parameters. Connections are of two kinds: to a layer of the
 * same stretch, and to the one before the stretch, which is the block's input. What comes out is a
 * proposal; import_build takes it only where it makes the very same network. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "import/import.h"

enum { LONGEST = 64, MOST_LAYERS = 2000, LEAST_SAVED = 6, LEAST_LINES = 5, MOST_DIGITS = 8 };

/* A name as HEAD NUMBER TAIL; in stretch k the number is first + k * step. */
typedef struct {
    int head; /* characters */
    long first, step;
} Numbered;

/* Layers [at, at + count * length) are `count` stretches. */
typedef struct {
    int at, length, count;
} Run;

typedef struct {
    const char *key;
    Yaml **values; /* by stretch */
    Yaml *fallback;
} Parameter;

typedef struct {
    Arena *arena;
    Yaml **layers; /* of the flat spec */
    int layers_count;
    Yaml *list, *blocks; /* what is being made */
    /* of the run at hand */
    Run run;
    Numbered *numbered; /* by layer of a stretch */
    Parameter *parameters;
    int parameters_count;
    Yaml *defined; /* the block's own numbers: `n: $number + $index` */
    long number;   /* of the first stretch */
} Folding;

static const char *kind_of(const Folding *f, int layer)
{
    return f->layers[layer]->pairs[0].key;
}

static Yaml *attributes_of(const Folding *f, int layer)
{
    return f->layers[layer]->pairs[0].value;
}

static const char *name_of(const Folding *f, int layer)
{
    return yaml_get(attributes_of(f, layer), "name")->text;
}

/* ---- stretches ---------------------------------------------------------------------------------- */

static bool read_number(const char *text, long *number)
{
    size_t digits = strspn(text, "0123456789");
    *number = strtol(text, NULL, 10);
    return digits && digits <= MOST_DIGITS && (text[0] != '0' || digits == 1);
}

/* The numbers in which two names differ; false where they differ otherwise. */
static bool compare_names(const char *a, const char *b, Numbered *out)
{
    int head = 0;
    long second;
    while (a[head] && a[head] == b[head])
        head++;
    while (head && isdigit((unsigned char)a[head - 1]))
        head--;
    if (!read_number(a + head, &out->first) || !read_number(b + head, &second))
        return false;
    out->head = head;
    out->step = second - out->first;
    return out->step > 0 && !strcmp(a + head + strspn(a + head, "0123456789"),
                                    b + head + strspn(b + head, "0123456789"));
}

/* What a connection leads to: a layer of the stretch, -1: what is before it, -2: anything else. */
static int find_source(const Folding *f, int start, int length, const Yaml *from)
{
    for (int i = start - 1; i < start + length; i++) {
        if (i >= 0 && from->kind == YAML_SCALAR && !strcmp(name_of(f, i), from->text))
            return i - start;
    }
    return -2;
}

static bool same_sources(const Folding *f, int a, int b, int length, const Yaml *x, const Yaml *y)
{
    if (!x || !y)
        return x == y;
    if (x->kind != y->kind || x->kind == YAML_MAP || x->count != y->count)
        return false;
    for (int i = 0; i < x->count; i++) {
        if (!same_sources(f, a, b, length, x->items[i], y->items[i]))
            return false;
    }
    int source = x->kind == YAML_SCALAR ? find_source(f, a, length, x) : 0;
    return source >= -1 && (x->kind == YAML_LIST || source == find_source(f, b, length, y));
}

/* Is the stretch at b what the one at a is, by kinds, connections and names? */
static bool repeats(const Folding *f, int a, int b, int length, Numbered *numbered)
{
    for (int i = 0; i < length; i++) {
        const Yaml *from = yaml_get(attributes_of(f, a + i), "from");
        if (strcmp(kind_of(f, a + i), kind_of(f, b + i)) != 0 || (i == 0 && from) ||
            !compare_names(name_of(f, a + i), name_of(f, b + i), &numbered[i]) ||
            !same_sources(f, a, b, length, from, yaml_get(attributes_of(f, b + i), "from")))
            return false;
    }
    return true;
}

static int count_stretches(const Folding *f, int at, int length, int end)
{
    Numbered first[LONGEST], next[LONGEST];
    int count = 1;
    while (at + (count + 1) * length <= end &&
           repeats(f, at, at + count * length, length, count == 1 ? first : next)) {
        for (int i = 0; count > 1 && i < length; i++) {
            if (next[i].head != first[i].head || next[i].step != count * first[i].step)
                return count;
        }
        count++;
    }
    return count;
}

/* The run between two layers that saves most; of equal ones that of the shortest stretch, the last. */
static Run find_run(const Folding *f, int begin, int end)
{
    Run best = {0};
    int most = LEAST_SAVED - 1;
    for (int length = 3; length <= LONGEST && 2 * length <= end - begin; length++) {
        for (int at = begin; at + 2 * length <= end; at++) {
            int count = count_stretches(f, at, length, end), saved = (count - 1) * length;
            if (count < 2 || saved < most || (saved == most && length > best.length && best.length))
                continue;
            best = (Run){at, length, count};
            most = saved;
        }
    }
    return best;
}

/* ---- parameters --------------------------------------------------------------------------------- */

static const char *value_text(Arena *arena, const Yaml *value)
{
    Str text = str_new(arena);
    if (value)
        yaml_print(&text, value);
    return text.text;
}

static bool same_value(Arena *arena, const Yaml *a, const Yaml *b)
{
    return !strcmp(value_text(arena, a), value_text(arena, b));
}

static Yaml *fallback_of(Arena *arena, const char *kind, const char *key)
{
    const Record *record = record_find(&layers, kind);
    const AttrDef *def = record ? record_attrs(record) : NULL;
    while (def && def->type != ATTR_END && strcmp(def->key, key) != 0)
        def++;
    if (!def || def->type == ATTR_END || !def->fallback)
        return NULL;
    return yaml_parse(arena, diag_new(arena), source_given(arena, key, def->fallback));
}

static bool is_taken(const Folding *f, const char *name)
{
    for (int i = 0; i < f->parameters_count; i++) {
        if (!strcmp(f->parameters[i].key, name))
            return true;
    }
    return yaml_get(f->defined, name) || listed(layer_own_keys, name) || !strcmp(name, "index") ||
           !strcmp(name, "number");
}

static const char *free_name(const Folding *f, const char *base)
{
    const char *name = base;
    for (int i = 2; is_taken(f, name); i++)
        name = arena_printf(f->arena, "%s_%d", base, i);
    return name;
}

/* A parameter whose values are these; one that has them already serves again. */
static const char *parameter_for(Folding *f, const char *key, Yaml **values, Yaml *fallback)
{
    for (int i = 0; i < f->parameters_count; i++) {
        const Parameter *p = &f->parameters[i];
        bool same = true;
        for (int k = 0; k < f->run.count; k++)
            same = same && same_value(f->arena, p->values[k], values[k]);
        if (same && same_value(f->arena, p->fallback, fallback))
            return p->key;
    }
    Parameter p = {free_name(f, key), values, fallback};
    ARENA_PUSH(f->arena, f->parameters, f->parameters_count, p);
    return p.key;
}

/* What stands in the block for an attribute that differs, or NULL: it cannot. */
static Yaml *varied(Folding *f, int layer, const char *key)
{
    Yaml **values = ARENA_ARRAY(f->arena, Yaml *, f->run.count);
    bool missing = false, differs = false;
    for (int k = 0; k < f->run.count; k++) {
        values[k] = yaml_get(attributes_of(f, f->run.at + k * f->run.length + layer), key);
        missing |= !values[k];
        differs |= !same_value(f->arena, values[k], values[0]);
    }
    if (!differs)
        return values[0];
    Yaml *fallback = missing ? fallback_of(f->arena, kind_of(f, f->run.at + layer), key) : NULL;
    if (missing && (!fallback || yaml_is_null(fallback)))
        return NULL;
    const char *name = parameter_for(f, key, values, fallback);
    return yaml_new_text(f->arena, arena_printf(f->arena, "$%s", name));
}

/* The parameter that is `first` in the first stretch and grows by `step`. */
static const char *number_for(Folding *f, const Numbered *n)
{
    long rest = n->first - n->step * f->number;
    const char *base = f->defined->count ? f->defined->pairs[0].key : NULL, *text;
    if (!base)
        text = "$number + $index";
    else if (n->step == 1)
        text = arena_printf(f->arena, "$%s", base);
    else
        text = arena_printf(f->arena, "%ld * $%s", n->step, base);
    if (base && rest)
        text = arena_printf(f->arena, "%s %c %ld", text, rest < 0 ? '-' : '+', labs(rest));
    for (int i = 0; i < f->defined->count; i++) {
        if (!strcmp(f->defined->pairs[i].value->text, text))
            return f->defined->pairs[i].key;
    }
    if (base && n->step == 1 && !rest)
        return base;
    const char *name = free_name(f, "n");
    yaml_put(f->arena, f->defined, name, yaml_new_text(f->arena, text));
    return name;
}

/* Stretches are counted as the first names that grow by one are, else from 0. */
static void begin_numbers(Folding *f)
{
    f->number = 0;
    for (int i = f->run.length - 1; i >= 0; i--) {
        if (f->numbered[i].step == 1)
            f->number = f->numbered[i].first;
    }
    f->defined = yaml_new_map(f->arena);
    number_for(f, &(Numbered){0, f->number, 1});
}

/* ---- the block ---------------------------------------------------------------------------------- */

static Yaml *block_name(Folding *f, int layer)
{
    const char *name = name_of(f, f->run.at + layer);
    const Numbered *n = &f->numbered[layer];
    const char *tail = name + n->head + strspn(name + n->head, "0123456789");
    return yaml_new_text(f->arena, arena_printf(f->arena, *tail ? "%.*s$(%s)%s" : "%.*s$%s%s",
                                                n->head, name, number_for(f, n), tail));
}

static Yaml *block_source(Folding *f, const Yaml *from)
{
    if (from->kind == YAML_LIST) {
        Yaml *list = yaml_new_list(f->arena);
        for (int i = 0; i < from->count; i++)
            yaml_push(f->arena, list, block_source(f, from->items[i]));
        return list;
    }
    int source = find_source(f, f->run.at, f->run.length, from);
    return source < 0 ? yaml_new_text(f->arena, "input") : block_name(f, source);
}

/* Attributes in the order of the first stretch that has them; NULL: they cannot be varied. */
static Yaml *block_layer(Folding *f, int layer)
{
    Yaml *attributes = yaml_new_map(f->arena), *item = yaml_new_map(f->arena);
    yaml_put(f->arena, item, kind_of(f, f->run.at + layer), attributes);
    for (int k = 0; k < f->run.count; k++) {
        const Yaml *theirs = attributes_of(f, f->run.at + k * f->run.length + layer);
        for (int i = 0; i < theirs->count; i++) {
            const YamlPair *pair = &theirs->pairs[i];
            if (yaml_get(attributes, pair->key))
                continue;
            Yaml *value = !strcmp(pair->key, "name")   ? block_name(f, layer)
                          : !strcmp(pair->key, "from") ? block_source(f, pair->value)
                                                       : varied(f, layer, pair->key);
            if (!value)
                return NULL;
            yaml_put(f->arena, attributes, pair->key, value);
        }
    }
    return item;
}

static Yaml *declared(Folding *f)
{
    Yaml *map = yaml_new_map(f->arena);
    yaml_put(f->arena, map, "number", yaml_new_map(f->arena));
    *yaml_get(map, "number") = (Yaml){.kind = YAML_SCALAR, .text = ""};
    for (int i = 0; i < f->parameters_count; i++) {
        Yaml *none = yaml_new_map(f->arena);
        *none = (Yaml){.kind = YAML_SCALAR, .text = ""};
        yaml_put(f->arena, map, f->parameters[i].key,
                 f->parameters[i].fallback ? f->parameters[i].fallback : none);
    }
    for (int i = 0; i < f->defined->count; i++)
        yaml_put(f->arena, map, f->defined->pairs[i].key, f->defined->pairs[i].value);
    return map;
}

/* ---- uses --------------------------------------------------------------------------------------- */

static bool same_use(const Folding *f, int a, int b)
{
    for (int i = 0; i < f->parameters_count; i++) {
        Yaml **values = f->parameters[i].values;
        if (!same_value(f->arena, values[a], values[b]))
            return false;
    }
    return true;
}

static Yaml *uses_of(Folding *f, const char *block)
{
    Yaml *uses = yaml_new_list(f->arena);
    for (int k = 0, next; k < f->run.count; k = next) {
        Yaml *use = yaml_new_map(f->arena), *arguments = yaml_new_map(f->arena);
        for (next = k + 1; next < f->run.count && same_use(f, k, next);)
            next++;
        yaml_put(f->arena, arguments, "number", yaml_new_int(f->arena, f->number + k));
        for (int i = 0; i < f->parameters_count; i++) {
            if (f->parameters[i].values[k])
                yaml_put(f->arena, arguments, f->parameters[i].key, f->parameters[i].values[k]);
        }
        if (next > k + 1)
            yaml_put(f->arena, arguments, "repeat", yaml_new_int(f->arena, next - k));
        yaml_put(f->arena, use, block, arguments);
        yaml_push(f->arena, uses, use);
    }
    return uses;
}

/* Lines of a section of the spec, its title with them */
static int count_lines(Arena *arena, Yaml *value)
{
    Str text = str_new(arena);
    Yaml *spec = yaml_new_map(arena);
    int lines = 0;
    yaml_put(arena, spec, "section", value);
    yaml_print_short(&text, spec);
    for (const char *c = text.text; *c; c++)
        lines += *c == '\n';
    return lines;
}

/* A block that hardly shortens the spec makes it harder to read. */
static bool is_worth_it(const Folding *f, Yaml *block, Yaml *uses)
{
    Yaml *blocks = yaml_new_map(f->arena);
    Yaml flat = {.kind = YAML_LIST,
                 .text = "",
                 .count = f->run.count * f->run.length,
                 .items = f->layers + f->run.at};
    yaml_put(f->arena, blocks, "stage", block);
    return count_lines(f->arena, blocks) + count_lines(f->arena, uses) + LEAST_LINES <=
           count_lines(f->arena, &flat);
}

/* The block of the run at hand, or NULL: an attribute cannot be varied. */
static Yaml *block_of(Folding *f)
{
    Yaml *block = yaml_new_map(f->arena), *inside = yaml_new_list(f->arena);
    for (int i = 0; i < f->run.length; i++) {
        Yaml *layer = block_layer(f, i);
        if (!layer)
            return NULL;
        yaml_push(f->arena, inside, layer);
    }
    yaml_put(f->arena, block, "prefix", yaml_new_bool(f->arena, false));
    yaml_put(f->arena, block, "parameters", declared(f));
    yaml_put(f->arena, block, "layers", inside);
    return block;
}

/* False: the run stays as it is. */
static bool fold_run(Folding *f, Run run)
{
    Numbered numbered[LONGEST];
    f->run = run;
    f->numbered = numbered;
    f->parameters = NULL;
    f->parameters_count = 0;
    repeats(f, run.at, run.at + run.length, run.length, numbered);
    begin_numbers(f);
    const char *name = arena_printf(f->arena, "stage_%d", f->blocks->count + 1);
    Yaml *block = block_of(f), *uses = block ? uses_of(f, name) : NULL;
    if (!block || !is_worth_it(f, block, uses))
        return false;
    yaml_put(f->arena, f->blocks, name, block);
    for (int i = 0; i < uses->count; i++)
        yaml_push(f->arena, f->list, uses->items[i]);
    return true;
}

static void fold_between(Folding *f, int begin, int end)
{
    Run run = find_run(f, begin, end);
    if (!run.count) {
        for (int i = begin; i < end; i++)
            yaml_push(f->arena, f->list, f->layers[i]);
        return;
    }
    int after = run.at + run.length * run.count;
    fold_between(f, begin, run.at);
    if (!fold_run(f, run)) {
        for (int i = run.at; i < after; i++)
            yaml_push(f->arena, f->list, f->layers[i]);
    }
    fold_between(f, after, end);
}

Yaml *import_blocks(Arena *arena, Yaml *flat, Yaml **blocks)
{
    Folding f = {.arena = arena,
                 .layers = flat->items,
                 .layers_count = flat->count,
                 .list = yaml_new_list(arena),
                 .blocks = yaml_new_map(arena)};
    *blocks = f.blocks;
    if (flat->count > MOST_LAYERS)
        return flat;
    fold_between(&f, 0, f.layers_count);
    return f.blocks->count ? f.list : flat;
}
