/* Reading the train section: options, losses and metrics per output, the optimizer. */
#include <math.h>
#include <string.h>

#include "build.h"

const AttrDef train_attrs[] = {
    {"batch_size", ATTR_INT, "32", "rows of a step", 1, 1 << 24, NULL},
    {"epochs", ATTR_INT, "1", "passes over the training data", 1, INT32_MAX, NULL},
    {"shuffle", ATTR_BOOL, "true", "draw the rows in another order in each epoch", 0, 0, NULL},
    {"feature_cache", ATTR_CHOICE, "auto",
     "where the features of a frozen trunk are kept, so that epochs run only what comes after it",
     0, 0, "auto|memory|file|off"},
    {"seed", ATTR_INT, "12345", "seed of the first values, the order and dropout", 0, UINT32_MAX,
     NULL},
    ATTRS_END};

const char *const train_other_keys[] = {"loss",    "loss_weights",   "optimizer",
                                        "metrics", "early_stopping", "checkpoint",
                                        "freeze",  "unfreeze",       "learning_rate_multipliers",
                                        NULL};

const AttrDef stopping_attrs[] = {
    {"patience", ATTR_INT, "0", "epochs without improvement after which it ends", 0, INT32_MAX,
     NULL},
    {"min_delta", ATTR_NUMBER, "0", "a smaller change is no improvement", 0, UNBOUNDED, NULL},
    {"mode", ATTR_CHOICE, "auto", "does the better value fall or rise", 0, 0, "auto|min|max"},
    {"baseline", ATTR_NUMBER, "null", "a value that must be beaten", 0, 0, NULL},
    {"start_from_epoch", ATTR_INT, "0", "epochs before it begins to watch", 0, INT32_MAX, NULL},
    {"restore_best_weights", ATTR_BOOL, "false", "end with the weights of the best epoch", 0, 0,
     NULL},
    ATTRS_END};

const AttrDef checkpoint_attrs[] = {
    {"save_best_only", ATTR_BOOL, "true", "if not, the weights of every epoch are kept", 0, 0,
     NULL},
    {"mode", ATTR_CHOICE, "auto", "does the better value fall or rise", 0, 0, "auto|min|max"},
    ATTRS_END};

const char *const watch_keys[] = {"monitor", NULL};

static int find_output(const Build *build, const char *name)
{
    for (int i = 0; i < build->model->outputs_count; i++) {
        if (!strcmp(build->model->outputs[i].name, name))
            return i;
    }
    return -1;
}

static bool unknown_output(Build *build, const YamlPair *pair)
{
    const Model *model = build->model;
    const char **names = NULL;
    int count = 0;
    for (int i = 0; i < model->outputs_count; i++)
        ARENA_PUSH(build->arena, names, count, model->outputs[i].name);
    return diag_unknown(build->diag, pair->loc, "output", pair->key, names, count);
}

/* Is it a map from outputs? A single name of an output tells. */
static bool names_outputs(const Build *build, const Yaml *value, const Family *family)
{
    if (value->kind != YAML_MAP || !value->count)
        return false;
    for (int i = 0; i < value->count; i++) {
        if (find_output(build, value->pairs[i].key) >= 0)
            return true;
    }
    return !record_find(family, value->pairs[0].key) && build->model->outputs_count > 1;
}

static bool needs_map(Build *build, const Yaml *value, const char *what)
{
    const Model *model = build->model;
    diag_error(build->diag, value->loc, "the model has %d outputs: write %s: {%s: ..., %s: ...}",
               model->outputs_count, what, model->outputs[0].name, model->outputs[1].name);
    for (int i = 0; i < model->outputs_count && i < 8; i++)
        diag_note(build->diag, model->outputs[i].loc, "output '%s' is %s", model->outputs[i].name,
                  shape_text(build->arena, model->outputs[i].shape));
    return false;
}

/* Losses */

static bool check_fit(Build *build, const LossSpec *spec)
{
    const Port *output = &build->model->outputs[spec->output];
    const Loss *loss = spec->loss;
    int64_t units = output->shape.dim[output->shape.rank - 1];
    if (units >= loss->least_units)
        return true;
    diag_error(build->diag, spec->loc,
               "%s needs at least %d classes along the last axis, but output '%s' is %s",
               loss->record.name, loss->least_units, output->name,
               shape_text(build->arena, output->shape));
    diag_note(build->diag, output->loc, "'%s' gives %s", output->name,
              shape_text(build->arena, output->shape));
    if (loss->instead)
        diag_note(build->diag, (Loc){0}, "for %lld unit use %s", (long long)units, loss->instead);
    return false;
}

static void add_target(Build *build, const LossSpec *spec)
{
    Model *model = build->model;
    Port target = model->outputs[spec->output];
    target.loc = spec->loc;
    if (spec->loss->sparse)
        target.shape.rank--;
    ARENA_PUSH(build->arena, model->targets, model->targets_count, target);
}

static bool read_loss(Build *build, const Yaml *value, int output)
{
    Named named;
    const Record *record = read_record(build->diag, value, &losses, &named);
    AttrValue *attrs;
    if (!record ||
        !read_attrs(build->diag, record->name, named.loc, record->attrs, NULL, named.args, &attrs))
        return false;
    LossSpec spec = {(const Loss *)record, attrs, named.loc, 1, output};
    if (!check_fit(build, &spec))
        return false;
    ARENA_PUSH(build->arena, build->train.losses, build->train.losses_count, spec);
    add_target(build, &spec);
    return true;
}

static bool read_losses(Build *build, const Yaml *train)
{
    const Yaml *value = yaml_get(train, "loss");
    if (!value)
        return diag_error(build->diag, key_loc(build->model->spec, "train"), "train needs 'loss'");
    if (!names_outputs(build, value, &losses)) {
        if (build->model->outputs_count > 1)
            return needs_map(build, value, "loss");
        return read_loss(build, value, 0);
    }
    bool ok = true;
    for (int i = 0; i < value->count; i++) {
        int output = find_output(build, value->pairs[i].key);
        ok &= output < 0 ? unknown_output(build, &value->pairs[i])
                         : read_loss(build, value->pairs[i].value, output);
    }
    return ok;
}

/* The loss of an output, or -1. */
static int find_loss(const Build *build, int output)
{
    for (int i = 0; i < build->train.losses_count; i++) {
        if (build->train.losses[i].output == output)
            return i;
    }
    return -1;
}

static bool no_loss(Build *build, const YamlPair *pair)
{
    int output = find_output(build, pair->key);
    if (output < 0)
        return unknown_output(build, pair);
    return diag_error(build->diag, pair->loc, "output '%s' has no loss", pair->key);
}

static bool read_weight(Build *build, const YamlPair *pair)
{
    int output = find_output(build, pair->key), loss = output < 0 ? -1 : find_loss(build, output);
    double weight;
    if (loss < 0)
        return no_loss(build, pair);
    if (!yaml_number(build->diag, pair->value, pair->key, &weight))
        return false;
    if (weight < 0 || weight > UNBOUNDED)
        return diag_error(build->diag, pair->value->loc,
                          "%s: expected a weight of at least 0, found %s", pair->key,
                          yaml_describe(build->arena, pair->value));
    build->train.losses[loss].weight = weight;
    return true;
}

static bool read_loss_weights(Build *build, const Yaml *value)
{
    if (!value)
        return true;
    bool ok = expect_map(build->diag, value, "loss_weights");
    for (int i = 0; ok && i < value->count; i++)
        ok = read_weight(build, &value->pairs[i]);
    return ok;
}

/* Metrics */

static bool check_target(Build *build, const MetricSpec *spec)
{
    const LossSpec *loss = &build->train.losses[spec->loss];
    const Metric *metric = spec->metric;
    if (metric->any_target || metric->sparse == loss->loss->sparse)
        return true;
    diag_error(build->diag, spec->loc, "%s compares with %s, but the targets are %s",
               metric->record.name,
               metric->sparse ? "class numbers" : "values of the output's shape",
               loss->loss->sparse ? "class numbers" : "values of the output's shape");
    diag_note(build->diag, loss->loc, "by the loss %s", loss->loss->record.name);
    return false;
}

static bool read_metric(Build *build, const Yaml *value, int loss, const char *prefix)
{
    Named named;
    const Record *record = read_record(build->diag, value, &metrics, &named);
    if (!record)
        return false;
    MetricSpec spec = {.metric = (const Metric *)record, .loc = named.loc, .loss = loss};
    spec.name = prefix ? arena_printf(build->arena, "%s_%s", prefix, named.name) : named.name;
    if (!check_target(build, &spec))
        return false;
    if (spec.metric->resolve) {
        const LossSpec *beside = &build->train.losses[loss];
        Shape shape = build->model->outputs[beside->output].shape;
        const char *name = spec.metric->resolve(shape, beside->loss->sparse);
        spec.metric = (const Metric *)record_find(&metrics, name);
    }
    AttrValue *attrs;
    if (!read_attrs(build->diag, record->name, named.loc, spec.metric->record.attrs, NULL,
                    named.args, &attrs))
        return false;
    spec.attrs = attrs;
    Model *model = build->model;
    ARENA_PUSH(build->arena, build->train.metrics, build->train.metrics_count, spec);
    ARENA_PUSH(build->arena, model->metrics, model->metrics_count, spec.name);
    return true;
}

/* One metric or a list of them. */
static bool read_metric_list(Build *build, const Yaml *value, int loss, const char *prefix)
{
    if (value->kind != YAML_LIST)
        return read_metric(build, value, loss, prefix);
    bool ok = true;
    for (int i = 0; i < value->count; i++)
        ok = read_metric(build, value->items[i], loss, prefix) && ok;
    return ok;
}

static bool read_output_metrics(Build *build, const YamlPair *pair)
{
    int output = find_output(build, pair->key), loss = output < 0 ? -1 : find_loss(build, output);
    if (loss < 0)
        return no_loss(build, pair);
    const char *prefix = build->model->outputs_count > 1 ? pair->key : NULL;
    return read_metric_list(build, pair->value, loss, prefix);
}

static bool check_metric_names(Build *build)
{
    const TrainSpec *train = &build->train;
    for (int i = 0; i < train->metrics_count; i++) {
        for (int k = 0; k < i; k++) {
            if (!strcmp(train->metrics[i].name, train->metrics[k].name))
                return diag_error(build->diag, train->metrics[i].loc,
                                  "the metric '%s' is listed twice", train->metrics[i].name);
        }
    }
    return true;
}

static bool read_metrics(Build *build, const Yaml *value)
{
    if (!value || yaml_is_null(value))
        return true;
    bool ok = true;
    if (names_outputs(build, value, &metrics)) {
        for (int i = 0; i < value->count; i++)
            ok = read_output_metrics(build, &value->pairs[i]) && ok;
    } else if (build->model->outputs_count > 1) {
        return needs_map(build, value, "metrics");
    } else {
        ok = read_metric_list(build, value, 0, NULL);
    }
    return ok && check_metric_names(build);
}

/* Optimizer */

static bool check_clipping(Build *build)
{
    static const char *const keys[] = {"clipnorm", "clipvalue", "global_clipnorm"};
    const OptimizerUse *use = &build->train.optimizer;
    const AttrValue *first = NULL;
    for (int i = 0; i < 3; i++) {
        const AttrValue *value = find_attr(use->defs, use->attrs, keys[i]);
        if (isinf(value->f))
            continue;
        if (first) {
            diag_error(build->diag, value->loc,
                       "only one of clipnorm, clipvalue and global_clipnorm can be given");
            diag_note(build->diag, first->loc, "another is here");
            return false;
        }
        first = value;
    }
    return true;
}

static bool read_optimizer(Build *build, const Yaml *value)
{
    OptimizerUse *use = &build->train.optimizer;
    Yaml fallback = {.kind = YAML_SCALAR, .text = "adam"};
    Named named;
    const Record *record = read_record(build->diag, value ? value : &fallback, &optimizers, &named);
    if (!record)
        return false;
    AttrValue *attrs;
    use->optimizer = (const Optimizer *)record;
    use->defs = optimizer_attrs(build->arena, use->optimizer);
    if (!read_attrs(build->diag, record->name, named.loc, use->defs, NULL, named.args, &attrs))
        return false;
    use->attrs = attrs;
    build->model->train_options.learning_rate = find_attr(use->defs, attrs, "learning_rate")->f;
    return check_clipping(build);
}

/* What epochs are judged by */

/* Validation samples are data.validation or a share of data.train, else data.test; a spec without data leaves it open. */
static bool has_validation(const Build *build)
{
    const Yaml *data = yaml_get(build->model->spec, "data");
    if (!data || data->kind != YAML_MAP)
        return true;
    return yaml_get(data, "validation") || yaml_get(data, "test") ||
           yaml_get(data, "validation_split");
}

/* Everything an epoch reports: the loss, the metrics, then the same of the validation samples. */
static const char **list_monitors(Build *build, int *count)
{
    const Model *model = build->model;
    const char **names = NULL;
    *count = 0;
    for (int val = 0; val <= (has_validation(build) ? 1 : 0); val++) {
        for (int i = 0; i <= model->metrics_count; i++) {
            const char *name = i ? model->metrics[i - 1] : "loss";
            ARENA_PUSH(build->arena, names, *count,
                       val ? arena_printf(build->arena, "val_%s", name) : name);
        }
    }
    return names;
}

/* As Keras guesses it from the name. */
static bool rises_by_itself(const char *monitor)
{
    static const char *const parts[] = {"acc", "auc",    "precision", "recall", "f1", "fbeta",
                                        "iou", "cosine", "r2",        "top_k",  NULL};
    for (const char *const *part = parts; *part; part++) {
        if (strstr(monitor, *part))
            return true;
    }
    return false;
}

static bool set_monitor(Build *build, struct nc_watch *watch, const char *name, Loc loc)
{
    int count;
    const char **names = list_monitors(build, &count);
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        watch->monitor = names[i];
        watch->value = i;
        watch->rises = rises_by_itself(name);
        watch->baseline = INFINITY;
        return true;
    }
    diag_unknown(build->diag, loc, "monitor", name, names, count);
    if (!has_validation(build) && !strncmp(name, "val_", 4))
        diag_note(build->diag, (Loc){0}, "%s needs data.validation or data.test", name);
    return false;
}

static void set_default_monitor(Build *build, struct nc_watch *watch)
{
    set_monitor(build, watch, has_validation(build) ? "val_loss" : "loss", (Loc){0});
}

/* `monitor` and `mode`, which early_stopping and checkpoint share. */
static bool read_watch(Build *build, const Yaml *map, const AttrDef *defs, AttrValue *attrs,
                       struct nc_watch *watch)
{
    const Yaml *monitor = yaml_get(map, "monitor");
    const char *name, *mode = find_attr(defs, attrs, "mode")->s;
    if (!monitor)
        set_default_monitor(build, watch);
    else if (!yaml_string(build->diag, monitor, "monitor", &name) ||
             !set_monitor(build, watch, name, monitor->loc))
        return false;
    if (strcmp(mode, "auto") != 0)
        watch->rises = !strcmp(mode, "max");
    return true;
}

static bool read_stopping(Build *build, const Yaml *map)
{
    TrainOptions *options = &build->model->train_options;
    struct nc_watch *stop = &options->stop;
    AttrValue *attrs;
    if (!map || yaml_is_null(map))
        return true;
    if (!expect_map(build->diag, map, "early_stopping") ||
        !read_attrs(build->diag, "early_stopping", map->loc, stopping_attrs, watch_keys, map,
                    &attrs) ||
        !read_watch(build, map, stopping_attrs, attrs, stop))
        return false;
    stop->patience = find_attr(stopping_attrs, attrs, "patience")->i;
    stop->min_delta = find_attr(stopping_attrs, attrs, "min_delta")->f;
    stop->baseline = find_attr(stopping_attrs, attrs, "baseline")->f;
    stop->start_from_epoch = find_attr(stopping_attrs, attrs, "start_from_epoch")->i;
    options->restore_best_weights = find_attr(stopping_attrs, attrs, "restore_best_weights")->i;
    return true;
}

/* What early stopping watches is the best here too, unless the spec says otherwise. */
static bool read_checkpoint(Build *build, const Yaml *map)
{
    TrainOptions *options = &build->model->train_options;
    const struct nc_watch *stop = &options->stop;
    AttrValue *attrs;
    options->save_best_only = true;
    if (map && !yaml_is_null(map)) {
        if (!expect_map(build->diag, map, "checkpoint") ||
            !read_attrs(build->diag, "checkpoint", map->loc, checkpoint_attrs, watch_keys, map,
                        &attrs))
            return false;
        options->save_best_only = find_attr(checkpoint_attrs, attrs, "save_best_only")->i;
        return read_watch(build, map, checkpoint_attrs, attrs, &options->keep);
    }
    set_default_monitor(build, &options->keep);
    if (stop->monitor) {
        options->keep.monitor = stop->monitor;
        options->keep.value = stop->value;
        options->keep.rises = stop->rises;
    }
    return true;
}

static bool read_judges(Build *build, const Yaml *train)
{
    bool ok = read_stopping(build, yaml_get(train, "early_stopping"));
    return read_checkpoint(build, yaml_get(train, "checkpoint")) && ok;
}

static bool check_train_keys(Build *build, const Yaml *train, AttrValue **values)
{
    return expect_map(build->diag, train, "train") &&
           read_attrs(build->diag, "train", train->loc, train_attrs, train_other_keys, train,
                      values);
}

/* Row i of a batch goes on where row i of the batch before ended: the order has a meaning. */
static bool check_order(Build *build, const Yaml *train)
{
    const Param *memory = model_memory(build->model);
    const Yaml *shuffle = yaml_get(train, "shuffle");
    if (!memory || !build->model->train_options.shuffle)
        return true;
    diag_error(build->diag, shuffle ? shuffle->loc : train->loc,
               "a stateful network is trained on rows in their order; write shuffle: false");
    diag_note(build->diag, memory->loc, "'%s' goes on from batch to batch", memory->name);
    return false;
}

bool read_train(Build *build, const Yaml *train)
{
    AttrValue *values;
    TrainOptions *options = &build->model->train_options;
    *options = (TrainOptions){.batch_size = 1, .epochs = 1};
    if (!train)
        return true;
    if (!check_train_keys(build, train, &values))
        return false;
    options->present = true;
    options->batch_size = find_attr(train_attrs, values, "batch_size")->i;
    options->epochs = find_attr(train_attrs, values, "epochs")->i;
    options->feature_cache = (CacheKind)find_attr(train_attrs, values, "feature_cache")->i;
    options->shuffle = find_attr(train_attrs, values, "shuffle")->i;
    options->seed = (uint32_t)find_attr(train_attrs, values, "seed")->i;
    bool ok = check_order(build, train);
    ok = read_optimizer(build, yaml_get(train, "optimizer")) && ok;
    return read_losses(build, train) && read_loss_weights(build, yaml_get(train, "loss_weights")) &&
           read_metrics(build, yaml_get(train, "metrics")) && read_judges(build, train) && ok;
}
