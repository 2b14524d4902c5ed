/* The spec reader on any bytes: what parses must print and read back the same, before and after a
 * `--set`. The input is a spec and, after a NUL byte, an assignment. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *rule)
{
    if (!holds)
        bug("broken rule: %s", rule);
}

static Source *source_of(Arena *arena, const char *text, size_t length)
{
    Source *source = ARENA_NEW(arena, Source);
    *source = (Source){.name = "fuzz", .text = arena_strndup(arena, text, length)};
    source->length = length;
    return source;
}

static void read_scalar(Arena *arena, const Yaml *value)
{
    Diag *diag = diag_new(arena);
    int64_t integer, integers[2];
    double number;
    bool flag;
    int count;
    const char *text;
    yaml_int(diag, value, "int", -5, 1 << 30, &integer);
    yaml_number(diag, value, "number", &number);
    yaml_bool(diag, value, "bool", &flag);
    yaml_string(diag, value, "string", &text);
    yaml_ints(diag, value, "ints", 0, 100, 2, integers, &count);
    yaml_path(arena, diag, value, "a/b.yaml");
    require(strlen(diag->text.text) == diag->text.length, "a report holds no NUL");
}

static void read_tree(Arena *arena, const Yaml *node, int *budget)
{
    if (--*budget < 0)
        return;
    read_scalar(arena, node);
    for (int i = 0; i < node->count; i++)
        read_tree(arena, node->kind == YAML_LIST ? node->items[i] : node->pairs[i].value, budget);
}

static Str print(Arena *arena, const Yaml *root)
{
    Str out = str_new(arena);
    yaml_print(&out, root);
    return out;
}

static void check_round_trip(Arena *arena, const Yaml *root)
{
    Diag *diag = diag_new(arena);
    Str first = print(arena, root);
    const Yaml *again = yaml_parse(arena, diag, source_of(arena, first.text, first.length));
    require(again, "what is printed can be parsed");
    Str second = print(arena, again);
    require(strcmp(first.text, second.text) == 0, "what is read back prints the same");
}

static void check(Arena *arena, const char *text, size_t length, const char *assignment)
{
    Diag *diag = diag_new(arena);
    Yaml *root = yaml_parse(arena, diag, source_of(arena, text, length));
    require(!root == (diag->errors > 0), "a failure has a message");
    require(diag->text.length <= 64 << 10, "a report has a limit");
    if (!root)
        return;
    int budget = 100;
    read_tree(arena, root, &budget);
    check_round_trip(arena, root);
    bool set = yaml_set(arena, diag, root, assignment);
    require(set == (diag->errors == 0), "a failed --set has a message");
    if (set && strlen(assignment) < 40)
        check_round_trip(arena, root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new();
    char *text = arena_strndup(arena, (const char *)data, size);
    size_t length = strlen(text);
    check(arena, text, length, length < size ? text + length + 1 : "a.b.0=[x]");
    arena_free(arena);
    return 0;
}
