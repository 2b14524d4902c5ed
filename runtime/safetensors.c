/* safetensors, read and written. A file is believed only if its tensors, sorted by offset, fill the
 * data from the first byte to the last without gap or overlap, and each size fits dtype and shape;
 * the reference implementation asks the same. */
#include "safetensors.h"

#include "data/file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LENGTH_BYTES = 8, HEADER_LIMIT = 100000000 };
#define METADATA "__metadata__"

static int64_t dtype_bytes(const char *dtype)
{
    static const struct {
        const char *name;
        int bytes;
    } dtypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2},  {"BF16", 2},    {"I64", 8},
                  {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U64", 8},     {"U32", 4},
                  {"U16", 2}, {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, dtype) == 0)
            return dtypes[i].bytes;
    }
    return 0;
}

/* What is being opened: the file, where its data lies, and where faults go. */
struct reader {
    struct nc_safetensors *out;
    const unsigned char *data;
    size_t data_bytes;
    const char *path;
    struct nc_error *err;
};

static int read_dtype(struct reader *r, struct nc_st_tensor *t, json_t *info, int64_t *unit)
{
    const char *dtype = json_string_value(json_object_get(info, "dtype"));
    if (!dtype)
        return nc_fail(r->err, r->path, "%s has no dtype", t->name);
    *unit = dtype_bytes(dtype);
    if (*unit == 0)
        return nc_fail(r->err, r->path, "%s: dtype %.40s is not known", t->name, dtype);
    snprintf(t->dtype, sizeof t->dtype, "%s", dtype);
    return 0;
}

static int read_shape(struct reader *r, struct nc_st_tensor *t, json_t *info)
{
    json_t *shape = json_object_get(info, "shape");
    if (!json_is_array(shape))
        return nc_fail(r->err, r->path, "%s has no shape", t->name);
    if (json_array_size(shape) > NC_MAX_RANK)
        return nc_fail(r->err, r->path, "%s has %zu axes; at most %d are supported", t->name,
                       json_array_size(shape), NC_MAX_RANK);
    t->rank = (int)json_array_size(shape);
    for (int i = 0; i < t->rank; i++) {
        json_t *size = json_array_get(shape, (size_t)i);
        t->shape[i] = json_integer_value(size);
        if (!json_is_integer(size) || t->shape[i] < 0)
            return nc_fail(r->err, r->path, "%s: axis %d of its shape is no size", t->name, i);
    }
    return 0;
}

static int read_offsets(struct reader *r, struct nc_st_tensor *t, json_t *info)
{
    json_t *offsets = json_object_get(info, "data_offsets");
    json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return nc_fail(r->err, r->path, "%s has no data_offsets [begin, end]", t->name);
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin || (uint64_t)end > r->data_bytes)
        return nc_fail(r->err, r->path,
                       "%s: offsets %lld to %lld lie outside the %zu bytes of data", t->name,
                       (long long)begin, (long long)end, r->data_bytes);
    t->data = r->data + begin;
    t->bytes = (size_t)(end - begin);
    return 0;
}

static int read_tensor(struct reader *r, struct nc_st_tensor *t, const char *name, json_t *info)
{
    int64_t unit, bytes;
    t->name = strdup(name);
    if (!t->name)
        return nc_fail(r->err, r->path, "out of memory");
    if (!json_is_object(info))
        return nc_fail(r->err, r->path, "%s is not described by an object", name);
    if (read_dtype(r, t, info, &unit) != 0 || read_shape(r, t, info) != 0 ||
        read_offsets(r, t, info) != 0)
        return -1;
    if (nc_shape_product(t->shape, t->rank, unit, &bytes) != 0)
        return nc_fail(r->err, r->path, "%s: its shape overflows", name);
    if ((uint64_t)bytes != t->bytes)
        return nc_fail(r->err, r->path, "%s: its shape takes %lld bytes, its offsets span %zu",
                       name, (long long)bytes, t->bytes);
    t->elements = bytes / unit;
    return 0;
}

static int read_metadata(struct reader *r, json_t *metadata)
{
    struct nc_safetensors *out = r->out;
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return nc_fail(r->err, r->path, METADATA " is not an object");
    out->metadata = calloc(2 * json_object_size(metadata) + 1, sizeof *out->metadata);
    if (!out->metadata)
        return nc_fail(r->err, r->path, "out of memory");
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return nc_fail(r->err, r->path, METADATA ": %.100s is not a string", key);
        char **pair = &out->metadata[2 * out->metadata_count++];
        pair[0] = strdup(key);
        pair[1] = strdup(json_string_value(value));
        if (!pair[0] || !pair[1])
            return nc_fail(r->err, r->path, "out of memory");
    }
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct nc_st_tensor *s = a, *t = b;
    if (s->data != t->data)
        return s->data < t->data ? -1 : 1;
    if (s->bytes != t->bytes)
        return s->bytes < t->bytes ? -1 : 1;
    return strcmp(s->name, t->name);
}

/* Sorts the tensors as they lie and checks that they fill the data. */
static int check_filling(struct reader *r)
{
    const struct nc_safetensors *out = r->out;
    const unsigned char *end = r->data;
    if (out->count)
        qsort(out->tensors, (size_t)out->count, sizeof *out->tensors, by_offset);
    for (int i = 0; i < out->count; i++) {
        const struct nc_st_tensor *t = &out->tensors[i];
        if (t->data < end)
            return nc_fail(r->err, r->path, "%s overlaps %s", t->name, out->tensors[i - 1].name);
        if (t->data > end)
            return nc_fail(r->err, r->path, "%td bytes of data before %s belong to no tensor",
                           t->data - end, t->name);
        end += t->bytes;
    }
    if (end < r->data + r->data_bytes)
        return nc_fail(r->err, r->path, "trailing bytes: %td bytes of data belong to no tensor",
                       r->data + r->data_bytes - end);
    return 0;
}

static int read_header(struct reader *r, json_t *header)
{
    const char *name;
    json_t *info;
    r->out->tensors = calloc(json_object_size(header) + 1, sizeof *r->out->tensors);
    if (!r->out->tensors)
        return nc_fail(r->err, r->path, "out of memory");
    json_object_foreach(header, name, info)
    {
        int result = strcmp(name, METADATA) == 0
                         ? read_metadata(r, info)
                         : read_tensor(r, &r->out->tensors[r->out->count++], name, info);
        if (result != 0)
            return -1;
    }
    return check_filling(r);
}

static int open_mapped(struct reader *r, const struct nc_map *map)
{
    uint64_t length = 0;
    if (map->bytes < LENGTH_BYTES)
        return nc_fail(r->err, r->path, "truncated: too short for a safetensors file");
    memcpy(&length, map->data, LENGTH_BYTES);
    if (length > HEADER_LIMIT)
        return nc_fail(r->err, r->path,
                       "not a safetensors file (its header would be %llu bytes long)",
                       (unsigned long long)length);
    if (length > map->bytes - LENGTH_BYTES)
        return nc_fail(r->err, r->path, "truncated: its header says %llu bytes, the file has %zu",
                       (unsigned long long)length, map->bytes - LENGTH_BYTES);
    const char *text = (const char *)map->data + LENGTH_BYTES;
    if (length == 0 || text[0] != '{')
        return nc_fail(r->err, r->path, "not a safetensors file (its header is no JSON object)");
    r->data = map->data + LENGTH_BYTES + length;
    r->data_bytes = map->bytes - LENGTH_BYTES - length;
    json_error_t fault;
    json_t *header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (!header)
        return nc_fail(r->err, r->path, "bad JSON in its header: %s (byte %d)", fault.text,
                       fault.position);
    int result = read_header(r, header);
    json_decref(header);
    return result;
}

int nc_safetensors_open(struct nc_safetensors *out, const char *path, struct nc_error *err)
{
    struct nc_map map;
    *out = (struct nc_safetensors){0};
    if (nc_file_map(&map, path, err) != 0)
        return -1;
    out->map = map.data;
    out->map_bytes = map.bytes;
    struct reader reader = {.out = out, .path = path, .err = err};
    if (open_mapped(&reader, &map) == 0)
        return 0;
    nc_safetensors_close(out);
    return -1;
}

void nc_safetensors_close(struct nc_safetensors *file)
{
    for (int i = 0; i < file->count; i++)
        free(file->tensors[i].name);
    free(file->tensors);
    nc_names_free(file->metadata, 2 * file->metadata_count);
    if (file->map)
        munmap(file->map, file->map_bytes);
    *file = (struct nc_safetensors){0};
}

const char *nc_st_metadata(const struct nc_safetensors *file, const char *key)
{
    for (int i = 0; i < file->metadata_count; i++) {
        if (strcmp(file->metadata[2 * i], key) == 0)
            return file->metadata[2 * i + 1];
    }
    return NULL;
}

const struct nc_st_tensor *nc_safetensors_find(const struct nc_safetensors *file, const char *name)
{
    for (int i = 0; i < file->count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    }
    return NULL;
}

int nc_st_read(const struct nc_st_tensor *tensor, float *out, struct nc_error *err)
{
    struct nc_array row = {.rank = 1, .row_elements = tensor->elements, .data = tensor->data};
    if (strcmp(tensor->dtype, "F32") == 0)
        row.dtype = NC_F32;
    else if (strcmp(tensor->dtype, "F16") == 0)
        row.dtype = NC_F16;
    else if (strcmp(tensor->dtype, "BF16") == 0)
        row.dtype = NC_BF16;
    else if (strcmp(tensor->dtype, "F64") == 0)
        row.dtype = NC_F64;
    else
        return nc_fail(err, NULL, "%s is %s; a float type is needed", tensor->name, tensor->dtype);
    nc_array_gather(&row, &(uint32_t){0}, 1, out, sizeof *out);
    return 0;
}

/* What is being written, and where faults go. */
struct writer {
    const struct nc_named *tensors;
    int count;
    const char *const *metadata;
    int metadata_count;
    const char *path;
    nc_fill_function *fill;
    void *context;
    struct nc_error *err;
};

static int add_tensor(struct writer *w, json_t *header, const struct nc_named *t, int64_t *end)
{
    int64_t bytes, begin = *end;
    if (nc_shape_product(t->shape, t->rank, sizeof(float), &bytes) != 0 ||
        __builtin_add_overflow(begin, bytes, end))
        return nc_fail(w->err, w->path, "%s: its shape overflows", t->name);
    if (strcmp(t->name, METADATA) == 0 || json_object_get(header, t->name))
        return nc_fail(w->err, w->path, "two tensors would be named %s", t->name);
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer(t->shape[i]));
    json_t *info = json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
                             (json_int_t)begin, (json_int_t)*end);
    if (json_object_set_new(header, t->name, info) != 0)
        return nc_fail(w->err, w->path, "%s: its name is not UTF-8", t->name);
    return 0;
}

static int add_metadata(struct writer *w, json_t *header)
{
    json_t *metadata = json_object();
    for (int i = 0; i < w->metadata_count; i++) {
        const char *const *pair = w->metadata + 2 * i;
        if (json_object_set_new(metadata, pair[0], json_string(pair[1])) != 0) {
            json_decref(metadata);
            return nc_fail(w->err, w->path, "metadata %.100s is not UTF-8", pair[0]);
        }
    }
    return json_object_set_new(header, METADATA, metadata);
}

/* The header as JSON, malloc'ed, or NULL with err. */
static char *describe(struct writer *w)
{
    json_t *header = json_object();
    int64_t end = 0;
    int result = w->metadata_count ? add_metadata(w, header) : 0;
    for (int i = 0; result == 0 && i < w->count; i++)
        result = add_tensor(w, header, &w->tensors[i], &end);
    char *text = result == 0 ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (result == 0 && !text)
        nc_fail(w->err, w->path, "out of memory");
    if (text && strlen(text) > HEADER_LIMIT - LENGTH_BYTES) {
        nc_fail(w->err, w->path, "its header would be longer than %d bytes", HEADER_LIMIT);
        free(text);
        text = NULL;
    }
    return text;
}

static int write_bytes(struct writer *w, const void *data, size_t bytes, FILE *file)
{
    if (bytes == 0 || fwrite(data, 1, bytes, file) == bytes)
        return 0;
    return nc_fail(w->err, w->path, "cannot be written: %s", strerror(errno));
}

static int write_made(struct writer *w, int i, size_t bytes, FILE *file)
{
    float *values = malloc(bytes + 1);
    if (!values)
        return nc_fail(w->err, w->path, "out of memory");
    int result = w->fill(w->context, i, values, w->err);
    if (result == 0)
        result = write_bytes(w, values, bytes, file);
    free(values);
    return result;
}

/* Length, JSON and spaces up to a multiple of 8, then the tensors. */
static int write_parts(struct writer *w, const char *json, FILE *file)
{
    uint64_t length = (strlen(json) + 7) / 8 * 8;
    int result = write_bytes(w, &length, sizeof length, file);
    if (result == 0)
        result = write_bytes(w, json, strlen(json), file);
    if (result == 0)
        result = write_bytes(w, "       ", length - strlen(json), file);
    for (int i = 0; result == 0 && i < w->count; i++) {
        int64_t bytes = 0;
        nc_shape_product(w->tensors[i].shape, w->tensors[i].rank, sizeof(float), &bytes);
        result = w->tensors[i].data || !bytes
                     ? write_bytes(w, w->tensors[i].data, (size_t)bytes, file)
                     : write_made(w, i, (size_t)bytes, file);
    }
    return result;
}

static int write_file(struct writer *w, const char *json, const char *name)
{
    FILE *file = fopen(name, "wb");
    int result = file ? write_parts(w, json, file)
                      : nc_fail(w->err, w->path, "cannot be written: %s", strerror(errno));
    if (file && fclose(file) != 0 && result == 0)
        result = nc_fail(w->err, w->path, "cannot be written: %s", strerror(errno));
    return result;
}

int nc_safetensors_write_filled(const char *path, const struct nc_named *tensors, int count,
                                const char *const *metadata, int metadata_count,
                                nc_fill_function *fill, void *context, struct nc_error *err)
{
    struct writer w = {tensors, count, metadata, metadata_count, path, fill, context, err};
    char *json = describe(&w), *temporary = json ? nc_file_temporary(path, err) : NULL;
    int result = -1;
    if (temporary)
        result = nc_file_publish(temporary, path, write_file(&w, json, temporary), err);
    free(json);
    return result;
}

int nc_safetensors_write(const char *path, const struct nc_named *tensors, int count,
                         const char *const *metadata, int metadata_count, struct nc_error *err)
{
    return nc_safetensors_write_filled(path, tensors, count, metadata, metadata_count, NULL, NULL,
                                       err);
}
