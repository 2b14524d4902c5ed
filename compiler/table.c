/* Learning a training file's columns. Messages stand at the
 * spec's line that names the file and give `file.csv:line` as well. */
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"

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
    for (int64_t i = 0; i < count && kept <= NC_MOST_CATEGORIES; i++) {
        if (!i || compare(&all[i - 1], &all[i]))
            ARENA_PUSH(f->arena, c->values, kept, arena_strdup(f->arena, all[i]));
    }
    free(all);
    c->values_count = kept <= NC_MOST_CATEGORIES ? kept : 0;
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
                      f->source->path, c->name, NC_MOST_CATEGORIES);
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
        .name = column_name(f, column), .at = column, .origin = value, .output = output};
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
    if (!start_data(f, f->source->header ? f->source->header > 0 : nc_table_looks_headed(&f->csv)))
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

bool table_read(Diag *diag, const Table *table, const TableSource *source, TablePart *parts,
                int parts_count)
{
    const struct nc_table_file file = {source->path, source->separator, source->header};
    struct nc_error err;
    if (nc_table_read(table, &file, parts, parts_count, &err) == 0)
        return true;
    diag_error(diag, source->loc, "%s: %s", err.path, err.message);
    if (err.note[0])
        diag_note(diag, (Loc){0}, "%s", err.note);
    return false;
}
