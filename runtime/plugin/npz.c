/* npz: a zip archive whose members are npy files, NAME.npy for the array NAME; and zip archives as
 * such. Built into the plugin npz.so, because libzip is slow to load; data/zip.c forwards to it.
 *
 * What the archive declares is checked before anything is reserved: a member's size against its
 * packed size, then against its npy header. Reading on to the member's end makes libzip compare
 * the CRC. Members larger than memory go through a spool. */
#include "data/npz.h"
#include "data/npy.h"
#include "data/spool.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

enum { DEFLATE_RATIO = 1032, NPY_HEADER_LIMIT = 1 << 20 };
#define MEMBER_LIMIT ((uint64_t)1 << 40)

static zip_t *open_archive(const char *path, int flags, struct nc_error *err)
{
    int code = 0;
    zip_t *zip = zip_open(path, flags, &code);
    if (!zip) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        nc_fail(err, path, code == ZIP_ER_NOZIP ? "not an npz or zip file (%s)" : "%s",
                zip_error_strerror(&error));
        zip_error_fini(&error);
    }
    return zip;
}

/* The length of a member's name without its .npy. */
static size_t bare_length(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".npy") == 0 ? length - 4 : length;
}

static int same_array(const char *a, const char *b)
{
    return bare_length(a) == bare_length(b) && memcmp(a, b, bare_length(a)) == 0;
}

static int same_name(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

typedef int same_function(const char *a, const char *b);

/* The index of the only member of that name, or -1 with err. */
static int64_t find_member(zip_t *zip, same_function *same, const char *member, const char *path,
                           struct nc_error *err)
{
    int64_t found = -1, count = zip_get_num_entries(zip, 0);
    for (int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(zip, (uint64_t)i, ZIP_FL_ENC_RAW);
        if (!name || !same(name, member))
            continue;
        if (found >= 0)
            return nc_fail(err, path, "has two %s named %s",
                           same == same_array ? "arrays" : "members", member);
        found = i;
    }
    return found >= 0 ? found
                      : nc_fail(err, path, "has no %s named %s",
                                same == same_array ? "array" : "member", member);
}

/* A member that is being read. */
struct member {
    zip_file_t *file;
    uint64_t size; /* unpacked, as declared */
    const char *name, *path;
};

static int check_packing(const zip_stat_t *info, struct member *m, struct nc_error *err)
{
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if ((info->valid & needed) != needed)
        return nc_fail(err, m->path, "%s: its sizes are not declared", m->name);
    if (info->valid & ZIP_STAT_ENCRYPTION_METHOD && info->encryption_method != ZIP_EM_NONE)
        return nc_fail(err, m->path, "%s is encrypted", m->name);
    if (info->comp_method != ZIP_CM_STORE && info->comp_method != ZIP_CM_DEFLATE)
        return nc_fail(err, m->path, "%s: packing method %d is not supported", m->name,
                       info->comp_method);
    if (info->size > MEMBER_LIMIT)
        return nc_fail(err, m->path, "%s declares %llu bytes; at most 1 TiB are supported", m->name,
                       (unsigned long long)info->size);
    struct stat archive;
    if (stat(m->path, &archive) != 0 || info->comp_size > (uint64_t)archive.st_size)
        return nc_fail(err, m->path, "%s is packed in more bytes than the file has", m->name);
    if (info->comp_method == ZIP_CM_STORE ? info->size != info->comp_size
                                          : info->size / DEFLATE_RATIO > info->comp_size)
        return nc_fail(err, m->path, "%s: %llu packed bytes cannot hold the %llu declared", m->name,
                       (unsigned long long)info->comp_size, (unsigned long long)info->size);
    m->size = info->size;
    return 0;
}

static int open_member(zip_t *zip, same_function *same, struct member *m, struct nc_error *err)
{
    zip_stat_t info;
    int64_t index = find_member(zip, same, m->name, m->path, err);
    if (index < 0)
        return -1;
    zip_stat_init(&info);
    if (zip_stat_index(zip, (uint64_t)index, 0, &info) != 0)
        return nc_fail(err, m->path, "%s: %s", m->name, zip_strerror(zip));
    if (check_packing(&info, m, err) != 0)
        return -1;
    m->file = zip_fopen_index(zip, (uint64_t)index, 0);
    return m->file ? 0 : nc_fail(err, m->path, "%s: %s", m->name, zip_strerror(zip));
}

static int read_fault(struct member *m, struct nc_error *err)
{
    int code = zip_error_code_zip(zip_file_get_error(m->file));
    return nc_fail(err, m->path, "%s: %s", m->name,
                   code == ZIP_ER_CRC ? "bad CRC, the file is damaged"
                                      : zip_file_strerror(m->file));
}

static int read_bytes(struct member *m, unsigned char *out, uint64_t size, struct nc_error *err)
{
    while (size > 0) {
        zip_int64_t got = zip_fread(m->file, out, size < INT_MAX ? size : INT_MAX);
        if (got < 0)
            return read_fault(m, err);
        if (got == 0)
            return nc_fail(err, m->path, "%s: truncated", m->name);
        out += got;
        size -= (uint64_t)got;
    }
    return 0;
}

static int read_end(struct member *m, struct nc_error *err)
{
    unsigned char extra;
    zip_int64_t got = zip_fread(m->file, &extra, 1);
    if (got < 0)
        return read_fault(m, err);
    return got ? nc_fail(err, m->path, "%s: trailing bytes", m->name) : 0;
}

/* The npy functions name the file; a fault of a member names the member too. */
static int blame_member(struct member *m, struct nc_error *err)
{
    struct nc_error plain = *err;
    return nc_fail(err, m->path, "%.100s: %.400s", m->name, plain.message);
}

static int read_header(struct member *m, struct nc_array *out, struct nc_error *err)
{
    unsigned char prefix[NC_NPY_PREFIX] = {0};
    size_t offset;
    if (read_bytes(m, prefix, m->size < sizeof prefix ? m->size : sizeof prefix, err) != 0)
        return -1;
    if (nc_npy_measure(prefix, m->size, &offset, m->path, err) != 0)
        return blame_member(m, err);
    if (offset > NPY_HEADER_LIMIT)
        return nc_fail(err, m->path, "%s: its npy header is too long", m->name);
    unsigned char *header = malloc(offset);
    if (!header)
        return nc_fail(err, m->path, "out of memory");
    memcpy(header, prefix, sizeof prefix);
    int result = read_bytes(m, header + sizeof prefix, offset - sizeof prefix, err);
    if (result == 0 && nc_npy_parse(out, header, offset, m->size, m->path, err) != 0)
        result = blame_member(m, err);
    free(header);
    return result;
}

/* All of the data, which are then read to their end so that the CRC is looked at. */
static int read_data(struct member *m, struct nc_spool *spool, uint64_t bytes, struct nc_error *err)
{
    enum { CHUNK = 1 << 16 };
    unsigned char *chunk = malloc(CHUNK);
    int result = chunk ? 0 : nc_fail(err, m->path, "out of memory");
    while (bytes > 0 && result == 0) {
        size_t size = bytes < CHUNK ? (size_t)bytes : CHUNK;
        result = read_bytes(m, chunk, size, err);
        if (result == 0)
            result = nc_spool_add(spool, chunk, size, err);
        bytes -= size;
    }
    free(chunk);
    return result == 0 ? read_end(m, err) : -1;
}

static int read_member(struct member *m, struct nc_array *out, struct nc_error *err)
{
    struct nc_spool spool;
    if (read_header(m, out, err) != 0)
        return -1;
    uint64_t bytes =
        (uint64_t)out->shape[0] * (uint64_t)out->row_elements * nc_dtype_size(out->dtype);
    nc_spool_open(&spool, m->path);
    int result = read_data(m, &spool, bytes, err);
    if (result == 0)
        result = nc_spool_end(&spool, out, err);
    nc_spool_drop(&spool);
    return result;
}

static int read_array(const struct nc_zip *zip, const char *member, struct nc_array *out,
                      struct nc_error *err)
{
    struct member m = {.name = member, .path = zip->path};
    *out = (struct nc_array){0};
    int result = open_member(zip->archive, same_array, &m, err);
    if (result == 0)
        result = read_member(&m, out, err);
    if (m.file)
        zip_fclose(m.file);
    if (result != 0)
        *out = (struct nc_array){0};
    return result;
}

typedef size_t length_function(const char *name);

/* Folders are left out. */
static int list_names(zip_t *zip, length_function *length, char **names, int *count,
                      const char *path, struct nc_error *err)
{
    int64_t entries = zip_get_num_entries(zip, 0);
    for (int64_t i = 0; i < entries; i++) {
        const char *name = zip_get_name(zip, (uint64_t)i, ZIP_FL_ENC_RAW);
        if (name && *name && name[strlen(name) - 1] == '/')
            continue;
        names[*count] = name ? strndup(name, length(name)) : NULL;
        if (!names[(*count)++])
            return nc_fail(err, path, "member %lld has no name", (long long)i);
    }
    return 0;
}

static int list(const struct nc_zip *zip, length_function *length, char ***names, int *count,
                struct nc_error *err)
{
    *names = NULL;
    *count = 0;
    char **all = calloc((size_t)zip_get_num_entries(zip->archive, 0) + 1, sizeof *all);
    int listed = 0;
    int result = all ? list_names(zip->archive, length, all, &listed, zip->path, err)
                     : nc_fail(err, zip->path, "out of memory");
    if (result != 0) {
        nc_names_free(all, listed);
        return -1;
    }
    *names = all;
    *count = listed;
    return 0;
}

static int array_names(const struct nc_zip *zip, char ***names, int *count, struct nc_error *err)
{
    return list(zip, bare_length, names, count, err);
}

static int member_names(const struct nc_zip *zip, char ***names, int *count, struct nc_error *err)
{
    return list(zip, strlen, names, count, err);
}

static int read_whole(struct member *m, unsigned char **bytes, size_t *size, struct nc_error *err)
{
    unsigned char *block = malloc(m->size + 1);
    if (!block)
        return nc_fail(err, m->path, "%s: out of memory for %llu bytes", m->name,
                       (unsigned long long)m->size);
    if (read_bytes(m, block, m->size, err) != 0 || read_end(m, err) != 0) {
        free(block);
        return -1;
    }
    block[m->size] = 0;
    *bytes = block;
    *size = m->size;
    return 0;
}

static int read_bytes_of(const struct nc_zip *zip, const char *member, unsigned char **bytes,
                         size_t *size, struct nc_error *err)
{
    struct member m = {.name = member, .path = zip->path};
    *bytes = NULL;
    *size = 0;
    int result = open_member(zip->archive, same_name, &m, err);
    if (result == 0)
        result = read_whole(&m, bytes, size, err);
    if (m.file)
        zip_fclose(m.file);
    return result;
}

/* Adds one array, stored; its header must live until the archive is closed. */
static int add_member(zip_t *zip, const struct nc_named *array, char *header)
{
    char *name;
    int64_t bytes;
    if (nc_shape_product(array->shape, array->rank, sizeof(float), &bytes) != 0)
        return -1;
    zip_buffer_fragment_t parts[2] = {
        {(zip_uint8_t *)header, nc_npy_header(array, header)},
        {(zip_uint8_t *)(uintptr_t)array->data, (zip_uint64_t)bytes},
    };
    if (asprintf(&name, "%s.npy", array->name) < 0)
        return -1;
    zip_source_t *source = zip_source_buffer_fragment(zip, parts, bytes ? 2 : 1, 0);
    zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (source && index < 0)
        zip_source_free(source);
    free(name);
    if (index < 0 || zip_set_file_compression(zip, (uint64_t)index, ZIP_CM_STORE, 0) != 0)
        return -1;
    /* 1980-01-01, as numpy: the same arrays make the same file. */
    return zip_file_set_dostime(zip, (uint64_t)index, 0, 1 << 5 | 1, 0);
}

static int write_archive(const char *name, const struct nc_named *arrays, int count,
                         char (*headers)[NC_NPY_HEADER_MAX], const char *path, struct nc_error *err)
{
    zip_t *zip = open_archive(name, ZIP_CREATE | ZIP_TRUNCATE, err);
    if (!zip)
        return -1;
    for (int i = 0; i < count; i++) {
        if (add_member(zip, &arrays[i], headers[i]) != 0) {
            nc_fail(err, path, "%s cannot be written: %s", arrays[i].name, zip_strerror(zip));
            zip_discard(zip);
            return -1;
        }
    }
    if (zip_close(zip) == 0)
        return 0;
    nc_fail(err, path, "cannot be written: %s", zip_strerror(zip));
    zip_discard(zip);
    return -1;
}

static int npz_write(const char *path, const struct nc_named *arrays, int count,
                     struct nc_error *err)
{
    char(*headers)[NC_NPY_HEADER_MAX] = calloc((size_t)count + 1, sizeof *headers);
    if (!headers)
        return nc_fail(err, path, "out of memory");
    char *temporary = nc_file_temporary(path, err);
    int result = -1;
    if (temporary)
        result = nc_file_publish(temporary, path,
                                 write_archive(temporary, arrays, count, headers, path, err), err);
    free(headers);
    return result;
}

static void *open_zip(const char *path, struct nc_error *err)
{
    return open_archive(path, ZIP_RDONLY, err);
}

static void close_zip(void *archive)
{
    zip_discard(archive);
}

const struct nc_npz_plugin nc_plugin_npz = {{NC_PLUGIN_ABI}, open_zip,    close_zip,  member_names,
                                            read_bytes_of,   array_names, read_array, npz_write};
