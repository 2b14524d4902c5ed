/* csv: the file is copied once and cut up in place: a field's quotes and the separator behind it are
 * overwritten. Quotes may hold anything, doubled quotes and line breaks too. */
#include "data/csv.h"

#include "data/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reader {
    char *at, *end; /* *end is NUL */
    int64_t line;
    int columns; /* of the row at hand, so far */
    size_t fields_count, fields_room, lines_room;
    struct nc_csv *csv;
    const char *path;
    struct nc_error *err;
};

static int fault(struct reader *r, int64_t line, const char *message)
{
    char place[4096];
    snprintf(place, sizeof place, "%s:%lld", r->path, (long long)line);
    return nc_fail(r->err, place, "%s", message);
}

/* ---- growing lists ----------------------------------------------------------------------------- */

static int add_field(struct reader *r, const char *field)
{
    if (r->fields_count == r->fields_room) {
        size_t room = r->fields_room ? 2 * r->fields_room : 256;
        const char **grown = realloc(r->csv->fields, room * sizeof *grown);
        if (!grown)
            return nc_fail(r->err, r->path, "out of memory");
        r->csv->fields = grown;
        r->fields_room = room;
    }
    r->csv->fields[r->fields_count++] = field;
    r->columns++;
    return 0;
}

static int add_line(struct reader *r, int64_t line)
{
    struct nc_csv *csv = r->csv;
    if ((size_t)csv->rows == r->lines_room) {
        size_t room = r->lines_room ? 2 * r->lines_room : 64;
        int64_t *grown = realloc(csv->lines, room * sizeof *grown);
        if (!grown)
            return nc_fail(r->err, r->path, "out of memory");
        csv->lines = grown;
        r->lines_room = room;
    }
    csv->lines[csv->rows++] = line;
    return 0;
}

/* ---- fields ------------------------------------------------------------------------------------ */

static int is_break(char c)
{
    return c == '\n' || c == '\r';
}

static int is_blank(const struct reader *r, char c)
{
    return (c == ' ' || c == '\t') && c != r->csv->separator;
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && is_blank(r, *r->at))
        r->at++;
}

/* Steps over one line break. */
static void skip_break(struct reader *r)
{
    r->at += r->at[0] == '\r' && r->at[1] == '\n' ? 2 : 1;
    r->line++;
}

/* From the opening quote to behind the closing one; the text moves down over doubled quotes. */
static int read_quoted(struct reader *r)
{
    int64_t line = r->line;
    char *out = ++r->at;
    if (add_field(r, out) != 0)
        return -1;
    for (; r->at < r->end; r->at++) {
        if (r->at[0] == '"' && r->at[1] != '"')
            break;
        if (r->at[0] == '"')
            r->at++;
        r->line += *r->at == '\n' || (*r->at == '\r' && r->at[1] != '\n');
        *out++ = *r->at;
    }
    if (r->at == r->end)
        return fault(r, line, "a quoted field has no end");
    r->at++;
    *out = '\0';
    skip_blanks(r);
    if (r->at < r->end && *r->at != r->csv->separator && !is_break(*r->at))
        return fault(r, r->line, "text behind the closing quote of a field");
    return 0;
}

/* Up to the separator or the line's end; *end is where the text ends, without blanks. */
static int read_plain(struct reader *r, char **end)
{
    if (add_field(r, r->at) != 0)
        return -1;
    char *start = r->at;
    while (r->at < r->end && *r->at != r->csv->separator && !is_break(*r->at))
        r->at++;
    for (*end = r->at; *end > start && is_blank(r, (*end)[-1]); (*end)--)
        ;
    return 0;
}

/* One field and what ends it. 1: another follows in the row, 0: the row is at its end. */
static int read_field(struct reader *r)
{
    char *end = NULL;
    skip_blanks(r);
    int result = r->at < r->end && *r->at == '"' ? read_quoted(r) : read_plain(r, &end);
    if (result != 0)
        return -1;
    int more = r->at < r->end && *r->at == r->csv->separator;
    if (more)
        r->at++;
    else if (r->at < r->end)
        skip_break(r);
    if (end)
        *end = '\0';
    return more;
}

/* ---- rows -------------------------------------------------------------------------------------- */

/* Lines with nothing on them are no rows. */
static void skip_empty_lines(struct reader *r)
{
    for (;;) {
        char *start = r->at;
        skip_blanks(r);
        if (r->at == r->end || !is_break(*r->at)) {
            r->at = r->at == r->end ? r->at : start;
            return;
        }
        skip_break(r);
    }
}

static int read_row(struct reader *r)
{
    char text[96];
    int64_t line = r->line;
    int more;
    r->columns = 0;
    while ((more = read_field(r)) > 0)
        ;
    if (more < 0)
        return -1;
    if (!r->csv->rows)
        r->csv->columns = r->columns;
    snprintf(text, sizeof text, "%d field%s, but the first row has %d", r->columns,
             r->columns == 1 ? "" : "s", r->csv->columns);
    if (r->columns != r->csv->columns)
        return fault(r, line, text);
    return add_line(r, line);
}

/* What there is most of in the first line, outside quotes. */
static char guess_separator(const struct reader *r)
{
    static const char candidates[] = ",;\t";
    int64_t count[3] = {0};
    int quoted = 0, best = 0;
    for (const char *c = r->at; c < r->end && (quoted || !is_break(*c)); c++) {
        const char *found = strchr(candidates, *c);
        quoted ^= *c == '"';
        if (found && *c && !quoted)
            count[found - candidates]++;
    }
    for (int i = 1; i < 3; i++)
        best = count[i] > count[best] ? i : best;
    return candidates[best];
}

/* A line in which a byte that no text has stands first. */
static int check_text(struct reader *r)
{
    if (r->end - r->at >= 2 && (!memcmp(r->at, "\xff\xfe", 2) || !memcmp(r->at, "\xfe\xff", 2)))
        return fault(r, 1, "the file is UTF-16; save it as UTF-8");
    const char *nul = memchr(r->at, '\0', (size_t)(r->end - r->at));
    if (!nul)
        return 0;
    int64_t line = 1;
    for (const char *c = r->at; c < nul; c++)
        line += *c == '\n';
    return fault(r, line, "not a text file (a zero byte)");
}

static int read_all(struct reader *r, char separator)
{
    if (check_text(r) != 0)
        return -1;
    if (r->end - r->at >= 3 && !memcmp(r->at, "\xef\xbb\xbf", 3))
        r->at += 3;
    while (r->at < r->end && is_break(*r->at))
        skip_break(r);
    r->csv->separator = separator ? separator : guess_separator(r);
    for (skip_empty_lines(r); r->at < r->end; skip_empty_lines(r)) {
        if (read_row(r) != 0)
            return -1;
    }
    return r->csv->rows ? 0 : nc_fail(r->err, r->path, "no rows");
}

int nc_csv_open(struct nc_csv *out, const char *path, char separator, struct nc_error *err)
{
    struct nc_map map;
    *out = (struct nc_csv){0};
    if (nc_file_map(&map, path, err) != 0)
        return -1;
    out->text = malloc(map.bytes + 2);
    if (out->text) {
        memcpy(out->text, map.data, map.bytes);
        memset(out->text + map.bytes, 0, 2);
    }
    struct reader r = {.at = out->text, .line = 1, .csv = out, .path = path, .err = err};
    r.end = out->text + map.bytes;
    int result =
        out->text ? read_all(&r, separator) : nc_fail(err, path, "out of memory for a csv file");
    nc_file_unmap(&map);
    if (result != 0)
        nc_csv_close(out);
    return result;
}

void nc_csv_close(struct nc_csv *csv)
{
    free(csv->fields);
    free(csv->lines);
    free(csv->text);
    *csv = (struct nc_csv){0};
}

/* ---- what fields mean -------------------------------------------------------------------------- */

int nc_csv_missing(const char *field)
{
    static const char *const words[] = {"", "NA", "NaN", "null", "?"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcasecmp(field, words[i]))
            return 1;
    }
    return 0;
}

int nc_csv_number(const char *field, double *out)
{
    char *end;
    /* strtod also takes blanks, hexadecimal numbers, nan and inf */
    if (!*field || strspn(field, "0123456789+-.eE") != strlen(field))
        return 0;
    *out = strtod(field, &end);
    return !*end && isfinite(*out);
}
