/* Learning a training file's columns, and reading files by what was learnt. Messages stand at the
 * spec's line that names the file and give `file.csv:line` as well. */
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "data/csv.h"

typedef struct {
    Arena *arena;
    Diag *diag;
    const TableSource *source;
    struct nc_csv csv;
    bool header;
    int64_t first; /* row of data */
} File;

/* ---- files ------------------------------------------------------------------------------------- */

/* "file.csv:12: " */
static const char *place(const File *f, int64_t row)
{
    return arena_printf(f->arena, "%s:%lld: ", f->source->path, (long long)f->csv.lines[row]);
}

static const char *field(const File *f, int64_t row, int column)
{
    return arena_strdup(f->arena, nc_csv_at(&f->csv, row, column));
}

static bool open_csv(File *f)
{
    struct nc_error err;
    if (nc_csv_open(&f->csv, f->source->path, f->source->separator, &err) == 0)
        return true;
    return diag_error(f->diag, f->source->loc, "%s: %s", err.path[0] ? err.path : f->source->path,
                      err.message);
}

static bool is_number(const char *text)
{
    double value;
    return nc_csv_number(text, &value);
}

/* Are all values of a column below the first row numbers? */
static bool numbers_below(const struct nc_csv *csv, int column)
{
    bool any = false;
    for (int64_t row = 1; row < csv->rows; row++) {
        const char *text = nc_csv_at(csv, row, column);
        if (nc_csv_missing(text))
            continue;
        if (!is_number(text))
            return false;
        any = true;
    }
    return any;
}

/* A first row of texts only, or with a text above numbers, is a header. */
static bool looks_like_header(const struct nc_csv *csv)
{
    bool texts = csv->rows > 1;
    for (int k = 0; k < csv->columns; k++) {
        const char *text = nc_csv_at(csv, 0, k);
        bool is_text = !is_number(text) && !nc_csv_missing(text);
        if (is_text && numbers_below(csv, k))
            return true;
        texts &= is_text;
    }
    return texts;
}

static bool start_data(File *f, bool header)
{
    f->header = header;
    f->first = header;
    if (f->csv.rows > f->first)
        return true;
    return diag_error(f->diag, f->source->loc, "%sno rows below the header", place(f, 0));
}

/* ---- choosing columns -------------------------------------------------------------------------- */

static const char *column_name(const File *f, int column)
{
    return f->header ? field(f, 0, column) : arena_printf(f->arena, "%d", column);
}

static bool unknown_column(const File *f, Loc loc, const char *name)
{
    const char **names = NULL;
    int count = 0;
    if (!f->header)
        return diag_error(
            f->diag, loc, "%s has no header and %d columns: '%s' is no number from %d to %d",
            f->source->path, f->csv.columns, name, -f->csv.columns, f->csv.columns - 1);
    for (int k = 0; k < f->csv.columns; k++)
        ARENA_PUSH(f->arena, names, count, field(f, 0, k));
    return diag_unknown(f->diag, loc, arena_printf(f->arena, "column of %s", f->source->path), name,
                        names, count);
}

static int named_column(const File *f, const char *name)
{
    for (int k = 0; f->header && k < f->csv.columns; k++) {
        if (!strcmp(nc_csv_at(&f->csv, 0, k), name))
            return k;
    }
    return -1;
}

/* By name, or by position, from the end where negative; -1 after an error. */
static int find_column(const File *f, const Yaml *value)
{
    const char *text;
    char *end;
    if (!yaml_string(f->diag, value, "a column", &text))
        return -1;
    int found = named_column(f, text);
    long at = strtol(text, &end, 10);
    if (found >= 0 || (*text && !*end && at >= -f->csv.columns && at < f->csv.columns))
        return found >= 0 ? found : (int)(at < 0 ? at + f->csv.columns : at);
    unknown_column(f, value->loc, text);
    return -1;
}

/* One column or a list of them: use[column] = what. */
static bool mark_columns(const File *f, const Yaml *value, char *use, char what)
{
    bool ok = true;
    bool list = value && value->kind == YAML_LIST;
    for (int i = 0; value && i < (list ? value->count : 1); i++) {
        int column = find_column(f, list ? value->items[i] : value);
        if (column >= 0 && use[column] != 't')
            use[column] = what;
        ok = ok && column >= 0;
    }
    return ok;
}

static bool same_name_twice(const File *f)
{
    for (int k = 1; f->header && k < f->csv.columns; k++) {
        if (named_column(f, nc_csv_at(&f->csv, 0, k)) < k)
            return diag_error(f->diag, f->source->loc, "%stwo columns are named '%s'", place(f, 0),
                              field(f, 0, k));
    }
    return false;
}

/* ---- learning a column ------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_value(const void *a, const void *b)
{
    double x = strtod(*(const char *const *)a, NULL), y = strtod(*(const char *const *)b, NULL);
    return (x > y) - (x < y);
}

typedef int order(const void *a, const void *b);

/* The different values, sorted; none where there are too many. */
static void learn_values(const File *f, TableColumn *c, order *compare)
{
    const char **all = malloc((size_t)f->csv.rows * sizeof *all);
    int64_t count = 0;
    int kept = 0;
    for (int64_t row = f->first; all && row < f->csv.rows; row++) {
        const char *text = nc_csv_at(&f->csv, row, c->at);
        if (!nc_csv_missing(text))
            all[count++] = text;
    }
    if (count)
        qsort(all, (size_t)count, sizeof *all, compare);
    for (int64_t i = 0; i < count && kept <= MOST_CATEGORIES; i++) {
        if (!i || compare(&all[i - 1], &all[i]))
            ARENA_PUSH(f->arena, c->values, kept, arena_strdup(f->arena, all[i]));
    }
    free(all);
    c->values_count = kept <= MOST_CATEGORIES ? kept : 0;
    if (!c->values_count)
        c->values = NULL;
}

/* What a column's fields are. */
typedef struct {
    int64_t numbers, texts, first_text;
    double sum;
} Census;

static Census count_fields(const File *f, TableColumn *c)
{
    Census n = {.first_text = -1};
    double value;
    c->whole = true;
    for (int64_t row = f->first; row < f->csv.rows; row++) {
        const char *text = nc_csv_at(&f->csv, row, c->at);
        if (nc_csv_missing(text)) {
            c->missing++;
        } else if (nc_csv_number(text, &value)) {
            n.numbers++;
            n.sum += value;
            c->whole &= value == floor(value);
        } else {
            n.first_text = n.first_text < 0 ? row : n.first_text;
            n.texts++;
        }
    }
    return n;
}

static bool mixed_column(const File *f, const TableColumn *c, int64_t row)
{
    return diag_error(f->diag, f->source->loc,
                      "%scolumn '%s': '%s' is no number, but most of the column's values are",
                      place(f, row), c->name, field(f, row, c->at));
}

static bool learn_column(const File *f, TableColumn *c)
{
    Census n = count_fields(f, c);
    if (!n.numbers && !n.texts)
        return diag_error(f->diag, f->source->loc, "%s: column '%s' has no values", f->source->path,
                          c->name);
    if (n.texts && n.numbers > n.texts)
        return mixed_column(f, c, n.first_text);
    c->category = n.texts > 0;
    c->mean = n.numbers ? n.sum / (double)n.numbers : 0;
    return true;
}

static bool learn_feature(const File *f, TableColumn *c)
{
    if (!learn_column(f, c))
        return false;
    if (!c->category)
        return true;
    learn_values(f, c, by_bytes);
    return c->values_count ||
           diag_error(f->diag, f->source->loc,
                      "%s: column '%s' has more than %d different texts; leave it out with skip",
                      f->source->path, c->name, MOST_CATEGORIES);
}

static bool learn_target(const File *f, TableColumn *c)
{
    if (!learn_column(f, c))
        return false;
    if (c->category || c->whole)
        learn_values(f, c, c->category ? by_bytes : by_value);
    return true;
}

void table_note_missing(Diag *diag, const Table *t, const TableSource *source)
{
    for (int i = 0; i < t->features_count; i++) {
        const TableColumn *c = &t->features[i];
        if (!c->missing)
            continue;
        const char *instead =
            c->category ? "read as none of its categories"
                        : arena_printf(diag->arena, "read as the column's mean, %.9g", c->mean);
        diag_note(diag, source->loc, "%s: %lld missing value%s of column '%s' %s %s", source->path,
                  (long long)c->missing, c->missing == 1 ? "" : "s", c->name,
                  c->missing == 1 ? "is" : "are", instead);
    }
}

/* ---- learning a table -------------------------------------------------------------------------- */

static bool add_target(const File *f, Table *t, const Yaml *value, const char *output, char *use)
{
    int column = find_column(f, value);
    if (column < 0)
        return false;
    if (use[column] == 't')
        return diag_error(f->diag, value->loc, "column '%s' is a target twice",
                          column_name(f, column));
    TableColumn target = {
        .name = column_name(f, column), .at = column, .loc = value->loc, .output = output};
    use[column] = 't';
    ARENA_PUSH(f->arena, t->targets, t->targets_count, target);
    return learn_target(f, &t->targets[t->targets_count - 1]);
}

/* One column, or several for an output of several units. */
static bool add_targets(const File *f, Table *t, const Yaml *value, const char *output, char *use)
{
    bool ok = true;
    if (value->kind != YAML_LIST)
        return add_target(f, t, value, output, use);
    for (int i = 0; i < value->count; i++)
        ok = add_target(f, t, value->items[i], output, use) && ok;
    return ok;
}

static bool choose_targets(const File *f, Table *t, char *use)
{
    const Yaml *value = f->source->target;
    bool ok = true;
    if (value->kind != YAML_MAP)
        return add_targets(f, t, value, NULL, use);
    for (int i = 0; i < value->count; i++)
        ok = add_targets(f, t, value->pairs[i].value, value->pairs[i].key, use) && ok;
    return ok;
}

static bool choose_features(const File *f, Table *t, char *use)
{
    const TableSource *s = f->source;
    bool ok = mark_columns(f, s->columns, use, 'x');
    for (int k = 0; !s->columns && k < f->csv.columns; k++)
        use[k] = use[k] ? use[k] : 'x';
    ok = mark_columns(f, s->skip, use, 's') && ok;
    for (int k = 0; ok && k < f->csv.columns; k++) {
        TableColumn feature = {.name = column_name(f, k), .at = k};
        if (use[k] != 'x')
            continue;
        ARENA_PUSH(f->arena, t->features, t->features_count, feature);
        ok = learn_feature(f, &t->features[t->features_count - 1]);
    }
    return ok && (t->features_count ||
                  diag_error(f->diag, s->loc, "%s: no columns are left as features", s->path));
}

static bool learn(File *f, Table *t)
{
    if (!start_data(f, f->source->header ? f->source->header > 0 : looks_like_header(&f->csv)))
        return false;
    char *use = ARENA_ARRAY(f->arena, char, f->csv.columns);
    t->header = f->header;
    t->columns = f->csv.columns;
    return !same_name_twice(f) && choose_targets(f, t, use) && choose_features(f, t, use);
}

Table *table_learn(Arena *arena, Diag *diag, const TableSource *source)
{
    File f = {.arena = arena, .diag = diag, .source = source};
    Table *t = ARENA_NEW(arena, Table);
    bool ok = open_csv(&f) && learn(&f, t);
    nc_csv_close(&f.csv);
    return ok ? t : NULL;
}

/* ---- reading by a table ------------------------------------------------------------------------ */

static bool lacks_column(const File *f, const char *name)
{
    Str list = str_new(f->arena);
    for (int k = 0; k < f->csv.columns && k < 40; k++)
        str_printf(&list, "%s%s", k ? ", " : "", nc_csv_at(&f->csv, 0, k));
    diag_error(f->diag, f->source->loc, "%sthere is no column '%s'", place(f, 0), name);
    diag_note(f->diag, (Loc){0}, "the columns are %s%s", list.text,
              f->csv.columns > 40 ? ", ..." : "");
    return false;
}

/* Where the columns of a part stand in this file: by name, else as in the training file, else side
 * by side where the file has just the features. */
static bool place_columns(const File *f, const Table *t, const TablePart *part, int *at)
{
    bool features_only = f->csv.columns == t->features_count && t->targets_count > 0;
    if (f->header && t->header) {
        for (int i = 0; i < part->count; i++) {
            at[i] = named_column(f, part->columns[i].name);
            if (at[i] < 0)
                return part->optional || lacks_column(f, part->columns[i].name);
        }
        return true;
    }
    if (f->csv.columns != t->columns && (!features_only || part->columns == t->targets))
        return part->optional ||
               diag_error(f->diag, f->source->loc,
                          "%s%d columns, but the training data have %d, %d of them features",
                          place(f, 0), f->csv.columns, t->columns, t->features_count);
    for (int i = 0; i < part->count; i++)
        at[i] = f->csv.columns == t->columns ? part->columns[i].at : i;
    return true;
}

static int find_value(const TableColumn *c, const char *text, double number, bool numeric)
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

static bool unseen(const File *f, const TableColumn *c, int64_t row, const char *text)
{
    const char *near = nearest_spelling(text, c->values, c->values_count);
    diag_error(f->diag, f->source->loc, "%scolumn '%s': the training data have no '%s'%s",
               place(f, row), c->name, arena_strdup(f->arena, text),
               near ? arena_printf(f->arena, "; did you mean '%s'?", near) : "");
    Str list = str_new(f->arena);
    for (int i = 0; i < c->values_count && i < 20; i++)
        str_printf(&list, "%s%s", i ? ", " : "", c->values[i]);
    diag_note(f->diag, (Loc){0}, "they have %s%s", list.text, c->values_count > 20 ? ", ..." : "");
    return false;
}

/* A category's position among the sorted ones; a missing one is -1, which no position equals. */
static bool read_category(const File *f, const TableColumn *c, int64_t row, const char *text,
                          float *out)
{
    double number = 0;
    bool numeric = c->values_count && is_number(c->values[0]) && nc_csv_number(text, &number);
    int at = nc_csv_missing(text) ? -1 : find_value(c, text, number, numeric);
    *out = (float)at;
    return at >= 0 || nc_csv_missing(text) || unseen(f, c, row, text);
}

static bool read_value(const File *f, const TableColumn *c, int64_t row, int at, bool target,
                       float *out)
{
    const char *text = nc_csv_at(&f->csv, row, at);
    double number = c->mean;
    if (target && nc_csv_missing(text))
        return diag_error(f->diag, f->source->loc, "%sthe target '%s' is missing", place(f, row),
                          c->name);
    if (c->category)
        return read_category(f, c, row, text, out);
    if (!nc_csv_missing(text) && !nc_csv_number(text, &number))
        return diag_error(f->diag, f->source->loc, "%scolumn '%s': '%s' is no number",
                          place(f, row), c->name, field(f, row, at));
    *out = (float)number;
    return true;
}

static bool reserve(const File *f, TablePart *part, int64_t rows)
{
    struct nc_array *a = &part->array;
    float *block = calloc((size_t)rows, (size_t)part->count * sizeof *block);
    if (!block)
        return diag_error(f->diag, f->source->loc, "%s: out of memory", f->source->path);
    *a = (struct nc_array){.dtype = NC_F32, .rank = 2, .row_elements = part->count};
    a->shape[0] = rows;
    a->shape[1] = part->count;
    a->data = a->block = block;
    return true;
}

static bool read_part(const File *f, const Table *t, TablePart *part)
{
    int *at = ARENA_ARRAY(f->arena, int, part->count + 1);
    int64_t rows = f->csv.rows - f->first;
    bool target = part->columns != t->features;
    at[0] = -1;
    if (!part->count || !place_columns(f, t, part, at))
        return !part->count;
    if (at[0] < 0 || at[part->count - 1] < 0)
        return true; /* optional, and not there */
    if (!reserve(f, part, rows))
        return false;
    float *out = part->array.block;
    for (int64_t row = 0; row < rows; row++) {
        for (int i = 0; i < part->count; i++) {
            if (!read_value(f, &part->columns[i], f->first + row, at[i], target,
                            &out[row * part->count + i]))
                return false;
        }
    }
    return true;
}

/* Another file than the one that was learnt from: a name that is known makes its first row a
 * header. */
static bool has_header(const File *f, const Table *t)
{
    if (f->source->header)
        return f->source->header > 0;
    if (!t->header)
        return looks_like_header(&f->csv);
    for (int i = 0; i < t->features_count; i++) {
        for (int k = 0; k < f->csv.columns; k++) {
            if (!strcmp(nc_csv_at(&f->csv, 0, k), t->features[i].name))
                return true;
        }
    }
    return false;
}

bool table_read(Arena *arena, Diag *diag, const Table *table, const TableSource *source,
                TablePart *parts, int parts_count)
{
    File f = {.arena = arena, .diag = diag, .source = source};
    bool ok = open_csv(&f) && start_data(&f, has_header(&f, table));
    for (int i = 0; ok && i < parts_count; i++)
        ok = read_part(&f, table, &parts[i]);
    nc_csv_close(&f.csv);
    return ok;
}
