#include "data/table.h"

#include "data/header.h"
#include "data/spool.h"
#include "spelling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file that is being read by a table. */
struct file {
    const struct nc_table *table;
    const char *path;
    struct nc_csv csv;
    struct nc_header head;
    struct nc_error *err;
};

#define FAULT(f, line, ...) nc_fail((f)->err, place((f), (line), (char[4096]){0}), __VA_ARGS__)

/* "file.csv:12" */
static const char *place(const struct file *f, int64_t line, char text[4096])
{
    snprintf(text, 4096, "%s:%lld", f->path, (long long)line);
    return text;
}

/* ---- where columns stand ----------------------------------------------------------------------- */

static int lacks_column(const struct file *f, const char *name)
{
    enum { SHOWN = 40 };
    char list[512] = "";
    size_t used = 0;
    for (int k = 0; k < f->head.columns && k < SHOWN && used < sizeof list; k++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", k ? ", " : "",
                                 nc_header_at(&f->head, k));
    FAULT(f, f->head.line, "there is no column '%s'", name);
    return nc_fail_note(f->err, "the columns are %s%s", list,
                        f->head.columns > SHOWN ? ", ..." : "");
}

static int place_by_name(const struct file *f, const struct nc_table_part *part, int *at)
{
    for (int i = 0; i < part->count; i++) {
        at[i] = nc_header_find(&f->head, part->columns[i].name);
        if (at[i] < 0)
            return part->optional ? 0 : lacks_column(f, part->columns[i].name);
    }
    return 0;
}

/* at[i]: column i of a part in this file; -1 where an optional one is not there. */
static int place_columns(const struct file *f, const struct nc_table_part *part, int *at)
{
    const struct nc_table *t = f->table;
    int columns = f->head.columns;
    int features_only = columns == t->features_count && t->targets_count > 0;
    for (int i = 0; i < part->count; i++)
        at[i] = -1;
    if (f->head.names && t->header)
        return place_by_name(f, part, at);
    if (columns != t->columns && !t->targets_count) /* numbers, that nobody was trained on */
        return FAULT(f, f->head.line, "%d columns, but %d are wanted", columns, t->columns);
    if (columns != t->columns && (!features_only || part->columns == t->targets))
        return part->optional
                   ? 0
                   : FAULT(f, f->head.line,
                           "%d columns, but the training data have %d, %d of them features",
                           columns, t->columns, t->features_count);
    for (int i = 0; i < part->count; i++)
        at[i] = columns == t->columns ? part->columns[i].at : i;
    return 0;
}

/* ---- values ------------------------------------------------------------------------------------ */

/* The position of a field among a category's values, or -1. */
static int find_value(const struct nc_column *c, const char *text)
{
    double number = 0;
    if (c->by_value && !nc_csv_number(text, &number))
        return -1;
    for (int low = 0, high = c->values_count; low < high;) {
        int middle = (low + high) / 2;
        double value = c->by_value ? strtod(c->values[middle], NULL) : 0;
        int side =
            c->by_value ? (number > value) - (number < value) : strcmp(text, c->values[middle]);
        if (!side)
            return middle;
        if (side < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static int unseen(const struct file *f, const struct nc_column *c, const char *text)
{
    enum { SHOWN = 20 };
    char list[512] = "";
    size_t used = 0;
    const char *near = c->by_value ? NULL : nc_nearest_spelling(text, c->values, c->values_count);
    FAULT(f, f->csv.line, "column '%s': the training data have no '%s'%s%s%s", c->name, text,
          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    for (int i = 0; i < c->values_count && i < SHOWN && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", c->values[i]);
    return nc_fail_note(f->err, "they have %s%s", list, c->values_count > SHOWN ? ", ..." : "");
}

/* A number, or a category's position among the sorted ones; NaN where it is missing. */
static int read_value(const struct file *f, const struct nc_column *c, const char *text,
                      int is_target, float *out)
{
    int missing = nc_csv_missing(text);
    double number = (double)NAN;
    if (missing && is_target)
        return FAULT(f, f->csv.line, "the target '%s' is missing", c->name);
    if (missing && f->table->plain)
        return FAULT(f, f->csv.line,
                     "a value is missing, for which nothing stands: the network was not trained on "
                     "a csv");
    if (c->category && !missing)
        number = find_value(c, text);
    else if (!missing && !nc_csv_number(text, &number))
        return FAULT(f, f->csv.line, "column '%s': '%s' is no number", c->name, text);
    *out = (float)number;
    return !c->category || missing || number >= 0 ? 0 : unseen(f, c, text);
}

/* ---- rows -------------------------------------------------------------------------------------- */

/* A part that is being read. */
struct reading {
    struct nc_table_part *part;
    int is_target;
    int *at;    /* of its columns in the file; NULL: the file has none of them */
    float *row; /* at hand */
    struct nc_spool spool;
};

static int start_part(const struct file *f, struct nc_table_part *part, struct reading *r)
{
    *r = (struct reading){.part = part, .is_target = part->columns != f->table->features};
    nc_spool_open(&r->spool, f->path);
    if (!part->count)
        return 0;
    r->at = malloc((size_t)part->count * sizeof *r->at);
    r->row = malloc((size_t)part->count * sizeof *r->row);
    if (!r->at || !r->row)
        return nc_fail(f->err, f->path, "out of memory");
    if (place_columns(f, part, r->at) != 0)
        return -1;
    int there = 1;
    for (int i = 0; i < part->count; i++)
        there &= r->at[i] >= 0;
    if (!there) { /* an optional part */
        free(r->at);
        r->at = NULL;
    }
    return 0;
}

static int read_row(const struct file *f, struct reading *r)
{
    int count = r->part->count;
    for (int i = 0; i < count; i++) {
        if (read_value(f, &r->part->columns[i], nc_csv_at(&f->csv, r->at[i]), r->is_target,
                       &r->row[i]) != 0)
            return -1;
    }
    return nc_spool_add(&r->spool, r->row, (size_t)count * sizeof *r->row, f->err);
}

static int end_part(const struct file *f, int64_t rows, struct reading *r)
{
    struct nc_array array = {.dtype = NC_F32,
                             .rank = 2,
                             .shape = {rows, r->part->count},
                             .row_elements = r->part->count};
    if (!r->at)
        return 0;
    if (nc_spool_end(&r->spool, &array, f->err) != 0)
        return -1;
    r->part->array = array;
    return 0;
}

static int read_rows(struct file *f, struct reading *parts, int count)
{
    int64_t rows = 0;
    int more, result = 0;
    for (; (more = nc_csv_next(&f->csv, f->err)) > 0; rows++) {
        for (int i = 0; i < count; i++) {
            if (parts[i].at && read_row(f, &parts[i]) != 0)
                return -1;
        }
    }
    for (int i = 0; i < count && more == 0 && result == 0; i++)
        result = end_part(f, rows, &parts[i]);
    return more < 0 ? -1 : result;
}

/* ---- files ------------------------------------------------------------------------------------- */

/* Another file than the one that was learnt from: a name that is known makes its first row a
 * header. */
static int has_names(struct file *f, int given)
{
    const struct nc_table *t = f->table;
    if (given)
        return given > 0;
    if (!t->header)
        return nc_header_guess(&f->head, &f->csv, f->err);
    f->head.names = 1;
    for (int i = 0; i < t->features_count; i++) {
        if (nc_header_find(&f->head, t->features[i].name) >= 0)
            return 1;
    }
    return 0;
}

static int open_file(struct file *f, const struct nc_table_file *file)
{
    if (nc_csv_open(&f->csv, file->path, file->separator, f->err) != 0 ||
        nc_header_open(&f->head, &f->csv, f->err) != 0)
        return -1;
    f->head.names = has_names(f, file->header);
    return f->head.names < 0 ? -1 : nc_header_skip(&f->head, &f->csv, f->err);
}

static int read_parts(struct file *f, struct nc_table_part *parts, int count)
{
    int result = 0, started = 0;
    struct reading *readings = calloc((size_t)count + 1, sizeof *readings);
    if (!readings)
        return nc_fail(f->err, f->path, "out of memory");
    for (; result == 0 && started < count; started++)
        result = start_part(f, &parts[started], &readings[started]);
    if (result == 0)
        result = read_rows(f, readings, count);
    for (int i = 0; i < started; i++) {
        nc_spool_drop(&readings[i].spool);
        free(readings[i].at);
        free(readings[i].row);
    }
    free(readings);
    return result;
}

int nc_table_read(const struct nc_table *table, const struct nc_table_file *file,
                  struct nc_table_part *parts, int parts_count, struct nc_error *err)
{
    struct file f = {.table = table, .path = file->path, .err = err};
    int result = open_file(&f, file) == 0 ? read_parts(&f, parts, parts_count) : -1;
    nc_header_close(&f.head);
    nc_csv_close(&f.csv);
    return result;
}
