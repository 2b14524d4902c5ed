/* Folders of pictures: found and sorted by name, decoded when their rows are asked for. A set that is
 * small once decoded is kept in memory, each picture from when it was first needed. */
#include "data/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- entries of a folder ----------------------------------------------------------------------- */

struct entries {
    char **names;
    int count, room;
};

static int add_entry(struct entries *list, const char *name)
{
    if (list->count == list->room) {
        int room = list->room ? 2 * list->room : 64;
        char **grown = realloc(list->names, (size_t)room * sizeof *grown);
        if (!grown)
            return -1;
        list->names = grown;
        list->room = room;
    }
    list->names[list->count] = strdup(name);
    return list->names[list->count] ? (list->count++, 0) : -1;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All but hidden entries, sorted by their bytes. */
static int list_entries(const char *folder, struct entries *list, struct nc_error *err)
{
    DIR *dir = opendir(folder);
    int result = 0;
    if (!dir)
        return nc_fail(err, folder, "the folder cannot be opened: %s", strerror(errno));
    for (struct dirent *entry; result == 0 && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.' && add_entry(list, entry->d_name) != 0)
            result = nc_fail(err, folder, "out of memory");
    }
    closedir(dir);
    if (list->count)
        qsort(list->names, (size_t)list->count, sizeof *list->names, by_bytes);
    return result;
}

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static int is_folder(const char *folder, const char *name)
{
    struct stat info;
    char *path = join(folder, name);
    int found = path && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    free(path);
    return found;
}

int nc_folder_classes(const char *folder, char ***names, int *count, struct nc_error *err)
{
    struct entries list = {0};
    int kept = 0, result = list_entries(folder, &list, err);
    for (int i = 0; i < list.count; i++) {
        if (is_folder(folder, list.names[i]))
            list.names[kept++] = list.names[i];
        else
            free(list.names[i]);
    }
    if (result == 0 && !kept)
        result = nc_fail(err, folder, "no sub-folders, which would name the classes");
    *names = list.names;
    *count = kept;
    if (result != 0) {
        nc_names_free(list.names, kept);
        *names = NULL;
        *count = 0;
    }
    return result;
}

/* ---- finding pictures -------------------------------------------------------------------------- */

int nc_images_add_path(struct nc_images *list, const char *path, struct nc_error *err)
{
    if (list->count == list->room) {
        int64_t room = list->room ? 2 * list->room : 256;
        char **grown = realloc(list->paths, (size_t)room * sizeof *grown);
        if (!grown)
            return nc_fail(err, path, "out of memory");
        list->paths = grown;
        list->room = room;
    }
    if (list->count == UINT32_MAX)
        return nc_fail(err, path, "more than 2^32 pictures");
    list->paths[list->count] = strdup(path);
    if (!list->paths[list->count])
        return nc_fail(err, path, "out of memory");
    list->count++;
    return 0;
}

/* Names of pictures that are not read must not be left out in silence. */
static int is_other_picture(const char *path)
{
    static const char *const ends[] = {".gif", ".bmp", ".tif",  ".tiff", ".webp",
                                       ".jp2", ".ppm", ".heic", ".avif"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++) {
        if (!strcasecmp(dot, ends[i]))
            return 1;
    }
    return 0;
}

static int add_below(struct nc_images *list, const char *folder, int depth, struct nc_error *err);

static int add_found(struct nc_images *list, const char *path, int depth, struct nc_error *err)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) /* links could lead round in circles */
        return add_below(list, path, depth + 1, err);
    if (is_other_picture(path))
        return nc_fail(err, path, "only PNG and JPEG pictures are read");
    return nc_image_named(path) ? nc_images_add_path(list, path, err) : 0;
}

static int add_below(struct nc_images *list, const char *folder, int depth, struct nc_error *err)
{
    enum { DEEPEST = 32 };
    struct entries entries = {0};
    int result = depth > DEEPEST
                     ? nc_fail(err, folder, "folders nest deeper than %d levels", DEEPEST)
                     : list_entries(folder, &entries, err);
    for (int i = 0; result == 0 && i < entries.count; i++) {
        char *path = join(folder, entries.names[i]);
        result = path ? add_found(list, path, depth, err) : nc_fail(err, folder, "out of memory");
        free(path);
    }
    nc_names_free(entries.names, entries.count);
    return result;
}

int nc_images_add(struct nc_images *list, const char *folder, struct nc_error *err)
{
    return add_below(list, folder, 0, err);
}

int nc_images_find(struct nc_images *list, const char *path, struct nc_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return nc_images_add_path(list, path, err);
    if (nc_images_add(list, path, err) != 0)
        return -1;
    return list->count ? 0 : nc_fail(err, path, "no PNG or JPEG pictures in the folder");
}

void nc_images_free(struct nc_images *list)
{
    for (int64_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct nc_images){0};
}

/* ---- rows -------------------------------------------------------------------------------------- */

#define MOST_KEPT ((size_t)1 << 30) /* bytes of decoded rows, and a quarter of the memory */

struct image_rows {
    struct nc_maker maker;
    struct nc_images images;
    struct nc_frame frame;
    size_t row_bytes;
    unsigned char *kept; /* decoded rows, or NULL; its pages are taken up as rows come */
    size_t kept_bytes;
    atomic_uchar *is_kept; /* of each row */
};

static int decode_row(const struct image_rows *r, int64_t row, unsigned char *out,
                      struct nc_error *err)
{
    struct nc_image image;
    const char *path = r->images.paths[row];
    if (nc_image_open(&image, path, r->frame.channels, err) != 0)
        return -1;
    int result = nc_image_frame(&image, &r->frame, out, path, err);
    nc_image_close(&image);
    return result;
}

/* A row is asked for by one thread at a time: a batch holds it once. */
static const unsigned char *image_row(struct nc_maker *maker, int64_t row, unsigned char *scratch,
                                      struct nc_error *err)
{
    struct image_rows *r = (struct image_rows *)maker;
    unsigned char *out = r->kept ? r->kept + (size_t)row * r->row_bytes : scratch;
    if (r->kept && atomic_load_explicit(&r->is_kept[row], memory_order_acquire))
        return out;
    if (decode_row(r, row, out, err) != 0)
        return NULL;
    if (r->kept)
        atomic_store_explicit(&r->is_kept[row], 1, memory_order_release);
    return out;
}

static void close_rows(struct nc_maker *maker)
{
    struct image_rows *r = (struct image_rows *)maker;
    if (r->kept)
        munmap(r->kept, r->kept_bytes);
    free(r->is_kept);
    nc_images_free(&r->images);
    free(r);
}

static size_t most_kept(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t quarter = pages > 0 && page > 0 ? (size_t)pages / 4 * (size_t)page : MOST_KEPT;
    return quarter < MOST_KEPT ? quarter : MOST_KEPT;
}

/* Without room for all, rows are decoded each time; that is no fault. */
static void make_room(struct image_rows *r)
{
    size_t count = (size_t)r->images.count;
    if (count > most_kept() / r->row_bytes)
        return;
    r->is_kept = calloc(count, sizeof *r->is_kept);
    if (!r->is_kept)
        return;
    r->kept_bytes = count * r->row_bytes;
    void *kept = mmap(NULL, r->kept_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    r->kept = kept == MAP_FAILED ? NULL : kept;
}

int nc_images_open(struct nc_array *out, struct nc_images *list, const struct nc_frame *frame,
                   struct nc_error *err)
{
    struct image_rows *r = calloc(1, sizeof *r);
    *out = (struct nc_array){0};
    if (!r) {
        nc_images_free(list);
        return nc_fail(err, NULL, "out of memory");
    }
    r->maker = (struct nc_maker){image_row, close_rows};
    r->images = *list;
    r->frame = *frame;
    r->row_bytes = (size_t)frame->height * (size_t)frame->width * (size_t)frame->channels;
    *list = (struct nc_images){0};
    if (r->images.count)
        make_room(r);
    *out =
        (struct nc_array){.dtype = NC_U8,
                          .rank = 4,
                          .shape = {r->images.count, frame->height, frame->width, frame->channels},
                          .row_elements = (int64_t)r->row_bytes,
                          .maker = &r->maker};
    return 0;
}
