/* Files as mappings, and output that appears whole or not at all: a writer fills a temporary file
 * in the same folder, which is synced and then renamed over the old one. */
#include "data/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_descriptor(struct nc_map *out, int fd, const char *path, struct nc_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return nc_fail(err, path, "%s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return nc_fail(err, path, "not a regular file");
    if (info.st_size == 0)
        return nc_fail(err, path, "the file is empty");
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return nc_fail(err, path, "cannot be mapped: %s", strerror(errno));
    *out = (struct nc_map){data, (size_t)info.st_size};
    return 0;
}

int nc_file_map(struct nc_map *out, const char *path, struct nc_error *err)
{
    *out = (struct nc_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return nc_fail(err, path, "cannot be opened: %s", strerror(errno));
    int result = map_descriptor(out, fd, path, err);
    close(fd);
    return result;
}

void nc_file_unmap(struct nc_map *map)
{
    if (map->data)
        munmap(map->data, map->bytes);
    *map = (struct nc_map){0};
}

char *nc_file_temporary(const char *path, struct nc_error *err)
{
    size_t size = strlen(path) + 48;
    char *name = malloc(size);
    if (!name) {
        nc_fail(err, path, "out of memory");
        return NULL;
    }
    int fd = -1;
    for (int i = 0; fd < 0 && i < 1000; i++) {
        snprintf(name, size, "%s.%ld-%d.part", path, (long)getpid(), i);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        nc_fail(err, path, "cannot be written: %s", strerror(errno));
        free(name);
        return NULL;
    }
    close(fd);
    return name;
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fsync(fd);
    int cause = errno;
    close(fd);
    errno = cause;
    return result;
}

/* Some file systems cannot sync a folder; the rename has happened, so that is no failure. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
    char *folder = strndup(slash ? path : ".", length);
    if (folder)
        sync_path(folder, O_RDONLY | O_DIRECTORY);
    free(folder);
}

int nc_file_publish(char *temporary, const char *path, int failed, struct nc_error *err)
{
    if (!failed && (sync_path(temporary, O_RDONLY) != 0 || rename(temporary, path) != 0))
        failed = nc_fail(err, path, "cannot be written: %s", strerror(errno));
    if (failed)
        unlink(temporary);
    else
        sync_folder(path);
    free(temporary);
    return failed ? -1 : 0;
}

int nc_shape_product(const int64_t *shape, int rank, int64_t unit, int64_t *product)
{
    int64_t result = unit;
    int empty = 0;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0)
            return -1;
        empty |= shape[i] == 0;
    }
    for (int i = 0; i < rank && !empty; i++) {
        if (__builtin_mul_overflow(result, shape[i], &result))
            return -1;
    }
    *product = empty ? 0 : result;
    return 0;
}

int64_t nc_array_measure(struct nc_array *array)
{
    int64_t bytes, unit = (int64_t)nc_dtype_size(array->dtype);
    if (nc_shape_product(array->shape, array->rank, unit, &bytes) != 0 ||
        nc_shape_product(array->shape + 1, array->rank - 1, 1, &array->row_elements) != 0)
        return -1;
    return bytes;
}
