/* Learning a training file's columns. The rows are read three times, so that none need be kept: for
 * a header, for the columns' types, and for the values of those that hold categories. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "data/header.h"
#include "table.h"

/* The training file */
typedef struct {
    Arena *arena;
    Diag *diag;
    const TableSource *source;
    struct nc_csv csv;
    struct nc_header head;
    bool failed; /* a row could not be read */
} File;

static bool csv_fault(File *f, const struct nc_error *err)
{
    f->failed = true;
    return diag_error(f->diag, f->source->loc, "%s: %s", err->path[0] ? err->path : f->source->path,
                      err->message);
}

/* "file.csv:12: " */
static const char *line_place(const File *f, int64_t line)
{
    return arena_printf(f->arena, "%s:%lld: ", f->source->path, (long long)line);
}

/* Before the first row of data */
static bool start_rows(File *f)
{
    struct nc_error err;
    return nc_header_skip(&f->head, &f->csv, &err) == 0 || csv_fault(f, &err);
}

/* The next row, if there is one; `failed` after an error. */
static bool next_row(File *f)
{
    struct nc_error err;
    int more = nc_csv_next(&f->csv, &err);
    return more > 0 || (more < 0 && csv_fault(f, &err));
}

/* ---- choosing columns -------------------------------------------------------------------------- */

static const char *column_name(const File *f, int column)
{
    return f->head.names ? arena_strdup(f->arena, nc_header_at(&f->head, column))
                         : arena_printf(f->arena, "%d", column);
}

static bool unknown_column(const File *f, Loc loc, const char *name)
{
    const char **names = NULL;
    int count = 0;
    for (int k = 0; f->head.names && k < f->head.columns; k++)
        ARENA_PUSH(f->arena, names, count, nc_header_at(&f->head, k));
    if (count)
        return diag_unknown(f->diag, loc, arena_printf(f->arena, "column of %s", f->source->path),
                            name, names, count);
    return diag_error(
        f->diag, loc, "%s has no header and %d columns: '%s' is no number from %d to %d",
        f->source->path, f->head.columns, name, -f->head.columns, f->head.columns - 1);
}

/* By name, or by position, from the end where negative; -1 after an error. */
static int find_column(const File *f, const Yaml *value)
{
    const char *text;
    char *end;
    if (!yaml_string(f->diag, value, "a column", &text))
        return -1;
    int found = nc_header_find(&f->head, text);
    long at = strtol(text, &end, 10);
    if (found >= 0 || (*text && !*end && at >= -f->head.columns && at < f->head.columns))
        return found >= 0 ? found : (int)(at < 0 ? at + f->head.columns : at);
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
    for (int k = 1; f->head.names && k < f->head.columns; k++) {
        if (nc_header_find(&f->head, nc_header_at(&f->head, k)) < k)
            return diag_error(f->diag, f->source->loc, "%stwo columns are named '%s'",
                              line_place(f, f->head.line), nc_header_at(&f->head, k));
    }
    return false;
}

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
    return true;
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
    for (int k = 0; !s->columns && k < f->head.columns; k++)
        use[k] = use[k] ? use[k] : 'x';
    ok = mark_columns(f, s->skip, use, 's') && ok;
    for (int k = 0; ok && k < f->head.columns; k++) {
        TableColumn feature = {.name = column_name(f, k), .at = k};
        if (use[k] == 'x')
            ARENA_PUSH(f->arena, t->features, t->features_count, feature);
    }
    return ok && (t->features_count ||
                  diag_error(f->diag, s->loc, "%s: no columns are left as features", s->path));
}

/* Features that hold categories, whatever their values look like. */
static bool choose_category(const File *f, Table *t, const Yaml *value)
{
    int column = find_column(f, value);
    if (column < 0)
        return false;
    for (int i = 0; i < t->features_count; i++) {
        t->features[i].category |= t->features[i].at == column;
        if (t->features[i].at == column)
            return true;
    }
    for (int i = 0; i < t->targets_count; i++) {
        if (t->targets[i].at == column)
            return diag_error(f->diag, value->loc,
                              "column '%s' is a target; the loss says whether it holds classes",
                              column_name(f, column));
    }
    return diag_error(f->diag, value->loc, "column '%s' is not among the features",
                      column_name(f, column));
}

static bool choose_categories(const File *f, Table *t)
{
    const Yaml *value = f->source->categories;
    bool ok = true, list = value && value->kind == YAML_LIST;
    for (int i = 0; value && i < (list ? value->count : 1); i++)
        ok = choose_category(f, t, list ? value->items[i] : value) && ok;
    return ok;
}

/* ---- types ------------------------------------------------------------------------------------- */

/* What a column's fields are, and its different values, as far as these are asked for. */
typedef struct {
    TableColumn *column;
    bool is_target;
    int64_t numbers, texts, text_line;
    const char *text; /* the first */
    const char **values;
    int values_count; /* NC_MOST_CATEGORIES + 1: too many */
    int *slots;       /* by hash: the position of a value, plus 1; NULL: not asked for */
} Census;

typedef struct {
    Census *of;
    int count;
} Columns;

/* The targets, then the features */
static Columns learnt_columns(const File *f, Table *t)
{
    Columns c = {.count = t->targets_count + t->features_count};
    c.of = ARENA_ARRAY(f->arena, Census, c.count);
    for (int i = 0; i < c.count; i++) {
        bool is_target = i < t->targets_count;
        TableColumn *column = is_target ? &t->targets[i] : &t->features[i - t->targets_count];
        column->whole = true;
        c.of[i] = (Census){.column = column, .is_target = is_target};
    }
    return c;
}

static void count_field(const File *f, Census *n)
{
    const char *text = nc_csv_at(&f->csv, n->column->at);
    double value;
    if (nc_csv_missing(text)) {
        n->column->missing++;
    } else if (nc_csv_number(text, &value)) {
        n->numbers++;
        n->column->whole &= value == floor(value);
    } else if (!n->texts++) {
        n->text_line = f->csv.line;
        n->text = arena_strdup(f->arena, text);
    }
}

static bool mixed_column(const File *f, const Census *n)
{
    diag_error(f->diag, f->source->loc,
               "%scolumn '%s': '%s' is no number, but most of the column's values are",
               line_place(f, n->text_line), n->column->name, n->text);
    if (!n->is_target)
        diag_note(f->diag, (Loc){0}, "if they are names, say categories: [%s]", n->column->name);
    return false;
}

static bool set_type(const File *f, Census *n)
{
    TableColumn *c = n->column;
    if (!n->numbers && !n->texts)
        return diag_error(f->diag, f->source->loc, "%s: column '%s' has no values", f->source->path,
                          c->name);
    if (!c->category && n->texts && n->numbers > n->texts)
        return mixed_column(f, n);
    c->category |= n->texts > 0;
    c->by_value = !n->texts;
    return true;
}

static bool learn_types(File *f, const Columns *columns)
{
    while (next_row(f)) {
        for (int i = 0; i < columns->count; i++)
            count_field(f, &columns->of[i]);
    }
    for (int i = 0; i < columns->count && !f->failed; i++) {
        if (!set_type(f, &columns->of[i]))
            return false;
    }
    return !f->failed;
}

/* ---- values ------------------------------------------------------------------------------------ */

enum { SLOTS = 4096 };

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_value(const void *a, const void *b)
{
    double x = strtod(*(const char *const *)a, NULL), y = strtod(*(const char *const *)b, NULL);
    return (x > y) - (x < y);
}

static unsigned hash_value(const Census *n, const char *text)
{
    double value = strtod(text, NULL) + 0.0; /* of -0 too */
    const char *bytes = n->column->by_value ? (const char *)&value : text;
    size_t length = n->column->by_value ? sizeof value : strlen(text);
    unsigned hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static void note_value(const File *f, Census *n)
{
    const char *text = nc_csv_at(&f->csv, n->column->at);
    if (n->values_count > NC_MOST_CATEGORIES || nc_csv_missing(text))
        return;
    unsigned slot = hash_value(n, text) % SLOTS;
    for (; n->slots[slot]; slot = (slot + 1) % SLOTS) {
        const char *known = n->values[n->slots[slot] - 1];
        if (!(n->column->by_value ? by_value : by_bytes)(&known, &text))
            return;
    }
    ARENA_PUSH(f->arena, n->values, n->values_count, arena_strdup(f->arena, text));
    n->slots[slot] = n->values_count;
}

static bool too_many_values(const File *f, const TableColumn *c)
{
    return diag_error(f->diag, f->source->loc,
                      "%s: column '%s' has more than %d different %s; leave it out with skip",
                      f->source->path, c->name, NC_MOST_CATEGORIES,
                      c->by_value ? "numbers" : "texts");
}

/* The different values, sorted; none where there are too many. */
static bool set_values(const File *f, const Census *n)
{
    TableColumn *c = n->column;
    if (n->values_count > NC_MOST_CATEGORIES)
        return n->is_target || too_many_values(f, c);
    qsort(n->values, (size_t)n->values_count, sizeof *n->values, c->by_value ? by_value : by_bytes);
    c->values = n->values;
    c->values_count = n->values_count;
    return true;
}

static bool learn_values(File *f, const Columns *columns)
{
    bool any = false;
    for (int i = 0; i < columns->count; i++) {
        Census *n = &columns->of[i];
        if (n->column->category || (n->is_target && n->column->whole))
            n->slots = ARENA_ARRAY(f->arena, int, SLOTS);
        any |= n->slots != NULL;
    }
    while (any && next_row(f)) {
        for (int i = 0; i < columns->count; i++) {
            if (columns->of[i].slots)
                note_value(f, &columns->of[i]);
        }
    }
    for (int i = 0; i < columns->count && !f->failed; i++) {
        if (columns->of[i].slots && !set_values(f, &columns->of[i]))
            return false;
    }
    return !f->failed;
}

/* ---- a table ----------------------------------------------------------------------------------- */

static bool learn_columns(File *f, Table *t)
{
    Columns columns = learnt_columns(f, t);
    return learn_types(f, &columns) && start_rows(f) && learn_values(f, &columns);
}

static bool open_file(File *f)
{
    struct nc_error err;
    if (nc_csv_open(&f->csv, f->source->path, f->source->separator, &err) != 0 ||
        nc_header_open(&f->head, &f->csv, &err) != 0)
        return csv_fault(f, &err);
    int header = f->source->header;
    f->head.names = header ? header > 0 : nc_header_guess(&f->head, &f->csv, &err);
    return (f->head.names >= 0 || csv_fault(f, &err)) && start_rows(f);
}

static bool learn(File *f, Table *t)
{
    char *use = ARENA_ARRAY(f->arena, char, f->head.columns);
    t->header = f->head.names;
    t->columns = f->head.columns;
    return !same_name_twice(f) && choose_targets(f, t, use) && choose_features(f, t, use) &&
           choose_categories(f, t) && learn_columns(f, t);
}

Table *table_learn(Arena *arena, Diag *diag, const TableSource *source)
{
    File f = {.arena = arena, .diag = diag, .source = source};
    Table *t = ARENA_NEW(arena, Table);
    bool ok = open_file(&f) && learn(&f, t);
    nc_header_close(&f.head);
    nc_csv_close(&f.csv);
    return ok ? t : NULL;
}

void table_note_missing(Diag *diag, const Table *t, const TableSource *source)
{
    for (int i = 0; i < t->features_count; i++) {
        const TableColumn *c = &t->features[i];
        if (!c->missing)
            continue;
        const char *instead =
            c->category ? "read as none of its categories" : "filled in with the column's mean";
        diag_note(diag, source->loc, "%s: %lld missing value%s of column '%s' %s %s", source->path,
                  (long long)c->missing, c->missing == 1 ? "" : "s", c->name,
                  c->missing == 1 ? "is" : "are", instead);
    }
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
