/* h5: a child process reads, this side takes its report apart; it believes neither. */
#include "h5.h"

#include "data/file.h"
#include "data/h5_plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the child -------------------------------------------------------------------------------- */

enum { CPU_SECONDS = 4, BYTES_PER_SECOND = 20 << 20 };

/* No core, no message of a library, an end to endless loops. */
static void confine(size_t file_bytes)
{
    struct rlimit none = {0, 0};
    struct rlimit time = {CPU_SECONDS + file_bytes / BYTES_PER_SECOND, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_CPU, &time);
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
}

static int wait_for(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}

static int run_child(const struct nc_h5_plugin *plugin, const char *file, const struct nc_h5 *h5,
                     const int fd[2], const char *path, struct nc_error *err)
{
    pid_t child = fork();
    if (child < 0)
        return nc_fail(err, path, "no process to read it in: %s", strerror(errno));
    if (child == 0) {
        confine(h5->file_bytes);
        plugin->report(file, h5->file, h5->file_bytes, fd[0], fd[1]);
        _exit(0);
    }
    int status = wait_for(child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        return nc_fail(err, path, "damaged: libhdf5 finds no end in it");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return nc_fail(err, path, "damaged: libhdf5 does not survive it");
    return 0;
}

/* ---- the report ------------------------------------------------------------------------------- */

struct report {
    const char *at, *end;
    struct nc_h5 *out;
    const char *path;
    struct nc_error *err;
    int bad;
};

static int64_t take_number(struct report *r)
{
    int64_t number = 0;
    if (r->end - r->at < (ptrdiff_t)sizeof number) {
        r->bad = 1;
        return 0;
    }
    memcpy(&number, r->at, sizeof number);
    r->at += sizeof number;
    return number;
}

static const char *take_text(struct report *r)
{
    int64_t length = take_number(r);
    const char *text = r->at;
    if (r->bad || length < 0 || length >= r->end - r->at || text[length] != '\0') {
        r->bad = 1;
        return "";
    }
    r->at += length + 1;
    return text;
}

static void *more(struct report *r, void *items, int count, size_t size)
{
    if (count & (count - 1))
        return items;
    void *grown = realloc(items, (count ? 2 * (size_t)count : 1) * size);
    r->bad |= !grown;
    return grown ? grown : items;
}

/* A text's values are found again by their place in the list of all strings. */
static void take_texts(struct report *r, size_t *strings)
{
    struct nc_h5 *out = r->out;
    struct nc_h5_text text = {.object = take_text(r), .name = take_text(r)};
    int64_t count = take_number(r);
    if (!*text.object)
        text.object = "/";
    for (int64_t i = 0; i < count && !r->bad; i++) {
        out->strings = more(r, out->strings, (int)*strings, sizeof *out->strings);
        const char *value = take_text(r);
        if (!r->bad)
            out->strings[(*strings)++] = value;
    }
    text.count = (int)count;
    out->texts = more(r, out->texts, out->texts_count, sizeof *out->texts);
    if (!r->bad)
        out->texts[out->texts_count++] = text;
}

static int find_data(struct report *r, struct nc_h5_array *array, int64_t source, int64_t offset)
{
    const unsigned char *base = source ? r->out->values : r->out->file;
    int64_t bytes, limit = (int64_t)(source ? r->out->values_bytes : r->out->file_bytes);
    if (nc_shape_product(array->shape, array->rank, (int64_t)nc_dtype_size(array->dtype), &bytes) !=
        0)
        return nc_fail(r->err, r->path, "%s: its shape overflows", array->path);
    if (bytes && (offset < 0 || offset > limit || bytes > limit - offset))
        return nc_fail(r->err, r->path, "truncated: the %lld bytes of %s end outside the file",
                       (long long)bytes, array->path);
    array->data = bytes ? base + offset : NULL;
    return 0;
}

static int take_array(struct report *r)
{
    struct nc_h5_array array = {.path = take_text(r)};
    int64_t dtype = take_number(r);
    array.big_endian = take_number(r) != 0;
    int64_t rank = take_number(r);
    if (r->bad || dtype < 0 || dtype > NC_BOOL || rank < 0)
        return nc_fail(r->err, r->path, "damaged: libhdf5 loses its way");
    if (rank > NC_MAX_RANK)
        return nc_fail(r->err, r->path, "%s has %lld axes; at most %d are supported", array.path,
                       (long long)rank, NC_MAX_RANK);
    array.dtype = (enum nc_dtype)dtype;
    array.rank = (int)rank;
    for (int i = 0; i < array.rank; i++)
        array.shape[i] = take_number(r);
    int64_t source = take_number(r), offset = take_number(r);
    if (!r->bad && find_data(r, &array, source, offset) != 0)
        return -1;
    r->out->arrays = more(r, r->out->arrays, r->out->arrays_count, sizeof array);
    if (!r->bad)
        r->out->arrays[r->out->arrays_count++] = array;
    return 0;
}

/* Strings moved while their list grew. */
static void link_texts(struct nc_h5 *h5)
{
    const char **next = h5->strings;
    for (int i = 0; i < h5->texts_count; i++) {
        h5->texts[i].values = next;
        next += h5->texts[i].count;
    }
}

static int take_report(struct report *r)
{
    size_t strings = 0;
    while (!r->bad && r->at < r->end) {
        switch (*r->at++) {
        case 'T':
            take_texts(r, &strings);
            break;
        case 'A':
            if (take_array(r) != 0)
                return -1;
            break;
        case 'E':
            return nc_fail(r->err, r->path, "%s", take_text(r));
        case 'Z':
            link_texts(r->out);
            return 0;
        default:
            r->bad = 1;
        }
    }
    return nc_fail(r->err, r->path, "damaged: libhdf5 loses its way");
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* An empty file has no mapping, and that is no fault. */
static int map_descriptor(int fd, void **map, size_t *bytes)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return -1;
    *bytes = (size_t)info.st_size;
    *map = *bytes ? mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (*map == MAP_FAILED)
        *map = NULL;
    return *bytes && !*map ? -1 : 0;
}

/* `file` is what the child opens, NULL: the mapping; `path` what messages say. */
static int open_mapped(struct nc_h5 *out, const char *file, const char *path, struct nc_error *err)
{
    enum { SUPERBLOCK = 48 }; /* bytes: the shortest there is */
    if (out->file_bytes < SUPERBLOCK)
        return nc_fail(err, path, "truncated: too short for an HDF5 file");
    const struct nc_h5_plugin *plugin = nc_plugin("h5", NC_H5_NEEDS, path, err);
    if (!plugin)
        return -1;
    int fd[2] = {memfd_create("netcc-h5", 0), memfd_create("netcc-h5", 0)};
    int result = fd[0] < 0 || fd[1] < 0 ? nc_fail(err, path, "out of memory") : 0;
    if (result == 0)
        result = run_child(plugin, file, out, fd, path, err);
    if (result == 0 && (map_descriptor(fd[0], &out->report, &out->report_bytes) != 0 ||
                        map_descriptor(fd[1], &out->values, &out->values_bytes) != 0))
        result = nc_fail(err, path, "out of memory");
    close(fd[0]);
    close(fd[1]);
    if (result != 0)
        return -1;
    struct report r = {.at = out->report, .out = out, .path = path, .err = err};
    r.end = r.at + out->report_bytes;
    return take_report(&r);
}

int nc_h5_open(struct nc_h5 *out, const char *path, struct nc_error *err)
{
    struct nc_map map;
    *out = (struct nc_h5){0};
    if (nc_file_map(&map, path, err) != 0)
        return -1;
    out->file = map.data;
    out->file_bytes = map.bytes;
    if (open_mapped(out, path, path, err) == 0)
        return 0;
    nc_h5_close(out);
    return -1;
}

int nc_h5_open_bytes(struct nc_h5 *out, const char *path, unsigned char *bytes, size_t size,
                     struct nc_error *err)
{
    *out = (struct nc_h5){.file = bytes, .file_bytes = size, .is_block = 1};
    if (open_mapped(out, NULL, path, err) == 0)
        return 0;
    nc_h5_close(out);
    return -1;
}

static void unmap(void *map, size_t bytes)
{
    if (map)
        munmap(map, bytes);
}

void nc_h5_close(struct nc_h5 *h5)
{
    if (h5->is_block)
        free(h5->file);
    else
        unmap(h5->file, h5->file_bytes);
    unmap(h5->report, h5->report_bytes);
    unmap(h5->values, h5->values_bytes);
    free(h5->texts);
    free(h5->arrays);
    free(h5->strings);
    *h5 = (struct nc_h5){0};
}

const struct nc_h5_text *nc_h5_text(const struct nc_h5 *h5, const char *object, const char *name,
                                    int part)
{
    char full[256];
    snprintf(full, sizeof full, part < 0 ? "%s" : "%s%d", name, part);
    for (int i = 0; i < h5->texts_count; i++) {
        if (!strcmp(h5->texts[i].object, object) && !strcmp(h5->texts[i].name, full))
            return &h5->texts[i];
    }
    return NULL;
}

const struct nc_h5_array *nc_h5_array(const struct nc_h5 *h5, const char *path)
{
    for (int i = 0; i < h5->arrays_count; i++) {
        if (!strcmp(h5->arrays[i].path, path))
            return &h5->arrays[i];
    }
    return NULL;
}
