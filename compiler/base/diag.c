/* Diag: a message is its place, its text, the line it is about and a caret. Whatever is echoed may
 * come from a hostile file, so bytes that would disturb a terminal are shown as `?`, long lines are
 * cut around the column and the whole has a limit. Lines end where libyaml ends them. */
#include "base/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spelling.h"

enum {
    LONGEST_REPORT = 64 << 10,
    MOST_ERRORS = 50,
    MOST_LISTED = 60,
    LONGEST_MESSAGE = 2000, /* characters */
    LONGEST_PLACE = 300,
    LONGEST_LINE = 160,
    LINE_BEFORE_COLUMN = 100, /* characters kept before the column of a line that is cut */
};

static const char closing[] = "too many errors\n";

/* One character of a text; a byte that is not UTF-8 counts as one. */
typedef struct {
    uint32_t rune;
    int bytes;
    bool valid;
} Character;

static Character next_character(const char *text, size_t length)
{
    Character c = {0};
    c.bytes = utf8_decode(text, length, &c.rune);
    c.valid = c.bytes > 0;
    if (!c.valid)
        c.bytes = 1;
    return c;
}

/* Bytes of the line break at the start of `text`, or 0. */
static size_t line_break(const char *text, size_t length)
{
    if (length >= 2 && text[0] == '\r' && text[1] == '\n')
        return 2;
    Character c = next_character(text, length);
    bool found = c.valid && (c.rune == '\n' || c.rune == '\r' || c.rune == 0x85 ||
                             c.rune == 0x2028 || c.rune == 0x2029);
    return found ? (size_t)c.bytes : 0;
}

Loc source_loc(const Source *source, size_t offset)
{
    Loc loc = {source, 1, 1};
    for (size_t i = 0; i < offset && i < source->length;) {
        size_t skip = line_break(source->text + i, source->length - i);
        if (skip) {
            loc.line++;
            loc.col = 1;
        } else {
            skip = (size_t)next_character(source->text + i, source->length - i).bytes;
            loc.col++;
        }
        i += skip;
    }
    return loc;
}

static void add_character(Str *out, const char *text, Character c, bool keep_tab)
{
    if (keep_tab && c.valid && c.rune == '\t')
        str_add(out, "\t");
    else if (c.valid && rune_is_printable(c.rune))
        str_addn(out, text, (size_t)c.bytes);
    else
        str_add(out, "?");
}

static void add_clean(Str *out, const char *text, int longest)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; longest--) {
        if (longest == 0) {
            str_add(out, "...");
            return;
        }
        Character c = next_character(text + i, length - i);
        add_character(out, text + i, c, false);
        i += (size_t)c.bytes;
    }
}

/* The text of a line; `length` in bytes, the line break excluded. */
static const char *find_line(const Source *source, int line, size_t *length)
{
    size_t start = 0, i = 0;
    for (int at = 1; i < source->length;) {
        size_t skip = line_break(source->text + i, source->length - i);
        if (skip && at == line)
            break;
        i += skip ? skip : 1;
        if (skip) {
            start = i;
            at++;
        }
    }
    *length = i - start;
    return source->text + start;
}

static int count_characters(const char *text, size_t length)
{
    int count = 0;
    for (size_t i = 0; i < length; count++)
        i += (size_t)next_character(text + i, length - i).bytes;
    return count;
}

/* The line and, below it, the caret; tabs are kept in both so that they align. */
static void add_line(Str *out, Loc loc)
{
    size_t length;
    const char *text = find_line(loc.source, loc.line, &length);
    int total = count_characters(text, length);
    bool cut = total > LONGEST_LINE;
    int first = cut && loc.col > LINE_BEFORE_COLUMN ? loc.col - LINE_BEFORE_COLUMN : 1;
    int last = cut && total - first >= LONGEST_LINE ? first + LONGEST_LINE - 1 : total;
    Str caret = str_new(out->arena);
    if (first > 1) {
        str_add(out, "...");
        str_add(&caret, "   ");
    }
    int at = 1;
    for (size_t i = 0; i < length && at <= last; at++) {
        Character c = next_character(text + i, length - i);
        if (at >= first)
            add_character(out, text + i, c, true);
        if (at >= first && at < loc.col)
            str_add(&caret, c.valid && c.rune == '\t' ? "\t" : " ");
        i += (size_t)c.bytes;
    }
    str_add(out, last < total ? "...\n" : "\n");
    str_printf(out, "%s^\n", caret.text);
}

static void close_report(Diag *diag)
{
    diag->full = true;
    str_add(&diag->text, closing);
}

static void add_message(Diag *diag, Loc loc, const char *kind, const char *text)
{
    Str out = str_new(diag->arena);
    if (loc.source) {
        add_clean(&out, loc.source->name, LONGEST_PLACE);
        if (!loc.source->is_option)
            str_printf(&out, ":%d:%d", loc.line, loc.col);
        str_add(&out, ": ");
    }
    str_printf(&out, "%s: ", kind);
    add_clean(&out, text, LONGEST_MESSAGE);
    str_add(&out, "\n");
    if (loc.source && !loc.source->is_option)
        add_line(&out, loc);
    if (diag->text.length + out.length + sizeof closing > LONGEST_REPORT)
        close_report(diag);
    else
        str_addn(&diag->text, out.text, out.length);
}

/* The way out of the blocks that a text stands in */
static void add_uses(Diag *diag, const Source *source)
{
    for (; source && source->use; source = source->used.source) {
        if (!diag->full)
            add_message(diag, source->used, "note", source->use);
    }
}

Diag *diag_new(Arena *arena)
{
    Diag *diag = ARENA_NEW(arena, Diag);
    diag->arena = arena;
    diag->text = str_new(arena);
    return diag;
}

bool diag_error(Diag *diag, Loc loc, const char *format, ...)
{
    diag->errors++;
    if (diag->full)
        return false;
    if (diag->errors > MOST_ERRORS) {
        close_report(diag);
        return false;
    }
    va_list args;
    va_start(args, format);
    const char *kind = loc.source ? "error" : "netcc: error";
    add_message(diag, loc, kind, arena_vprintf(diag->arena, format, args));
    va_end(args);
    add_uses(diag, loc.source);
    return false;
}

void diag_note(Diag *diag, Loc loc, const char *format, ...)
{
    if (diag->full)
        return;
    va_list args;
    va_start(args, format);
    add_message(diag, loc, "note", arena_vprintf(diag->arena, format, args));
    va_end(args);
}

bool diag_unknown(Diag *diag, Loc loc, const char *what, const char *word,
                  const char *const *candidates, int count)
{
    const char *near = nc_nearest_spelling(word, candidates, count);
    if (near)
        return diag_error(diag, loc, "unknown %s '%s'; did you mean '%s'?", what, word, near);
    diag_error(diag, loc, "unknown %s '%s'", what, word);
    if (count < 1 || count > MOST_LISTED)
        return false;
    Str list = str_new(diag->arena);
    for (int i = 0; i < count; i++)
        str_printf(&list, "%s%s", i ? ", " : "", candidates[i]);
    diag_note(diag, (Loc){0}, "expected one of: %s", list.text);
    return false;
}

void bug_at(const char *file, int line, const char *format, ...)
{
    fprintf(stderr, "netcc: internal error at %s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(3);
}
