/* Weight files: the list of formats, and the two that need nothing but the core. */
#include "weight_file.h"

#include "data/file.h"
#include "data/zip.h"
#include "safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- formats ---------------------------------------------------------------------------------- */

/* The first that recognises a file reads it. */
static const struct nc_weight_format nc_weights_npz, nc_weights_safetensors;
static const struct nc_weight_format *const formats[] = {&nc_weights_shards, &nc_weights_torch,
                                                         &nc_weights_keras, &nc_weights_npz,
                                                         &nc_weights_safetensors};
enum { FORMATS = sizeof formats / sizeof *formats };

int nc_file_head_read(struct nc_file_head *out, const char *path, struct nc_error *err)
{
    *out = (struct nc_file_head){.path = path};
    struct nc_map map;
    if (nc_file_map(&map, path, err) != 0)
        return -1;
    out->count = map.bytes < sizeof out->bytes ? map.bytes : sizeof out->bytes;
    memcpy(out->bytes, map.data, out->count);
    nc_file_unmap(&map);
    return 0;
}

int nc_head_zip_member(const struct nc_file_head *head, char name[256])
{
    enum { NAME_LENGTH = 26, NAME = 30 };
    size_t length = (size_t)(head->bytes[NAME_LENGTH] | head->bytes[NAME_LENGTH + 1] << 8);
    if (memcmp(head->bytes, "PK\3\4", 4) != 0 || length > 255 || NAME + length > head->count)
        return 0;
    memcpy(name, head->bytes + NAME, length);
    name[length] = '\0';
    return 1;
}

int nc_head_ends(const struct nc_file_head *head, const char *extension)
{
    size_t length = strlen(head->path), end = strlen(extension);
    return length >= end && strcmp(head->path + length - end, extension) == 0;
}

int nc_weight_file_open(struct nc_weight_file *out, const char *path, struct nc_error *err)
{
    struct nc_file_head head;
    *out = (struct nc_weight_file){.path = path};
    if (nc_file_head_read(&head, path, err) != 0)
        return -1;
    for (int i = 0; i < FORMATS && !out->format; i++) {
        if (formats[i]->recognises(&head))
            out->format = formats[i];
    }
    if (!out->format)
        return nc_fail(err, path, "is no file of weights that netcc knows");
    if (out->format->open(out, path, err) == 0)
        return 0;
    nc_weight_file_close(out);
    return -1;
}

void nc_weight_file_close(struct nc_weight_file *file)
{
    if (file->format && file->format->close)
        file->format->close(file);
    for (int i = 0; i < file->count; i++) {
        free(file->weights[i].name);
        free(file->weights[i].place);
        free(file->weights[i].layer);
        free(file->weights[i].own);
        if (file->weights[i].map)
            munmap(file->weights[i].map, file->weights[i].map_bytes);
    }
    free(file->weights);
    nc_names_free(file->metadata, 2 * file->metadata_count);
    if (file->map)
        munmap(file->map, file->map_bytes);
    *file = (struct nc_weight_file){0};
}

/* ---- tensors ---------------------------------------------------------------------------------- */

int nc_weight_find(const struct nc_weight_file *file, const char *name)
{
    for (int i = 0; i < file->count; i++) {
        if (strcmp(file->weights[i].name, name) == 0)
            return i;
    }
    return -1;
}

int nc_weight_read(const struct nc_weight_file *file, int i, float *out, struct nc_error *err)
{
    const struct nc_weight *w = &file->weights[i];
    if (!w->data && w->elements)
        return file->format->read(file, i, out, err);
    struct nc_array row = {.dtype = w->dtype,
                           .big_endian = w->big_endian,
                           .rank = 1,
                           .row_elements = w->elements,
                           .data = w->data};
    if (w->elements)
        nc_array_gather(&row, &(uint32_t){0}, 1, out, sizeof *out);
    return 0;
}

const char *nc_weight_file_says(const struct nc_weight_file *file, const char *key)
{
    for (int i = 0; i < file->metadata_count; i++) {
        if (strcmp(file->metadata[2 * i], key) == 0)
            return file->metadata[2 * i + 1];
    }
    return NULL;
}

int nc_weight_file_note(struct nc_weight_file *file, const char *key, const char *value,
                        struct nc_error *err)
{
    size_t count = (size_t)file->metadata_count;
    char **more = realloc(file->metadata, (2 * count + 2) * sizeof *more);
    char *pair[2] = {strdup(key), strdup(value)};
    if (more)
        file->metadata = more;
    if (!more || !pair[0] || !pair[1]) {
        free(pair[0]);
        free(pair[1]);
        return nc_fail(err, file->path, "out of memory");
    }
    memcpy(more + 2 * count, pair, sizeof pair);
    file->metadata_count++;
    return 0;
}

/* Room for one more: the list doubles. */
static int grow(struct nc_weight_file *file)
{
    if (file->count & (file->count - 1))
        return 0;
    size_t room = file->count ? 2 * (size_t)file->count : 1;
    struct nc_weight *more = realloc(file->weights, room * sizeof *more);
    if (!more)
        return -1;
    file->weights = more;
    return 0;
}

struct nc_weight *nc_weight_add(struct nc_weight_file *file, const char *name, const char *place,
                                enum nc_dtype dtype, int rank, const int64_t *shape,
                                struct nc_error *err)
{
    struct nc_weight w = {.dtype = dtype, .rank = rank};
    int64_t bytes;
    if (rank > NC_MAX_RANK) {
        nc_fail(err, file->path, "%s has %d axes; at most %d are supported", name, rank,
                NC_MAX_RANK);
        return NULL;
    }
    if (nc_shape_product(shape, rank, sizeof(double), &bytes) != 0) {
        nc_fail(err, file->path, "%s: its shape overflows", name);
        return NULL;
    }
    w.elements = bytes / (int64_t)sizeof(double);
    memcpy(w.shape, shape, (size_t)rank * sizeof *shape);
    w.name = strdup(name);
    w.place = place ? strdup(place) : NULL;
    if (!w.name || (place && !w.place) || grow(file) != 0) {
        free(w.name);
        free(w.place);
        nc_fail(err, file->path, "out of memory");
        return NULL;
    }
    file->weights[file->count] = w;
    return &file->weights[file->count++];
}

/* ---- safetensors ------------------------------------------------------------------------------ */

/* The last of the list: a file that nothing else knows is called a bad safetensors file. */
static int is_safetensors(const struct nc_file_head *head)
{
    (void)head;
    return 1;
}

static int find_dtype(const char *name, enum nc_dtype *out)
{
    static const struct {
        const char *name;
        enum nc_dtype dtype;
    } dtypes[] = {{"F64", NC_F64},  {"F32", NC_F32}, {"F16", NC_F16}, {"BF16", NC_BF16},
                  {"I64", NC_I64},  {"I32", NC_I32}, {"I16", NC_I16}, {"I8", NC_I8},
                  {"U64", NC_U64},  {"U32", NC_U32}, {"U16", NC_U16}, {"U8", NC_U8},
                  {"BOOL", NC_BOOL}};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *out = dtypes[i].dtype;
            return 0;
        }
    }
    return -1;
}

int nc_weight_add_safetensor(struct nc_weight_file *file, const struct nc_st_tensor *tensor,
                             struct nc_error *err)
{
    enum nc_dtype dtype;
    if (find_dtype(tensor->dtype, &dtype) != 0)
        return nc_fail(err, file->path, "%s is %s, which is not supported", tensor->name,
                       tensor->dtype);
    struct nc_weight *w =
        nc_weight_add(file, tensor->name, NULL, dtype, tensor->rank, tensor->shape, err);
    if (!w)
        return -1;
    w->data = tensor->data;
    return 0;
}

static int add_safetensors(struct nc_weight_file *out, const struct nc_safetensors *st,
                           struct nc_error *err)
{
    for (int i = 0; i < st->count; i++) {
        if (nc_weight_add_safetensor(out, &st->tensors[i], err) != 0)
            return -1;
    }
    return 0;
}

static int open_safetensors(struct nc_weight_file *out, const char *path, struct nc_error *err)
{
    struct nc_safetensors st;
    if (nc_safetensors_open(&st, path, err) != 0)
        return -1;
    int result = add_safetensors(out, &st, err);
    out->map = st.map;
    out->map_bytes = st.map_bytes;
    out->metadata = st.metadata;
    out->metadata_count = st.metadata_count;
    st.map = NULL;
    st.metadata = NULL;
    st.metadata_count = 0;
    nc_safetensors_close(&st);
    return result;
}

static const struct nc_weight_format nc_weights_safetensors = {
    .name = "safetensors", .recognises = is_safetensors, .open = open_safetensors};

/* ---- npz --------------------------------------------------------------------------------------- */

static int is_npz(const struct nc_file_head *head)
{
    return memcmp(head->bytes, "PK", 2) == 0;
}

static int add_array(struct nc_weight_file *out, const struct nc_zip *zip, const char *name,
                     struct nc_error *err)
{
    struct nc_array array;
    if (nc_zip_array(zip, name, &array, err) != 0)
        return -1;
    struct nc_weight *w = nc_weight_add(out, name, NULL, array.dtype, array.rank, array.shape, err);
    if (!w) {
        nc_array_close(&array);
        return -1;
    }
    w->big_endian = array.big_endian;
    w->data = array.data;
    w->own = array.block;
    w->map = array.map;
    w->map_bytes = array.map_bytes;
    return 0;
}

static int open_npz(struct nc_weight_file *out, const char *path, struct nc_error *err)
{
    struct nc_zip zip;
    char **names;
    int count;
    if (nc_zip_open(&zip, path, err) != 0)
        return -1;
    int result = nc_zip_arrays(&zip, &names, &count, err);
    for (int i = 0; result == 0 && i < count; i++)
        result = add_array(out, &zip, names[i], err);
    nc_names_free(names, count);
    nc_zip_close(&zip);
    return result;
}

static const struct nc_weight_format nc_weights_npz = {
    .name = "npz", .recognises = is_npz, .open = open_npz};
