/* The text of a block at one of its uses: a copy of the block's tree in which every scalar with a $
 * has become what its parameters make of it. `$filters` alone is the argument, whatever its kind; more
 * than that is arithmetic (`4 * $filters`, `$stride > 1`), whose result is a number, or true or false
 * where it is a comparison. Where names of its own stand in the text, the arguments are put between
 * them: `block$number`, `x * $scale`. The copy's Locs lead to the block and from there to the use. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "expr.h"

enum { MOST_NODES = 200000, LONGEST_EXPRESSION = 200, LONGEST_TEXT = 2000 };

/* Parameters */

static bool is_name_character(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* `$name` and nothing more? */
static bool is_parameter(const char *text)
{
    if (*text++ != '$')
        return false;
    while (is_name_character(*text))
        text++;
    return !*text;
}

static bool unknown_parameter(Build *build, const BlockUse *use, Loc loc, const char *name)
{
    const char **names = NULL;
    int count = 0;
    for (int i = 0; i < use->count; i++)
        ARENA_PUSH(build->arena, names, count, use->names[i]);
    return diag_unknown(build->diag, loc, "parameter", name, names, count);
}

/* The value of the parameter whose $ `at` points to, $name or $(name); `end` is behind it. NULL after
 * an error. */
static const Yaml *find_parameter(Build *build, const BlockUse *use, Loc loc, const char *at,
                                  const char **end)
{
    bool enclosed = at[1] == '(';
    const char *start = at + 1 + enclosed;
    for (at = start; is_name_character(*at);)
        at++;
    const char *name = arena_strndup(build->arena, start, (size_t)(at - start));
    if (!*name || (enclosed && *at != ')')) {
        diag_error(build->diag, loc, "expected the name of a parameter after '$%s'",
                   enclosed ? "(" : "");
        return NULL;
    }
    *end = at + enclosed;
    for (int i = 0; i < use->count; i++) {
        if (!strcmp(use->names[i], name))
            return use->values[i];
    }
    unknown_parameter(build, use, loc, name);
    return NULL;
}

/* true and false count as 1 and 0. */
static bool read_operand(Build *build, Loc loc, const char *name, const Yaml *value, double *out)
{
    Diag *unused = diag_new(build->arena);
    bool truth;
    if (yaml_number(unused, value, name, out))
        return true;
    if (!yaml_bool(unused, value, name, &truth))
        return diag_error(build->diag, loc, "%s is %s, not a number", name,
                          yaml_describe(build->arena, value));
    *out = truth;
    return true;
}

static bool bind_parameters(Build *build, const BlockUse *use, const Yaml *node, Graph *graph,
                            Scope *scope)
{
    const char *end;
    for (const char *at = strchr(node->text, '$'); at; at = strchr(end, '$')) {
        const Yaml *value = find_parameter(build, use, node->loc, at, &end);
        if (!value)
            return false;
        const char *name = arena_strndup(build->arena, at, (size_t)(end - at));
        double number;
        if (!read_operand(build, node->loc, name, value, &number))
            return false;
        scope_set(build->arena, scope, name, constant(graph, number));
    }
    scope_set(build->arena, scope, "true", constant(graph, 1));
    scope_set(build->arena, scope, "false", constant(graph, 0));
    return true;
}

/* Arithmetic */

/* Is there a comparison outside of all parentheses? */
static bool is_comparison(const char *text)
{
    int depth = 0;
    for (; *text; text++) {
        depth += (*text == '(') - (*text == ')');
        if (depth == 0 && strchr("<>=", *text))
            return true;
    }
    return false;
}

/* The shortest text that reads back as the number. */
static const char *number_text(Arena *arena, double x)
{
    const char *text = arena_printf(arena, "%.15g", x == 0 ? 0 : x);
    bool whole = fabs(x) < 1e15 && x == floor(x);
    if (whole)
        return arena_printf(arena, "%lld", (long long)x);
    return strtod(text, NULL) == x ? text : arena_printf(arena, "%.17g", x);
}

static const char *skip_word(const char *at)
{
    while (is_name_character(*at))
        at++;
    return at;
}

/* Does the text hold names that are neither parameters nor functions? */
static bool has_own_names(const char *text)
{
    while (*text) {
        const char *end = skip_word(text + 1);
        size_t length = (size_t)(end - text);
        if (isdigit((unsigned char)*text) || *text == '.') {
            char *number;
            strtod(text, &number);
            end = number > text ? number : end;
        } else if (isalpha((unsigned char)*text) || *text == '_') {
            bool truth = (length == 4 && !strncmp(text, "true", 4)) ||
                         (length == 5 && !strncmp(text, "false", 5));
            if (!truth && end[strspn(end, " ")] != '(')
                return true;
        } else if (*text != '$') {
            end = text + 1;
        }
        text = end;
    }
    return false;
}

static Yaml *insert_parameters(Build *build, const BlockUse *use, Yaml *node)
{
    Str out = str_new(build->arena);
    const char *rest = node->text, *at, *end;
    Diag *unused = diag_new(build->arena);
    for (; (at = strchr(rest, '$')); rest = end) {
        const Yaml *value = find_parameter(build, use, node->loc, at, &end);
        double number;
        if (!value)
            return NULL;
        if (value->kind != YAML_SCALAR) {
            diag_error(build->diag, node->loc, "'%s' needs a text or a number, found %s",
                       node->text, yaml_describe(build->arena, value));
            return NULL;
        }
        bool numeric = yaml_number(unused, value, "", &number);
        str_addn(&out, rest, (size_t)(at - rest));
        str_add(&out, numeric ? number_text(build->arena, number) : value->text);
        if (out.length > LONGEST_TEXT) {
            diag_error(build->diag, node->loc, "a text may have at most %d characters here",
                       LONGEST_TEXT);
            return NULL;
        }
    }
    str_add(&out, rest);
    node->text = out.text;
    return node;
}

static Yaml *evaluate(Build *build, const BlockUse *use, Yaml *node)
{
    const char *text = node->text;
    Graph *graph = graph_new(build->arena);
    Scope scope = {0};
    double result;
    if (strlen(text) > LONGEST_EXPRESSION) {
        diag_error(build->diag, node->loc, "an expression may have at most %d characters",
                   LONGEST_EXPRESSION);
        return NULL;
    }
    if (!bind_parameters(build, use, node, graph, &scope))
        return NULL;
    const Node *value = expr_build(graph, build->diag, node->loc, text, &scope);
    if (!value)
        return NULL;
    if (!is_constant(value, &result) || !isfinite(result)) {
        diag_error(build->diag, node->loc, "'%s' is not a finite number", text);
        return NULL;
    }
    node->text =
        is_comparison(text) ? result != 0 ? "true" : "false" : number_text(build->arena, result);
    node->quoted = false;
    return node;
}

static Yaml *scalar_in_use(Build *build, BlockUse *use, Yaml *node)
{
    const char *end;
    if (!strchr(node->text, '$'))
        return node;
    if (!is_parameter(node->text))
        return has_own_names(node->text) ? insert_parameters(build, use, node)
                                         : evaluate(build, use, node);
    const Yaml *value = find_parameter(build, use, node->loc, node->text, &end);
    if (!value)
        return NULL;
    Yaml *copy = ARENA_NEW(build->arena, Yaml);
    *copy = *value;
    if (value->kind == YAML_SCALAR)
        copy->loc = node->loc;
    return copy;
}

/* Copies */

static const Source *source_in_use(Build *build, BlockUse *use, const Source *source)
{
    for (int i = 0; i < use->sources_count; i++) {
        if (use->sources[i].block == source)
            return use->sources[i].use;
    }
    Source *copy = ARENA_NEW(build->arena, Source);
    *copy = *source;
    copy->use = use->note;
    copy->used = use->loc;
    SourcePair pair = {source, copy};
    ARENA_PUSH(build->arena, use->sources, use->sources_count, pair);
    return copy;
}

Loc loc_in_use(Build *build, BlockUse *use, Loc loc)
{
    if (loc.source)
        loc.source = source_in_use(build, use, loc.source);
    return loc;
}

static bool fill_list(Build *build, BlockUse *use, const Yaml *node, Yaml *copy)
{
    copy->items = ARENA_ARRAY(build->arena, Yaml *, node->count + 1);
    for (int i = 0; i < node->count; i++) {
        if (!(copy->items[i] = yaml_in_use(build, use, node->items[i])))
            return false;
    }
    return true;
}

static bool fill_map(Build *build, BlockUse *use, const Yaml *node, Yaml *copy)
{
    copy->pairs = ARENA_ARRAY(build->arena, YamlPair, node->count + 1);
    for (int i = 0; i < node->count; i++) {
        const YamlPair *pair = &node->pairs[i];
        Yaml *value = yaml_in_use(build, use, pair->value);
        if (!value)
            return false;
        copy->pairs[i] = (YamlPair){pair->key, loc_in_use(build, use, pair->loc), value};
    }
    return true;
}

Yaml *yaml_in_use(Build *build, BlockUse *use, const Yaml *node)
{
    if (++build->copies > MOST_NODES) {
        if (build->copies == MOST_NODES + 1)
            diag_error(build->diag, use->loc, "the blocks expand to more than %d nodes",
                       MOST_NODES);
        return NULL;
    }
    Yaml *copy = ARENA_NEW(build->arena, Yaml);
    *copy = *node;
    copy->loc = loc_in_use(build, use, node->loc);
    if (node->kind == YAML_SCALAR)
        return scalar_in_use(build, use, copy);
    bool ok = node->kind == YAML_LIST ? fill_list(build, use, node, copy)
                                      : fill_map(build, use, node, copy);
    return ok ? copy : NULL;
}
