/* Part of the plugin h5.so: arrays LAYER/WEIGHT as Keras 2 lays out a file of weights, which every
 * Keras since reads. The root lists the layers, each layer's group its weights, in order: the array
 * dense/kernel is /dense/dense/kernel:0. Texts are of fixed length, and a list longer than an
 * attribute may be goes on in NAME0, NAME1, ... The same arrays make the same file. */
#include "data/file.h"
#include "data/h5_plugin.h"

#include <errno.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTRIBUTE_LIMIT = 64512 }; /* bytes, as Keras has it */

struct writer {
    hid_t file;
    const struct nc_named *arrays;
    int count;
    char **layers;  /* of each array */
    char **weights; /* of each array */
    char **list;    /* room for as many names */
};

/* ---- attributes --------------------------------------------------------------------------------- */

static int write_attribute(hid_t object, const char *name, hid_t type, hid_t space,
                           const void *values)
{
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    int result = attribute < 0 || H5Awrite(attribute, type, values) < 0 ? -1 : 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    return result;
}

static hid_t text_type(size_t width)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    return type;
}

static int write_text(hid_t object, const char *name, const char *text)
{
    hid_t type = text_type(strlen(text)), space = H5Screate(H5S_SCALAR);
    int result = write_attribute(object, name, type, space, text);
    H5Sclose(space);
    H5Tclose(type);
    return result;
}

static int write_part(hid_t object, const char *name, char **texts, size_t count, size_t width)
{
    hsize_t extent = count;
    char *values = calloc(count + 1, width);
    if (!values)
        return -1;
    for (size_t i = 0; i < count; i++)
        memcpy(values + i * width, texts[i], strlen(texts[i]));
    hid_t type = text_type(width), space = H5Screate_simple(1, &extent, NULL);
    int result = write_attribute(object, name, type, space, values);
    H5Sclose(space);
    H5Tclose(type);
    free(values);
    return result;
}

static int write_texts(hid_t object, const char *name, char **texts, int count)
{
    size_t width = 1, left = (size_t)count;
    for (int i = 0; i < count; i++)
        width = strlen(texts[i]) > width ? strlen(texts[i]) : width;
    size_t most = ATTRIBUTE_LIMIT / width;
    if (left <= most)
        return write_part(object, name, texts, left, width);
    int result = most ? 0 : -1;
    for (int part = 0; result == 0 && left; part++) {
        char numbered[64];
        size_t now = left < most ? left : most;
        snprintf(numbered, sizeof numbered, "%s%d", name, part);
        result = write_part(object, numbered, texts, now, width);
        texts += now;
        left -= now;
    }
    return result;
}

/* ---- layers ------------------------------------------------------------------------------------- */

/* Without the time it was made; groups on the way to it are made too. */
static int write_array(hid_t group, const char *name, const struct nc_named *array)
{
    hsize_t extent[NC_MAX_RANK];
    for (int i = 0; i < array->rank; i++)
        extent[i] = (hsize_t)array->shape[i];
    hid_t space = H5Screate_simple(array->rank, extent, NULL);
    hid_t links = H5Pcreate(H5P_LINK_CREATE), plain = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_obj_track_times(plain, 0);
    hid_t data = H5Dcreate2(group, name, H5T_IEEE_F32LE, space, links, plain, H5P_DEFAULT);
    int result =
        data < 0 || H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array->data) < 0
            ? -1
            : 0;
    if (data >= 0 && H5Dclose(data) < 0)
        result = -1;
    H5Pclose(plain);
    H5Pclose(links);
    H5Sclose(space);
    return result;
}

static int write_layer(struct writer *w, const char *layer)
{
    int weights = 0, result = 0;
    hid_t group = H5Gcreate2(w->file, layer, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0)
        return -1;
    for (int i = 0; result == 0 && i < w->count; i++) {
        if (strcmp(w->layers[i], layer) != 0)
            continue;
        w->list[weights++] = w->weights[i];
        result = write_array(group, w->weights[i], &w->arrays[i]);
    }
    if (result == 0)
        result = write_texts(group, "weight_names", w->list, weights);
    return H5Gclose(group) < 0 ? -1 : result;
}

/* Layers in the order of their first weights, into w->list */
static int list_layers(struct writer *w)
{
    int layers = 0;
    for (int i = 0; i < w->count; i++) {
        int k = 0;
        while (k < layers && strcmp(w->list[k], w->layers[i]) != 0)
            k++;
        if (k == layers)
            w->list[layers++] = w->layers[i];
    }
    return layers;
}

static int write_layers(struct writer *w)
{
    int layers = list_layers(w), result = write_texts(w->file, "layer_names", w->list, layers);
    char **names = calloc((size_t)layers + 1, sizeof *names);
    if (!names)
        return -1;
    memcpy(names, w->list, (size_t)layers * sizeof *names);
    for (int i = 0; result == 0 && i < layers; i++)
        result = write_layer(w, names[i]);
    free(names);
    return result;
}

/* ---- the file ----------------------------------------------------------------------------------- */

static int make_names(struct writer *w)
{
    size_t room = (size_t)w->count + 1;
    w->layers = calloc(room, sizeof *w->layers);
    w->weights = calloc(room, sizeof *w->weights);
    w->list = calloc(room, sizeof *w->list);
    if (!w->layers || !w->weights || !w->list)
        return -1;
    for (int i = 0; i < w->count; i++) {
        const char *name = w->arrays[i].name;
        w->layers[i] = strndup(name, strcspn(name, "/"));
        if (!w->layers[i] || asprintf(&w->weights[i], "%s:0", name) < 0)
            return -1;
    }
    return 0;
}

static void free_names(struct writer *w)
{
    nc_names_free(w->layers, w->count);
    nc_names_free(w->weights, w->count);
    free(w->list);
}

static int write_file(struct writer *w, const char *path)
{
    w->file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (w->file < 0)
        return -1;
    int result = write_text(w->file, "keras_version", "2.15.0");
    if (result == 0)
        result = write_text(w->file, "backend", "tensorflow");
    if (result == 0)
        result = write_layers(w);
    return H5Fclose(w->file) < 0 ? -1 : result;
}

/* What the operating system said last is the cause, where it said something. */
int nc_h5_write(const char *path, const struct nc_named *arrays, int count, struct nc_error *err)
{
    struct writer w = {.arrays = arrays, .count = count};
    char *temporary = nc_file_temporary(path, err);
    if (!temporary)
        return -1;
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    errno = 0;
    int result =
        make_names(&w) != 0 || write_file(&w, temporary) != 0
            ? nc_fail(err, path, "cannot be written: %s", errno ? strerror(errno) : "libhdf5 fails")
            : 0;
    free_names(&w);
    return nc_file_publish(temporary, path, result, err);
}
