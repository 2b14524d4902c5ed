/* `--set path=value`: walks down from the root and puts a new node in place. Aliases share nodes,
 * so every node on the way is copied first: only the place that was named changes. */
#include <stdlib.h>
#include <string.h>

#include "spec/yaml.h"

enum { MOST_STEPS = 64, LONGEST_STEP = 250 };

typedef struct {
    Arena *arena;
    Diag *diag;
    Loc loc;          /* of the option */
    const char *path; /* as typed */
    char *steps[MOST_STEPS];
    size_t ends[MOST_STEPS]; /* where each step ends in path */
    int count;
    Yaml *value;
} Setting;

static bool is_utf8(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length;) {
        uint32_t rune;
        int bytes = utf8_decode(text + i, length - i, &rune);
        if (!bytes)
            return false;
        i += (size_t)bytes;
    }
    return true;
}

static bool split_path(Setting *set)
{
    if (!is_utf8(set->path))
        return diag_error(set->diag, set->loc, "the path is not UTF-8 text");
    const char *start = set->path;
    for (;;) {
        size_t length = strcspn(start, ".");
        if (!length)
            return diag_error(set->diag, set->loc, "the path '%s' has an empty step", set->path);
        if (set->count == MOST_STEPS)
            return diag_error(set->diag, set->loc, "the path has more than %d steps", MOST_STEPS);
        if (length > LONGEST_STEP)
            return diag_error(set->diag, set->loc, "a step of the path is too long");
        set->ends[set->count] = (size_t)(start + length - set->path);
        set->steps[set->count++] = arena_strndup(set->arena, start, length);
        if (!start[length])
            return true;
        start += length + 1;
    }
}

/* The path up to, not including, a step. */
static const char *path_before(const Setting *set, int step)
{
    return step ? arena_strndup(set->arena, set->path, set->ends[step - 1]) : "the spec";
}

/* A copy of an array with the room that ARENA_PUSH takes for granted. */
static void *copy_array(Arena *arena, const void *items, int count, size_t item_bytes)
{
    if (!items)
        return NULL;
    size_t room = 1;
    while (room < (size_t)count)
        room *= 2;
    void *copy = arena_alloc(arena, room * item_bytes);
    memcpy(copy, items, (size_t)count * item_bytes);
    return copy;
}

static Yaml *copy_node(Arena *arena, const Yaml *node)
{
    Yaml *copy = ARENA_NEW(arena, Yaml);
    *copy = *node;
    copy->items = copy_array(arena, node->items, node->count, sizeof *node->items);
    copy->pairs = copy_array(arena, node->pairs, node->count, sizeof *node->pairs);
    return copy;
}

static Yaml *new_scalar(const Setting *set)
{
    Yaml *node = ARENA_NEW(set->arena, Yaml);
    node->loc = set->loc;
    node->text = "";
    return node;
}

static Yaml **add_pair(const Setting *set, Yaml *map, const char *key, Loc loc)
{
    YamlPair pair = {key, loc, new_scalar(set)};
    ARENA_PUSH(set->arena, map->pairs, map->count, pair);
    return &map->pairs[map->count - 1].value;
}

static Yaml **step_into_map(const Setting *set, Yaml *map, int step)
{
    const char *key = set->steps[step];
    for (int i = 0; i < map->count; i++)
        if (strcmp(map->pairs[i].key, key) == 0)
            return &map->pairs[i].value;
    if (step == set->count - 1)
        return add_pair(set, map, key, set->loc);
    const char **keys = ARENA_ARRAY(set->arena, const char *, map->count);
    for (int i = 0; i < map->count; i++)
        keys[i] = map->pairs[i].key;
    diag_unknown(set->diag, set->loc, "key", key, keys, map->count);
    return NULL;
}

static bool parse_index(const char *text, int count, int *index)
{
    size_t length = strlen(text);
    if (length > 9 || strspn(text, "0123456789") != length)
        return false;
    *index = atoi(text);
    return *index < count;
}

static Yaml **step_into_list(const Setting *set, Yaml *list, int step)
{
    int index;
    if (parse_index(set->steps[step], list->count, &index))
        return &list->items[index];
    const char *place = path_before(set, step);
    if (list->count)
        diag_error(set->diag, set->loc, "%s: expected an index from 0 to %d, found '%s'", place,
                   list->count - 1, set->steps[step]);
    else
        diag_error(set->diag, set->loc, "%s: the list is empty", place);
    return NULL;
}

/* A name alone stands for the map {name: {}}, nothing at all for an empty map. */
static Yaml **step_into_scalar(const Setting *set, Yaml *scalar, int step)
{
    bool shorthand = strcmp(scalar->text, set->steps[step]) == 0;
    if (!shorthand && !yaml_is_null(scalar)) {
        diag_error(set->diag, set->loc, "%s is %s, there is no '%s' in it", path_before(set, step),
                   yaml_describe(set->arena, scalar), set->steps[step]);
        return NULL;
    }
    *scalar = (Yaml){.kind = YAML_MAP, .loc = scalar->loc, .text = ""};
    if (shorthand)
        return add_pair(set, scalar, set->steps[step], scalar->loc);
    return step_into_map(set, scalar, step);
}

static Yaml **step_into(const Setting *set, Yaml *node, int step)
{
    switch (node->kind) {
    case YAML_SCALAR:
        return step_into_scalar(set, node, step);
    case YAML_LIST:
        return step_into_list(set, node, step);
    case YAML_MAP:
        return step_into_map(set, node, step);
    }
    bug("no such kind of node: %d", (int)node->kind);
}

static bool put_value(const Setting *set, Yaml *root)
{
    *root = *copy_node(set->arena, root);
    Yaml *node = root;
    for (int step = 0; step < set->count; step++) {
        Yaml **slot = step_into(set, node, step);
        if (!slot)
            return false;
        bool last = step == set->count - 1;
        node = *slot = last ? set->value : copy_node(set->arena, *slot);
    }
    return true;
}

static Yaml *parse_value(Setting *set, const char *text)
{
    bool blank = !text[strspn(text, " \t\r\n")];
    return blank ? new_scalar(set) : yaml_parse(set->arena, set->diag, set->loc.source);
}

bool yaml_set(Arena *arena, Diag *diag, Yaml *root, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    const char *text = equals ? equals + 1 : "";
    const char *option = arena_printf(arena, "--set %s", assignment);
    Setting set = {.arena = arena, .diag = diag};
    set.loc = (Loc){source_option(arena, option, text), 1, 1};
    if (!equals || equals == assignment)
        return diag_error(diag, set.loc, "expected PATH=VALUE");
    set.path = arena_strndup(arena, assignment, (size_t)(equals - assignment));
    if (!split_path(&set))
        return false;
    set.value = parse_value(&set, text);
    return set.value && put_value(&set, root);
}
