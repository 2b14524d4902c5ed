/* Reading csv sources and the names of classes. data.train's table says how wide the input is and
 * what a target's classes are; other sources of the spec are read by it. */
#include <string.h>

#include "build.h"

const AttrDef csv_attrs[] = {
    {"separator", ATTR_CHOICE, "auto", "what stands between two fields", 0, 0, "auto|,|;|tab"},
    {"header", ATTR_CHOICE, "auto", "whether the first row names the columns", 0, 0,
     "auto|true|false"},
    ATTRS_END};

const char *const csv_keys[] = {"file", "target", "columns", "skip", "categories", NULL};
static const char *const other_keys[] = {"file", NULL};

/* ---- the source -------------------------------------------------------------------------------- */

/* The training file is not there, and the weights do not say what it held. */
static bool lacks_table(Build *build)
{
    const char *weights = build->model->weights_path;
    if (weights && !build->reads)
        diag_note(
            build->diag, (Loc){0},
            "%s does not tell what its columns are either; the weights.safetensors that netcc "
            "train wrote does",
            weights);
    else if (!build->reads)
        diag_note(build->diag, (Loc){0},
                  "its columns size the network; commands that take --weights find them in the "
                  "weights.safetensors that netcc train wrote");
    return false;
}

static bool csv_path(Build *build, const Yaml *file, TableSource *out)
{
    const Model *model = build->model;
    const char *text;
    out->loc = file->loc;
    if (!build->reads && model->table) /* by the weights' table; no rows are needed */
        return yaml_string(build->diag, file, "a data file", &text);
    out->path = yaml_path(build->arena, build->diag, file, model->spec_path);
    return out->path || lacks_table(build);
}

static bool read_form(Build *build, const Yaml *value, const char *const *keys, TableSource *out)
{
    static const char separators[] = {0, ',', ';', '\t'};
    static const int headers[] = {0, 1, -1};
    AttrValue *values;
    if (!read_attrs(build->diag, "csv", value->loc, csv_attrs, keys, value, &values))
        return false;
    const AttrValue *separator = find_attr(csv_attrs, values, "separator");
    const AttrValue *header = find_attr(csv_attrs, values, "header");
    if (separator->loc.source)
        out->separator = separators[separator->i];
    if (header->loc.source)
        out->header = headers[header->i];
    const Yaml *file = yaml_get(value, "file");
    return file ? csv_path(build, file, out)
                : diag_error(build->diag, value->loc, "csv needs 'file'");
}

static bool read_train_csv(Build *build, const Yaml *value)
{
    TableSource *csv = &build->csv;
    if (value->kind == YAML_MAP && !read_form(build, value, csv_keys, csv))
        return false;
    if (value->kind == YAML_MAP)
        csv->target = yaml_get(value, "target");
    if (!csv->target)
        return diag_error(build->diag, value->loc,
                          "csv needs 'target', as in csv: {file: data.csv, target: price}");
    csv->columns = yaml_get(value, "columns");
    csv->skip = yaml_get(value, "skip");
    csv->categories = yaml_get(value, "categories");
    return true;
}

/* The csv of data.train, or NULL. */
static const Yaml *train_csv(const Yaml *data)
{
    const Yaml *train = data && data->kind == YAML_MAP ? yaml_get(data, "train") : NULL;
    return train && train->kind == YAML_MAP && train->count == 1 ? yaml_get(train, "csv") : NULL;
}

bool read_table(Build *build, const Yaml *data)
{
    Model *model = build->model;
    const Yaml *csv = train_csv(data);
    if (!csv)
        return true;
    build->reads = reads_section(model, "train");
    model->table = table_of_weights(build->arena, model->weights_path);
    if (!read_train_csv(build, csv))
        return false;
    if (model->table)
        return true;
    model->table = table_learn(build->arena, build->diag, &build->csv);
    return model->table != NULL;
}

static bool table_fits(Build *build, Loc loc)
{
    const Model *model = build->model;
    const Port *input = &model->inputs[0];
    int64_t row = shape_row(input->shape);
    if (model->inputs_count > 1)
        return diag_error(build->diag, loc, "csv feeds one input, but the model has %d",
                          model->inputs_count);
    if (row == model->table->features_count)
        return true;
    diag_error(build->diag, loc, "the table has %d feature columns, but input '%s' is %s",
               model->table->features_count, input->name, shape_text(build->arena, input->shape));
    diag_note(build->diag, input->loc, "'%s' is here; input: auto takes the table's size",
              input->name);
    return false;
}

bool read_csv(Build *build, const Yaml *value, DataSource *out)
{
    if (!build->model->table)
        return diag_error(build->diag, value->loc,
                          "csv is read by what data.train's csv holds, but that is none");
    out->csv = build->csv;
    if (out == &build->model->train_data)
        return table_fits(build, build->csv.loc);
    if (value->kind == YAML_SCALAR)
        return csv_path(build, value, &out->csv);
    return read_form(build, value, other_keys, &out->csv);
}

/* ---- targets ----------------------------------------------------------------------------------- */

/* The columns of one target of the model. */
typedef struct {
    TableColumn *columns;
    int count;
} Columns;

static Columns columns_of(const Model *model, int target)
{
    Table *t = model->table;
    Columns found = {0};
    for (int i = 0; i < t->targets_count; i++) {
        TableColumn *c = &t->targets[i];
        if (c->output && strcmp(c->output, model->targets[target].name))
            continue;
        if (!found.count++)
            found.columns = c;
    }
    return found;
}

static Loc column_loc(const Build *build, const TableColumn *c)
{
    return c->origin ? ((const Yaml *)c->origin)->loc : build->csv.target->loc;
}

void note_loss(Build *build, int target)
{
    const LossSpec *spec = &build->train.losses[target];
    const Port *output = &build->model->outputs[spec->output];
    diag_note(build->diag, spec->loc, "by the loss %s, of output '%s', %s", spec->loss->record.name,
              output->name, shape_text(build->arena, output->shape));
}

static bool target_fault(Build *build, int target, const TableColumn *c, const char *message)
{
    diag_error(build->diag, column_loc(build, c), "target '%s' %s", c->name, message);
    note_loss(build, target);
    return false;
}

/* Do the numbers that a loss compares stand for classes? */
bool loss_classifies(const LossSpec *spec)
{
    return spec->loss->sparse || spec->loss->logits_op;
}

int64_t target_units(const Build *build, int target)
{
    Shape shape = build->model->outputs[build->train.losses[target].output].shape;
    return shape.dim[shape.rank - 1];
}

void name_classes(Build *build, int target, const char *const *names, int count)
{
    const LossSpec *spec = &build->train.losses[target];
    const AttrDef *defs = spec->loss->record.attrs;
    bool logits = spec->loss->logits_op && find_attr(defs, spec->attrs, "from_logits")->i;
    build->model->classes[target] = (ClassNames){names, count, logits ? 0 : 0.5};
}

/* Its different values become class numbers, in their order. */
static bool bind_classes(Build *build, int target, TableColumn *c)
{
    int64_t units = target_units(build, target), most = units == 1 ? 2 : units;
    if (c->values_count > most) {
        Str list = str_new(build->arena);
        for (int i = 0; i < c->values_count && i < 12; i++)
            str_printf(&list, "%s%s", i ? ", " : "", c->values[i]);
        return target_fault(build, target, c,
                            arena_printf(build->arena,
                                         "has %d classes (%s%s), but the output tells %lld apart",
                                         c->values_count, list.text,
                                         c->values_count > 12 ? ", ..." : "", (long long)most));
    }
    c->category = true;
    build->model->one_hot |= !build->train.losses[target].loss->sparse && units > 1;
    name_classes(build, target, c->values, c->values_count);
    return true;
}

static bool bind_numbers(Build *build, int target, Columns columns)
{
    const Port *port = &build->model->targets[target];
    for (int i = 0; i < columns.count; i++) {
        if (columns.columns[i].category)
            return target_fault(build, target, &columns.columns[i],
                                "holds texts where numbers are wanted");
    }
    if (build->train.losses[target].loss->sparse)
        return target_fault(build, target, columns.columns,
                            columns.count > 1 ? "is one of several columns for one class number"
                                              : "holds no class numbers: its values are not whole, "
                                                "or too many");
    if (shape_row(port->shape) == columns.count)
        return true;
    return target_fault(build, target, columns.columns,
                        arena_printf(build->arena, "gives %d number%s a row, but %s are wanted",
                                     columns.count, columns.count == 1 ? "" : "s",
                                     shape_text(build->arena, port->shape)));
}

static bool bind_target(Build *build, int target)
{
    const Model *model = build->model;
    Columns columns = columns_of(model, target);
    TableColumn *first = columns.columns;
    if (!columns.count)
        return diag_error(build->diag, build->csv.target->loc, "target '%s' has no column",
                          model->targets[target].name);
    if (columns.count == 1 && first->values && loss_classifies(&build->train.losses[target]) &&
        (first->category || first->whole))
        return bind_classes(build, target, first);
    return bind_numbers(build, target, columns);
}

static bool known_output(Build *build, const TableColumn *c)
{
    const Model *model = build->model;
    const char **names = NULL;
    int count = 0;
    for (int i = 0; i < model->targets_count; i++)
        ARENA_PUSH(build->arena, names, count, model->targets[i].name);
    for (int i = 0; i < count; i++) {
        if (!c->output ? count == 1 : !strcmp(names[i], c->output))
            return true;
    }
    if (c->output)
        return diag_unknown(build->diag, column_loc(build, c), "target", c->output, names, count);
    return diag_error(build->diag, column_loc(build, c),
                      "the model has %d targets: write target: {%s: ..., %s: ...}", count, names[0],
                      names[1]);
}

static bool scale_fits(Build *build)
{
    const Model *model = build->model;
    for (int i = 0; i < model->targets_count; i++) {
        const LossSpec *spec = &build->train.losses[i];
        if (build->target_scale == 1 || !loss_classifies(spec))
            continue;
        diag_error(build->diag, spec->loc, "target_scale is for numbers, but %s compares classes",
                   spec->loss->record.name);
        return false;
    }
    return true;
}

bool bind_table(Build *build)
{
    Model *model = build->model;
    Table *t = model->table;
    model->classes = ARENA_ARRAY(build->arena, ClassNames, model->targets_count + 1);
    bool ok = scale_fits(build);
    for (int i = 0; t && model->targets_count && i < t->targets_count; i++) {
        if (!i || t->targets[i].output != t->targets[i - 1].output)
            ok = known_output(build, &t->targets[i]) && ok;
    }
    for (int i = 0; t && ok && i < model->targets_count; i++)
        ok = bind_target(build, i);
    if (t && ok && model->trains && !build->diag->errors)
        table_note_missing(build->diag, t, &build->csv);
    return ok;
}

/* ---- names of classes -------------------------------------------------------------------------- */

static bool read_names(Build *build, const Yaml *value, int target)
{
    const char **names = NULL;
    int count = 0;
    int64_t units = target_units(build, target), classes = units == 1 ? 2 : units;
    for (int i = 0; i < value->count; i++) {
        const char *name;
        if (!yaml_string(build->diag, value->items[i], "the name of a class", &name))
            return false;
        ARENA_PUSH(build->arena, names, count, name);
    }
    if (count != classes) {
        diag_error(build->diag, value->loc, "%d names, but output '%s' tells %lld classes apart",
                   count, build->model->targets[target].name, (long long)classes);
        note_loss(build, target);
        return false;
    }
    name_classes(build, target, names, count);
    return true;
}

bool read_classes(Build *build, const Yaml *value)
{
    const Model *model = build->model;
    if (!value || !model->targets_count)
        return true;
    if (model->table)
        return diag_error(build->diag, value->loc, "the classes of a csv have names already");
    if (value->kind != YAML_LIST || model->targets_count > 1)
        return diag_error(build->diag, value->loc,
                          "classes: expected a list of names, for the only target");
    if (!loss_classifies(&build->train.losses[0]))
        return diag_error(build->diag, value->loc, "%s does not tell classes apart",
                          build->train.losses[0].loss->record.name);
    return read_names(build, value, 0);
}

static void add_pair(Build *build, const char *key, const char *text)
{
    Model *model = build->model;
    int texts = 2 * model->metadata_count++;
    ARENA_PUSH(build->arena, model->metadata, texts, key);
    ARENA_PUSH(build->arena, model->metadata, texts, text);
}

void add_metadata(Build *build)
{
    const Model *model = build->model;
    Str text = str_new(build->arena);
    for (int i = 0; model->classes && i < model->targets_count; i++) {
        const ClassNames *c = &model->classes[i];
        if (c->names)
            str_printf(&text, "%s\"%s\":%s", text.length ? "," : "", model->targets[i].name,
                       names_json(build->arena, c->names, c->count));
    }
    if (text.length)
        add_pair(build, "classes", arena_printf(build->arena, "{%s}", text.text));
    if (model->table)
        add_pair(build, "table", table_json(build->arena, model->table));
}
