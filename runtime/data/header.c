#include "data/header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names by hash ----------------------------------------------------------------------------- */

static size_t slots_count(const struct nc_header *h)
{
    return 2 * (size_t)h->columns + 1;
}

/* Where a name's position stands, or is to stand. */
static int *find_slot(const struct nc_header *h, const char *name)
{
    size_t count = slots_count(h), slot = 5381;
    for (const char *c = name; *c; c++)
        slot = slot * 33 + (unsigned char)*c;
    for (slot %= count; h->slots[slot]; slot = (slot + 1) % count) {
        if (strcmp(nc_header_at(h, h->slots[slot] - 1), name) == 0)
            break;
    }
    return &h->slots[slot];
}

static int keep_row(struct nc_header *h, const struct nc_csv *csv)
{
    h->columns = csv->columns;
    h->line = csv->line;
    h->text = malloc(csv->text_bytes);
    h->starts = malloc((size_t)h->columns * sizeof *h->starts);
    h->slots = calloc(slots_count(h), sizeof *h->slots);
    if (!h->text || !h->starts || !h->slots)
        return -1;
    memcpy(h->text, csv->text, csv->text_bytes);
    memcpy(h->starts, csv->starts, (size_t)h->columns * sizeof *h->starts);
    for (int k = 0; k < h->columns; k++) {
        int *slot = find_slot(h, nc_header_at(h, k));
        *slot = *slot ? *slot : k + 1;
    }
    return 0;
}

int nc_header_open(struct nc_header *h, struct nc_csv *csv, struct nc_error *err)
{
    *h = (struct nc_header){0};
    if (nc_csv_next(csv, err) < 0)
        return -1;
    return keep_row(h, csv) == 0 ? 0 : nc_fail(err, csv->path, "out of memory");
}

void nc_header_close(struct nc_header *h)
{
    free(h->text);
    free(h->starts);
    free(h->slots);
    *h = (struct nc_header){0};
}

int nc_header_find(const struct nc_header *h, const char *name)
{
    return h->names ? *find_slot(h, name) - 1 : -1;
}

/* Has the file a row? It is the one at hand then. */
static int to_row(struct nc_csv *csv, int64_t row, struct nc_error *err)
{
    int more = 1;
    nc_csv_rewind(csv);
    for (int64_t i = 0; i <= row && more > 0; i++)
        more = nc_csv_next(csv, err);
    return more;
}

int nc_header_skip(const struct nc_header *h, struct nc_csv *csv, struct nc_error *err)
{
    char place[4096];
    int more = to_row(csv, h->names, err);
    snprintf(place, sizeof place, "%s:%lld", csv->path, (long long)h->line);
    if (more == 0)
        return nc_fail(err, place, "no rows below the header");
    return more < 0 || to_row(csv, h->names - 1, err) < 0 ? -1 : 0;
}

/* ---- is it one? -------------------------------------------------------------------------------- */

static int is_text(const char *field)
{
    double value;
    return !nc_csv_number(field, &value) && !nc_csv_missing(field);
}

enum { UNKNOWN, NUMBERS, TEXTS };

/* What is below the first row, in columns that are not TEXTS yet; how many of these are left. */
static int look_below(const struct nc_csv *csv, char *below)
{
    int left = 0;
    for (int k = 0; k < csv->columns; k++) {
        const char *field = nc_csv_at(csv, k);
        if (below[k] != TEXTS && !nc_csv_missing(field))
            below[k] = is_text(field) ? TEXTS : NUMBERS;
        left += below[k] != TEXTS;
    }
    return left;
}

static int stands_above_numbers(struct nc_csv *csv, char *below, struct nc_error *err)
{
    int above = 0, more = to_row(csv, 0, err);
    while (more > 0 && (more = nc_csv_next(csv, err)) > 0) {
        if (!look_below(csv, below))
            return 0;
    }
    for (int k = 0; k < csv->columns; k++)
        above |= below[k] == NUMBERS;
    return more < 0 ? -1 : above;
}

int nc_header_guess(const struct nc_header *h, struct nc_csv *csv, struct nc_error *err)
{
    int texts = 0;
    char *below = malloc((size_t)h->columns);
    if (!below)
        return nc_fail(err, csv->path, "out of memory");
    for (int k = 0; k < h->columns; k++) {
        int text = is_text(nc_header_at(h, k));
        texts += text;
        below[k] = text ? UNKNOWN : TEXTS; /* of no interest */
    }
    int result = !texts               ? 0
                 : texts < h->columns ? stands_above_numbers(csv, below, err)
                                      : to_row(csv, 1, err);
    free(below);
    return result;
}
