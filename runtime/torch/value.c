/* Values of pickles, and the names that PyTorch's pickles call. */
#include "torch/value.h"

#include "data/file.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory ------------------------------------------------------------------------------------ */

enum { CHUNK = 1 << 16 };
#define MOST_MEMORY ((size_t)1 << 30)

struct nc_pickle_chunk {
    struct nc_pickle_chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

void *nc_pickle_alloc(struct nc_pickle *p, size_t bytes)
{
    struct nc_pickle_chunk *chunk = p->chunks;
    bytes = (bytes + 15) / 16 * 16;
    if (!chunk || chunk->size - chunk->used < bytes) {
        size_t size = bytes > CHUNK ? bytes : CHUNK;
        if (p->used > MOST_MEMORY || size > MOST_MEMORY - p->used)
            return NULL;
        chunk = calloc(1, sizeof *chunk + size);
        if (!chunk)
            return NULL;
        chunk->next = p->chunks;
        chunk->size = size;
        p->chunks = chunk;
        p->used += size;
    }
    void *piece = chunk->bytes + chunk->used;
    chunk->used += bytes;
    return piece;
}

void nc_pickle_close(struct nc_pickle *p)
{
    while (p->chunks) {
        struct nc_pickle_chunk *next = p->chunks->next;
        free(p->chunks);
        p->chunks = next;
    }
}

struct nc_pickle_value *nc_pickle_value(struct nc_pickle *p, enum nc_pickle_kind kind)
{
    struct nc_pickle_value *value = nc_pickle_alloc(p, sizeof *value);
    if (value)
        value->kind = kind;
    return value;
}

int nc_pickle_push(struct nc_pickle *p, struct nc_pickle_value *list, struct nc_pickle_value *item)
{
    if (list->count == list->room) {
        int64_t room = list->room ? 2 * list->room : 4;
        struct nc_pickle_value **more = nc_pickle_alloc(p, (size_t)room * sizeof *more);
        if (!more)
            return -1;
        if (list->count)
            memcpy(more, list->items, (size_t)list->count * sizeof *more);
        list->items = more;
        list->room = room;
    }
    list->items[list->count++] = item;
    return 0;
}

int nc_pickle_is_text(const struct nc_pickle_value *value, const char *text)
{
    return value->kind == NC_PICKLE_TEXT && value->length == strlen(text) &&
           memcmp(value->text, text, value->length) == 0;
}

static struct nc_pickle_value *no_memory(const struct nc_pickle *p, struct nc_error *err)
{
    nc_fail(err, p->path, "the pickle takes too much memory");
    return NULL;
}

/* ---- storages ---------------------------------------------------------------------------------- */

typedef struct nc_pickle_value *
call_function(struct nc_pickle *p, const struct nc_pickle_value *arguments, struct nc_error *err);
struct nc_pickle_name {
    const char *module, *name;
    call_function *call; /* NULL: it cannot be called */
    int is_storage;
    enum nc_dtype dtype; /* of a storage */
};

static struct nc_pickle_value *bad(const struct nc_pickle *p, const char *what,
                                   struct nc_error *err)
{
    nc_fail(err, p->path, "%s in the pickle is not as PyTorch writes it", what);
    return NULL;
}

/* A view into a storage: None, or (key, offset, size). */
static int read_view(const struct nc_pickle_value *view, struct nc_pickle_storage *out)
{
    if (view->kind != NC_PICKLE_LIST)
        return 0;
    if (view->count != 3 || view->items[1]->kind != NC_PICKLE_INT ||
        view->items[2]->kind != NC_PICKLE_INT)
        return -1;
    int64_t offset = view->items[1]->number, size = view->items[2]->number;
    if (offset < 0 || size < 0 || offset > out->elements || size > out->elements - offset)
        return -1;
    out->offset = offset;
    out->elements = size;
    return 0;
}

struct nc_pickle_storage *
nc_pickle_storage_of(struct nc_pickle *p, const struct nc_pickle_value *id, struct nc_error *err)
{
    struct nc_pickle_storage *s = nc_pickle_alloc(p, sizeof *s);
    if (!s) {
        no_memory(p, err);
        return NULL;
    }
    int fits = id->kind == NC_PICKLE_LIST && id->count >= 5 &&
               nc_pickle_is_text(id->items[0], "storage") && id->items[1]->kind == NC_PICKLE_NAME &&
               id->items[1]->name->is_storage && id->items[2]->kind == NC_PICKLE_TEXT &&
               id->items[4]->kind == NC_PICKLE_INT && id->items[4]->number >= 0;
    if (!fits) {
        bad(p, "a storage", err);
        return NULL;
    }
    *s = (struct nc_pickle_storage){.key = id->items[2]->text,
                                    .key_length = id->items[2]->length,
                                    .dtype = id->items[1]->name->dtype,
                                    .elements = id->items[4]->number,
                                    .next = p->storages};
    if (id->count > 5 && read_view(id->items[5], s) != 0) {
        bad(p, "a view of a storage", err);
        return NULL;
    }
    p->storages = s;
    return s;
}

int nc_pickle_key_of(const struct nc_pickle_value *head, struct nc_pickle_storage *out)
{
    if (head->kind != NC_PICKLE_LIST || head->count != 3 ||
        head->items[0]->kind != NC_PICKLE_TEXT || head->items[2]->kind != NC_PICKLE_NAME ||
        !head->items[2]->name->is_storage)
        return -1;
    *out = (struct nc_pickle_storage){.key = head->items[0]->text,
                                      .key_length = head->items[0]->length,
                                      .dtype = head->items[2]->name->dtype};
    return 0;
}

/* ---- tensors ----------------------------------------------------------------------------------- */

static int read_sizes(const struct nc_pickle_value *list, int rank, int64_t *out)
{
    if (list->kind != NC_PICKLE_LIST || list->count != rank)
        return -1;
    for (int i = 0; i < rank; i++) {
        if (list->items[i]->kind != NC_PICKLE_INT || list->items[i]->number < 0)
            return -1;
        out[i] = list->items[i]->number;
    }
    return 0;
}

/* Do all elements lie in the storage? */
static int is_inside(const struct nc_pickle_tensor *t)
{
    int64_t last = t->offset, way;
    for (int i = 0; i < t->rank; i++) {
        if (t->shape[i] == 0)
            return 1;
    }
    for (int i = 0; i < t->rank; i++) {
        if (__builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &way) ||
            __builtin_add_overflow(last, way, &last))
            return 0;
    }
    return last < t->storage->elements;
}

/* (storage, offset, sizes, strides, ...) */
static struct nc_pickle_value *
call_tensor(struct nc_pickle *p, const struct nc_pickle_value *arguments, struct nc_error *err)
{
    struct nc_pickle_value *value = nc_pickle_value(p, NC_PICKLE_TENSOR);
    struct nc_pickle_tensor *t = nc_pickle_alloc(p, sizeof *t);
    if (!value || !t)
        return no_memory(p, err);
    value->tensor = t;
    struct nc_pickle_value *const *in = arguments->items;
    if (arguments->count < 4 || in[1]->kind != NC_PICKLE_INT || in[1]->number < 0 ||
        in[2]->kind != NC_PICKLE_LIST)
        return bad(p, "a tensor", err);
    t->storage =
        in[0]->kind == NC_PICKLE_STORAGE ? in[0]->storage : nc_pickle_storage_of(p, in[0], err);
    if (!t->storage)
        return NULL;
    if (in[2]->count > NC_MAX_RANK) {
        nc_fail(err, p->path, "a tensor has %lld axes; at most %d are supported",
                (long long)in[2]->count, NC_MAX_RANK);
        return NULL;
    }
    t->offset = in[1]->number;
    t->rank = (int)in[2]->count;
    if (read_sizes(in[2], t->rank, t->shape) != 0 || read_sizes(in[3], t->rank, t->stride) != 0)
        return bad(p, "a tensor's shape", err);
    if (!is_inside(t)) {
        nc_fail(err, p->path, "a tensor reaches beyond its storage of %lld elements",
                (long long)t->storage->elements);
        return NULL;
    }
    return value;
}

/* (tensor, requires_grad, hooks) */
static struct nc_pickle_value *
call_parameter(struct nc_pickle *p, const struct nc_pickle_value *arguments, struct nc_error *err)
{
    if (arguments->count < 1 || arguments->items[0]->kind != NC_PICKLE_TENSOR)
        return bad(p, "a parameter", err);
    return arguments->items[0];
}

/* (function, type, arguments, state) */
static struct nc_pickle_value *
call_typed(struct nc_pickle *p, const struct nc_pickle_value *arguments, struct nc_error *err)
{
    if (arguments->count < 3 || arguments->items[2]->kind != NC_PICKLE_LIST ||
        arguments->items[0]->kind != NC_PICKLE_NAME ||
        arguments->items[0]->name->call == call_typed)
        return bad(p, "a typed tensor", err);
    return nc_pickle_call(p, arguments->items[0], arguments->items[2], err);
}

/* ---- the rest ---------------------------------------------------------------------------------- */

/* OrderedDict() or OrderedDict([(key, value), ...]) */
static struct nc_pickle_value *
call_dict(struct nc_pickle *p, const struct nc_pickle_value *arguments, struct nc_error *err)
{
    struct nc_pickle_value *dict = nc_pickle_value(p, NC_PICKLE_DICT);
    const struct nc_pickle_value *pairs = arguments->count ? arguments->items[0] : NULL;
    if (!dict)
        return no_memory(p, err);
    if (pairs && pairs->kind == NC_PICKLE_NAME) /* defaultdict(list) */
        return dict;
    if (pairs && pairs->kind != NC_PICKLE_LIST)
        return bad(p, "a dict", err);
    for (int64_t i = 0; pairs && i < pairs->count; i++) {
        const struct nc_pickle_value *pair = pairs->items[i];
        if (pair->kind != NC_PICKLE_LIST || pair->count != 2)
            return bad(p, "a dict", err);
        if (nc_pickle_push(p, dict, pair->items[0]) != 0 ||
            nc_pickle_push(p, dict, pair->items[1]) != 0)
            return no_memory(p, err);
    }
    return dict;
}

/* Something without tensors, whatever it is */
static struct nc_pickle_value *
call_plain(struct nc_pickle *p, const struct nc_pickle_value *arguments, struct nc_error *err)
{
    (void)arguments;
    struct nc_pickle_value *value = nc_pickle_value(p, NC_PICKLE_OTHER);
    return value ? value : no_memory(p, err);
}

#define STORAGE(name, dtype)                                                                       \
    {                                                                                              \
        "torch", name, NULL, 1, dtype                                                              \
    }
#define CALLED(module, name, function)                                                             \
    {                                                                                              \
        module, name, function, 0, NC_F32                                                          \
    }
static const struct nc_pickle_name names[] = {
    STORAGE("FloatStorage", NC_F32),
    STORAGE("DoubleStorage", NC_F64),
    STORAGE("HalfStorage", NC_F16),
    STORAGE("BFloat16Storage", NC_BF16),
    STORAGE("LongStorage", NC_I64),
    STORAGE("IntStorage", NC_I32),
    STORAGE("ShortStorage", NC_I16),
    STORAGE("CharStorage", NC_I8),
    STORAGE("ByteStorage", NC_U8),
    STORAGE("BoolStorage", NC_BOOL),
    CALLED("torch._utils", "_rebuild_tensor", call_tensor),
    CALLED("torch._utils", "_rebuild_tensor_v2", call_tensor),
    CALLED("torch._utils", "_rebuild_parameter", call_parameter),
    CALLED("torch._utils", "_rebuild_parameter_with_state", call_parameter),
    CALLED("torch._tensor", "_rebuild_from_type_v2", call_typed),
    CALLED("torch.nn.parameter", "Parameter", NULL),
    CALLED("torch", "Tensor", NULL),
    CALLED("collections", "OrderedDict", call_dict),
    CALLED("collections", "defaultdict", call_dict),
    CALLED("torch", "Size", call_plain),
    CALLED("torch", "device", call_plain),
    CALLED("numpy", "dtype", call_plain),
    CALLED("numpy.core.multiarray", "scalar", call_plain),
    CALLED("numpy._core.multiarray", "scalar", call_plain),
    CALLED("_codecs", "encode", call_plain),
    CALLED("builtins", "set", call_plain),
    CALLED("__builtin__", "set", call_plain),
    CALLED("builtins", "list", call_plain),
    CALLED("__builtin__", "list", call_plain),
    CALLED("builtins", "dict", call_dict),
    CALLED("__builtin__", "dict", call_dict),
};
enum { NAMES = sizeof names / sizeof *names };

static int same(const char *text, size_t length, const char *known)
{
    return length == strlen(known) && memcmp(text, known, length) == 0;
}

static int clipped(size_t length)
{
    return length < 80 ? (int)length : 80;
}

struct nc_pickle_value *nc_pickle_name(struct nc_pickle *p, const char *module,
                                       size_t module_length, const char *name, size_t name_length,
                                       struct nc_error *err)
{
    for (int i = 0; i < NAMES; i++) {
        if (!same(module, module_length, names[i].module) ||
            !same(name, name_length, names[i].name))
            continue;
        struct nc_pickle_value *value = nc_pickle_value(p, NC_PICKLE_NAME);
        if (!value)
            return no_memory(p, err);
        value->name = &names[i];
        return value;
    }
    if (same(module, module_length, "torch") && name_length > 7 &&
        memcmp(name + name_length - 7, "Storage", 7) == 0) {
        nc_fail(err, p->path, "tensors in a torch.%.*s are not supported", clipped(name_length),
                name);
        return NULL;
    }
    nc_fail(err, p->path,
            "the pickle wants to call %.*s.%.*s; nothing is ever executed: only dicts and lists of "
            "tensors are read, as of torch.save(model.state_dict(), ...)",
            clipped(module_length), module, clipped(name_length), name);
    return NULL;
}

struct nc_pickle_value *nc_pickle_call(struct nc_pickle *p, const struct nc_pickle_value *callee,
                                       const struct nc_pickle_value *arguments,
                                       struct nc_error *err)
{
    if (callee->kind != NC_PICKLE_NAME || arguments->kind != NC_PICKLE_LIST || !callee->name->call)
        return bad(p, "a call", err);
    return callee->name->call(p, arguments, err);
}
