/* Reading `pretrained`: a file of weights that training starts from, and how its names become ours. */
#include <string.h>

#include "base/glob.h"
#include "build.h"
#include "ops/op.h"

const char *const pretrained_keys[] = {"weights", "convention", "map", "freeze", "skip", NULL};

static int stars(const char *pattern)
{
    int count = 0;
    for (; *pattern; pattern++)
        count += *pattern == '*';
    return count;
}

/* `theirs: ours` */
static bool read_name_rule(Build *build, const YamlPair *pair)
{
    Pretrained *p = &build->model->pretrained;
    NameRule rule = {.theirs = pair->key, .loc = pair->loc};
    if (!yaml_string(build->diag, pair->value, pair->key, &rule.ours))
        return false;
    if (stars(rule.theirs) > GLOB_STARS)
        return diag_error(build->diag, pair->loc, "map: '%s' has more than %d stars", rule.theirs,
                          GLOB_STARS);
    if (stars(rule.ours) > stars(rule.theirs))
        return diag_error(build->diag, pair->value->loc, "map: '%s' has more stars than '%s'",
                          rule.ours, rule.theirs);
    ARENA_PUSH(build->arena, p->map, p->map_count, rule);
    return true;
}

static bool read_map(Build *build, const Yaml *map)
{
    if (!map || yaml_is_null(map))
        return true;
    if (!expect_map(build->diag, map, "map"))
        return false;
    bool ok = true;
    for (int i = 0; i < map->count; i++)
        ok = read_name_rule(build, &map->pairs[i]) && ok;
    return ok;
}

static bool read_skipped(Build *build, const Yaml *value)
{
    Pretrained *p = &build->model->pretrained;
    NamePattern skip = {.loc = value->loc};
    if (!yaml_string(build->diag, value, "skip", &skip.pattern))
        return false;
    ARENA_PUSH(build->arena, p->skip, p->skip_count, skip);
    return true;
}

static bool read_skip(Build *build, const Yaml *value)
{
    if (!value || yaml_is_null(value))
        return true;
    if (value->kind != YAML_LIST)
        return read_skipped(build, value);
    bool ok = true;
    for (int i = 0; i < value->count; i++)
        ok = read_skipped(build, value->items[i]) && ok;
    return ok;
}

/* The file must be there only for those who read it. */
static bool read_file(Build *build, const Yaml *map)
{
    Pretrained *p = &build->model->pretrained;
    const Yaml *weights = yaml_get(map, "weights");
    const char *path;
    if (!weights)
        return diag_error(build->diag, key_loc(build->model->spec, "pretrained"),
                          "pretrained needs 'weights', a file");
    p->loc = weights->loc;
    p->weights = weights;
    return yaml_string(build->diag, weights, "weights", &path);
}

/* Whose names and layouts safetensors and npz hold, which do not say it themselves. */
static bool read_convention(Build *build, const Yaml *value)
{
    static const char *const names[] = {"netcc", "pytorch"};
    const char *name;
    if (!value)
        return true;
    if (!yaml_string(build->diag, value, "convention", &name))
        return false;
    build->model->pretrained.torch = !strcmp(name, names[1]);
    return build->model->pretrained.torch || !strcmp(name, names[0]) ||
           diag_unknown(build->diag, value->loc, "convention", name, names, 2);
}

bool read_pretrained(Build *build, const Yaml *map)
{
    if (!map || yaml_is_null(map))
        return true;
    if (!expect_map(build->diag, map, "pretrained"))
        return false;
    bool ok = check_keys(build->diag, map, "key", pretrained_keys);
    ok = read_file(build, map) && ok;
    ok = read_convention(build, yaml_get(map, "convention")) && ok;
    ok = read_map(build, yaml_get(map, "map")) && ok;
    ok = read_skip(build, yaml_get(map, "skip")) && ok;
    return read_freezing(build, yaml_get(map, "freeze")) && ok;
}

/* What element-wise nodes were applied to */
static const Node *before_activation(const Node *node)
{
    while ((op_of(node)->class == OP_PRIMITIVE || op_of(node)->class == OP_COMPOSITE) &&
           shape_equal(node->in[0]->shape, node->shape))
        node = node->in[0];
    return node;
}

/* Notes it on kernels that read flattened images: other programs count their rows otherwise. */
void note_images(Model *model)
{
    for (int i = 0; i < model->predict->count; i++) {
        const Node *node = model->predict->nodes[i];
        if (node->inputs != 2 || !node_param(node->in[1]) || node->in[1]->shape.rank != 2)
            continue;
        const Node *x = before_activation(node->in[0]);
        const Node *image = op_of(x)->class == OP_VIEW ? x->in[0] : x;
        const int64_t *d = image->shape.dim;
        if (image->shape.rank == 4 && x->shape.rank == 2 && d[1] * d[2] > 1 && d[3] > 1)
            memcpy(model->params[node_param(node->in[1])->id]->image, d + 1, 3 * sizeof *d);
    }
}
