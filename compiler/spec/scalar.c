/* Scalars get their type from who reads them. Each reading checks the text against a small grammar
 * first, so that what strtod would also take (hex, inf, trailing text) is refused. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spec/yaml.h"

enum { LONGEST_SHOWN = 60 };

bool yaml_is_null(const Yaml *value)
{
    if (value->kind != YAML_SCALAR || value->quoted)
        return false;
    return !*value->text || strcmp(value->text, "~") == 0 || strcmp(value->text, "null") == 0;
}

static const char *skip_digits(const char *text)
{
    while (isdigit((unsigned char)*text))
        text++;
    return text;
}

static const char *skip_sign(const char *text)
{
    return *text == '+' || *text == '-' ? text + 1 : text;
}

/* The end of the decimal number that `text` begins with, or NULL. */
static const char *skip_decimal(const char *text)
{
    const char *start = skip_sign(text);
    const char *end = skip_digits(start);
    size_t digits = (size_t)(end - start);
    if (*end == '.') {
        const char *fraction = end + 1;
        end = skip_digits(fraction);
        digits += (size_t)(end - fraction);
    }
    if (!digits)
        return NULL;
    if (*end != 'e' && *end != 'E')
        return end;
    const char *exponent = skip_sign(end + 1);
    end = skip_digits(exponent);
    return end > exponent ? end : NULL;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " ");
}

/* A decimal or a quotient of two; false if the text is anything else. */
static bool parse_number(const char *text, double *out)
{
    const char *end = skip_decimal(text);
    if (!end)
        return false;
    *out = strtod(text, NULL);
    if (!*end)
        return true;
    end = skip_blanks(end);
    if (*end != '/')
        return false;
    const char *below = skip_blanks(end + 1);
    end = skip_decimal(below);
    if (!end || *end)
        return false;
    *out /= strtod(below, NULL);
    return true;
}

static bool parse_int(const char *text, int64_t *out)
{
    const char *start = skip_sign(text), *end = skip_digits(start);
    if (end == start || *end)
        return false;
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return errno == 0;
}

/* The text, cut between two characters if it is long. */
static const char *shown_text(Arena *arena, const char *text)
{
    size_t length = strlen(text), end = 0;
    for (int shown = 0; shown < LONGEST_SHOWN && end < length; shown++) {
        uint32_t rune;
        int bytes = utf8_decode(text + end, length - end, &rune);
        end += bytes ? (size_t)bytes : 1;
    }
    return end == length ? text : arena_printf(arena, "%.*s...", (int)end, text);
}

const char *yaml_describe(Arena *arena, const Yaml *value)
{
    if (value->kind != YAML_SCALAR)
        return value->kind == YAML_LIST ? "a list" : "a map";
    if (!*value->text)
        return value->quoted ? "an empty text" : "nothing";
    double number;
    const char *text = shown_text(arena, value->text);
    bool numeric = parse_number(value->text, &number);
    if (numeric && value->quoted)
        return arena_printf(arena, "the text '%s'", text);
    return numeric || yaml_is_null(value) ? text : arena_printf(arena, "'%s'", text);
}

static bool expected(Diag *diag, const Yaml *value, const char *what, const char *wanted)
{
    return diag_error(diag, value->loc, "%s: expected %s, found %s", what, wanted,
                      yaml_describe(diag->arena, value));
}

static bool is_plain(const Yaml *value)
{
    return value->kind == YAML_SCALAR && !value->quoted;
}

static const char *describe_range(Arena *arena, int64_t low, int64_t high)
{
    long long from = low, to = high;
    if (low == INT64_MIN && high == INT64_MAX)
        return "an integer";
    if (high == INT64_MAX)
        return arena_printf(arena, "an integer of at least %lld", from);
    if (low == INT64_MIN)
        return arena_printf(arena, "an integer of at most %lld", to);
    return arena_printf(arena, "an integer from %lld to %lld", from, to);
}

bool yaml_int(Diag *diag, const Yaml *value, const char *what, int64_t low, int64_t high,
              int64_t *out)
{
    int64_t number;
    bool fits =
        is_plain(value) && parse_int(value->text, &number) && number >= low && number <= high;
    if (!fits)
        return expected(diag, value, what, describe_range(diag->arena, low, high));
    *out = number;
    return true;
}

bool yaml_number(Diag *diag, const Yaml *value, const char *what, double *out)
{
    double number;
    if (!is_plain(value) || !parse_number(value->text, &number))
        return expected(diag, value, what, "a number");
    if (!isfinite(number))
        return expected(diag, value, what, "a finite number");
    *out = number;
    return true;
}

bool yaml_bool(Diag *diag, const Yaml *value, const char *what, bool *out)
{
    static const char *const words[] = {"false", "true", "False", "True"};
    for (size_t i = 0; is_plain(value) && i < sizeof words / sizeof *words; i++) {
        if (strcmp(value->text, words[i]) == 0) {
            *out = i % 2;
            return true;
        }
    }
    return expected(diag, value, what, "true or false");
}

bool yaml_string(Diag *diag, const Yaml *value, const char *what, const char **out)
{
    if (value->kind != YAML_SCALAR || yaml_is_null(value))
        return expected(diag, value, what, "text");
    *out = value->text;
    return true;
}

bool yaml_ints(Diag *diag, const Yaml *value, const char *what, int64_t low, int64_t high, int max,
               int64_t *out, int *count)
{
    if (value->kind == YAML_MAP || yaml_is_null(value))
        return expected(diag, value, what, "a list of integers");
    const Yaml *const *items =
        value->kind == YAML_LIST ? (const Yaml *const *)value->items : &value;
    int length = value->kind == YAML_LIST ? value->count : 1;
    if (length > max)
        return diag_error(diag, value->loc, "%s: expected at most %d integers, found %d", what, max,
                          length);
    for (int i = 0; i < length; i++)
        if (!yaml_int(diag, items[i], what, low, high, &out[i]))
            return false;
    *count = length;
    return true;
}
