/* Reading the data section: where rows come from. Files are found, not opened. */
#include <string.h>

#include "build.h"
#include "data/image.h"

const AttrDef scaling_attrs[] = {
    {"scale", ATTR_NUMBER, "1", "every input is multiplied by it", 0, 0, NULL},
    {"offset", ATTR_NUMBER, "0", "added to every input after scale", 0, 0, NULL},
    {"one_hot", ATTR_BOOL, "false", "whole-number labels become rows of 0 and 1", 0, 0, NULL},
    {"standardise", ATTR_BOOL, "false",
     "subtract the training data's mean from each feature and divide by its deviation", 0, 0, NULL},
    {"target_scale", ATTR_NUMBER, "1",
     "numeric targets are multiplied by it for training, predictions divided", ABOVE_ZERO,
     UNBOUNDED, NULL},
    {"validation_split", ATTR_NUMBER, "0", "share of the training data that validates", 0,
     BELOW_ONE, NULL},
    {"stratified", ATTR_BOOL, "false",
     "validation_split or fold takes the same share of every class", 0, 0, NULL},
    {"fold", ATTR_INTS, "[]",
     "[k, n]: the k-th of n equal parts of the training data validates, the others train", 1, 1000,
     NULL},
    {"resize", ATTR_INTS, "[]",
     "pictures: what the short side becomes, or [height, width], before the centre is cut out; 0: "
     "nothing; by default the input's size",
     0, NC_IMAGE_SIDE, NULL},
    {"antialias", ATTR_BOOL, "false", "pictures that shrink: pixels are means of all they cover", 0,
     0, NULL},
    {"channel_order", ATTR_CHOICE, "rgb", "of pictures in colour", 0, 0, "rgb|bgr"},
    ATTRS_END};

const char *const data_section_keys[] = {"train", "test", "validation", "classes",
                                         "mean",  "std",  NULL};
const char *const source_keys[] = {"idx", "npy", "npz", "csv", "images", "builtin", NULL};
static const char *const later_keys[] = {"text", NULL};

const AttrDef digits_attrs[] = {
    {"samples", ATTR_INT, "6000", "how many to draw", 1, 1 << 24, NULL},
    {"seed", ATTR_INT, "1", "sample i depends on the seed and i alone", 0, UINT32_MAX, NULL},
    ATTRS_END};

const AttrDef spiral_attrs[] = {
    {"samples", ATTR_INT, "1000", "how many to draw", 1, 1 << 24, NULL},
    {"classes", ATTR_INT, "2", "arms of the spiral", 2, 100, NULL},
    {"noise", ATTR_NUMBER, "0.1", "deviation of the points from their arm", 0, 10, NULL},
    {"seed", ATTR_INT, "1", "sample i depends on the seed and i alone", 0, UINT32_MAX, NULL},
    ATTRS_END};

static bool read_standardise(Build *build, const AttrValue *values)
{
    const AttrValue *standardise = find_attr(scaling_attrs, values, "standardise");
    build->model->standardise = standardise->i;
    if (!standardise->i ||
        (build->scale == 1 && build->offset == 0 && !build->mean.count && !build->deviation.count))
        return true;
    return diag_error(build->diag, standardise->loc,
                      "standardise undoes scale, offset, mean and std: give one or the other");
}

/* data.mean and data.std: a number, or one for each channel, the input's last axis. */
static bool read_channels(Build *build, const Yaml *data, const char *key, Channels *out)
{
    enum { MOST = 64 };
    const Yaml *value = yaml_get(data, key);
    const Port *input = &build->model->inputs[0];
    if (!value)
        return true;
    if (build->model->inputs_count > 1)
        return diag_error(build->diag, value->loc, "%s is for models with one input, not %d", key,
                          build->model->inputs_count);
    int64_t channels = input->shape.dim[input->shape.rank - 1];
    bool list = value->kind == YAML_LIST;
    int64_t count = list ? value->count : 1;
    out->values = ARENA_ARRAY(build->arena, double, count + 1);
    if (list && (count != channels || count > MOST)) {
        diag_error(build->diag, value->loc,
                   "%s: %lld numbers, but the last axis of '%s', %s, has "
                   "%lld, and at most %d are told apart",
                   key, (long long)count, input->name, shape_text(build->arena, input->shape),
                   (long long)channels, MOST);
        diag_note(build->diag, input->loc, "'%s' is here", input->name);
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        if (!yaml_number(build->diag, list ? value->items[i] : value, key, &out->values[i]))
            return false;
    }
    out->count = count;
    return true;
}

static bool read_deviation(Build *build, const Yaml *data)
{
    if (!read_channels(build, data, "std", &build->deviation))
        return false;
    for (int64_t i = 0; i < build->deviation.count; i++) {
        if (build->deviation.values[i] <= 0)
            return diag_error(build->diag, yaml_get(data, "std")->loc,
                              "std divides: it must be above 0");
    }
    return true;
}

static bool read_fold(Build *build, const AttrValue *fold, const AttrValue *split, const Yaml *data)
{
    if (!fold->count && !fold->loc.source)
        return true;
    if (fold->count != 2 || fold->list[0] > fold->list[1] || fold->list[1] < 2)
        return diag_error(build->diag, fold->loc,
                          "fold: expected [k, n], the k-th of n parts, as in "
                          "[1, 5]");
    if (split->f > 0 || yaml_get(data, "validation"))
        return diag_error(build->diag, fold->loc, "give either fold or %s, not both",
                          split->f > 0 ? "validation_split" : "validation");
    memcpy(build->model->fold, fold->list, sizeof build->model->fold);
    return true;
}

static bool read_split(Build *build, const AttrValue *values, const Yaml *data)
{
    Model *model = build->model;
    const AttrValue *split = find_attr(scaling_attrs, values, "validation_split");
    const AttrValue *stratified = find_attr(scaling_attrs, values, "stratified");
    model->validation_split = split->f;
    model->stratified = stratified->i;
    if (!read_fold(build, find_attr(scaling_attrs, values, "fold"), split, data))
        return false;
    if (split->f > 0 && yaml_get(data, "validation"))
        return diag_error(build->diag, split->loc,
                          "give either validation or validation_split, not both");
    if (stratified->i && split->f == 0 && !model->fold[1])
        return diag_error(build->diag, stratified->loc,
                          "stratified needs validation_split or fold");
    return true;
}

bool read_scaling(Build *build, const Yaml *data)
{
    AttrValue *values;
    if (!data)
        return true;
    if (!expect_map(build->diag, data, "data") ||
        !read_attrs(build->diag, "data", data->loc, scaling_attrs, data_section_keys, data,
                    &values))
        return false;
    build->scale = find_attr(scaling_attrs, values, "scale")->f;
    build->offset = find_attr(scaling_attrs, values, "offset")->f;
    build->target_scale = find_attr(scaling_attrs, values, "target_scale")->f;
    build->model->one_hot = find_attr(scaling_attrs, values, "one_hot")->i;
    if (!build->model->inputs_count)
        return false; /* said already; what follows needs the input's shape */
    return read_channels(build, data, "mean", &build->mean) && read_deviation(build, data) &&
           read_standardise(build, values) && read_split(build, values, data) &&
           read_framing(build, values, data);
}

/* Arrays: `x` and `y` each name one array, or map ports to arrays. */

typedef struct {
    Build *build;
    const char *key;  /* "x" or "y" */
    const char *what; /* "input" or "target" */
    const Port *ports;
    int ports_count;
    const char *npz; /* path of the archive that arrays are members of; NULL: they are files */
    DataArray *arrays;
    int count;
} ArrayReader;

/* The path of a data file; it must exist only for commands that read data. */
static const char *data_path(Build *build, const Yaml *value)
{
    const char *text;
    if (build->reads)
        return yaml_path(build->arena, build->diag, value, build->model->spec_path);
    return yaml_string(build->diag, value, "a data file", &text) ? text : NULL;
}

static bool read_array(ArrayReader *r, const Port *port, const Yaml *value)
{
    Build *build = r->build;
    DataArray array = {.port = port->name, .path = r->npz, .loc = value->loc};
    if (r->npz && !yaml_string(build->diag, value, r->key, &array.member))
        return false;
    if (!r->npz)
        array.path = data_path(build, value);
    if (!array.path)
        return false;
    ARENA_PUSH(build->arena, r->arrays, r->count, array);
    return true;
}

static const Port *find_port(const ArrayReader *r, const char *name)
{
    for (int i = 0; i < r->ports_count; i++) {
        if (!strcmp(r->ports[i].name, name))
            return &r->ports[i];
    }
    return NULL;
}

static bool unknown_port(const ArrayReader *r, const YamlPair *pair)
{
    const char **names = NULL;
    int count = 0;
    for (int i = 0; i < r->ports_count; i++)
        ARENA_PUSH(r->build->arena, names, count, r->ports[i].name);
    return diag_unknown(r->build->diag, pair->loc, r->what, pair->key, names, count);
}

static bool check_complete(const ArrayReader *r, const Yaml *map)
{
    for (int i = 0; i < r->ports_count; i++) {
        if (yaml_get(map, r->ports[i].name))
            continue;
        diag_error(r->build->diag, map->loc, "%s '%s' has no data", r->what, r->ports[i].name);
        diag_note(r->build->diag, r->ports[i].loc, "'%s' is here", r->ports[i].name);
        return false;
    }
    return true;
}

static bool read_array_map(ArrayReader *r, const Yaml *map)
{
    bool ok = true;
    for (int i = 0; i < map->count; i++) {
        const Port *port = find_port(r, map->pairs[i].key);
        ok = (port ? read_array(r, port, map->pairs[i].value) : unknown_port(r, &map->pairs[i])) &&
             ok;
    }
    return check_complete(r, map) && ok;
}

static bool read_arrays(ArrayReader *r, const Yaml *value)
{
    Build *build = r->build;
    if (value->kind == YAML_MAP)
        return read_array_map(r, value);
    if (r->ports_count == 1)
        return read_array(r, &r->ports[0], value);
    return diag_error(build->diag, value->loc, "the model has %d %ss: write %s: {%s: ..., %s: ...}",
                      r->ports_count, r->what, r->key, r->ports[0].name, r->ports[1].name);
}

/* Where x and y stand in the spec. */
typedef struct {
    const Yaml *x, *y;
} Pair;

static bool read_pair(Build *build, const Pair *pair, const Yaml *whole, const char *npz,
                      DataSource *out)
{
    const Model *model = build->model;
    ArrayReader x = {build, "x", "input", model->inputs, model->inputs_count, npz, NULL, 0};
    ArrayReader y = {build, "y", "target", model->targets, model->targets_count, npz, NULL, 0};
    if (!pair->x)
        return diag_error(build->diag, whole->loc, "the data need 'x', the inputs");
    if (!pair->y && model->targets_count)
        return diag_error(build->diag, whole->loc, "the data need 'y', the targets");
    bool ok = read_arrays(&x, pair->x);
    if (pair->y && model->targets_count) /* without a train section y serves no purpose */
        ok = read_arrays(&y, pair->y) && ok;
    out->x = x.arrays, out->x_count = x.count;
    out->y = y.arrays, out->y_count = y.count;
    return ok;
}

/* idx and npy: [x, y] or {x: ..., y: ...} */
static bool read_files(Build *build, const Yaml *value, DataSource *out)
{
    static const char *const keys[] = {"x", "y", NULL};
    Pair pair = {0};
    if (value->kind == YAML_LIST && value->count >= 1 && value->count <= 2)
        pair = (Pair){value->items[0], value->count == 2 ? value->items[1] : NULL};
    else if (value->kind == YAML_MAP)
        pair = (Pair){yaml_get(value, "x"), yaml_get(value, "y")};
    else
        return diag_error(build->diag, value->loc, "expected [x, y] or {x: ..., y: ...}, found %s",
                          value->kind == YAML_LIST
                              ? arena_printf(build->arena, "a list of %d", value->count)
                              : yaml_describe(build->arena, value));
    if (value->kind == YAML_MAP && !check_keys(build->diag, value, "key", keys))
        return false;
    return read_pair(build, &pair, value, NULL, out);
}

static bool read_npz(Build *build, const Yaml *value, DataSource *out)
{
    static const char *const keys[] = {"file", "x", "y", NULL};
    if (!expect_map(build->diag, value, "npz") || !check_keys(build->diag, value, "key", keys))
        return false;
    const Yaml *file = yaml_get(value, "file");
    if (!file)
        return diag_error(build->diag, value->loc, "npz needs 'file'");
    const char *path = data_path(build, file);
    Pair pair = {yaml_get(value, "x"), yaml_get(value, "y")};
    return path && read_pair(build, &pair, value, path, out);
}

/* Digits: images of 28 x 28, ten classes. */

static bool digits_fit(Build *build, Loc loc)
{
    const Model *model = build->model;
    const Port *input = &model->inputs[0], *target = model->targets;
    if (model->inputs_count > 1)
        return diag_error(build->diag, loc, "digits feed one input, but the model has %d",
                          model->inputs_count);
    if (shape_row(input->shape) != 784) {
        diag_error(build->diag, loc, "digits are [n, 28, 28, 1], but input '%s' is %s", input->name,
                   shape_text(build->arena, input->shape));
        diag_note(build->diag, input->loc, "'%s' is here", input->name);
        return false;
    }
    if (model->targets_count > 1)
        return diag_error(build->diag, loc, "digits have one target, but the model has %d",
                          model->targets_count);
    if (!model->targets_count || target->shape.rank == 1 || model->one_hot)
        return true;
    diag_error(build->diag, loc,
               "the targets of digits are class numbers, [n], but the loss wants %s",
               shape_text(build->arena, target->shape));
    diag_note(build->diag, target->loc, "'%s' is here; use sparse_categorical_crossentropy",
              build->train.losses[0].loss->record.name);
    return false;
}

static bool read_digits(Build *build, const Named *named, DataSource *out)
{
    AttrValue *values;
    if (!read_attrs(build->diag, "digits", named->loc, digits_attrs, NULL, named->args, &values))
        return false;
    const AttrValue *samples = find_attr(digits_attrs, values, "samples");
    const AttrValue *seed = find_attr(digits_attrs, values, "seed");
    if (samples->loc.source)
        out->count = samples->i;
    if (seed->loc.source)
        out->seed = (uint32_t)seed->i;
    out->kind = SOURCE_DIGITS;
    return digits_fit(build, named->loc);
}

static bool spiral_fits(Build *build, Loc loc)
{
    const Model *model = build->model;
    const Port *input = &model->inputs[0];
    if (model->inputs_count > 1 || model->targets_count > 1)
        return diag_error(build->diag, loc,
                          "a spiral has one input and one target, but the model has %d and %d",
                          model->inputs_count, model->targets_count);
    if (shape_row(input->shape) == 2)
        return true;
    diag_error(build->diag, loc, "a spiral's points are [n, 2], but input '%s' is %s", input->name,
               shape_text(build->arena, input->shape));
    diag_note(build->diag, input->loc, "'%s' is here", input->name);
    return false;
}

static bool read_spiral(Build *build, const Named *named, DataSource *out)
{
    AttrValue *values;
    if (!read_attrs(build->diag, "spiral", named->loc, spiral_attrs, NULL, named->args, &values))
        return false;
    const AttrValue *seed = find_attr(spiral_attrs, values, "seed");
    out->count = find_attr(spiral_attrs, values, "samples")->i;
    out->classes = find_attr(spiral_attrs, values, "classes")->i;
    out->noise = find_attr(spiral_attrs, values, "noise")->f;
    if (seed->loc.source)
        out->seed = (uint32_t)seed->i;
    out->kind = SOURCE_SPIRAL;
    return spiral_fits(build, named->loc);
}

static bool read_builtin(Build *build, const Yaml *value, DataSource *out)
{
    static const char *const names[] = {"digits", "spiral"};
    Named named;
    if (!read_named(build->diag, value, "builtin", &named))
        return false;
    if (!strcmp(named.name, "digits"))
        return read_digits(build, &named, out);
    if (!strcmp(named.name, "spiral"))
        return read_spiral(build, &named, out);
    return diag_unknown(build->diag, named.loc, "builtin", named.name, names, 2);
}

/* Sources */

static bool unknown_source(Build *build, const YamlPair *pair)
{
    for (int i = 0; later_keys[i]; i++) {
        if (!strcmp(later_keys[i], pair->key))
            return diag_error(build->diag, pair->loc, "data source '%s' is not in this build",
                              pair->key);
    }
    return diag_unknown(build->diag, pair->loc, "data source", pair->key, source_keys, 6);
}

bool reads_section(const Model *model, const char *section)
{
    return model->reads_data && (model->trains || !strcmp(section, "test"));
}

static bool read_source(Build *build, const Yaml *value, const char *section, DataSource *out)
{
    if (!value)
        return true;
    if (value->kind != YAML_MAP || value->count != 1)
        return diag_error(build->diag, value->loc,
                          "%s: expected one data source, as in {npy: [x.npy, y.npy]}", section);
    const YamlPair *pair = &value->pairs[0];
    out->loc = pair->loc;
    build->reads = reads_section(build->model, section);
    if (!strcmp(pair->key, "idx") || !strcmp(pair->key, "npy")) {
        out->kind = *pair->key == 'i' ? SOURCE_IDX : SOURCE_NPY;
        return read_files(build, pair->value, out);
    }
    if (!strcmp(pair->key, "npz")) {
        out->kind = SOURCE_NPZ;
        return read_npz(build, pair->value, out);
    }
    if (!strcmp(pair->key, "csv")) {
        out->kind = SOURCE_CSV;
        return read_csv(build, pair->value, out);
    }
    if (!strcmp(pair->key, "images")) {
        out->kind = SOURCE_IMAGES;
        return read_images(build, pair->value, out);
    }
    if (!strcmp(pair->key, "builtin"))
        return read_builtin(build, pair->value, out);
    return unknown_source(build, pair);
}

/* Two views of the training data instead of one */
static void split_source(Model *model)
{
    if ((model->validation_split == 0 && !model->fold[1]) || model->train_data.kind == SOURCE_NONE)
        return;
    model->validation_data = model->train_data;
    model->train_data.part = PART_TRAIN;
    model->validation_data.part = PART_VALIDATION;
}

bool read_sources(Build *build, const Yaml *data)
{
    Model *model = build->model;
    if (!data)
        return true;
    model->train_data = (DataSource){.count = 6000, .seed = 1};
    model->test_data = (DataSource){.count = 1000, .seed = 2};
    model->validation_data = (DataSource){.count = 1000, .seed = 2};
    bool ok = read_source(build, yaml_get(data, "train"), "train", &model->train_data);
    ok = read_source(build, yaml_get(data, "test"), "test", &model->test_data) && ok;
    ok = read_source(build, yaml_get(data, "validation"), "validation", &model->validation_data) &&
         ok;
    split_source(model);
    return bind_table(build) && read_classes(build, yaml_get(data, "classes")) && ok &&
           bind_images(build);
}
