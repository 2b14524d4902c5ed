/* A list of layers, item by item. A block is written out where it is used, an item with `repeat` as
 * often as it says, so that what comes out is one flat list. An item that `when` leaves out, a block's
 * inputs and the block as a whole are entries of it as well: other names of tensors, which are gone
 * when the layers have been connected. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"

enum { MOST_STACKED = 10000 };

/* What Keras has and this build lacks; a layer that exists is found before. */
/* clang-format off */
static const char *const keras_layers[] = {
    "alpha_dropout", "average_pooling1d", "average_pooling2d", "average_pooling3d",
    "bidirectional", "category_encoding", "center_crop", "conv1d", "conv1d_transpose", "conv2d",
    "conv2d_transpose", "conv3d", "conv3d_transpose", "conv_lstm2d", "cropping1d", "cropping2d",
    "depthwise_conv1d", "depthwise_conv2d", "dot", "einsum_dense", "embedding",
    "gaussian_dropout", "gaussian_noise", "global_average_pooling1d",
    "global_average_pooling2d", "global_max_pooling1d", "global_max_pooling2d",
    "group_normalization", "group_query_attention", "gru", "gru_cell", "layer_normalization",
    "lstm", "lstm_cell", "masking", "max_pooling1d", "max_pooling2d", "max_pooling3d",
    "multi_head_attention", "permute", "prelu", "random_contrast", "random_crop", "random_flip",
    "random_rotation", "random_translation", "random_zoom", "repeat", "repeat_vector",
    "resizing", "rms_normalization", "rnn", "separable_conv1d", "separable_conv2d",
    "spatial_dropout1d", "spatial_dropout2d", "spectral_normalization", "time_distributed",
    "unit_normalization", "up_sampling1d", "up_sampling2d", "zero_padding1d", "zero_padding2d",
    NULL
};
/* clang-format on */

const char *const layer_own_keys[] = {"name", "from", "trainable", "when", "repeat", "first", NULL};

void add_entry(Build *build, LayerSpec entry)
{
    ARENA_PUSH(build->arena, build->layers, build->layers_count, entry);
}

const LayerPath *path_new(Build *build, const char *name, const Place *place)
{
    LayerPath *path = ARENA_NEW(build->arena, LayerPath);
    *path = (LayerPath){name, place->path};
    return path;
}

Place place_new(Build *build, const NameScope *scope, BlockUse *use, bool trainable)
{
    return (Place){.scope = scope,
                   .use = use,
                   .trainable = trainable,
                   .seen = ARENA_ARRAY(build->arena, int, layers.count + build->blocks_count)};
}

/* What an item is */

static bool unknown_layer(Build *build, const Named *named)
{
    const char **names = NULL;
    int count = 0;
    for (int i = 0; keras_layers[i]; i++) {
        if (!strcmp(keras_layers[i], named->name))
            return diag_error(build->diag, named->loc, "layer '%s' is not in this build",
                              named->name);
    }
    const Op *op = op_find(named->name);
    if (op && op->activation)
        return diag_error(build->diag, named->loc,
                          "'%s' is an activation, not a layer; write `activation: %s`", named->name,
                          named->name);
    if (!build->blocks_count)
        return record_unknown(build->diag, named->loc, &layers, named->name);
    for (int i = 0; i < build->blocks_count; i++)
        ARENA_PUSH(build->arena, names, count, build->blocks[i].name);
    for (int i = 0; i < layers.count; i++)
        ARENA_PUSH(build->arena, names, count, layers.records[i]->name);
    return diag_unknown(build->diag, named->loc, "layer or block", named->name, names, count);
}

static bool read_own_keys(Build *build, Item *item)
{
    const Yaml *args = item->named.args;
    item->trainable = item->place->trainable;
    item->kept = true;
    item->repeat = 1;
    if (!args || args->kind != YAML_MAP)
        return true;
    const Yaml *trainable = yaml_get(args, "trainable"), *when = yaml_get(args, "when");
    const Yaml *repeat = yaml_get(args, "repeat");
    bool trains = true;
    item->name = yaml_get(args, "name");
    item->from = yaml_get(args, "from");
    item->first = yaml_get(args, "first");
    if ((trainable && !yaml_bool(build->diag, trainable, "trainable", &trains)) ||
        (when && !yaml_bool(build->diag, when, "when", &item->kept)) ||
        (item->first && !expect_map(build->diag, item->first, "first")) ||
        (repeat && !yaml_int(build->diag, repeat, "repeat", 0, MOST_STACKED, &item->repeat)))
        return false;
    item->trainable &= trains;
    item->kept &= item->repeat > 0;
    return true;
}

static bool read_item(Build *build, const Place *place, const Yaml *node, Item *item)
{
    *item = (Item){.place = place};
    if (!read_named(build->diag, node, "layer", &item->named))
        return false;
    item->layer = (const Layer *)record_find(&layers, item->named.name);
    item->block = item->layer ? NULL : find_block(build, item->named.name);
    if (!item->layer && !item->block)
        return unknown_layer(build, &item->named);
    return read_own_keys(build, item);
}

/* Names */

/* dense, dense_1, ...: those of a kind without a name are counted. */
static const char *numbered_name(Build *build, const Item *item)
{
    int kind = layers.count;
    if (item->block)
        kind += (int)(item->block - build->blocks);
    else
        for (kind = 0; layers.records[kind] != &item->layer->record;)
            kind++;
    int number = item->place->seen[kind]++;
    return number ? arena_printf(build->arena, "%s_%d", item->named.name, number)
                  : item->named.name;
}

/* The name of a repetition: block1, block2, ...; block2a, block2b, ...; stage, stage_1, ... */
static const char *next_name(Build *build, const Item *item, const char *first, int repetition)
{
    size_t length = strlen(first), digits = 0;
    while (digits < length && isdigit((unsigned char)first[length - digits - 1]))
        digits++;
    if (!repetition)
        return first;
    if (digits > 9) {
        diag_error(build->diag, item->name->loc, "'%s' cannot be counted on from", first);
        return NULL;
    }
    if (digits)
        return arena_printf(build->arena, "%.*s%0*ld", (int)(length - digits), first, (int)digits,
                            strtol(first + length - digits, NULL, 10) + repetition);
    bool letter = length > 1 && first[length - 1] >= 'a' && first[length - 1] <= 'z' &&
                  isdigit((unsigned char)first[length - 2]);
    if (!letter)
        return arena_printf(build->arena, "%s_%d", first, repetition);
    if (first[length - 1] + repetition <= 'z')
        return arena_printf(build->arena, "%.*s%c", (int)length - 1, first,
                            first[length - 1] + repetition);
    diag_error(build->diag, item->name->loc, "there are no letters for %lld repetitions of '%s'",
               (long long)item->repeat, first);
    return NULL;
}

/* The whole name of a repetition, or NULL after an error. */
static const char *item_name(Build *build, const Item *item, int repetition)
{
    const char *name, *prefix = item->place->scope->prefix;
    if (!item->name)
        name = numbered_name(build, item);
    else if (!yaml_string(build->diag, item->name, "name", &name) ||
             !(name = next_name(build, item, name, repetition)))
        return NULL;
    name = prefix ? arena_printf(build->arena, "%s_%s", prefix, name) : name;
    Loc loc = item->name ? item->name->loc : item->named.loc;
    return check_name(build->diag, loc, "the layer", name) ? name : NULL;
}

/* Repetitions */

static bool check_first(Build *build, const Yaml *first)
{
    for (int i = 0; first && i < first->count; i++) {
        if (listed(layer_own_keys, first->pairs[i].key))
            return diag_error(build->diag, first->pairs[i].loc,
                              "first: '%s' is no argument; it stands beside first",
                              first->pairs[i].key);
    }
    return true;
}

/* The arguments of the first repetition: those that `first` has count for it alone. */
static const Yaml *first_arguments(Build *build, const Item *item)
{
    const Yaml *args = item->named.args;
    if (!item->first)
        return args;
    Yaml *merged = ARENA_NEW(build->arena, Yaml);
    *merged = (Yaml){.kind = YAML_MAP, .loc = args->loc, .text = ""};
    for (int i = 0; i < args->count; i++) {
        if (!yaml_get(item->first, args->pairs[i].key))
            ARENA_PUSH(build->arena, merged->pairs, merged->count, args->pairs[i]);
    }
    for (int i = 0; i < item->first->count; i++)
        ARENA_PUSH(build->arena, merged->pairs, merged->count, item->first->pairs[i]);
    return merged;
}

static bool add_layer(Build *build, const Item *item, const Yaml *args, const char *name,
                      int repetition)
{
    const Record *record = &item->layer->record;
    LayerSpec entry = {.kind = ENTRY_LAYER,
                       .layer = item->layer,
                       .name = name,
                       .scope = item->place->scope,
                       .loc = item->named.loc,
                       .trainable = item->trainable,
                       .from = repetition ? NULL : item->from};
    AttrValue *attrs;
    const char *owner = arena_printf(build->arena, "layer '%s'", record->name);
    bool ok = read_attrs(build->diag, owner, entry.loc, record_attrs(record), layer_own_keys, args,
                         &attrs);
    entry.attrs = attrs;
    entry.path = path_new(build, name, item->place);
    add_entry(build, entry);
    return ok;
}

/* Who reads an item that is left out reads what it would have read first. */
static bool leave_out(Build *build, const Item *item)
{
    const char *name = item_name(build, item, 0);
    const Yaml *from = item->from;
    if (from && from->kind == YAML_LIST && from->count)
        from = from->items[0];
    if (item->block)
        item->block->used = true;
    add_entry(build, (LayerSpec){.kind = ENTRY_LEFT_OUT,
                                 .name = name,
                                 .scope = item->place->scope,
                                 .loc = item->named.loc,
                                 .from = from});
    return name != NULL;
}

/* Blocks in blocks multiply: what they make is counted. */
static bool count_stacked(Build *build, const Item *item)
{
    if (!item->place->use && item->repeat == 1)
        return true;
    if (++build->stacked == MOST_STACKED + 1)
        diag_error(build->diag, item->named.loc, "blocks and repeat make more than %d layers",
                   MOST_STACKED);
    return build->stacked <= MOST_STACKED;
}

static bool add_item(Build *build, const Place *place, const Yaml *node)
{
    Item item;
    if (!read_item(build, place, node, &item) || !check_first(build, item.first))
        return false;
    if (!item.kept)
        return count_stacked(build, &item) && leave_out(build, &item);
    for (int i = 0; i < item.repeat; i++) {
        const char *name = count_stacked(build, &item) ? item_name(build, &item, i) : NULL;
        const Yaml *args = i ? item.named.args : first_arguments(build, &item);
        if (!name || !(item.block ? use_block(build, &item, args, name, i)
                                  : add_layer(build, &item, args, name, i)))
            return false;
    }
    return true;
}

bool read_list(Build *build, const Place *place, const Yaml *list)
{
    if (list->kind != YAML_LIST || !list->count)
        return diag_error(build->diag, list->loc, "layers: expected a list of layers, found %s",
                          list->kind == YAML_LIST ? "an empty one"
                                                  : yaml_describe(build->arena, list));
    bool ok = true;
    for (int i = 0; i < list->count && build->stacked <= MOST_STACKED; i++) {
        const Yaml *node = list->items[i];
        if (place->use)
            node = yaml_in_use(build, place->use, node);
        ok = node && add_item(build, place, node) && ok;
    }
    return ok;
}
