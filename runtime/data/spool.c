/* A spool is filled from front to back with write(), so that a full disk is an error here and not a
 * fault of a mapping later. */
#include "data/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIRST_BYTES = 1 << 16, WRITE_BYTES = 1 << 20 };
#define LIMIT_BYTES ((size_t)64 << 20)

/* /tmp is in memory on many machines, /var/tmp is not. */
static const char *folder(void)
{
    const char *given = getenv("TMPDIR");
    if (given && *given)
        return given;
    return access("/var/tmp", W_OK | X_OK) == 0 ? "/var/tmp" : "/tmp";
}

static size_t limit(void)
{
    const char *text = getenv("NETCC_SPOOL_BYTES");
    return text && *text ? (size_t)strtoull(text, NULL, 10) : LIMIT_BYTES;
}

static int file_fault(const struct nc_spool *s, struct nc_error *err)
{
    return nc_fail(err, s->path,
                   "a temporary file in %s cannot be written: %s (TMPDIR names the folder)",
                   folder(), strerror(errno));
}

/* A file without a name. Where the file system has no such thing, its name is gone at once. */
static int open_file(struct nc_spool *s, struct nc_error *err)
{
    char name[4096];
    s->file = open(folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->file < 0 &&
        (size_t)snprintf(name, sizeof name, "%s/netcc-XXXXXX", folder()) < sizeof name) {
        s->file = mkostemp(name, O_CLOEXEC);
        if (s->file >= 0)
            unlink(name);
    }
    return s->file >= 0 ? 0 : file_fault(s, err);
}

static int write_all(struct nc_spool *s, const unsigned char *bytes, size_t count,
                     struct nc_error *err)
{
    while (count > 0) {
        ssize_t done = write(s->file, bytes, count);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return file_fault(s, err);
        bytes += done;
        count -= (size_t)done;
        s->written += (size_t)done;
    }
    return 0;
}

static int flush(struct nc_spool *s, struct nc_error *err)
{
    size_t used = s->used;
    s->used = 0;
    return write_all(s, s->block, used, err);
}

/* From memory to a file; the block becomes its buffer. */
static int leave_memory(struct nc_spool *s, struct nc_error *err)
{
    if (open_file(s, err) != 0 || flush(s, err) != 0)
        return -1;
    free(s->block);
    s->block = malloc(WRITE_BYTES);
    s->room = WRITE_BYTES;
    return s->block ? 0 : nc_fail(err, s->path, "out of memory");
}

/* Makes room for that many bytes in memory. */
static int grow(struct nc_spool *s, size_t bytes, struct nc_error *err)
{
    size_t room = s->room ? s->room : FIRST_BYTES;
    while (room < bytes)
        room *= 2;
    unsigned char *block = realloc(s->block, room);
    if (!block)
        return nc_fail(err, s->path, "out of memory for %zu bytes", room);
    s->block = block;
    s->room = room;
    return 0;
}

void nc_spool_open(struct nc_spool *spool, const char *path)
{
    *spool = (struct nc_spool){.file = -1, .limit = limit(), .path = path};
}

int nc_spool_add(struct nc_spool *s, const void *bytes, size_t count, struct nc_error *err)
{
    if (s->file < 0 && count > s->limit - (s->used < s->limit ? s->used : s->limit) &&
        leave_memory(s, err) != 0)
        return -1;
    if (s->file < 0 && count > s->room - s->used && grow(s, s->used + count, err) != 0)
        return -1;
    if (count > s->room - s->used && flush(s, err) != 0)
        return -1;
    if (count > s->room)
        return write_all(s, bytes, count, err);
    if (count)
        memcpy(s->block + s->used, bytes, count);
    s->used += count;
    return 0;
}

static int map_file(struct nc_spool *s, struct nc_array *out, struct nc_error *err)
{
    if (flush(s, err) != 0)
        return -1;
    void *map = mmap(NULL, s->written, PROT_READ, MAP_SHARED, s->file, 0);
    if (map == MAP_FAILED)
        return nc_fail(err, s->path, "%zu bytes cannot be mapped: %s", s->written, strerror(errno));
    out->data = out->map = map;
    out->map_bytes = s->written;
    return 0;
}

int nc_spool_end(struct nc_spool *s, struct nc_array *out, struct nc_error *err)
{
    int result = 0;
    if (s->file >= 0 && s->written + s->used > 0) {
        result = map_file(s, out, err);
    } else {
        if (!s->block && grow(s, 1, err) != 0)
            return -1;
        out->data = out->block = s->block;
        s->block = NULL;
    }
    nc_spool_drop(s);
    return result;
}

void nc_spool_drop(struct nc_spool *s)
{
    if (s->file >= 0)
        close(s->file);
    free(s->block);
    *s = (struct nc_spool){.file = -1};
}
