/* npy: magic, version, header length, a Python dictionary as text, the data.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 *
 * The dictionary has exactly the keys descr, fortran_order and shape, in any order; it is parsed as
 * such and not as general Python. */
#include "data/npy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "\x93NUMPY"

int nc_npy_measure(const unsigned char *prefix, size_t size, size_t *offset, const char *path,
                   struct nc_error *err)
{
    if (size < NC_NPY_PREFIX || memcmp(prefix, MAGIC, 6) != 0)
        return nc_fail(err, path, "not an npy file (no \\x93NUMPY at its start)");
    int major = prefix[6];
    if (major < 1 || major > 3 || prefix[7] != 0)
        return nc_fail(err, path, "npy version %d.%d is not supported", major, prefix[7]);
    size_t length = prefix[8] | (size_t)prefix[9] << 8;
    if (major > 1)
        length |= (size_t)prefix[10] << 16 | (size_t)prefix[11] << 24;
    *offset = length + (major > 1 ? 12 : 10);
    if (*offset > size)
        return nc_fail(err, path, "truncated: its npy header says %zu bytes, %zu are left", length,
                       size - (major > 1 ? 12 : 10));
    if (*offset < NC_NPY_PREFIX)
        return nc_fail(err, path, "its npy header is too short");
    return 0;
}

/* A reader of the dictionary's text. */
struct cursor {
    const char *at, *end;
};

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

static int accept(struct cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted)
        return 0;
    c->at++;
    return 1;
}

static int accept_word(struct cursor *c, const char *word)
{
    size_t length = strlen(word);
    skip_blanks(c);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0)
        return 0;
    c->at += length;
    return 1;
}

struct text {
    const char *start;
    int length;
};

static int read_string(struct cursor *c, struct text *out)
{
    skip_blanks(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return -1;
    char quote = *c->at++;
    out->start = c->at;
    while (c->at < c->end && *c->at != quote && *c->at != '\\' && *c->at != '\n')
        c->at++;
    if (c->at == c->end || *c->at != quote)
        return -1;
    out->length = c->at - out->start > 200 ? 200 : (int)(c->at - out->start);
    c->at++;
    return 0;
}

/* The list of fields of a structured dtype, taken whole for the message. */
static int read_fields(struct cursor *c, struct text *out)
{
    int depth = 0;
    out->start = c->at;
    do {
        if (c->at == c->end)
            return -1;
        depth += *c->at == '[' || *c->at == '(';
        depth -= *c->at == ']' || *c->at == ')';
        c->at++;
    } while (depth > 0);
    out->length = c->at - out->start > 200 ? 200 : (int)(c->at - out->start);
    return 0;
}

static int read_size(struct cursor *c, int64_t *out)
{
    skip_blanks(c);
    const char *start = c->at;
    *out = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, *c->at - '0', out))
            return -1;
    }
    if (c->at == start)
        return -1;
    accept(c, 'L'); /* Python 2 wrote longs so */
    return 0;
}

/* (), (3,), (3, 4) or (3, 4,). A rank over NC_MAX_RANK is counted, not stored. */
static int read_shape(struct cursor *c, struct nc_array *out)
{
    int comma = 1;
    if (!accept(c, '('))
        return -1;
    for (out->rank = 0; !accept(c, ')'); out->rank++) {
        int64_t size;
        if (!comma || read_size(c, &size) != 0)
            return -1;
        if (out->rank < NC_MAX_RANK)
            out->shape[out->rank] = size;
        comma = accept(c, ',');
    }
    return out->rank == 1 && !comma ? -1 : 0;
}

/* The header's three values as they stand. */
struct header {
    struct text descr;
    int structured, fortran;
    unsigned seen; /* a bit for each key */
};

static int read_descr(struct cursor *c, struct header *h)
{
    skip_blanks(c);
    h->structured = c->at < c->end && *c->at == '[';
    return h->structured ? read_fields(c, &h->descr) : read_string(c, &h->descr);
}

static int read_order(struct cursor *c, struct header *h)
{
    h->fortran = accept_word(c, "True");
    return h->fortran || accept_word(c, "False") ? 0 : -1;
}

static int is(struct text text, const char *word)
{
    return (size_t)text.length == strlen(word) && memcmp(text.start, word, strlen(word)) == 0;
}

static int read_entry(struct cursor *c, struct header *h, struct nc_array *out)
{
    struct text key;
    if (read_string(c, &key) != 0 || !accept(c, ':'))
        return -1;
    unsigned bit = is(key, "descr") ? 1 : is(key, "fortran_order") ? 2 : is(key, "shape") ? 4 : 0;
    if (!bit || h->seen & bit)
        return -1;
    h->seen |= bit;
    return bit == 1 ? read_descr(c, h) : bit == 2 ? read_order(c, h) : read_shape(c, out);
}

static int read_dictionary(struct cursor *c, struct header *h, struct nc_array *out)
{
    int comma = 1;
    if (!accept(c, '{'))
        return -1;
    while (!accept(c, '}')) {
        if (!comma || read_entry(c, h, out) != 0)
            return -1;
        comma = accept(c, ',');
    }
    skip_blanks(c);
    return c->at == c->end && h->seen == 7 ? 0 : -1;
}

static const char *describe_kind(struct text descr, int structured)
{
    char kind = structured || descr.length < 2 ? 'V' : descr.start[1];
    switch (kind) {
    case 'O':
        return "pickled objects";
    case 'U':
    case 'S':
    case 'a':
        return "strings";
    case 'c':
        return "complex numbers";
    case 'V':
        return structured ? "structured records" : "raw bytes";
    case 'M':
    case 'm':
        return "dates and times";
    default:
        return "its element type";
    }
}

static int find_dtype(struct text descr, enum nc_dtype *out)
{
    static const struct {
        char code[3];
        enum nc_dtype dtype;
    } codes[] = {{"u1", NC_U8},  {"i1", NC_I8},  {"u2", NC_U16}, {"i2", NC_I16},
                 {"u4", NC_U32}, {"i4", NC_I32}, {"u8", NC_U64}, {"i8", NC_I64},
                 {"f2", NC_F16}, {"f4", NC_F32}, {"f8", NC_F64}, {"b1", NC_BOOL}};
    if (descr.length != 3 || !memchr("<>=|", descr.start[0], 4))
        return -1;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (memcmp(codes[i].code, descr.start + 1, 2) == 0) {
            *out = codes[i].dtype;
            return descr.start[0] == '|' && nc_dtype_size(*out) > 1 ? -1 : 0;
        }
    }
    return -1;
}

static int check_header(struct nc_array *out, const struct header *h, const char *path,
                        struct nc_error *err)
{
    if (h->structured || find_dtype(h->descr, &out->dtype) != 0)
        return nc_fail(err, path, "dtype %.*s is not supported (%s)", h->descr.length,
                       h->descr.start, describe_kind(h->descr, h->structured));
    out->big_endian = h->descr.start[0] == '>';
    if (out->rank == 0)
        out->shape[0] = 1;
    if (out->rank > NC_MAX_RANK)
        return nc_fail(err, path, "has %d axes; at most %d are supported", out->rank, NC_MAX_RANK);
    if (h->fortran && out->rank > 1)
        return nc_fail(err, path,
                       "fortran_order is True; save it in C order (numpy.ascontiguousarray)");
    return 0;
}

static int check_size(struct nc_array *out, size_t left, const char *path, struct nc_error *err)
{
    int64_t bytes = nc_array_measure(out);
    if (bytes < 0)
        return nc_fail(err, path, "its shape overflows");
    if (bytes == 0)
        return nc_fail(err, path, "has no elements (an axis of its shape is 0)");
    if ((uint64_t)bytes != left)
        return nc_fail(err, path, "%s: its shape takes %lld bytes of data, the file has %zu",
                       (uint64_t)bytes > left ? "truncated" : "trailing bytes", (long long)bytes,
                       left);
    return 0;
}

int nc_npy_parse(struct nc_array *out, const unsigned char *bytes, size_t offset, size_t size,
                 const char *path, struct nc_error *err)
{
    struct cursor c = {(const char *)bytes + (bytes[6] > 1 ? 12 : 10),
                       (const char *)bytes + offset};
    struct header h = {0};
    *out = (struct nc_array){0};
    if (read_dictionary(&c, &h, out) != 0)
        return nc_fail(err, path, "its npy header cannot be understood");
    if (check_header(out, &h, path, err) != 0)
        return -1;
    return check_size(out, size - offset, path, err);
}

static int open_mapped(struct nc_array *out, const struct nc_map *map, const char *path,
                       struct nc_error *err)
{
    size_t offset;
    if (nc_npy_measure(map->data, map->bytes, &offset, path, err) != 0 ||
        nc_npy_parse(out, map->data, offset, map->bytes, path, err) != 0)
        return -1;
    if (!out->rank)
        return nc_fail(err, path, "is a single number (shape ()); samples have at least one axis");
    out->data = map->data + offset;
    out->map = map->data;
    out->map_bytes = map->bytes;
    return 0;
}

int nc_npy_open(struct nc_array *out, const char *path, struct nc_error *err)
{
    struct nc_map map;
    *out = (struct nc_array){0};
    if (nc_file_map(&map, path, err) != 0)
        return -1;
    if (open_mapped(out, &map, path, err) == 0)
        return 0;
    nc_file_unmap(&map);
    *out = (struct nc_array){0};
    return -1;
}

size_t nc_npy_header(const struct nc_named *array, char header[NC_NPY_HEADER_MAX])
{
    char shape[NC_MAX_RANK * 22 + 4] = "";
    size_t used = 0;
    for (int i = 0; i < array->rank; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, i ? ", %lld" : "%lld",
                                 (long long)array->shape[i]);
    int length = snprintf(header + 10, NC_NPY_HEADER_MAX - 10,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%s%s), }", shape,
                          array->rank == 1 ? "," : "");
    size_t total = ((size_t)length + 11 + 63) / 64 * 64;
    memset(header + 10 + length, ' ', total - 10 - (size_t)length);
    header[total - 1] = '\n';
    memcpy(header, MAGIC "\x01", 8);
    header[8] = (char)((total - 10) & 0xff);
    header[9] = (char)((total - 10) >> 8);
    return total;
}

static int write_array(const char *name, const struct nc_named *array, const char *path,
                       struct nc_error *err)
{
    char header[NC_NPY_HEADER_MAX];
    int64_t elements;
    if (nc_shape_product(array->shape, array->rank, 1, &elements) != 0)
        return nc_fail(err, path, "its shape overflows");
    FILE *file = fopen(name, "wb");
    if (!file)
        return nc_fail(err, path, "cannot be written: %s", strerror(errno));
    size_t length = nc_npy_header(array, header), count = (size_t)elements;
    int bad = fwrite(header, 1, length, file) != length;
    bad |= count && fwrite(array->data, sizeof(float), count, file) != count;
    bad |= fclose(file) != 0;
    return bad ? nc_fail(err, path, "cannot be written: %s", strerror(errno)) : 0;
}

int nc_npy_write(const char *path, const struct nc_named *array, struct nc_error *err)
{
    char *temporary = nc_file_temporary(path, err);
    if (!temporary)
        return -1;
    return nc_file_publish(temporary, path, write_array(temporary, array, path, err), err);
}
