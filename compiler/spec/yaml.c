/* The tree is built from libyaml's events by recursive descent. An alias shares the node of its
 * anchor; since the tree is walked by recursion later, the limits on its depth and on the number
 * of its nodes count what aliases expand to. Nothing is read further than the first fault, save
 * for duplicate keys. */
#include "spec/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    MOST_NODES = 200000,
    MOST_ANCHORS = 1000,
    DEEPEST = 64,
    LONGEST_KEY = 250, /* bytes; escaped and quoted, still an implicit key of YAML */
};

typedef struct {
    const char *name;
    Yaml *node; /* NULL until it is complete */
    long nodes; /* what an alias of it expands to */
    int height;
} Anchor;

typedef struct {
    Arena *arena;
    Diag *diag;
    const Source *source;
    yaml_parser_t parser;
    yaml_event_t event;
    Anchor *anchors;
    int anchor_count;
    long nodes; /* so far, aliases expanded */
    int depth;
    int deepest; /* depth reached inside the node being built */
    bool duplicates;
} Builder;

static Yaml *build_node(Builder *b);

static Loc loc_of(const Builder *b, yaml_mark_t mark)
{
    return (Loc){b->source, (int)mark.line + 1, (int)mark.column + 1};
}

static Loc event_loc(const Builder *b)
{
    return loc_of(b, b->event.start_mark);
}

/* A fault at the end of the file is shown where its text ends. */
static Loc problem_loc(const Builder *b, yaml_mark_t mark)
{
    const Source *source = b->source;
    size_t length = source->length;
    while (length && strchr(" \t\r\n", source->text[length - 1]))
        length--;
    Loc last = source_loc(source, length), loc = loc_of(b, mark);
    return loc.line > last.line ? last : loc;
}

static bool syntax_error(Builder *b)
{
    const yaml_parser_t *parser = &b->parser;
    const char *problem = parser->problem ? parser->problem : "bad YAML";
    switch (parser->error) {
    case YAML_MEMORY_ERROR:
        bug("out of memory");
    case YAML_READER_ERROR:
        return diag_error(b->diag, source_loc(b->source, parser->problem_offset), "%s", problem);
    default:
        break;
    }
    diag_error(b->diag, problem_loc(b, parser->problem_mark), "%s", problem);
    if (parser->context)
        diag_note(b->diag, problem_loc(b, parser->context_mark), "%s", parser->context);
    return false;
}

static bool next_event(Builder *b)
{
    yaml_event_delete(&b->event);
    return yaml_parser_parse(&b->parser, &b->event) || syntax_error(b);
}

/* "!!int" for "tag:yaml.org,2002:int". */
static const char *short_tag(Builder *b, const char *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    size_t length = strlen(prefix);
    return strncmp(tag, prefix, length) ? tag : arena_printf(b->arena, "!!%s", tag + length);
}

static bool refuse_tag(Builder *b, const char *tag)
{
    return diag_error(b->diag, event_loc(b), "the tag '%s' is not supported here", tag);
}

/* A collection may carry the tag of its own kind only. */
static bool check_tag(Builder *b, const yaml_char_t *written, const char *allowed)
{
    if (!written)
        return true;
    const char *tag = short_tag(b, (const char *)written);
    return strcmp(tag, allowed) == 0 || refuse_tag(b, tag);
}

/* A tag decides like quotes do: `!!str 5` is a text, `!!int "5"` a number. */
static bool apply_scalar_tag(Builder *b, Yaml *node)
{
    static const char *const plain[] = {"!!int", "!!float", "!!bool", "!!null"};
    if (!b->event.data.scalar.tag)
        return true;
    const char *tag = short_tag(b, (const char *)b->event.data.scalar.tag);
    node->quoted = strcmp(tag, "!!str") == 0;
    for (size_t i = 0; !node->quoted; i++) {
        if (i == sizeof plain / sizeof *plain)
            return refuse_tag(b, tag);
        if (strcmp(tag, plain[i]) == 0)
            break;
    }
    return true;
}

static bool fill_scalar(Builder *b, Yaml *node)
{
    const char *text = (const char *)b->event.data.scalar.value;
    size_t length = b->event.data.scalar.length;
    if (memchr(text, '\0', length))
        return diag_error(b->diag, node->loc, "a text may not hold a NUL character");
    node->text = arena_strndup(b->arena, text, length);
    node->quoted = b->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return apply_scalar_tag(b, node);
}

static bool fill_list(Builder *b, Yaml *node)
{
    if (!check_tag(b, b->event.data.sequence_start.tag, "!!seq"))
        return false;
    for (;;) {
        if (!next_event(b))
            return false;
        if (b->event.type == YAML_SEQUENCE_END_EVENT)
            return true;
        Yaml *item = build_node(b);
        if (!item)
            return false;
        ARENA_PUSH(b->arena, node->items, node->count, item);
    }
}

static bool check_key(Builder *b, const Yaml *key, Loc loc)
{
    if (key->kind != YAML_SCALAR)
        return diag_error(b->diag, loc, "a key must be a name, found %s",
                          yaml_describe(b->arena, key));
    if (!*key->text && !key->quoted)
        return diag_error(b->diag, loc, "a key is missing");
    if (strcmp(key->text, "<<") == 0 && !key->quoted)
        return diag_error(b->diag, loc, "merge keys ('<<') are not supported");
    if (strlen(key->text) > LONGEST_KEY)
        return diag_error(b->diag, loc, "a key may have at most %d bytes", LONGEST_KEY);
    return true;
}

static int compare_pairs(const void *a, const void *b)
{
    const YamlPair *left = *(YamlPair *const *)a, *right = *(YamlPair *const *)b;
    int order = strcmp(left->key, right->key);
    return order ? order : (left > right) - (left < right);
}

static void find_duplicates(Builder *b, const Yaml *map)
{
    if (map->count < 2)
        return;
    YamlPair **sorted = ARENA_ARRAY(b->arena, YamlPair *, map->count);
    for (int i = 0; i < map->count; i++)
        sorted[i] = &map->pairs[i];
    qsort(sorted, (size_t)map->count, sizeof *sorted, compare_pairs);
    const YamlPair *first = sorted[0];
    for (int i = 1; i < map->count; i++) {
        if (strcmp(first->key, sorted[i]->key)) {
            first = sorted[i];
            continue;
        }
        diag_error(b->diag, sorted[i]->loc, "duplicate key '%s'", first->key);
        diag_note(b->diag, first->loc, "it is first given here");
        b->duplicates = true;
    }
}

static bool fill_map(Builder *b, Yaml *node)
{
    if (!check_tag(b, b->event.data.mapping_start.tag, "!!map"))
        return false;
    for (;;) {
        if (!next_event(b))
            return false;
        if (b->event.type == YAML_MAPPING_END_EVENT)
            break;
        Loc loc = event_loc(b);
        const Yaml *key = build_node(b);
        if (!key || !check_key(b, key, loc) || !next_event(b))
            return false;
        YamlPair pair = {key->text, loc, build_node(b)};
        if (!pair.value)
            return false;
        ARENA_PUSH(b->arena, node->pairs, node->count, pair);
    }
    find_duplicates(b, node);
    return true;
}

static bool fill_node(Builder *b, Yaml *node)
{
    switch (node->kind) {
    case YAML_SCALAR:
        return fill_scalar(b, node);
    case YAML_LIST:
        return fill_list(b, node);
    case YAML_MAP:
        return fill_map(b, node);
    }
    bug("no such kind of node: %d", (int)node->kind);
}

static bool count_nodes(Builder *b, Loc loc, long nodes, int height)
{
    b->nodes += nodes;
    if (b->nodes > MOST_NODES)
        return diag_error(b->diag, loc, "the spec expands to more than %d nodes", MOST_NODES);
    if (b->depth + height > DEEPEST)
        return diag_error(b->diag, loc, "the spec is nested deeper than %d levels", DEEPEST);
    if (b->deepest < b->depth + height)
        b->deepest = b->depth + height;
    return true;
}

/* The latest anchor of a name counts, as YAML has it. */
static Yaml *build_alias(Builder *b)
{
    const char *name = (const char *)b->event.data.alias.anchor;
    Loc loc = event_loc(b);
    for (int i = b->anchor_count - 1; i >= 0; i--) {
        const Anchor *anchor = &b->anchors[i];
        if (strcmp(anchor->name, name))
            continue;
        if (!anchor->node)
            diag_error(b->diag, loc, "the alias '*%s' stands inside its own anchor", name);
        else if (count_nodes(b, loc, anchor->nodes, anchor->height))
            return anchor->node;
        return NULL;
    }
    diag_error(b->diag, loc, "the alias '*%s' has no anchor before it", name);
    return NULL;
}

/* The index of the node's anchor, -1 if it has none, -2 on failure. */
static int open_anchor(Builder *b, const yaml_char_t *name)
{
    if (!name)
        return -1;
    if (b->anchor_count == MOST_ANCHORS) {
        diag_error(b->diag, event_loc(b), "more than %d anchors", MOST_ANCHORS);
        return -2;
    }
    Anchor anchor = {.name = arena_strdup(b->arena, (const char *)name)};
    ARENA_PUSH(b->arena, b->anchors, b->anchor_count, anchor);
    return b->anchor_count - 1;
}

static const yaml_char_t *anchor_name(const yaml_event_t *event, YamlKind kind)
{
    return kind == YAML_SCALAR ? event->data.scalar.anchor
           : kind == YAML_LIST ? event->data.sequence_start.anchor
                               : event->data.mapping_start.anchor;
}

static YamlKind node_kind(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT           ? YAML_SCALAR
           : event->type == YAML_SEQUENCE_START_EVENT ? YAML_LIST
                                                      : YAML_MAP;
}

/* A node whose first event is the current one, with all that is inside; NULL on failure. */
static Yaml *build_node(Builder *b)
{
    if (b->event.type == YAML_ALIAS_EVENT)
        return build_alias(b);
    Yaml *node = ARENA_NEW(b->arena, Yaml);
    node->kind = node_kind(&b->event);
    node->loc = event_loc(b);
    node->text = "";
    long nodes_before = b->nodes;
    int deepest_before = b->deepest;
    b->deepest = 0;
    int anchor = open_anchor(b, anchor_name(&b->event, node->kind));
    if (anchor < -1 || !count_nodes(b, node->loc, 1, 1))
        return NULL;
    b->depth++;
    bool filled = fill_node(b, node);
    b->depth--;
    if (!filled)
        return NULL;
    if (anchor >= 0) {
        b->anchors[anchor].node = node;
        b->anchors[anchor].nodes = b->nodes - nodes_before;
        b->anchors[anchor].height = b->deepest - b->depth;
    }
    if (b->deepest < deepest_before)
        b->deepest = deepest_before;
    return node;
}

static bool begins_line(const char *text, const char *at)
{
    static const char *const breaks[] = {"\n", "\r", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        size_t length = strlen(breaks[i]);
        if ((size_t)(at - text) >= length && memcmp(at - length, breaks[i], length) == 0)
            return true;
    }
    return at == text;
}

/* No tag of a spec's own is accepted, and libyaml takes quadratic time over many directives. */
static bool check_directives(Builder *b)
{
    const char *text = b->source->text;
    for (const char *at = text; (at = strstr(at, "%TAG")); at++)
        if (begins_line(text, at))
            return diag_error(b->diag, source_loc(b->source, (size_t)(at - text)),
                              "the directive '%%TAG' is not supported");
    return true;
}

static Yaml *report_empty(Builder *b)
{
    diag_error(b->diag, (Loc){b->source, 1, 1}, "the %s is empty",
               b->source->is_option ? "value" : "spec");
    return NULL;
}

static Yaml *build_document(Builder *b)
{
    if (!check_directives(b))
        return NULL;
    if (!next_event(b) || !next_event(b)) /* the stream's start, the document's start */
        return NULL;
    if (b->event.type == YAML_STREAM_END_EVENT)
        return report_empty(b);
    if (!next_event(b))
        return NULL;
    Yaml *root = build_node(b);
    if (!root || !next_event(b) || !next_event(b)) /* the document's end, what follows */
        return NULL;
    if (b->event.type != YAML_STREAM_END_EVENT) {
        diag_error(b->diag, event_loc(b), "a second document is not allowed");
        return NULL;
    }
    if (root->kind == YAML_SCALAR && !*root->text && !root->quoted)
        return report_empty(b);
    return b->duplicates ? NULL : root;
}

Yaml *yaml_parse(Arena *arena, Diag *diag, const Source *source)
{
    Builder b = {.arena = arena, .diag = diag, .source = source};
    if (!yaml_parser_initialize(&b.parser))
        bug("out of memory");
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)source->text, source->length);
    Yaml *root = build_document(&b);
    yaml_event_delete(&b.event);
    yaml_parser_delete(&b.parser);
    return root;
}

Yaml *yaml_get(const Yaml *map, const char *key)
{
    for (int i = 0; map && map->kind == YAML_MAP && i < map->count; i++)
        if (strcmp(map->pairs[i].key, key) == 0)
            return map->pairs[i].value;
    return NULL;
}
