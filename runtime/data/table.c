#include "data/table.h"

#include "spelling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file that is being read by a table. */
struct file {
    const struct nc_table *table;
    const char *path;
    struct nc_csv csv;
    int header;
    int64_t first; /* row of data */
    struct nc_error *err;
};

#define FAULT(f, row, ...) nc_fail((f)->err, place((f), (row), (char[4096]){0}), __VA_ARGS__)

/* "file.csv:12" */
static const char *place(const struct file *f, int64_t row, char text[4096])
{
    snprintf(text, 4096, "%s:%lld", f->path, (long long)f->csv.lines[row]);
    return text;
}

/* ---- headers ----------------------------------------------------------------------------------- */

static int is_number(const char *text)
{
    double value;
    return nc_csv_number(text, &value);
}

/* Are all values of a column below the first row numbers? */
static int numbers_below(const struct nc_csv *csv, int column)
{
    int any = 0;
    for (int64_t row = 1; row < csv->rows; row++) {
        const char *text = nc_csv_at(csv, row, column);
        if (nc_csv_missing(text))
            continue;
        if (!is_number(text))
            return 0;
        any = 1;
    }
    return any;
}

int nc_table_looks_headed(const struct nc_csv *csv)
{
    int texts = csv->rows > 1;
    for (int k = 0; k < csv->columns; k++) {
        const char *text = nc_csv_at(csv, 0, k);
        int is_text = !is_number(text) && !nc_csv_missing(text);
        if (is_text && numbers_below(csv, k))
            return 1;
        texts &= is_text;
    }
    return texts;
}

static int find_named(const struct nc_csv *csv, const char *name)
{
    for (int k = 0; k < csv->columns; k++) {
        if (strcmp(nc_csv_at(csv, 0, k), name) == 0)
            return k;
    }
    return -1;
}

/* Another file than the one that was learnt from: a name that is known makes its first row a
 * header. */
static int has_header(const struct nc_table *t, const struct nc_csv *csv)
{
    if (!t->header)
        return nc_table_looks_headed(csv);
    for (int i = 0; i < t->features_count; i++) {
        if (find_named(csv, t->features[i].name) >= 0)
            return 1;
    }
    return 0;
}

/* ---- where columns stand ----------------------------------------------------------------------- */

static int lacks_column(const struct file *f, const char *name)
{
    enum { SHOWN = 40 };
    char list[512] = "";
    size_t used = 0;
    for (int k = 0; k < f->csv.columns && k < SHOWN && used < sizeof list; k++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", k ? ", " : "",
                                 nc_csv_at(&f->csv, 0, k));
    FAULT(f, 0, "there is no column '%s'", name);
    return nc_fail_note(f->err, "the columns are %s%s", list,
                        f->csv.columns > SHOWN ? ", ..." : "");
}

static int place_by_name(const struct file *f, const struct nc_table_part *part, int *at)
{
    for (int i = 0; i < part->count; i++) {
        at[i] = find_named(&f->csv, part->columns[i].name);
        if (at[i] < 0)
            return part->optional ? 0 : lacks_column(f, part->columns[i].name);
    }
    return 0;
}

/* at[i]: column i of a part in this file; -1 where an optional one is not there. */
static int place_columns(const struct file *f, const struct nc_table_part *part, int *at)
{
    const struct nc_table *t = f->table;
    int columns = f->csv.columns;
    int features_only = columns == t->features_count && t->targets_count > 0;
    for (int i = 0; i < part->count; i++)
        at[i] = -1;
    if (f->header && t->header)
        return place_by_name(f, part, at);
    if (columns != t->columns && (!features_only || part->columns == t->targets))
        return part->optional
                   ? 0
                   : FAULT(f, 0, "%d columns, but the training data have %d, %d of them features",
                           columns, t->columns, t->features_count);
    for (int i = 0; i < part->count; i++)
        at[i] = columns == t->columns ? part->columns[i].at : i;
    return 0;
}

/* ---- values ------------------------------------------------------------------------------------ */

static int find_value(const struct nc_column *c, const char *text, double number, int numeric)
{
    int low = 0, high = c->values_count;
    while (low < high) {
        int middle = (low + high) / 2;
        double value = numeric ? strtod(c->values[middle], NULL) : 0;
        int side = numeric ? (number > value) - (number < value) : strcmp(text, c->values[middle]);
        if (!side)
            return middle;
        if (side < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static int unseen(const struct file *f, const struct nc_column *c, int64_t row, const char *text)
{
    enum { SHOWN = 20 };
    char list[512] = "";
    size_t used = 0;
    const char *near = nc_nearest_spelling(text, c->values, c->values_count);
    FAULT(f, row, "column '%s': the training data have no '%s'%s%s%s", c->name, text,
          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    for (int i = 0; i < c->values_count && i < SHOWN && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", c->values[i]);
    return nc_fail_note(f->err, "they have %s%s", list, c->values_count > SHOWN ? ", ..." : "");
}

/* A category's position among the sorted ones; a missing one is -1, which no position equals. */
static int read_category(const struct file *f, const struct nc_column *c, int64_t row,
                         const char *text, float *out)
{
    double number = 0;
    int numeric = c->values_count && is_number(c->values[0]) && nc_csv_number(text, &number);
    int at = nc_csv_missing(text) ? -1 : find_value(c, text, number, numeric);
    *out = (float)at;
    return at >= 0 || nc_csv_missing(text) ? 0 : unseen(f, c, row, text);
}

static int read_value(const struct file *f, const struct nc_column *c, int64_t row, int at,
                      int is_target, float *out)
{
    const char *text = nc_csv_at(&f->csv, row, at);
    double number = c->mean;
    if (is_target && nc_csv_missing(text))
        return FAULT(f, row, "the target '%s' is missing", c->name);
    if (c->category)
        return read_category(f, c, row, text, out);
    if (!nc_csv_missing(text) && !nc_csv_number(text, &number))
        return FAULT(f, row, "column '%s': '%s' is no number", c->name, text);
    *out = (float)number;
    return 0;
}

/* ---- parts ------------------------------------------------------------------------------------- */

static int reserve(const struct file *f, struct nc_table_part *part, int64_t rows)
{
    struct nc_array *a = &part->array;
    float *block = calloc((size_t)rows, (size_t)part->count * sizeof *block);
    if (!block)
        return nc_fail(f->err, f->path, "out of memory");
    *a = (struct nc_array){.dtype = NC_F32, .rank = 2, .row_elements = part->count};
    a->shape[0] = rows;
    a->shape[1] = part->count;
    a->data = a->block = block;
    return 0;
}

static int read_rows(const struct file *f, struct nc_table_part *part, const int *at)
{
    int64_t rows = f->csv.rows - f->first;
    int is_target = part->columns != f->table->features;
    if (at[0] < 0 || at[part->count - 1] < 0)
        return 0; /* optional, and not there */
    if (reserve(f, part, rows) != 0)
        return -1;
    float *out = part->array.block;
    for (int64_t row = 0; row < rows; row++) {
        for (int i = 0; i < part->count; i++) {
            if (read_value(f, &part->columns[i], f->first + row, at[i], is_target, out++) != 0)
                return -1;
        }
    }
    return 0;
}

static int read_part(const struct file *f, struct nc_table_part *part)
{
    if (!part->count)
        return 0;
    int *at = malloc((size_t)part->count * sizeof *at);
    if (!at)
        return nc_fail(f->err, f->path, "out of memory");
    int result = place_columns(f, part, at) == 0 ? read_rows(f, part, at) : -1;
    free(at);
    return result;
}

int nc_table_read(const struct nc_table *table, const struct nc_table_file *file,
                  struct nc_table_part *parts, int parts_count, struct nc_error *err)
{
    struct file f = {.table = table, .path = file->path, .err = err};
    if (nc_csv_open(&f.csv, file->path, file->separator, err) != 0)
        return -1;
    f.header = file->header ? file->header > 0 : has_header(table, &f.csv);
    f.first = f.header;
    int result = f.csv.rows > f.first ? 0 : FAULT(&f, 0, "no rows below the header");
    for (int i = 0; result == 0 && i < parts_count; i++)
        result = read_part(&f, &parts[i]);
    nc_csv_close(&f.csv);
    return result;
}
