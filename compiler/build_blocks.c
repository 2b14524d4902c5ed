/* Blocks: sub-networks with parameters.
 *
 *     blocks:
 *       unit:
 *         parameters: {filters, stride: 1}      # without a default: every use must give it
 *         layers:
 *           - conv2d: {filters: 4 * $filters, kernel_size: 3, strides: $stride, name: conv}
 *           - batch_normalization: {name: bn}
 *           - add: {from: [input, bn]}          # `input` is what the block reads
 *     layers:
 *       - unit: {filters: 64, name: stage1, repeat: 3}
 *
 * A use has its layers under its own name, stage1_conv, and stands for the last of them. Names inside
 * are the block's own: it reads its inputs and nothing else of the spec. With `prefix: false` the names
 * inside stand as they are, beside those around the use, and the use has none. */
#include <string.h>

#include "build.h"

const char *const block_keys[] = {"parameters", "inputs", "prefix", "layers", NULL};

static const char *const reserved[] = {"index", "true", "false", NULL};

/* Definitions */

Block *find_block(const Build *build, const char *name)
{
    for (int i = 0; i < build->blocks_count; i++) {
        if (!strcmp(build->blocks[i].name, name))
            return &build->blocks[i];
    }
    return NULL;
}

static bool read_parameters(Build *build, const Yaml *value, Block *block)
{
    if (!value || yaml_is_null(value))
        return true;
    if (!expect_map(build->diag, value, "parameters"))
        return false;
    bool ok = true;
    for (int i = 0; i < value->count; i++) {
        const YamlPair *pair = &value->pairs[i];
        if (listed(layer_own_keys, pair->key) || listed(reserved, pair->key))
            ok = diag_error(build->diag, pair->loc, "a parameter cannot be named '%s'", pair->key);
        else
            ok = check_name(build->diag, pair->loc, "the parameter", pair->key) && ok;
    }
    block->parameters = value;
    return ok;
}

static bool read_block_inputs(Build *build, const Yaml *value, Block *block)
{
    static const char *usual = "input";
    block->inputs = &usual;
    block->inputs_count = 1;
    if (!value)
        return true;
    if (value->kind != YAML_LIST || !value->count)
        return diag_error(build->diag, value->loc, "inputs: expected a list of names, found %s",
                          value->kind == YAML_LIST ? "an empty one"
                                                   : yaml_describe(build->arena, value));
    block->inputs_count = 0;
    block->inputs = NULL;
    for (int i = 0; i < value->count; i++) {
        const char *name;
        if (!yaml_string(build->diag, value->items[i], "inputs", &name) ||
            !check_name(build->diag, value->items[i]->loc, "the input", name))
            return false;
        ARENA_PUSH(build->arena, block->inputs, block->inputs_count, name);
    }
    return true;
}

static bool read_block(Build *build, const YamlPair *pair)
{
    Block block = {.name = pair->key, .loc = pair->loc, .prefix = true};
    bool ok = check_name(build->diag, pair->loc, "the block", pair->key);
    if (record_find(&layers, pair->key))
        ok = diag_error(build->diag, pair->loc, "'%s' is a layer; a block needs another name",
                        pair->key);
    if (!expect_map(build->diag, pair->value, arena_printf(build->arena, "block '%s'", pair->key)))
        return false;
    ok = check_keys(build->diag, pair->value, "key", block_keys) && ok;
    ok = read_parameters(build, yaml_get(pair->value, "parameters"), &block) && ok;
    ok = read_block_inputs(build, yaml_get(pair->value, "inputs"), &block) && ok;
    const Yaml *prefix = yaml_get(pair->value, "prefix");
    ok = (!prefix || yaml_bool(build->diag, prefix, "prefix", &block.prefix)) && ok;
    block.layers = yaml_get(pair->value, "layers");
    if (!block.layers)
        ok = diag_error(build->diag, pair->loc, "block '%s' needs 'layers'", pair->key);
    ARENA_PUSH(build->arena, build->blocks, build->blocks_count, block);
    return ok;
}

bool read_blocks(Build *build)
{
    const Yaml *blocks = yaml_get(build->model->spec, "blocks");
    if (!blocks || yaml_is_null(blocks))
        return true;
    if (!expect_map(build->diag, blocks, "blocks"))
        return false;
    bool ok = true;
    for (int i = 0; i < blocks->count; i++)
        ok = read_block(build, &blocks->pairs[i]) && ok;
    return ok;
}

bool check_blocks_used(Build *build)
{
    bool ok = true;
    for (int i = 0; i < build->blocks_count; i++) {
        const Block *block = &build->blocks[i];
        if (!block->used)
            ok = diag_error(build->diag, block->loc, "nothing uses block '%s'", block->name);
    }
    return ok;
}

/* Arguments */

static void set_parameter(Build *build, BlockUse *use, const char *name, const Yaml *value)
{
    int count = use->count;
    ARENA_PUSH(build->arena, use->names, use->count, name);
    ARENA_PUSH(build->arena, use->values, count, value);
}

static const Yaml *argument(const Yaml *args, const char *name, int position)
{
    if (!args || yaml_is_null(args))
        return NULL;
    return args->kind == YAML_MAP ? yaml_get(args, name) : position == 0 ? args : NULL;
}

/* What the arguments give, else the default, in which earlier parameters may stand. */
static bool set_parameters(Build *build, const Item *item, const Yaml *args, BlockUse *use)
{
    const Block *block = item->block;
    bool ok = true;
    for (int i = 0; block->parameters && i < block->parameters->count; i++) {
        const YamlPair *pair = &block->parameters->pairs[i];
        const Yaml *value = argument(args, pair->key, i);
        if (!value && yaml_is_null(pair->value)) {
            ok = diag_error(build->diag, item->named.loc, "block '%s' needs '%s'", block->name,
                            pair->key);
            diag_note(build->diag, pair->loc, "'%s' has no default", pair->key);
        } else if (!value) {
            value = yaml_in_use(build, use, pair->value);
            ok &= value != NULL;
        }
        set_parameter(build, use, pair->key, value);
        if (!value)
            return false;
    }
    return ok;
}

static bool check_arguments(Build *build, const Block *block, const Yaml *args)
{
    const char **names = NULL;
    int count = 0;
    bool ok = true;
    for (int i = 0; block->parameters && i < block->parameters->count; i++)
        ARENA_PUSH(build->arena, names, count, block->parameters->pairs[i].key);
    if (args && args->kind != YAML_MAP && !yaml_is_null(args) && !count)
        return diag_error(build->diag, args->loc, "block '%s' has no parameters, found %s",
                          block->name, yaml_describe(build->arena, args));
    for (int i = 0; layer_own_keys[i]; i++)
        ARENA_PUSH(build->arena, names, count, layer_own_keys[i]);
    ARENA_PUSH(build->arena, names, count, NULL);
    for (int i = 0; args && args->kind == YAML_MAP && i < args->count; i++) {
        const YamlPair *pair = &args->pairs[i];
        if (!listed(names, pair->key))
            ok = diag_unknown(build->diag, pair->loc, "key", pair->key, names, count - 1);
    }
    return ok;
}

/* Uses */

/* A name that no spec can write */
static const char *hidden_name(Build *build)
{
    return arena_printf(build->arena, " %d", build->layers_count);
}

static bool add_inputs(Build *build, const Item *item, int repetition)
{
    const Block *block = item->block;
    const Yaml *from = repetition ? NULL : item->from;
    bool list = from && from->kind == YAML_LIST;
    int given = list ? from->count : 1;
    if (given != block->inputs_count)
        return diag_error(build->diag, from ? from->loc : item->named.loc,
                          "block '%s' reads %d input%s, but gets %d; name them with 'from'",
                          block->name, block->inputs_count, block->inputs_count == 1 ? "" : "s",
                          given);
    for (int i = 0; i < given; i++)
        add_entry(build, (LayerSpec){.kind = ENTRY_BLOCK_INPUT,
                                     .name = hidden_name(build),
                                     .input = block->inputs[i],
                                     .scope = item->place->scope,
                                     .loc = item->named.loc,
                                     .from = list ? from->items[i] : from});
    return true;
}

static const NameScope *scope_in_use(Build *build, const Item *item, const char *name)
{
    const Block *block = item->block;
    NameScope *scope = ARENA_NEW(build->arena, NameScope);
    *scope = (NameScope){.prefix = block->prefix ? name : item->place->scope->prefix,
                         .inputs = block->inputs,
                         .inputs_count = block->inputs_count,
                         .first_input = build->model->inputs_count + build->layers_count -
                                        block->inputs_count};
    return scope;
}

/* All that is inside, and the use as another name of its last layer. */
static bool add_inside(Build *build, const Item *item, BlockUse *use, const char *name)
{
    const Block *block = item->block;
    Place place = place_new(build, scope_in_use(build, item, name), use, item->trainable);
    place.path = path_new(build, name, item->place);
    int first = build->layers_count;
    Yaml list = *block->layers;
    list.loc = loc_in_use(build, use, list.loc);
    if (!read_list(build, &place, &list))
        return false;
    build->layers[first].needs_from = block->inputs_count > 1;
    add_entry(build, (LayerSpec){.kind = ENTRY_BLOCK,
                                 .name = block->prefix ? name : hidden_name(build),
                                 .scope = item->place->scope,
                                 .loc = item->named.loc});
    return true;
}

static bool refuse_cycle(Build *build, const Item *item)
{
    return diag_error(build->diag, item->named.loc, "block '%s' stands inside itself",
                      item->block->name);
}

/* A fault of a block is told of once, not at every use. */
bool use_block(Build *build, const Item *item, const Yaml *args, const char *name, int repetition)
{
    Block *block = item->block;
    BlockUse use = {
        .loc = item->named.loc,
        .note = arena_printf(build->arena, "block '%s' is used here, as '%s'", block->name, name)};
    Yaml *index = ARENA_NEW(build->arena, Yaml);
    *index = (Yaml){
        .kind = YAML_SCALAR, .loc = use.loc, .text = arena_printf(build->arena, "%d", repetition)};
    block->used = true;
    if (block->open)
        return refuse_cycle(build, item);
    if (!block->prefix && item->name)
        return diag_error(build->diag, item->name->loc,
                          "block '%s' has `prefix: false`, so that its uses have no name",
                          block->name);
    if (block->faulty || !check_arguments(build, block, args))
        return false;
    set_parameter(build, &use, "index", index);
    if (!set_parameters(build, item, args, &use) || !add_inputs(build, item, repetition))
        return false;
    block->open = true;
    bool ok = add_inside(build, item, &use, name);
    block->open = false;
    block->faulty = !ok;
    return ok;
}
