/* Trees made by netcc itself: the spec of an imported network. */
#include <stdlib.h>
#include <string.h>

#include "spec/yaml.h"

static Yaml *new_node(Arena *arena, YamlKind kind)
{
    Yaml *node = ARENA_NEW(arena, Yaml);
    node->kind = kind;
    node->text = "";
    return node;
}

Yaml *yaml_new_map(Arena *arena)
{
    return new_node(arena, YAML_MAP);
}

Yaml *yaml_new_list(Arena *arena)
{
    return new_node(arena, YAML_LIST);
}

static Yaml *new_plain(Arena *arena, const char *text)
{
    Yaml *node = new_node(arena, YAML_SCALAR);
    node->text = text;
    return node;
}

Yaml *yaml_new_text(Arena *arena, const char *text)
{
    Yaml *node = new_plain(arena, arena_strdup(arena, text));
    node->quoted = yaml_is_null(node);
    return node;
}

Yaml *yaml_new_int(Arena *arena, int64_t value)
{
    return new_plain(arena, arena_printf(arena, "%lld", (long long)value));
}

Yaml *yaml_new_number(Arena *arena, double value)
{
    const char *text = "";
    for (int digits = 1; digits <= 17; digits++) {
        text = arena_printf(arena, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return new_plain(arena, text);
}

Yaml *yaml_new_bool(Arena *arena, bool value)
{
    return new_plain(arena, value ? "true" : "false");
}

Yaml *yaml_new_ints(Arena *arena, const int64_t *values, int count)
{
    Yaml *list = yaml_new_list(arena);
    for (int i = 0; i < count; i++)
        yaml_push(arena, list, yaml_new_int(arena, values[i]));
    return list;
}

void yaml_put(Arena *arena, Yaml *map, const char *key, Yaml *value)
{
    for (int i = 0; i < map->count; i++) {
        if (!strcmp(map->pairs[i].key, key)) {
            map->pairs[i].value = value;
            return;
        }
    }
    YamlPair pair = {.key = arena_strdup(arena, key), .value = value};
    ARENA_PUSH(arena, map->pairs, map->count, pair);
}

void yaml_push(Arena *arena, Yaml *list, Yaml *item)
{
    ARENA_PUSH(arena, list->items, list->count, item);
}
