/* The tree as block-style YAML, lists of scalars in flow style; or shorter. A scalar stays plain only if it is
 * made of letters that mean nothing to YAML; else it is quoted and escaped, so that it reads back
 * equal whatever it holds. */
#include <ctype.h>
#include <string.h>

#include "spec/yaml.h"

enum { INDENT = 2, LONGEST_FLOW = 16, LINE = 100 };

typedef struct {
    Str *text;
    bool is_short;
} Printer;

static void print_node(Printer *out, const Yaml *node, int indent, bool inside_item);

static bool is_plain_text(const char *text)
{
    bool has_letter = false;
    for (const char *at = text; *at; at++) {
        bool space = *at == ' ' && at > text && isalnum((unsigned char)at[-1]) && at[1];
        if (!isalnum((unsigned char)*at) && !strchr("_./+-$", *at) && !space)
            return false;
        has_letter = has_letter || isalnum((unsigned char)*at);
    }
    return has_letter;
}

static void print_quoted(Str *out, const char *text)
{
    size_t length = strlen(text);
    str_add(out, "\"");
    for (size_t i = 0; i < length;) {
        uint32_t rune = 0;
        int bytes = utf8_decode(text + i, length - i, &rune);
        if (!bytes)
            bug("a scalar is not UTF-8");
        if (rune == '"' || rune == '\\')
            str_printf(out, "\\%c", (char)rune);
        else if (rune == '\n')
            str_add(out, "\\n");
        else if (rune_is_printable(rune))
            str_addn(out, text + i, (size_t)bytes);
        else
            str_printf(out, rune < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)rune);
        i += (size_t)bytes;
    }
    str_add(out, "\"");
}

static void print_scalar(Str *out, const Yaml *node)
{
    if (!node->quoted && (yaml_is_null(node) || is_plain_text(node->text)))
        str_add(out, node->text);
    else
        print_quoted(out, node->text);
}

static void print_key(Str *out, const char *key)
{
    if (is_plain_text(key))
        str_add(out, key);
    else
        print_quoted(out, key);
    str_add(out, ":");
}

/* An empty scalar has no flow form. */
static bool has_flow(const Yaml *node)
{
    if (node->kind == YAML_SCALAR)
        return *node->text || node->quoted;
    for (int i = 0; i < node->count; i++) {
        if (!has_flow(node->kind == YAML_MAP ? node->pairs[i].value : node->items[i]))
            return false;
    }
    return true;
}

static bool is_list_of_scalars(const Yaml *node)
{
    if (node->kind == YAML_MAP || node->count > LONGEST_FLOW)
        return node->count == 0;
    for (int i = 0; i < node->count; i++) {
        if (node->items[i]->kind != YAML_SCALAR)
            return false;
    }
    return has_flow(node);
}

static void print_flow(Str *out, const Yaml *node)
{
    if (node->kind == YAML_SCALAR) {
        print_scalar(out, node);
        return;
    }
    str_add(out, node->kind == YAML_MAP ? "{" : "[");
    for (int i = 0; i < node->count; i++) {
        str_add(out, i ? ", " : "");
        if (node->kind == YAML_MAP) {
            print_key(out, node->pairs[i].key);
            str_add(out, " ");
        }
        print_flow(out, node->kind == YAML_MAP ? node->pairs[i].value : node->items[i]);
    }
    str_add(out, node->kind == YAML_MAP ? "}" : "]");
}

/* Does the node fit what is left of the line it stands on? */
static bool fits_short(const Printer *out, const Yaml *node)
{
    Str text = str_new(out->text->arena);
    const char *line = strrchr(out->text->text, '\n');
    size_t used = out->text->length - (line ? (size_t)(line + 1 - out->text->text) : 0);
    if (!out->is_short || !has_flow(node))
        return false;
    print_flow(&text, node);
    return used + 1 + text.length <= LINE;
}

static void print_line(Printer *out, const Yaml *node)
{
    print_flow(out->text, node);
    str_add(out->text, "\n");
}

/* After `key:`. */
static void print_value(Printer *out, const Yaml *value, int indent)
{
    bool empty = value->kind == YAML_SCALAR && !*value->text && !value->quoted;
    if (value->kind == YAML_SCALAR || is_list_of_scalars(value) ||
        (indent && fits_short(out, value))) {
        str_add(out->text, empty ? "" : " ");
        print_line(out, value);
    } else {
        str_add(out->text, "\n");
        print_node(out, value, indent + INDENT, false);
    }
}

/* A node inside a list item begins on the line of its dash. */
static void print_node(Printer *out, const Yaml *node, int indent, bool inside_item)
{
    if (node->kind == YAML_SCALAR || is_list_of_scalars(node)) {
        print_line(out, node);
        return;
    }
    for (int i = 0; i < node->count; i++) {
        str_printf(out->text, "%*s", i || !inside_item ? indent : 0, "");
        if (node->kind == YAML_LIST) {
            str_add(out->text, "- ");
            print_node(out, node->items[i], indent + INDENT, true);
        } else {
            print_key(out->text, node->pairs[i].key);
            print_value(out, node->pairs[i].value, indent);
        }
    }
}

void yaml_print(Str *out, const Yaml *value)
{
    print_node(&(Printer){out, false}, value, 0, false);
}

void yaml_print_short(Str *out, const Yaml *value)
{
    print_node(&(Printer){out, true}, value, 0, false);
}
