/* idx: two zero bytes, the element type, the rank, big-endian sizes, big-endian data.
 * http://yann.lecun.com/exdb/mnist
 *
 * A plain file is mapped. A gzipped one is inflated once into a file of the cache folder, which is
 * mapped from then on; where no cache can be written, into a spool. The sizes in the idx header say
 * how much that may be, and nothing is reserved before they have been found plausible. */
#include "data/file.h"
#include "data/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { HEADER_MAX = 4 + 4 * NC_MAX_RANK, DEFLATE_RATIO = 1032 };

/* The header's length, from its first four bytes: 0, or -1 with err. */
static int measure_header(const unsigned char *start, size_t *length, const char *path,
                          struct nc_error *err)
{
    if (start[0] || start[1])
        return nc_fail(err, path, "not an idx file (it starts with %02x %02x instead of 00 00)",
                       start[0], start[1]);
    if (start[3] < 1 || start[3] > NC_MAX_RANK)
        return nc_fail(err, path, "an idx file of rank %d (1 to %d are supported)", start[3],
                       NC_MAX_RANK);
    *length = 4 + 4 * (size_t)start[3];
    return 0;
}

static int find_dtype(int code, enum nc_dtype *out)
{
    switch (code) {
    case 0x08:
        *out = NC_U8;
        return 0;
    case 0x09:
        *out = NC_I8;
        return 0;
    case 0x0b:
        *out = NC_I16;
        return 0;
    case 0x0c:
        *out = NC_I32;
        return 0;
    case 0x0d:
        *out = NC_F32;
        return 0;
    case 0x0e:
        *out = NC_F64;
        return 0;
    default:
        return -1;
    }
}

/* Fills out from a whole header and tells the bytes of data that must follow. */
static int parse_header(struct nc_array *out, const unsigned char *header, int64_t *bytes,
                        const char *path, struct nc_error *err)
{
    if (find_dtype(header[2], &out->dtype) != 0)
        return nc_fail(err, path, "idx element type 0x%02x is not known", header[2]);
    out->big_endian = 1;
    out->rank = header[3];
    for (int i = 0; i < out->rank; i++) {
        const unsigned char *p = header + 4 + 4 * i;
        out->shape[i] = (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        if (out->shape[i] == 0)
            return nc_fail(err, path, "axis %d of the idx header is 0", i);
    }
    *bytes = nc_array_measure(out);
    if (*bytes < 0)
        return nc_fail(err, path, "the sizes in the idx header overflow");
    return 0;
}

static int parse_whole(struct nc_array *out, const struct nc_map *map, const char *path,
                       struct nc_error *err)
{
    size_t length = 0;
    int64_t bytes;
    if (map->bytes < 4)
        return nc_fail(err, path, "truncated: no idx header");
    if (measure_header(map->data, &length, path, err) != 0)
        return -1;
    if (map->bytes < length)
        return nc_fail(err, path, "truncated: the idx header needs %zu bytes, the file has %zu",
                       length, map->bytes);
    if (parse_header(out, map->data, &bytes, path, err) != 0)
        return -1;
    if ((uint64_t)bytes != map->bytes - length)
        return nc_fail(err, path, "%s: the idx header says %lld bytes of data, the file has %zu",
                       (uint64_t)bytes > map->bytes - length ? "truncated" : "trailing bytes",
                       (long long)bytes, map->bytes - length);
    out->data = map->data + length;
    out->map = map->data;
    out->map_bytes = map->bytes;
    return 0;
}

/* A gzip stream over a mapping. */
struct gzip {
    z_stream z;
    const unsigned char *next;
    size_t left;
    int ended;
    const char *path;
};

/* At a member's end: another member, the end of the file, or a fault. */
static int next_member(struct gzip *g, struct nc_error *err)
{
    g->ended = g->left == 0;
    if (g->ended)
        return 0;
    if (g->left < 2 || g->next[0] != 0x1f || g->next[1] != 0x8b)
        return nc_fail(err, g->path, "%zu trailing bytes after the gzip data", g->left);
    inflateReset(&g->z);
    return 0;
}

static int inflate_fault(struct gzip *g, int status, struct nc_error *err)
{
    if (status == Z_BUF_ERROR)
        return nc_fail(err, g->path, "truncated: the gzip data ends too early");
    return nc_fail(err, g->path, "bad gzip data: %s", g->z.msg ? g->z.msg : zError(status));
}

static size_t at_most(size_t size, size_t limit)
{
    return size < limit ? size : limit;
}

/* Inflates up to `size` bytes; fewer only at the stream's end. */
static int inflate_bytes(struct gzip *g, unsigned char *out, size_t size, size_t *got,
                         struct nc_error *err)
{
    for (*got = 0; *got < size && !g->ended;) {
        uInt in = (uInt)at_most(g->left, 1u << 30), room = (uInt)at_most(size - *got, 1u << 30);
        g->z.next_in = (Bytef *)(uintptr_t)g->next;
        g->z.avail_in = in;
        g->z.next_out = out + *got;
        g->z.avail_out = room;
        int status = inflate(&g->z, Z_NO_FLUSH);
        g->next += in - g->z.avail_in;
        g->left -= in - g->z.avail_in;
        *got += room - g->z.avail_out;
        if (status != Z_OK && status != Z_STREAM_END)
            return inflate_fault(g, status, err);
        if (status == Z_STREAM_END && next_member(g, err) != 0)
            return -1;
    }
    return 0;
}

static int inflate_exactly(struct gzip *g, unsigned char *out, size_t size, struct nc_error *err)
{
    size_t got;
    if (inflate_bytes(g, out, size, &got, err) != 0)
        return -1;
    if (got < size)
        return nc_fail(err, g->path, "truncated: the inflated idx data ends %zu bytes too early",
                       size - got);
    return 0;
}

/* The stream must be at its end; what makes zlib look at the checksum as well. */
static int inflate_end(struct gzip *g, struct nc_error *err)
{
    unsigned char extra;
    size_t got;
    if (inflate_bytes(g, &extra, 1, &got, err) != 0)
        return -1;
    return got ? nc_fail(err, g->path, "trailing bytes after the idx data") : 0;
}

/* Where inflated data goes: a mapped file of the cache that is yet to get its name, or, without the
 * header, a spool. */
struct target {
    unsigned char *bytes;
    size_t size;
    char *temporary; /* NULL: a spool */
    struct nc_spool spool;
};

static int map_target(struct target *t)
{
    int fd = open(t->temporary, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    void *bytes = MAP_FAILED;
    if (posix_fallocate(fd, 0, (off_t)t->size) == 0)
        bytes = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return -1;
    t->bytes = bytes;
    return 0;
}

static void open_target(struct target *t, const char *cached, const char *path)
{
    struct nc_error ignored;
    nc_spool_open(&t->spool, path);
    if (cached[0])
        t->temporary = nc_file_temporary(cached, &ignored);
    if (!t->temporary || map_target(t) == 0)
        return;
    unlink(t->temporary);
    free(t->temporary);
    t->temporary = NULL;
}

/* Hands the data behind the header to out. A mapping outlives its file's name, so a failure to
 * publish is none. */
static int keep_target(struct target *t, size_t header, const char *cached, struct nc_array *out,
                       struct nc_error *err)
{
    struct nc_error ignored;
    if (!t->temporary)
        return nc_spool_end(&t->spool, out, err);
    nc_file_publish(t->temporary, cached, 0, &ignored);
    mprotect(t->bytes, t->size, PROT_READ);
    out->data = t->bytes + header;
    out->map = t->bytes;
    out->map_bytes = t->size;
    return 0;
}

static int drop_target(struct target *t)
{
    if (t->temporary) {
        munmap(t->bytes, t->size);
        unlink(t->temporary);
        free(t->temporary);
    }
    nc_spool_drop(&t->spool);
    return -1;
}

static int inflate_to_spool(struct gzip *g, struct nc_spool *spool, size_t size,
                            struct nc_error *err)
{
    enum { CHUNK = 1 << 16 };
    unsigned char *chunk = malloc(CHUNK);
    int result = chunk ? 0 : nc_fail(err, g->path, "out of memory");
    while (size > 0 && result == 0) {
        size_t bytes = at_most(size, CHUNK);
        result = inflate_exactly(g, chunk, bytes, err);
        if (result == 0)
            result = nc_spool_add(spool, chunk, bytes, err);
        size -= bytes;
    }
    free(chunk);
    return result;
}

static int inflate_data(struct gzip *g, struct target *t, size_t header, struct nc_error *err)
{
    size_t bytes = t->size - header;
    int result = t->temporary ? inflate_exactly(g, t->bytes + header, bytes, err)
                              : inflate_to_spool(g, &t->spool, bytes, err);
    return result == 0 ? inflate_end(g, err) : -1;
}

static int inflate_idx(struct gzip *g, const char *cached, struct nc_array *out,
                       struct nc_error *err)
{
    unsigned char header[HEADER_MAX];
    size_t length = 0, file_bytes = g->left;
    int64_t bytes;
    if (inflate_exactly(g, header, 4, err) != 0 ||
        measure_header(header, &length, g->path, err) != 0 ||
        inflate_exactly(g, header + 4, length - 4, err) != 0 ||
        parse_header(out, header, &bytes, g->path, err) != 0)
        return -1;
    if ((uint64_t)bytes / DEFLATE_RATIO > file_bytes)
        return nc_fail(err, g->path, "truncated: %zu bytes of gzip cannot hold %lld bytes of data",
                       file_bytes, (long long)bytes);
    struct target t = {.size = length + (size_t)bytes};
    open_target(&t, cached, g->path);
    if (t.temporary)
        memcpy(t.bytes, header, length);
    if (inflate_data(g, &t, length, err) != 0)
        return drop_target(&t);
    return keep_target(&t, length, cached, out, err);
}

/* The first of the three places for cached files that the environment names, made where missing. */
static int find_cache_folder(char *out, size_t size)
{
    const char *own = getenv("NETCC_CACHE"), *xdg = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    int length;
    if (own && *own)
        length = snprintf(out, size, "%s", own);
    else if (xdg && *xdg)
        length = snprintf(out, size, "%s/netcc", xdg);
    else if (home && *home)
        length = snprintf(out, size, "%s/.cache/netcc", home);
    else
        return -1;
    if ((size_t)length >= size)
        return -1;
    for (char *slash = strchr(out + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(out, 0700);
        *slash = '/';
    }
    mkdir(out, 0700);
    return 0;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * 0x100000001b3;
    return hash;
}

/* The cached file's name: by path, size, time and the gzip trailer (CRC and length) of the original.
 * Empty where there is no cache. */
static void name_cached(const struct nc_map *map, const char *path, char *out, size_t size)
{
    char folder[3072], *absolute = realpath(path, NULL);
    struct stat info;
    out[0] = '\0';
    if (absolute && stat(path, &info) == 0 && find_cache_folder(folder, sizeof folder) == 0) {
        uint64_t hash = hash_bytes(0xcbf29ce484222325, absolute, strlen(absolute));
        hash = hash_bytes(hash, &map->bytes, sizeof map->bytes);
        hash = hash_bytes(hash, &info.st_mtim, sizeof info.st_mtim);
        hash = hash_bytes(hash, map->data + map->bytes - 8, 8);
        snprintf(out, size, "%s/idx-%016llx", folder, (unsigned long long)hash);
    }
    free(absolute);
}

/* A cached file counts only if it is ours and whole. */
static int open_cached(struct nc_array *out, const char *cached)
{
    struct nc_error ignored;
    struct stat info;
    struct nc_map map;
    if (!cached[0] || stat(cached, &info) != 0 || info.st_uid != geteuid() ||
        nc_file_map(&map, cached, &ignored) != 0)
        return -1;
    if (parse_whole(out, &map, cached, &ignored) == 0)
        return 0;
    nc_file_unmap(&map);
    return -1;
}

static int open_gzip(struct nc_array *out, const struct nc_map *map, const char *path,
                     struct nc_error *err)
{
    char cached[4096];
    if (map->bytes < 18)
        return nc_fail(err, path, "truncated: too short for a gzip file");
    name_cached(map, path, cached, sizeof cached);
    if (open_cached(out, cached) == 0)
        return 0;
    *out = (struct nc_array){0};
    struct gzip g = {.next = map->data, .left = map->bytes, .path = path};
    if (inflateInit2(&g.z, 15 + 16) != Z_OK)
        return nc_fail(err, path, "zlib cannot be started");
    int result = inflate_idx(&g, cached, out, err);
    inflateEnd(&g.z);
    return result;
}

int nc_idx_open(struct nc_array *out, const char *path, struct nc_error *err)
{
    struct nc_map map;
    *out = (struct nc_array){0};
    if (nc_file_map(&map, path, err) != 0)
        return -1;
    int gzipped = map.bytes >= 2 && map.data[0] == 0x1f && map.data[1] == 0x8b;
    int result = gzipped ? open_gzip(out, &map, path, err) : parse_whole(out, &map, path, err);
    if (gzipped || result != 0)
        nc_file_unmap(&map);
    if (result != 0)
        *out = (struct nc_array){0};
    return result;
}
