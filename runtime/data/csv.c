/* csv: a row's fields are copied out of the mapping, without quotes. Quotes may hold anything,
 * doubled quotes and line breaks too. */
#include "data/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

enum { MOST_COLUMNS = 1 << 20, SEEN_BYTES = 1 << 20 };
#define ROW_LIMIT ((size_t)256 << 20)

/* A row that is being read. */
struct reader {
    struct nc_csv *csv;
    int columns; /* so far */
    struct nc_error *err;
};

static int fault(const struct reader *r, int64_t line, const char *message)
{
    char place[4096];
    snprintf(place, sizeof place, "%s:%lld", r->csv->path, (long long)line);
    return nc_fail(r->err, place, "%s", message);
}

/* ---- the row's text ---------------------------------------------------------------------------- */

static int add_field(struct reader *r)
{
    struct nc_csv *csv = r->csv;
    if (r->columns == MOST_COLUMNS)
        return fault(r, csv->line, "a row of more than 1048576 fields");
    if ((size_t)r->columns == csv->starts_room) {
        size_t room = csv->starts_room ? 2 * csv->starts_room : 64;
        size_t *grown = realloc(csv->starts, room * sizeof *grown);
        if (!grown)
            return nc_fail(r->err, csv->path, "out of memory");
        csv->starts = grown;
        csv->starts_room = room;
    }
    csv->starts[r->columns++] = csv->text_bytes;
    return 0;
}

static int add_text(struct reader *r, const char *text, size_t bytes)
{
    struct nc_csv *csv = r->csv;
    if (memchr(text, '\0', bytes))
        return fault(r, csv->next_line, "not a text file (a zero byte)");
    if (bytes >= csv->text_room - csv->text_bytes) {
        size_t room = csv->text_room ? csv->text_room : 256;
        while (bytes >= room - csv->text_bytes)
            room *= 2;
        char *grown = room > ROW_LIMIT ? NULL : realloc(csv->text, room);
        if (!grown)
            return fault(r, csv->line,
                         room > ROW_LIMIT ? "a row of more than 256 MiB" : "out of memory");
        csv->text = grown;
        csv->text_room = room;
    }
    memcpy(csv->text + csv->text_bytes, text, bytes);
    csv->text_bytes += bytes;
    csv->text[csv->text_bytes] = '\0';
    return 0;
}

static void end_text(struct reader *r)
{
    r->csv->text_bytes++;
}

/* ---- fields ------------------------------------------------------------------------------------ */

static int is_break(char c)
{
    return c == '\n' || c == '\r';
}

static int is_blank(const struct nc_csv *csv, char c)
{
    return (c == ' ' || c == '\t') && c != csv->separator;
}

static void skip_blanks(struct nc_csv *csv)
{
    while (csv->at < csv->end && is_blank(csv, *csv->at))
        csv->at++;
}

/* Steps over one line break. */
static void skip_break(struct nc_csv *csv)
{
    int two = csv->end - csv->at >= 2 && csv->at[0] == '\r' && csv->at[1] == '\n';
    csv->at += two ? 2 : 1;
    csv->next_line++;
}

static int64_t count_breaks(const char *text, const char *end)
{
    int64_t count = 0;
    for (; text < end; text++)
        count += *text == '\n' || (*text == '\r' && !(end - text >= 2 && text[1] == '\n'));
    return count;
}

/* From the opening quote to behind the closing one. */
static int read_quoted(struct reader *r)
{
    struct nc_csv *csv = r->csv;
    int64_t line = csv->next_line;
    for (int again = 1; again;) {
        const char *start = ++csv->at;
        const char *quote = memchr(start, '"', (size_t)(csv->end - start));
        if (!quote)
            return fault(r, line, "a quoted field has no end");
        csv->at = quote + 1;
        again = csv->at < csv->end && *csv->at == '"';
        if (add_text(r, start, (size_t)(quote - start) + (again ? 1 : 0)) != 0)
            return -1;
        csv->next_line += count_breaks(start, quote);
    }
    skip_blanks(csv);
    if (csv->at < csv->end && *csv->at != csv->separator && !is_break(*csv->at))
        return fault(r, csv->next_line, "text behind the closing quote of a field");
    return 0;
}

/* Up to the separator or the line's end, without blanks. */
static int read_plain(struct reader *r)
{
    struct nc_csv *csv = r->csv;
    const char *start = csv->at, *end;
    while (csv->at < csv->end && *csv->at != csv->separator && !is_break(*csv->at))
        csv->at++;
    for (end = csv->at; end > start && is_blank(csv, end[-1]); end--)
        ;
    return add_text(r, start, (size_t)(end - start));
}

/* One field and what ends it. 1: another follows in the row, 0: the row is at its end. */
static int read_field(struct reader *r)
{
    struct nc_csv *csv = r->csv;
    skip_blanks(csv);
    if (add_field(r) != 0)
        return -1;
    if ((csv->at < csv->end && *csv->at == '"' ? read_quoted(r) : read_plain(r)) != 0)
        return -1;
    end_text(r);
    if (csv->at == csv->end)
        return 0;
    int more = *csv->at == csv->separator;
    if (more)
        csv->at++;
    else
        skip_break(csv);
    return more;
}

/* ---- rows -------------------------------------------------------------------------------------- */

/* Lines with nothing on them are no rows. */
static void skip_empty_lines(struct nc_csv *csv)
{
    for (;;) {
        const char *start = csv->at;
        skip_blanks(csv);
        if (csv->at == csv->end || !is_break(*csv->at)) {
            csv->at = csv->at == csv->end ? csv->at : start;
            return;
        }
        skip_break(csv);
    }
}

int nc_csv_next(struct nc_csv *csv, struct nc_error *err)
{
    struct reader r = {.csv = csv, .err = err};
    char text[96];
    int more;
    skip_empty_lines(csv);
    if (csv->at == csv->end)
        return 0;
    csv->text_bytes = 0;
    csv->line = csv->next_line;
    while ((more = read_field(&r)) > 0)
        ;
    if (more < 0)
        return -1;
    if (!csv->columns)
        csv->columns = r.columns;
    snprintf(text, sizeof text, "%d field%s, but the first row has %d", r.columns,
             r.columns == 1 ? "" : "s", csv->columns);
    if (r.columns != csv->columns)
        return fault(&r, csv->line, text);
    csv->row++;
    return 1;
}

void nc_csv_rewind(struct nc_csv *csv)
{
    csv->at = csv->first;
    csv->next_line = csv->first_line;
    csv->row = -1;
}

/* ---- files ------------------------------------------------------------------------------------- */

/* What there is most of in the first line, outside quotes. */
static char guess_separator(const struct nc_csv *csv)
{
    static const char candidates[] = ",;\t";
    int64_t count[3] = {0};
    int quoted = 0, best = 0;
    for (const char *c = csv->at; c < csv->end && (quoted || !is_break(*c)); c++) {
        const char *found = *c ? strchr(candidates, *c) : NULL;
        quoted ^= *c == '"';
        if (found && !quoted)
            count[found - candidates]++;
    }
    for (int i = 1; i < 3; i++)
        best = count[i] > count[best] ? i : best;
    return candidates[best];
}

/* A byte that no text has, where it stands early: a file of another kind. */
static int check_text(const struct reader *r)
{
    const char *at = r->csv->at, *end = r->csv->end;
    if (end - at >= 2 && (!memcmp(at, "\xff\xfe", 2) || !memcmp(at, "\xfe\xff", 2)))
        return fault(r, 1, "the file is UTF-16; save it as UTF-8");
    size_t seen = end - at < SEEN_BYTES ? (size_t)(end - at) : SEEN_BYTES;
    const char *nul = memchr(at, '\0', seen);
    if (!nul)
        return 0;
    int64_t line = 1;
    for (const char *c = at; c < nul; c++)
        line += *c == '\n';
    return fault(r, line, "not a text file (a zero byte)");
}

/* Up to the first row, whose length is that of all. */
static int begin(struct nc_csv *csv, char separator, struct nc_error *err)
{
    const struct reader r = {.csv = csv, .err = err};
    if (check_text(&r) != 0)
        return -1;
    if (csv->end - csv->at >= 3 && !memcmp(csv->at, "\xef\xbb\xbf", 3))
        csv->at += 3;
    while (csv->at < csv->end && is_break(*csv->at))
        skip_break(csv);
    csv->separator = separator ? separator : guess_separator(csv);
    csv->first = csv->at;
    csv->first_line = csv->next_line;
    int more = nc_csv_next(csv, err);
    nc_csv_rewind(csv);
    return more > 0 ? 0 : more < 0 ? -1 : nc_fail(err, csv->path, "no rows");
}

int nc_csv_open(struct nc_csv *csv, const char *path, char separator, struct nc_error *err)
{
    *csv = (struct nc_csv){.path = path, .next_line = 1, .row = -1};
    if (nc_file_map(&csv->map, path, err) != 0)
        return -1;
    madvise(csv->map.data, csv->map.bytes, MADV_SEQUENTIAL);
    csv->at = (const char *)csv->map.data;
    csv->end = csv->at + csv->map.bytes;
    if (begin(csv, separator, err) == 0)
        return 0;
    nc_csv_close(csv);
    return -1;
}

void nc_csv_close(struct nc_csv *csv)
{
    free(csv->starts);
    free(csv->text);
    nc_file_unmap(&csv->map);
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
