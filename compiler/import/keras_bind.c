/* Each parameter's values in a file of Keras's. Our layers make their parameters in Keras's order,
 * so a layer's tensors in the file are paired with them one by one, and by name where the names are
 * the usual ones. Kernels of Keras 1 with channels first lie [out, in, height, width]; Theano's run
 * backwards, as it convolves where the others correlate. */
#include "import/keras.h"

#include <stdio.h>
#include <string.h>

#include "model.h"

enum { MOST_OF_LAYER = 64 };

/* The tensors of one layer: positions in the file. */
typedef struct {
    int index[MOST_OF_LAYER];
    int count;
} Found;

/* ---- parameters --------------------------------------------------------------------------------- */

typedef struct {
    const Param *param[MOST_OF_LAYER];
    int count;
} ParamList;

static bool lies_in(const char *name, const char *folder)
{
    size_t length = strlen(folder);
    return !strncmp(name, folder, length) && name[length] == '/';
}

static bool list_params(Keras *keras, const KerasLayer *layer, ParamList *out)
{
    const Model *model = keras->import->model;
    *out = (ParamList){0};
    for (int i = 0; i < model->params_count; i++) {
        const Param *param = model->params[i];
        if (param->role == NC_ROLE_SLOT || !lies_in(param->name, layer->ours))
            continue;
        if (out->count == MOST_OF_LAYER)
            return keras_fault(keras, layer, "more than %d parameters", MOST_OF_LAYER);
        out->param[out->count++] = param;
    }
    return true;
}

static const char *suffix_of(const KerasLayer *layer, const Param *param)
{
    return param->name + strlen(layer->ours) + 1;
}

/* ---- tensors by the layers' names ---------------------------------------------------------------- */

static void take(Found *found, int index)
{
    if (found->count < MOST_OF_LAYER)
        found->index[found->count] = index;
    found->count++;
}

/* Keras 0.2: layer_N, N counting from 0 */
static bool is_group(const KerasLayer *layer, const char *group)
{
    char numbered[32];
    snprintf(numbered, sizeof numbered, "layer_%d", layer->index);
    return !strcmp(group, layer->group) || !strcmp(group, numbered);
}

/* Has the path the layer's name as the folder right above the tensor, or above its cell? */
static bool is_under(const char *place, const char *theirs)
{
    size_t length = strlen(theirs);
    for (const char *at = strstr(place, theirs); at; at = strstr(at + 1, theirs)) {
        if (at > place && at[-1] == '/' && at[length] == '/')
            return true;
    }
    return false;
}

static Found find_by_layer(const Keras *keras, const KerasLayer *layer)
{
    const struct nc_weight_file *file = &keras->import->file;
    bool nested = strcmp(layer->group, layer->theirs) != 0;
    Found found = {0};
    for (int i = 0; i < file->count; i++) {
        const struct nc_weight *w = &file->weights[i];
        if (w->layer && is_group(layer, w->layer) &&
            (!nested || is_under(w->place + strlen(w->layer), layer->theirs)))
            take(&found, i);
        else if (!w->layer && lies_in(w->name, layer->ours))
            take(&found, i); /* a file with our names */
    }
    return found;
}

/* ---- tensors by number --------------------------------------------------------------------------- */

/* FOLDER/../vars/N: what stands between folder and vars, or NULL; random generators are no weights */
static const char *part_of(Arena *arena, const char *name, const char *folder, int *number)
{
    if (!lies_in(name, folder))
        return NULL;
    const char *rest = name + strlen(folder) + 1, *vars = strstr(rest, "vars/");
    if (!vars || strstr(rest, "seed_generator") || (vars > rest && vars[-1] != '/'))
        return NULL;
    if (sscanf(vars, "vars/%d", number) != 1)
        return NULL;
    return arena_strndup(arena, rest, (size_t)(vars - rest));
}

/* Keras walks a layer's parts by name, we by what they do. */
static int part_rank(const char *part)
{
    static const char *const order[] = {"forward_layer", "backward_layer", "query_dense",
                                        "key_dense",     "value_dense",    "output_dense"};
    for (int i = 0; i < (int)(sizeof order / sizeof *order); i++) {
        if (strstr(part, order[i]))
            return i;
    }
    return -1;
}

/* In the order of parts, then of numbers. */
static Found find_by_number(const Keras *keras, const char *folder)
{
    const struct nc_weight_file *file = &keras->import->file;
    int rank[MOST_OF_LAYER], number[MOST_OF_LAYER];
    Found found = {0};
    for (int i = 0; i < file->count && found.count < MOST_OF_LAYER; i++) {
        int n = 0, at = found.count;
        const char *part = part_of(keras->arena, file->weights[i].name, folder, &n);
        if (!part)
            continue;
        int r = part_rank(part);
        while (at > 0 && (rank[at - 1] > r || (rank[at - 1] == r && number[at - 1] > n))) {
            found.index[at] = found.index[at - 1];
            rank[at] = rank[at - 1];
            number[at] = number[at - 1];
            at--;
        }
        found.index[at] = i;
        rank[at] = r;
        number[at] = n;
        found.count++;
    }
    return found;
}

/* By class and count, as Keras does; else by name. */
static Found find_by_position(const Keras *keras, const KerasLayer *layer)
{
    Found found = find_by_number(keras, layer->path);
    const char *slash = strrchr(layer->path, '/');
    if (found.count)
        return found;
    return find_by_number(keras, arena_printf(keras->arena, "%.*s/%s", (int)(slash - layer->path),
                                              layer->path, layer->theirs));
}

/* ---- pairing ------------------------------------------------------------------------------------ */

/* Keras 1's and 2's words for what our parameters are called */
static const struct {
    const char *theirs, *ours;
} words[] = {{"W", "kernel"},
             {"b", "bias"},
             {"depthwise_kernel", "kernel"},
             {"running_mean", "moving_mean"},
             {"running_std", "moving_variance"},
             {"U", "recurrent_kernel"}};

static bool is_called(const char *theirs, const char *ours)
{
    if (!strcmp(theirs, ours))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i].theirs, theirs) && !strcmp(words[i].ours, ours))
            return true;
    }
    return false;
}

/* The last part of a tensor's name: kernel, of dense_1/kernel:0; W, of dense_1/dense_1_W */
static const char *word_of(const Keras *keras, const KerasLayer *layer, int index)
{
    const struct nc_weight *w = &keras->import->file.weights[index];
    const char *place = w->place ? w->place : w->name, *slash = strrchr(place, '/');
    char *word = arena_strdup(keras->arena, slash ? slash + 1 : place);
    size_t length = strlen(layer->theirs);
    word[strcspn(word, ":")] = '\0';
    if (!strncmp(word, layer->theirs, length) && word[length] == '_')
        word += length + 1;
    return word;
}

/* Puts the tensors into the parameters' order where each is called like one of them. */
static void order_by_word(const Keras *keras, const KerasLayer *layer, const ParamList *wanted,
                          Found *found)
{
    Found ordered = {.count = found->count};
    for (int i = 0; i < wanted->count; i++) {
        int hits = 0;
        for (int k = 0; k < found->count; k++) {
            if (is_called(word_of(keras, layer, found->index[k]),
                          suffix_of(layer, wanted->param[i]))) {
                ordered.index[i] = found->index[k];
                hits++;
            }
        }
        if (hits != 1)
            return;
    }
    *found = ordered;
}

/* ---- layouts ------------------------------------------------------------------------------------ */

static bool is_window(const KerasLayer *layer, const Param *param)
{
    return param->shape.rank == 4 && strstr(layer->kind, "conv2d") != NULL;
}

/* Who made the kernels: the file says, or --trained-with; TensorFlow names its variables name:0. */
static const char *maker_of(const Keras *keras, const struct nc_weight *w)
{
    const char *backend = nc_weight_file_says(&keras->import->file, "backend");
    if (backend)
        return backend;
    if (keras->version >= 3 || keras->import->file.convention == NC_BY_POSITION ||
        (w->place && strchr(w->place, ':')))
        return "tensorflow";
    return keras->made_by;
}

static bool is_flipped(Keras *keras, const KerasLayer *layer, const Param *param,
                       const struct nc_weight *w, bool *out)
{
    const char *maker = maker_of(keras, w);
    *out = maker && !strcmp(maker, "theano") && is_window(layer, param);
    if (maker || !is_window(layer, param) || param->shape.dim[0] * param->shape.dim[1] == 1)
        return true;
    import_error(keras->import,
                 "does not say whether TensorFlow or Theano made it; Theano's "
                 "kernels (%s) lie backwards",
                 w->name);
    diag_note(keras->import->diag, (Loc){0},
              "say it with --trained-with tensorflow or --trained-with theano");
    return false;
}

static bool bind_one(Keras *keras, const KerasLayer *layer, const Param *param, int index)
{
    static const int from_oihw[] = {2, 3, 1, 0};
    Import *import = keras->import;
    const struct nc_weight *w = &import->file.weights[index];
    bool flipped, turned = layer->channels_first && keras->version == 1 && w->rank == 4 &&
                           is_window(layer, param);
    if (!is_flipped(keras, layer, param, w, &flipped))
        return false;
    ImportTensor *t = import_from_file(import, layer->ours, suffix_of(layer, param), &import->file,
                                       index, turned ? from_oihw : NULL);
    t->flipped = flipped ? 3 : 0;
    return true;
}

static bool bind_layer(Keras *keras, const KerasLayer *layer)
{
    const struct nc_weight_file *file = &keras->import->file;
    ParamList wanted;
    if (!list_params(keras, layer, &wanted))
        return false;
    if (!wanted.count)
        return true;
    if (layer->again)
        return keras_fault(keras, layer,
                           "it is called more than once; netcc's layers do not share "
                           "parameters");
    Found found = file->convention == NC_BY_POSITION ? find_by_position(keras, layer)
                                                     : find_by_layer(keras, layer);
    /* mean, variance, and how many samples they are of */
    bool counts = !strcmp(layer->kind, "normalization") && found.count == wanted.count + 1;
    if (counts)
        found.count--;
    if (found.count != wanted.count)
        return keras_fault(keras, layer, "%s takes %d tensors, the file has %d of it", layer->kind,
                           wanted.count, found.count);
    order_by_word(keras, layer, &wanted, &found);
    for (int i = 0; i < wanted.count; i++) {
        if (!bind_one(keras, layer, wanted.param[i], found.index[i]))
            return false;
    }
    return true;
}

/* A tensor that no layer wants may mean that the file is another network's. */
static bool check_leftovers(Keras *keras)
{
    const struct nc_weight_file *file = &keras->import->file;
    bool *used = ARENA_ARRAY(keras->arena, bool, file->count + 1);
    for (int i = 0; i < keras->import->tensors_count; i++)
        used[keras->import->tensors[i]->index] = true;
    for (int i = 0; i < file->count; i++) {
        bool counts = file->weights[i].rank == 0; /* a normalization's samples */
        if (!used[i] && !counts && !strstr(file->weights[i].name, "seed_generator"))
            return import_error(keras->import, "the tensor %s belongs to no layer",
                                file->weights[i].place ? file->weights[i].place
                                                       : file->weights[i].name);
    }
    return true;
}

bool keras_bind(Keras *keras)
{
    bool good = true;
    if (keras->made_by && strcmp(keras->made_by, "theano") && strcmp(keras->made_by, "tensorflow"))
        return diag_error(keras->import->diag, (Loc){0},
                          "--trained-with takes tensorflow or theano, not '%s'", keras->made_by);
    for (int i = 0; i < keras->layers_count && !keras->unsure; i++)
        good = bind_layer(keras, keras->layers[i]) && good;
    return good && check_leftovers(keras);
}
