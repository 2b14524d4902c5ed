/* Keras's files of weights. Up to Keras 2, and in Keras 3's .h5 of whole models, a group (the root
 * or model_weights) lists its layers, each layer's group its weights, in order. Keras 3's
 * .weights.h5, and the .keras archives that hold one, number them: layers/dense_1/vars/0. Keras 0.2
 * and older wrote layer_3/param_0. Which name and layout that is of ours only the model tells. */
#include "keras_file.h"

#include "data/h5_plugin.h"
#include "data/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HDF5_MAGIC_BYTES = 8 };
static const unsigned char hdf5_magic[HDF5_MAGIC_BYTES] = {0x89, 'H',  'D',  'F',
                                                           '\r', '\n', 0x1a, '\n'};

/* The superblock may lie behind a user's block of 512, 1024, ... bytes. */
int nc_is_hdf5(const struct nc_file_head *head)
{
    for (size_t at = 0; at + HDF5_MAGIC_BYTES <= head->count; at = at ? 2 * at : 512) {
        if (memcmp(head->bytes + at, hdf5_magic, HDF5_MAGIC_BYTES) == 0)
            return 1;
    }
    return 0;
}

int nc_is_keras_archive(const struct nc_file_head *head)
{
    static const char *const members[] = {"metadata.json", "config.json", "model.weights.h5"};
    char first[256];
    if (!nc_head_zip_member(head, first))
        return 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strcmp(first, members[i]) == 0)
            return 1;
    }
    return 0;
}

int nc_keras_open(struct nc_h5 *out, const char *path, struct nc_error *err)
{
    struct nc_file_head head;
    unsigned char *bytes;
    size_t size;
    *out = (struct nc_h5){0};
    if (nc_file_head_read(&head, path, err) != 0)
        return -1;
    if (!nc_is_keras_archive(&head))
        return nc_h5_open(out, path, err);
    if (nc_zip_read_one(path, "model.weights.h5", &bytes, &size, err) != 0)
        return -1;
    return nc_h5_open_bytes(out, path, bytes, size, err);
}

int nc_keras_write(const char *path, const struct nc_named *arrays, int count, struct nc_error *err)
{
    const struct nc_h5_plugin *plugin = nc_plugin("h5", NC_H5_NEEDS, path, err);
    return plugin ? plugin->write(path, arrays, count, err) : -1;
}

const struct nc_h5 *nc_keras_h5(const struct nc_weight_file *file)
{
    return file->own;
}

/* ---- layers with names ------------------------------------------------------------------------ */

struct keras {
    struct nc_weight_file *out;
    struct nc_h5 *h5;
    const char *root; /* "/model_weights" or "" */
    struct nc_error *err;
};

static struct nc_weight *add_array(struct keras *k, const char *name,
                                   const struct nc_h5_array *array)
{
    struct nc_weight *w =
        nc_weight_add(k->out, name, array->path, array->dtype, array->rank, array->shape, k->err);
    if (w) {
        w->data = array->data;
        w->big_endian = array->big_endian;
    }
    return w;
}

/* The last part of a weight's name, without TensorFlow's ":0" */
static void suffix_of(const char *weight, char *out, size_t size)
{
    const char *slash = strrchr(weight, '/');
    snprintf(out, size, "%s", slash ? slash + 1 : weight);
    char *colon = strrchr(out, ':');
    if (colon)
        *colon = '\0';
}

static int add_layer_weight(struct keras *k, const char *layer, const char *weight)
{
    char path[2048], name[1024], suffix[256];
    snprintf(path, sizeof path, "%s/%s/%s", k->root, layer, weight);
    const struct nc_h5_array *array = nc_h5_array(k->h5, path);
    if (!array)
        return nc_fail(k->err, k->out->path, "%.200s: the weight %.200s that it lists is missing",
                       layer, weight);
    suffix_of(weight, suffix, sizeof suffix);
    snprintf(name, sizeof name, "%.700s/%s", layer, suffix);
    if (nc_weight_find(k->out, name) >= 0)
        snprintf(name, sizeof name, "%.500s/%.500s", layer, weight);
    struct nc_weight *w = add_array(k, name, array);
    if (!w)
        return -1;
    w->layer = strdup(layer);
    return w->layer ? 0 : nc_fail(k->err, k->out->path, "out of memory");
}

typedef int each_function(struct keras *k, const char *layer, const char *text);

/* Each value of a list of texts, which may go on in NAME0, NAME1, ... */
static int each_text(struct keras *k, const char *object, const char *name, const char *layer,
                     each_function *each)
{
    const struct nc_h5_text *text = nc_h5_text(k->h5, object, name, -1);
    int part = text ? -1 : 0;
    if (!text)
        text = nc_h5_text(k->h5, object, name, part);
    while (text) {
        for (int i = 0; i < text->count; i++) {
            if (each(k, layer, text->values[i]) != 0)
                return -1;
        }
        text = part < 0 ? NULL : nc_h5_text(k->h5, object, name, ++part);
    }
    return 0;
}

static int add_layer(struct keras *k, const char *unused, const char *layer)
{
    char object[1024];
    (void)unused;
    snprintf(object, sizeof object, "%s/%.900s", k->root, layer);
    return each_text(k, object, "weight_names", layer, add_layer_weight);
}

static int has_layers(struct keras *k, const char *root)
{
    const char *object = *root ? root : "/";
    k->root = root;
    return nc_h5_text(k->h5, object, "layer_names", -1) ||
           nc_h5_text(k->h5, object, "layer_names", 0);
}

/* Who made the file, for those who must know how its kernels lie */
static int add_origin(struct keras *k)
{
    static const char *const keys[] = {"keras_version", "backend"};
    for (int i = 0; i < 2; i++) {
        const struct nc_h5_text *text = nc_h5_text(k->h5, *k->root ? k->root : "/", keys[i], -1);
        if (!text)
            text = nc_h5_text(k->h5, "/", keys[i], -1);
        if (text && text->count == 1 &&
            nc_weight_file_note(k->out, keys[i], text->values[0], k->err) != 0)
            return -1;
    }
    return 0;
}

/* ---- layers with numbers ---------------------------------------------------------------------- */

static int by_number(const struct nc_h5 *h5)
{
    for (int i = 0; i < h5->arrays_count; i++) {
        if (strstr(h5->arrays[i].path, "/vars/"))
            return 1;
    }
    return 0;
}

static int by_param(const struct nc_h5 *h5)
{
    return nc_h5_array(h5, "/layer_0/param_0") || nc_h5_array(h5, "/layer_1/param_0");
}

/* Keras 2.12's word for what is `layers` since. */
static void say_layers(char *name)
{
    static const char old[] = "_layer_checkpoint_dependencies/", now[] = "layers/";
    for (char *at; (at = strstr(name, old));) {
        memcpy(at, now, sizeof now - 1);
        memmove(at + sizeof now - 1, at + sizeof old - 1, strlen(at + sizeof old - 1) + 1);
    }
}

/* Paths as names; of Keras 0.2's also the layer. Sums of metrics are no weights. */
static int add_paths(struct keras *k, int with_layer)
{
    static const char metrics[] = "metrics/";
    for (int i = 0; i < k->h5->arrays_count; i++) {
        const char *path = k->h5->arrays[i].path + 1;
        if (strncmp(path, metrics, sizeof metrics - 1) == 0)
            continue;
        struct nc_weight *w = add_array(k, path, &k->h5->arrays[i]);
        if (!w)
            return -1;
        say_layers(w->name);
        w->layer = with_layer ? strndup(path, strcspn(path, "/")) : NULL;
    }
    return 0;
}

static int list_weights(struct keras *k)
{
    if (has_layers(k, "/model_weights") || has_layers(k, "")) {
        k->out->convention = NC_BY_LAYER;
        return each_text(k, *k->root ? k->root : "/", "layer_names", NULL, add_layer);
    }
    int params = by_param(k->h5);
    k->out->convention = params ? NC_BY_LAYER : by_number(k->h5) ? NC_BY_POSITION : NC_BY_PARAMETER;
    return add_paths(k, params);
}

static int recognises(const struct nc_file_head *head)
{
    return nc_is_hdf5(head) || nc_is_keras_archive(head);
}

static int open_keras(struct nc_weight_file *out, const char *path, struct nc_error *err)
{
    struct nc_h5 *h5 = calloc(1, sizeof *h5);
    if (!h5)
        return nc_fail(err, path, "out of memory");
    out->own = h5;
    if (nc_keras_open(h5, path, err) != 0)
        return -1;
    struct keras k = {.out = out, .h5 = h5, .root = "", .err = err};
    if (list_weights(&k) != 0 || add_origin(&k) != 0)
        return -1;
    return out->count || out->convention != NC_BY_PARAMETER
               ? 0
               : nc_fail(err, path, "has no weights in it");
}

static void close_keras(struct nc_weight_file *file)
{
    if (file->own)
        nc_h5_close(file->own);
    free(file->own);
}

const struct nc_weight_format nc_weights_keras = {
    .name = "Keras", .recognises = recognises, .open = open_keras, .close = close_keras};
