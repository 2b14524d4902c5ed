/* Constants: from the file into memory, and what is computed with them at import. */
#include "onnx/onnx.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/file.h"

static const struct {
    const char *name;
    size_t bytes;
    bool real;
} types[] = {[NC_ONNX_FLOAT] = {"float", 4, true},
             [NC_ONNX_UINT8] = {"uint8", 1, false},
             [NC_ONNX_INT8] = {"int8", 1, false},
             [NC_ONNX_UINT16] = {"uint16", 2, false},
             [NC_ONNX_INT16] = {"int16", 2, false},
             [NC_ONNX_INT32] = {"int32", 4, false},
             [NC_ONNX_INT64] = {"int64", 8, false},
             [NC_ONNX_STRING] = {"string", 0, false},
             [NC_ONNX_BOOL] = {"bool", 1, false},
             [NC_ONNX_FLOAT16] = {"float16", 2, true},
             [NC_ONNX_DOUBLE] = {"double", 8, true},
             [NC_ONNX_UINT32] = {"uint32", 4, false},
             [NC_ONNX_UINT64] = {"uint64", 8, false},
             [NC_ONNX_COMPLEX64] = {"complex64", 0, false},
             [NC_ONNX_COMPLEX128] = {"complex128", 0, false},
             [NC_ONNX_BFLOAT16] = {"bfloat16", 2, true}};

const char *type_name(int type)
{
    bool known = type > 0 && (size_t)type < sizeof types / sizeof *types;
    return known ? types[type].name : "an unknown type";
}

static size_t type_bytes(int type)
{
    return type > 0 && (size_t)type < sizeof types / sizeof *types ? types[type].bytes : 0;
}

bool is_float_type(int type)
{
    return type_bytes(type) && types[type].real;
}

Host *host_new(Onnx *onnx, int type, int rank, const int64_t *dims)
{
    Host *host = ARENA_NEW(onnx->arena, Host);
    *host = (Host){.type = type, .rank = rank, .count = 1};
    for (int i = 0; i < rank; i++) {
        host->dims[i] = dims[i];
        host->count *= dims[i];
    }
    if (is_float_type(type))
        host->f = ARENA_ARRAY(onnx->arena, float, host->count + 1);
    else
        host->i = ARENA_ARRAY(onnx->arena, int64_t, host->count + 1);
    return host;
}

double host_at(const Host *host, int64_t i)
{
    return host->f ? (double)host->f[i] : (double)host->i[i];
}

/* Integers are cut towards zero and kept in range. */
void host_set(Host *host, int64_t i, double value)
{
    if (host->f)
        host->f[i] = (float)value;
    else if (host->type == NC_ONNX_BOOL)
        host->i[i] = value != 0;
    else
        host->i[i] = isnan(value)     ? 0
                     : value >= 9e18  ? INT64_MAX
                     : value <= -9e18 ? INT64_MIN
                                      : (int64_t)value;
}

/* ---- values as they lie in the file ------------------------------------------------------------ */

static float half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent == 0    ? ldexp(fraction, -24)
                  : exponent == 31 ? (fraction ? NAN : INFINITY)
                                   : ldexp(1024 + fraction, exponent - 25);
    return (float)(bits >> 15 ? -size : size);
}

static float brain_value(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

#define TAKE(type, from)                                                                           \
    type v;                                                                                        \
    memcpy(&v, (from), sizeof v)

static float raw_float(int type, const unsigned char *at)
{
    if (type == NC_ONNX_FLOAT) {
        TAKE(float, at);
        return v;
    }
    if (type == NC_ONNX_DOUBLE) {
        TAKE(double, at);
        return (float)v;
    }
    TAKE(uint16_t, at);
    return type == NC_ONNX_FLOAT16 ? half_value(v) : brain_value(v);
}

static int64_t raw_int(int type, const unsigned char *at)
{
    switch (type) {
    case NC_ONNX_INT8:
        return (int8_t)*at;
    case NC_ONNX_UINT8:
        return *at;
    case NC_ONNX_BOOL:
        return *at != 0;
    case NC_ONNX_INT16: {
        TAKE(int16_t, at);
        return v;
    }
    case NC_ONNX_UINT16: {
        TAKE(uint16_t, at);
        return v;
    }
    case NC_ONNX_INT32: {
        TAKE(int32_t, at);
        return v;
    }
    case NC_ONNX_UINT32: {
        TAKE(uint32_t, at);
        return v;
    }
    default: {
        TAKE(int64_t, at);
        return v;
    }
    }
}

static void take_raw(Host *host, const unsigned char *raw)
{
    size_t bytes = type_bytes(host->type);
    if (host->type == NC_ONNX_FLOAT) {
        memcpy(host->f, raw, (size_t)host->count * bytes);
        return;
    }
    for (int64_t i = 0; i < host->count; i++) {
        if (host->f)
            host->f[i] = raw_float(host->type, raw + (size_t)i * bytes);
        else
            host->i[i] = raw_int(host->type, raw + (size_t)i * bytes);
    }
}

/* How many values the typed list for this type has. */
static size_t list_length(const struct nc_onnx_tensor *t)
{
    switch (t->type) {
    case NC_ONNX_FLOAT:
        return t->floats_count;
    case NC_ONNX_DOUBLE:
        return t->doubles_count;
    case NC_ONNX_INT64:
        return t->int64s_count;
    case NC_ONNX_UINT32:
    case NC_ONNX_UINT64:
        return t->uint64s_count;
    default:
        return t->int32s_count;
    }
}

static void take_list(Host *host, const struct nc_onnx_tensor *t)
{
    for (int64_t i = 0; i < host->count; i++) {
        if (t->type == NC_ONNX_FLOAT)
            host->f[i] = t->floats[i];
        else if (t->type == NC_ONNX_DOUBLE)
            host->f[i] = (float)t->doubles[i];
        else if (t->type == NC_ONNX_FLOAT16)
            host->f[i] = half_value((uint16_t)t->int32s[i]);
        else if (t->type == NC_ONNX_BFLOAT16)
            host->f[i] = brain_value((uint16_t)t->int32s[i]);
        else if (t->type == NC_ONNX_INT64)
            host->i[i] = t->int64s[i];
        else if (t->type == NC_ONNX_UINT32 || t->type == NC_ONNX_UINT64)
            host->i[i] = (int64_t)t->uint64s[i];
        else
            host->i[i] = t->int32s[i];
    }
}

/* ---- data in another file ---------------------------------------------------------------------- */

static bool read_number(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *text && !*end && errno == 0 && *out >= 0;
}

/* A path below the model's folder: relative, and no step leads up. */
static bool stays_inside(const char *path)
{
    if (*path == '/' || !*path)
        return false;
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (!strncmp(at, "..", 2) && (at[2] == '/' || !at[2]))
            return false;
    }
    return true;
}

/* The part of an open file that holds the tensor; NULL after an error. */
static Host *take_range(Onnx *onnx, const struct nc_onnx_tensor *t, const int64_t *dims,
                        const struct nc_map *map, int64_t offset, int64_t bytes, const char *path)
{
    if ((size_t)offset > map->bytes || (size_t)bytes > map->bytes - (size_t)offset) {
        import_error(onnx->import, "tensor '%s': %lld bytes at %lld, but '%s' has only %zu",
                     t->name, (long long)bytes, (long long)offset, path, map->bytes);
        return NULL;
    }
    Host *host = host_new(onnx, t->type, (int)t->rank, dims);
    take_raw(host, map->data + offset);
    return host;
}

/* The path as it is meant, through links too, is below the folder. */
static bool is_below(const char *path, const char *folder, bool *missing)
{
    char *real = realpath(path, NULL), *home = realpath(*folder ? folder : ".", NULL);
    size_t length = home ? strlen(home) : 0;
    *missing = !real;
    bool below =
        real && home && !strncmp(real, home, length) && (length == 1 || real[length] == '/');
    free(real);
    free(home);
    return below;
}

static bool check_external(Onnx *onnx, const struct nc_onnx_tensor *t, int64_t bytes,
                           int64_t *offset)
{
    int64_t said = bytes;
    const char *place = t->location ? t->location : "";
    *offset = 0;
    if (!stays_inside(place))
        return import_error(onnx->import,
                            "tensor '%s': its data would be in '%s', which is not below the "
                            "model's folder",
                            t->name, place);
    if ((t->offset && !read_number(t->offset, offset)) ||
        (t->length && !read_number(t->length, &said)))
        return import_error(onnx->import, "tensor '%s': offset or length of its data is no number",
                            t->name);
    return said == bytes ||
           import_error(onnx->import, "tensor '%s': %lld bytes of data for a shape of %lld",
                        t->name, (long long)said, (long long)bytes);
}

static Host *read_external(Onnx *onnx, const struct nc_onnx_tensor *t, const int64_t *dims,
                           int64_t cells)
{
    int64_t offset, bytes = cells * (int64_t)type_bytes(t->type);
    struct nc_error err;
    struct nc_map map;
    bool missing;
    if (!check_external(onnx, t, bytes, &offset))
        return NULL;
    char *path = arena_printf(onnx->arena, "%s%s", onnx->folder, t->location);
    if (!is_below(path, onnx->folder, &missing)) {
        import_error(onnx->import, "tensor '%s': its data in '%s' %s", t->name, path,
                     missing ? "is not there" : "is not below the model's folder");
        return NULL;
    }
    if (nc_file_map(&map, path, &err) != 0) {
        import_fault(onnx->import, &err);
        return NULL;
    }
    Host *host = take_range(onnx, t, dims, &map, offset, bytes, path);
    nc_file_unmap(&map);
    return host;
}

/* ---- tensors ----------------------------------------------------------------------------------- */

static bool check_shape(Onnx *onnx, const struct nc_onnx_tensor *t, int64_t *dims)
{
    int64_t cells;
    if (t->rank > MAX_RANK)
        return import_error(onnx->import, "tensor '%s' has %zu axes; at most %d are supported",
                            t->name, t->rank, MAX_RANK);
    for (size_t i = 0; i < t->rank; i++)
        dims[i] = t->dims[i];
    if (nc_shape_product(dims, (int)t->rank, 8, &cells) != 0 || cells / 8 > INT32_MAX)
        return import_error(onnx->import, "tensor '%s': its shape is negative or too large",
                            t->name);
    return true;
}

static bool check_length(Onnx *onnx, const struct nc_onnx_tensor *t, int64_t cells)
{
    size_t bytes = (size_t)cells * type_bytes(t->type);
    if (t->external)
        return true;
    if (t->raw_bytes || (t->raw && cells))
        return t->raw_bytes == bytes ||
               import_error(onnx->import, "tensor '%s' has %zu bytes of data for a shape of %zu",
                            t->name, t->raw_bytes, bytes);
    return list_length(t) == (size_t)cells ||
           import_error(onnx->import, "tensor '%s' has %zu values for a shape of %lld", t->name,
                        list_length(t), (long long)cells);
}

/* Floats that lie as they are needed; unpacked blocks are aligned for anything. */
static Host *host_of(Onnx *onnx, int rank, const int64_t *dims, const unsigned char *raw)
{
    Host *host = ARENA_NEW(onnx->arena, Host);
    *host = (Host){.type = NC_ONNX_FLOAT, .rank = rank, .count = 1};
    for (int i = 0; i < rank; i++) {
        host->dims[i] = dims[i];
        host->count *= dims[i];
    }
    memcpy(&host->f, &raw, sizeof raw);
    return host;
}

Host *host_read(Onnx *onnx, const struct nc_onnx_tensor *t)
{
    int64_t dims[MAX_RANK], cells;
    if (!type_bytes(t->type)) {
        import_error(onnx->import, "tensor '%s' is of %s, which netcc does not have", t->name,
                     type_name(t->type));
        return NULL;
    }
    if (!check_shape(onnx, t, dims) || nc_shape_product(dims, (int)t->rank, 1, &cells) != 0 ||
        !check_length(onnx, t, cells))
        return NULL;
    if (t->external)
        return read_external(onnx, t, dims, cells);
    if (t->type == NC_ONNX_FLOAT && t->raw_bytes)
        return host_of(onnx, (int)t->rank, dims, t->raw);
    Host *host = host_new(onnx, t->type, (int)t->rank, dims);
    if (t->raw_bytes)
        take_raw(host, t->raw);
    else
        take_list(host, t);
    return host;
}

/* ---- moving cells ------------------------------------------------------------------------------ */

Host *host_reshape(Onnx *onnx, const Host *host, int rank, const int64_t *dims)
{
    Host *result = ARENA_NEW(onnx->arena, Host);
    *result = *host;
    result->rank = rank;
    for (int i = 0; i < rank; i++)
        result->dims[i] = dims[i];
    return result;
}

/* Copies cells to `to` from where start and strides say. */
static void gather(const Host *from, Host *to, int64_t start, const int64_t *stride)
{
    int64_t at[MAX_RANK] = {0}, offset = start;
    for (int64_t e = 0; e < to->count; e++) {
        if (to->f)
            to->f[e] = from->f[offset];
        else
            to->i[e] = from->i[offset];
        for (int i = to->rank - 1; i >= 0; i--) {
            offset += stride[i];
            if (++at[i] < to->dims[i])
                break;
            offset -= to->dims[i] * stride[i];
            at[i] = 0;
        }
    }
}

static void strides_of(const Host *host, int64_t *stride)
{
    int64_t step = 1;
    for (int i = host->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= host->dims[i];
    }
}

Host *host_transpose(Onnx *onnx, const Host *host, const int *perm)
{
    int64_t dims[MAX_RANK], stride[MAX_RANK], moved[MAX_RANK];
    strides_of(host, stride);
    for (int i = 0; i < host->rank; i++) {
        dims[i] = host->dims[perm[i]];
        moved[i] = stride[perm[i]];
    }
    Host *result = host_new(onnx, host->type, host->rank, dims);
    gather(host, result, 0, moved);
    return result;
}

Host *host_slice(Onnx *onnx, const Host *host, int axis, int64_t start, int64_t size, int64_t step)
{
    int64_t dims[MAX_RANK], stride[MAX_RANK];
    memcpy(dims, host->dims, sizeof dims);
    dims[axis] = size;
    strides_of(host, stride);
    start *= stride[axis];
    stride[axis] *= step;
    Host *result = host_new(onnx, host->type, host->rank, dims);
    gather(host, result, start, stride);
    return result;
}

bool broadcast_dims(int rank_a, const int64_t *a, int rank_b, const int64_t *b, int *rank,
                    int64_t *out)
{
    int64_t result[MAX_RANK];
    *rank = rank_a > rank_b ? rank_a : rank_b;
    for (int i = 0; i < *rank; i++) {
        int64_t x = i < rank_a ? a[rank_a - 1 - i] : 1, y = i < rank_b ? b[rank_b - 1 - i] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        result[*rank - 1 - i] = x == 1 ? y : x;
    }
    memcpy(out, result, sizeof result);
    return true;
}
