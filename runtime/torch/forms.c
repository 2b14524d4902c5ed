/* The three forms of PyTorch's files: finding the pickle, and the storages that it speaks of. */
#include "torch/torch.h"

#include "data/file.h"
#include "data/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- runs -------------------------------------------------------------------------------------- */

static int compare_keys(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_key(const void *a, const void *b)
{
    const struct nc_torch_run *x = a, *y = b;
    return compare_keys(x->key, x->key_length, y->key, y->key_length);
}

const struct nc_torch_run *nc_torch_find(const struct nc_torch *torch,
                                         const struct nc_pickle_storage *storage)
{
    const struct nc_torch_run key = {.key = storage->key, .key_length = storage->key_length};
    if (!torch->runs_count)
        return NULL;
    return bsearch(&key, torch->runs, (size_t)torch->runs_count, sizeof key, by_key);
}

/* Sorts the runs; one key must not stand for two. */
static int sort_runs(struct nc_torch *torch, struct nc_error *err)
{
    if (torch->runs_count)
        qsort(torch->runs, (size_t)torch->runs_count, sizeof *torch->runs, by_key);
    for (int64_t i = 1; i < torch->runs_count; i++) {
        if (by_key(&torch->runs[i - 1], &torch->runs[i]) == 0)
            return nc_fail(err, torch->pickle.path, "storage '%.*s' is there twice",
                           (int)torch->runs[i].key_length, torch->runs[i].key);
    }
    return 0;
}

/* A count of elements and then the elements; how many bytes that was, or 0 with err. */
static size_t read_run(const struct nc_torch *torch, struct nc_torch_run *run,
                       const unsigned char *bytes, size_t size, struct nc_error *err)
{
    int64_t count, length;
    enum { COUNT = 8 };
    if (size >= COUNT)
        memcpy(&count, bytes, COUNT);
    if (size >= COUNT && torch->big_endian)
        count = (int64_t)__builtin_bswap64((uint64_t)count);
    if (size < COUNT || count < 0 ||
        nc_shape_product(&count, 1, (int64_t)nc_dtype_size(run->dtype), &length) != 0 ||
        (uint64_t)length > size - COUNT) {
        nc_fail(err, torch->pickle.path, "the file ends in storage '%.*s'", (int)run->key_length,
                run->key);
        return 0;
    }
    run->elements = count;
    run->data = bytes + COUNT;
    return (size_t)length + COUNT;
}

/* ---- legacy ------------------------------------------------------------------------------------ */

int nc_torch_is_legacy(const unsigned char *bytes, size_t size)
{
    static const unsigned char number[] = {0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                           0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    return size > NC_TORCH_MAGIC && bytes[0] == 0x80 &&
           memcmp(bytes + 2, number, sizeof number) == 0 && bytes[NC_TORCH_MAGIC - 1] == '.';
}

/* {..., 'little_endian': True, ...} */
static int says_big_endian(const struct nc_pickle_value *info)
{
    for (int64_t i = 0; info->kind == NC_PICKLE_DICT && i < info->count; i += 2) {
        if (nc_pickle_is_text(info->items[i], "little_endian"))
            return info->items[i + 1]->kind == NC_PICKLE_INT && !info->items[i + 1]->number;
    }
    return 0;
}

/* A storage that the pickle has spoken of, by its key. */
static const struct nc_pickle_storage *spoken_of(const struct nc_pickle *p,
                                                 const struct nc_pickle_value *key)
{
    const struct nc_pickle_storage *s = p->storages;
    while (s && compare_keys(s->key, s->key_length, key->text, key->length) != 0)
        s = s->next;
    return s;
}

static int add_runs(struct nc_torch *torch, const struct nc_pickle_value *keys,
                    const unsigned char *bytes, size_t size, struct nc_error *err)
{
    for (int64_t i = 0; i < keys->count; i++) {
        const struct nc_pickle_value *key = keys->items[i];
        const struct nc_pickle_storage *s =
            key->kind == NC_PICKLE_TEXT ? spoken_of(&torch->pickle, key) : NULL;
        if (!s)
            return nc_fail(err, torch->pickle.path, "the list of storages names one of no tensor");
        struct nc_torch_run *run = &torch->runs[torch->runs_count];
        *run =
            (struct nc_torch_run){.key = key->text, .key_length = key->length, .dtype = s->dtype};
        size_t taken = read_run(torch, run, bytes, size, err);
        if (!taken)
            return -1;
        torch->runs_count++;
        bytes += taken;
        size -= taken;
    }
    return sort_runs(torch, err);
}

static int read_runs(struct nc_torch *torch, const struct nc_pickle_value *keys,
                     const unsigned char *bytes, size_t size, struct nc_error *err)
{
    enum { MOST = 1 << 20 };
    if (keys->kind != NC_PICKLE_LIST || keys->count > MOST)
        return nc_fail(err, torch->pickle.path, "no list of storages follows the pickle");
    torch->runs = calloc((size_t)keys->count + 1, sizeof *torch->runs);
    return torch->runs ? add_runs(torch, keys, bytes, size, err)
                       : nc_fail(err, torch->pickle.path, "out of memory");
}

/* The number, the protocol, the system; the value; the storages' keys; the storages */
const struct nc_pickle_value *nc_torch_legacy(struct nc_torch *torch, const char *path,
                                              const unsigned char *bytes, size_t size,
                                              struct nc_error *err)
{
    enum { PROTOCOL, SYSTEM, VALUE, KEYS, PARTS };
    const struct nc_pickle_value *parts[PARTS];
    size_t at = NC_TORCH_MAGIC, taken;
    torch->pickle.path = path;
    for (int i = 0; i < PARTS; i++) {
        parts[i] = nc_pickle_read(&torch->pickle, bytes + at, size - at, &taken, err);
        if (!parts[i])
            return NULL;
        at += taken;
    }
    torch->big_endian = says_big_endian(parts[SYSTEM]);
    return read_runs(torch, parts[KEYS], bytes + at, size - at, err) == 0 ? parts[VALUE] : NULL;
}

/* ---- tar --------------------------------------------------------------------------------------- */

enum { BLOCK = 512, NAME_SIZE = 100, SIZE_AT = 124, SIZE_DIGITS = 11, TYPE_AT = 156 };

struct member {
    const unsigned char *bytes;
    size_t size;
};

int nc_torch_is_tar(const unsigned char *bytes, size_t size)
{
    static const char *const first[] = {"sys_info", "pickle", "tensors", "storages"};
    for (size_t i = 0; size >= BLOCK && i < sizeof first / sizeof *first; i++) {
        if (strncmp((const char *)bytes, first[i], NAME_SIZE) == 0)
            return 1;
    }
    return 0;
}

static int octal(const unsigned char *digits, size_t *out)
{
    *out = 0;
    for (int i = 0; i < SIZE_DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '7')
            return -1;
        *out = *out * 8 + (size_t)(digits[i] - '0');
    }
    return 0;
}

/* bytes NULL: there is none of that name. -1 with err where the archive is damaged. */
static int find_member(const char *path, const unsigned char *bytes, size_t size, const char *name,
                       struct member *out, struct nc_error *err)
{
    size_t length;
    *out = (struct member){0};
    for (size_t at = 0; at + BLOCK <= size && bytes[at]; at += length) {
        if (octal(bytes + at + SIZE_AT, &length) != 0 || length > size - at - BLOCK)
            return nc_fail(err, path, "the tar archive is damaged at byte %zu", at);
        if (strncmp((const char *)bytes + at, name, NAME_SIZE) == 0)
            *out = (struct member){bytes + at + BLOCK, length};
        length = BLOCK + (length + BLOCK - 1) / BLOCK * BLOCK;
        if (length > size - at)
            break;
    }
    return 0;
}

/* A count, and for each (key, place, type) and the storage */
static int read_storages(struct nc_torch *torch, const struct member *m, struct nc_error *err)
{
    enum { MOST = 1 << 20 };
    size_t at, taken;
    const struct nc_pickle_value *count =
        nc_pickle_read(&torch->pickle, m->bytes, m->size, &at, err);
    if (!count)
        return -1;
    if (count->kind != NC_PICKLE_INT || count->number < 0 || count->number > MOST)
        return nc_fail(err, torch->pickle.path, "storages: no count");
    torch->runs = calloc((size_t)count->number + 1, sizeof *torch->runs);
    if (!torch->runs)
        return nc_fail(err, torch->pickle.path, "out of memory");
    for (; torch->runs_count < count->number; torch->runs_count++) {
        struct nc_torch_run *run = &torch->runs[torch->runs_count];
        const struct nc_pickle_value *head =
            nc_pickle_read(&torch->pickle, m->bytes + at, m->size - at, &taken, err);
        if (!head)
            return -1;
        at += taken;
        struct nc_pickle_storage s;
        if (nc_pickle_key_of(head, &s) != 0)
            return nc_fail(err, torch->pickle.path, "storages: not as PyTorch writes them");
        *run = (struct nc_torch_run){.key = s.key, .key_length = s.key_length, .dtype = s.dtype};
        taken = read_run(torch, run, m->bytes + at, m->size - at, err);
        if (!taken)
            return -1;
        at += taken;
    }
    return sort_runs(torch, err);
}

static int read_system(struct nc_torch *torch, const struct member *m, struct nc_error *err)
{
    size_t taken;
    if (!m->bytes)
        return 0;
    const struct nc_pickle_value *info =
        nc_pickle_read(&torch->pickle, m->bytes, m->size, &taken, err);
    if (info)
        torch->big_endian = says_big_endian(info);
    return info ? 0 : -1;
}

const struct nc_pickle_value *nc_torch_tar(struct nc_torch *torch, const char *path,
                                           const unsigned char *bytes, size_t size,
                                           struct nc_error *err)
{
    struct member pickle, storages, tensors, system;
    size_t taken;
    torch->pickle.path = path;
    if (find_member(path, bytes, size, "pickle", &pickle, err) != 0 ||
        find_member(path, bytes, size, "storages", &storages, err) != 0 ||
        find_member(path, bytes, size, "tensors", &tensors, err) != 0 ||
        find_member(path, bytes, size, "sys_info", &system, err) != 0)
        return NULL;
    if (tensors.bytes) {
        nc_fail(err, path,
                "a tar archive with 'tensors', of a PyTorch before 0.2, is not read; load "
                "it there and save it anew");
        return NULL;
    }
    if (!pickle.bytes || !storages.bytes) {
        nc_fail(err, path, "a tar archive without '%s'", pickle.bytes ? "storages" : "pickle");
        return NULL;
    }
    if (read_system(torch, &system, err) != 0 || read_storages(torch, &storages, err) != 0)
        return NULL;
    return nc_pickle_read(&torch->pickle, pickle.bytes, pickle.size, &taken, err);
}

/* ---- zip --------------------------------------------------------------------------------------- */

static int ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* The folder of FOLDER/data.pkl, of which there is one. */
static int find_folder(struct nc_torch *torch, char *const *names, int count, struct nc_error *err)
{
    static const char pickle[] = "/data.pkl";
    for (int i = 0; i < count; i++) {
        if (!ends_with(names[i], pickle))
            continue;
        if (torch->folder)
            return nc_fail(err, torch->pickle.path, "two pickles: %s, %sdata.pkl", names[i],
                           torch->folder);
        torch->folder = strndup(names[i], strlen(names[i]) - strlen(pickle) + 1);
        if (!torch->folder)
            return nc_fail(err, torch->pickle.path, "out of memory");
    }
    return torch->folder ? 0 : nc_fail(err, torch->pickle.path, "a zip archive without data.pkl");
}

static char *member_name(const struct nc_torch *torch, const char *name)
{
    size_t size = strlen(torch->folder) + strlen(name) + 1;
    char *member = malloc(size);
    if (member)
        snprintf(member, size, "%s%s", torch->folder, name);
    return member;
}

static int has(char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return 1;
    }
    return 0;
}

static int read_byte_order(struct nc_torch *torch, char *const *names, int count,
                           struct nc_error *err)
{
    char *member = member_name(torch, "byteorder");
    unsigned char *bytes = NULL;
    size_t size = 0;
    int result = member ? 0 : nc_fail(err, torch->pickle.path, "out of memory");
    if (result == 0 && has(names, count, member))
        result = nc_zip_read(&torch->zip, member, &bytes, &size, err);
    torch->big_endian = bytes && size >= 3 && memcmp(bytes, "big", 3) == 0;
    free(bytes);
    free(member);
    return result;
}

static const struct nc_pickle_value *read_pickle(struct nc_torch *torch, struct nc_error *err)
{
    char *member = member_name(torch, "data.pkl");
    size_t size, taken;
    if (!member) {
        nc_fail(err, torch->pickle.path, "out of memory");
        return NULL;
    }
    int result = nc_zip_read(&torch->zip, member, &torch->bytes, &size, err);
    free(member);
    return result == 0 ? nc_pickle_read(&torch->pickle, torch->bytes, size, &taken, err) : NULL;
}

const struct nc_pickle_value *nc_torch_zip(struct nc_torch *torch, const char *path,
                                           struct nc_error *err)
{
    char **names;
    int count;
    torch->pickle.path = path;
    if (nc_zip_open(&torch->zip, path, err) != 0 ||
        nc_zip_names(&torch->zip, &names, &count, err) != 0)
        return NULL;
    const struct nc_pickle_value *value = NULL;
    if (find_folder(torch, names, count, err) == 0 &&
        read_byte_order(torch, names, count, err) == 0)
        value = read_pickle(torch, err);
    nc_names_free(names, count);
    return value;
}
