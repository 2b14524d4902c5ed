/* Sharded safetensors: an index, {"weight_map": {tensor: file}}, beside the files that it names. */
#include "weight_file.h"

#include "data/file.h"
#include "safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARDS = 4096 };

struct shards {
    char *folder; /* with the slash, or "" */
    int count;
    struct shard {
        char *name;
        struct nc_safetensors file;
    } * list;
};

static int is_index(const struct nc_file_head *head)
{
    return nc_head_ends(head, ".safetensors.index.json") ||
           (nc_head_ends(head, ".json") && memmem(head->bytes, head->count, "\"weight_map\"", 12));
}

/* ---- shards ------------------------------------------------------------------------------------ */

static char *path_of(const struct shards *s, const char *name)
{
    size_t size = strlen(s->folder) + strlen(name) + 1;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s%s", s->folder, name);
    return path;
}

static int open_shard(struct shards *s, const char *name, const char *index, struct nc_error *err)
{
    char *path = path_of(s, name);
    struct shard *list = realloc(s->list, ((size_t)s->count + 1) * sizeof *list);
    if (list)
        s->list = list;
    if (!path || !list) {
        free(path);
        return nc_fail(err, index, "out of memory");
    }
    struct shard *shard = &s->list[s->count];
    int result = nc_safetensors_open(&shard->file, path, err);
    free(path);
    if (result != 0)
        return -1;
    shard->name = strdup(name);
    s->count++;
    return shard->name ? 0 : nc_fail(err, index, "out of memory");
}

/* The shard of that name, opened now or before; NULL with err. */
static const struct nc_safetensors *need_shard(struct shards *s, const char *name,
                                               const char *index, struct nc_error *err)
{
    for (int i = 0; i < s->count; i++) {
        if (strcmp(s->list[i].name, name) == 0)
            return &s->list[i].file;
    }
    if (!*name || strchr(name, '/') || strcmp(name, "..") == 0) {
        nc_fail(err, index, "'%s' is not the name of a file beside the index", name);
        return NULL;
    }
    if (s->count == MOST_SHARDS) {
        nc_fail(err, index, "more than %d files", MOST_SHARDS);
        return NULL;
    }
    return open_shard(s, name, index, err) == 0 ? &s->list[s->count - 1].file : NULL;
}

static int add_tensor(struct nc_weight_file *out, const char *name, const json_t *value,
                      struct nc_error *err)
{
    const char *shard = json_string_value(value);
    if (!shard)
        return nc_fail(err, out->path, "weight_map: '%s' names no file", name);
    const struct nc_safetensors *st = need_shard(out->own, shard, out->path, err);
    if (!st)
        return -1;
    const struct nc_st_tensor *tensor = nc_safetensors_find(st, name);
    if (!tensor)
        return nc_fail(err, out->path, "'%s' is not in %s", name, shard);
    return nc_weight_add_safetensor(out, tensor, err);
}

/* ---- the format -------------------------------------------------------------------------------- */

static json_t *parse(const char *path, struct nc_error *err)
{
    struct nc_map map;
    json_error_t where;
    if (nc_file_map(&map, path, err) != 0)
        return NULL;
    json_t *root = json_loadb((const char *)map.data, map.bytes, JSON_REJECT_DUPLICATES, &where);
    nc_file_unmap(&map);
    if (!root)
        nc_fail(err, path, "line %d: %s", where.line, where.text);
    return root;
}

static int add_tensors(struct nc_weight_file *out, const json_t *root, struct nc_error *err)
{
    json_t *map = json_object_get(root, "weight_map"), *value;
    const char *name;
    if (!json_is_object(map) || !json_object_size(map))
        return nc_fail(err, out->path, "no weight_map in the index");
    json_object_foreach(map, name, value)
    {
        if (add_tensor(out, name, value, err) != 0)
            return -1;
    }
    return 0;
}

static int open_index(struct nc_weight_file *out, const char *path, struct nc_error *err)
{
    struct shards *s = calloc(1, sizeof *s);
    const char *slash = strrchr(path, '/');
    out->own = s;
    if (s)
        s->folder = strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
    if (!s || !s->folder)
        return nc_fail(err, path, "out of memory");
    json_t *root = parse(path, err);
    int result = root ? add_tensors(out, root, err) : -1;
    json_decref(root);
    return result;
}

static void close_index(struct nc_weight_file *file)
{
    struct shards *s = file->own;
    for (int i = 0; s && i < s->count; i++) {
        nc_safetensors_close(&s->list[i].file);
        free(s->list[i].name);
    }
    if (s) {
        free(s->list);
        free(s->folder);
    }
    free(s);
}

const struct nc_weight_format nc_weights_shards = {
    .name = "safetensors", .recognises = is_index, .open = open_index, .close = close_index};
