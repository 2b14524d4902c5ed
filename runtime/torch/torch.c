/* Weights in PyTorch's files: the tensors of nested dicts and lists, under their keys joined by
 * dots, whatever their strides. */
#include "torch/torch.h"

#include "data/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64, LONGEST = 1000, MOST_VISITS = 1 << 22 };

/* ---- naming ------------------------------------------------------------------------------------ */

struct walk {
    struct nc_weight_file *out;
    const struct nc_torch *torch;
    char name[LONGEST + 1];
    size_t length;
    int depth;
    long visits;
    struct nc_error *err;
};

/* Where the elements of a tensor are: what reading it needs */
struct place {
    struct nc_pickle_storage storage;
    int64_t offset;
    int64_t stride[NC_MAX_RANK];
};

static int is_contiguous(const struct nc_pickle_tensor *t)
{
    int64_t step = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != step)
            return 0;
        step *= t->shape[i];
    }
    return 1;
}

/* Elements where the file is mapped. */
static int place_mapped(struct walk *w, const struct nc_pickle_tensor *t, struct nc_weight *weight)
{
    const struct nc_torch_run *run = nc_torch_find(w->torch, t->storage);
    int64_t start, end;
    if (!run || run->dtype != t->storage->dtype ||
        __builtin_add_overflow(t->storage->offset, t->offset, &start) ||
        __builtin_add_overflow(t->storage->offset, t->storage->elements, &end) ||
        end > run->elements)
        return nc_fail(w->err, w->out->path, "%s: its storage '%.*s' is %s", w->name,
                       (int)t->storage->key_length, t->storage->key,
                       run ? "of another size or type" : "not there");
    if (is_contiguous(t))
        weight->data = run->data + (size_t)start * nc_dtype_size(run->dtype);
    return 0;
}

static int add_tensor(struct walk *w, const struct nc_pickle_tensor *t)
{
    const char *name = w->length ? w->name : "tensor";
    struct nc_weight *weight =
        nc_weight_add(w->out, name, NULL, t->storage->dtype, t->rank, t->shape, w->err);
    struct place *place = malloc(sizeof *place);
    if (!weight || !place) {
        free(place);
        return weight ? nc_fail(w->err, w->out->path, "out of memory") : -1;
    }
    weight->own = place;
    weight->big_endian = w->torch->big_endian;
    place->storage = *t->storage;
    place->offset = t->offset;
    memcpy(place->stride, t->stride, sizeof place->stride);
    if (weight->elements > t->storage->elements)
        return nc_fail(w->err, w->out->path, "%s repeats the elements of its storage", name);
    return w->torch->folder || !weight->elements ? 0 : place_mapped(w, t, weight);
}

static int visit(struct walk *w, const struct nc_pickle_value *value);

/* The value under one more key */
static int visit_below(struct walk *w, const char *key, size_t length,
                       const struct nc_pickle_value *value)
{
    size_t before = w->length;
    int result;
    if (length > LONGEST - 1 - before || memchr(key, '\0', length))
        return nc_fail(w->err, w->out->path, "a name longer than %d letters, or with a NUL",
                       LONGEST);
    if (before)
        w->name[w->length++] = '.';
    memcpy(w->name + w->length, key, length);
    w->length += length;
    w->name[w->length] = '\0';
    w->depth++;
    result = w->depth > DEEPEST
                 ? nc_fail(w->err, w->out->path, "dicts nest deeper than %d levels", DEEPEST)
                 : visit(w, value);
    w->depth--;
    w->length = before;
    w->name[before] = '\0';
    return result;
}

static int visit_numbered(struct walk *w, int64_t number, const struct nc_pickle_value *value)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%lld", (long long)number);
    return visit_below(w, text, (size_t)length, value);
}

static int visit_dict(struct walk *w, const struct nc_pickle_value *dict)
{
    int result = 0;
    for (int64_t i = 0; result == 0 && i < dict->count; i += 2) {
        const struct nc_pickle_value *key = dict->items[i], *value = dict->items[i + 1];
        if (key->kind == NC_PICKLE_TEXT)
            result = visit_below(w, key->text, key->length, value);
        else if (key->kind == NC_PICKLE_INT)
            result = visit_numbered(w, key->number, value);
        else if (value->kind == NC_PICKLE_TENSOR)
            result = nc_fail(w->err, w->out->path, "a tensor whose key is neither text nor number");
    }
    return result;
}

static int visit(struct walk *w, const struct nc_pickle_value *value)
{
    int result = 0;
    if (++w->visits > MOST_VISITS)
        return nc_fail(w->err, w->out->path, "more than %d values", MOST_VISITS);
    if (value->kind == NC_PICKLE_TENSOR)
        return add_tensor(w, value->tensor);
    if (value->kind == NC_PICKLE_DICT)
        return visit_dict(w, value);
    for (int64_t i = 0; value->kind == NC_PICKLE_LIST && result == 0 && i < value->count; i++)
        result = visit_numbered(w, i, value->items[i]);
    return result;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_names(const struct nc_weight_file *file, struct nc_error *err)
{
    char **names = malloc(((size_t)file->count + 1) * sizeof *names);
    int result = names ? 0 : nc_fail(err, file->path, "out of memory");
    for (int i = 0; names && i < file->count; i++)
        names[i] = file->weights[i].name;
    if (names && file->count)
        qsort(names, (size_t)file->count, sizeof *names, by_name);
    for (int i = 1; result == 0 && i < file->count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            result = nc_fail(err, file->path, "%s is there twice", names[i]);
    }
    free(names);
    return result;
}

/* ---- opening ----------------------------------------------------------------------------------- */

static int is_torch(const struct nc_file_head *head)
{
    static const char *const ends[] = {".pt", ".pth", ".th"};
    char name[256];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (nc_head_ends(head, ends[i]))
            return 1;
    }
    if (nc_head_zip_member(head, name)) {
        size_t length = strlen(name);
        return length > 9 && strcmp(name + length - 9, "/data.pkl") == 0;
    }
    return nc_torch_is_legacy(head->bytes, head->count) ||
           nc_torch_is_tar(head->bytes, head->count);
}

static const struct nc_pickle_value *read_form(struct nc_torch *torch, struct nc_weight_file *out,
                                               struct nc_error *err)
{
    struct nc_map map;
    if (nc_file_map(&map, out->path, err) != 0)
        return NULL;
    out->map = map.data;
    out->map_bytes = map.bytes;
    if (map.bytes >= 4 && memcmp(map.data, "PK\3\4", 4) == 0)
        return nc_torch_zip(torch, out->path, err);
    if (nc_torch_is_legacy(map.data, map.bytes))
        return nc_torch_legacy(torch, out->path, map.data, map.bytes, err);
    if (nc_torch_is_tar(map.data, map.bytes))
        return nc_torch_tar(torch, out->path, map.data, map.bytes, err);
    nc_fail(err, out->path,
            map.data[0] == 0x80 ? "a pickle, but not one of torch.save"
                                : "not a PyTorch file: neither a zip archive nor a pickle");
    return NULL;
}

static int open_torch(struct nc_weight_file *out, const char *path, struct nc_error *err)
{
    struct nc_torch *torch = calloc(1, sizeof *torch);
    if (!torch)
        return nc_fail(err, path, "out of memory");
    out->own = torch;
    out->convention = NC_BY_TORCH;
    const struct nc_pickle_value *value = read_form(torch, out, err);
    struct walk w = {.out = out, .torch = torch, .err = err};
    if (!value || visit(&w, value) != 0)
        return -1;
    return out->count ? check_names(out, err) : nc_fail(err, path, "no tensors are in the file");
}

static void close_torch(struct nc_weight_file *file)
{
    struct nc_torch *torch = file->own;
    if (!torch)
        return;
    nc_pickle_close(&torch->pickle);
    nc_zip_close(&torch->zip);
    free(torch->bytes);
    free(torch->folder);
    free(torch->runs);
    free(torch);
}

/* ---- values ------------------------------------------------------------------------------------ */

/* The elements in the order of their shape, from `data`, the storage's first. */
static void gather_strided(const struct nc_weight *w, const struct place *place,
                           const unsigned char *data, float *out)
{
    size_t unit = nc_dtype_size(w->dtype);
    int64_t at[NC_MAX_RANK] = {0}, offset = place->offset, run = 1;
    int last = w->rank - 1; /* of the axes before those that lie in one piece */
    for (; last >= 0 && (place->stride[last] == run || w->shape[last] == 1); last--)
        run *= w->shape[last];
    struct nc_array piece = {
        .dtype = w->dtype, .big_endian = w->big_endian, .rank = 1, .row_elements = run};
    for (int64_t e = 0; e < w->elements; e += run) {
        piece.data = data + (size_t)offset * unit;
        nc_array_gather(&piece, &(uint32_t){0}, 1, out + e, sizeof *out);
        for (int i = last; i >= 0; i--) {
            offset += place->stride[i];
            if (++at[i] < w->shape[i])
                break;
            offset -= w->shape[i] * place->stride[i];
            at[i] = 0;
        }
    }
}

static int read_member(const struct nc_weight_file *file, const struct nc_weight *w, float *out,
                       struct nc_error *err)
{
    const struct nc_torch *torch = file->own;
    const struct place *place = w->own;
    const struct nc_pickle_storage *s = &place->storage;
    char member[2 * LONGEST];
    unsigned char *bytes;
    size_t size;
    int length =
        snprintf(member, sizeof member, "%sdata/%.*s", torch->folder, (int)s->key_length, s->key);
    if (length < 0 || (size_t)length >= sizeof member || s->key_length > LONGEST)
        return nc_fail(err, file->path, "%s: its storage's name is too long", w->name);
    if (nc_zip_read(&torch->zip, member, &bytes, &size, err) != 0)
        return -1;
    size_t unit = nc_dtype_size(w->dtype), first = (size_t)s->offset;
    int result = 0;
    if (size / unit < first || size / unit - first < (size_t)s->elements)
        result = nc_fail(err, file->path, "%s: storage %s has %zu bytes, not %zu", w->name, member,
                         size, (first + (size_t)s->elements) * unit);
    else
        gather_strided(w, place, bytes + first * unit, out);
    free(bytes);
    return result;
}

static int read_torch(const struct nc_weight_file *file, int i, float *out, struct nc_error *err)
{
    const struct nc_torch *torch = file->own;
    const struct nc_weight *w = &file->weights[i];
    const struct place *place = w->own;
    if (torch->folder)
        return read_member(file, w, out, err);
    const struct nc_torch_run *run = nc_torch_find(torch, &place->storage);
    gather_strided(w, place, run->data + (size_t)place->storage.offset * nc_dtype_size(w->dtype),
                   out);
    return 0;
}

const struct nc_weight_format nc_weights_torch = {.name = "PyTorch",
                                                  .recognises = is_torch,
                                                  .open = open_torch,
                                                  .read = read_torch,
                                                  .close = close_torch};
