#include "data/open.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- formats ----------------------------------------------------------------------------------- */

static int has_ending(const char *path, const char *ending)
{
    size_t a = strlen(path), b = strlen(ending);
    return a >= b && strcasecmp(path + a - b, ending) == 0;
}

int nc_is_table(const char *path)
{
    return has_ending(path, ".csv") || has_ending(path, ".tsv");
}

static int is_idx(const char *path)
{
    const char *slash = strrchr(path, '/');
    return has_ending(path, ".gz") || has_ending(path, ".idx") ||
           strstr(slash ? slash : path, "-idx");
}

/* Whatever it is called; also where it cannot be read, which the reader of npy then says. */
static int may_be_npy(const char *path)
{
    char magic[6] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : read(fd, magic, sizeof magic);
    if (fd >= 0)
        close(fd);
    return got < 1 || memcmp(magic, "\x93NUMPY", 6) == 0;
}

/* ---- tables ------------------------------------------------------------------------------------ */

struct nc_table_part nc_table_target(const struct nc_table *table, const char *target)
{
    struct nc_table_part part = {0};
    for (int i = 0; i < table->targets_count; i++) {
        const struct nc_column *c = &table->targets[i];
        if (c->output && strcmp(c->output, target) != 0)
            continue;
        if (!part.count++)
            part.columns = c;
    }
    return part;
}

void nc_shape_rows(struct nc_array *array, const struct nc_port *port)
{
    if (array->row_elements != port->elements || port->rank >= NC_MAX_RANK)
        return;
    array->rank = port->rank + 1;
    memcpy(array->shape + 1, port->shape, sizeof *port->shape * (size_t)port->rank);
}

static int read_features(struct nc_array *out, const char *path, const struct nc_table *table,
                         struct nc_error *err)
{
    const struct nc_table_file file = {.path = path};
    struct nc_table_part part = {.columns = table->features, .count = table->features_count};
    int result = nc_table_read(table, &file, &part, 1, err);
    if (result != 0)
        nc_array_close(&part.array);
    *out = part.array;
    return result;
}

/* A table of as many numbers as a port takes, for models that were not trained from csv. */
static int read_numbers(struct nc_array *out, const char *path, int64_t elements,
                        struct nc_error *err)
{
    enum { NAME_BYTES = 12 };
    struct nc_table t = {.columns = (int)elements, .features_count = (int)elements, .plain = 1};
    if (elements >= NC_MOST_COLUMNS)
        return nc_fail(err, path, "a csv cannot hold rows of %lld numbers; use npy",
                       (long long)elements);
    char *names = calloc((size_t)elements + 1, NAME_BYTES);
    t.features = calloc((size_t)elements + 1, sizeof *t.features);
    for (int i = 0; names && t.features && i < t.columns; i++) {
        t.features[i] = (struct nc_column){.name = names + i * NAME_BYTES, .at = i};
        snprintf(names + i * NAME_BYTES, NAME_BYTES, "%d", i);
    }
    int result = names && t.features ? read_features(out, path, &t, err)
                                     : nc_fail(err, path, "out of memory");
    free(t.features);
    free(names);
    return result;
}

/* ---- files ------------------------------------------------------------------------------------- */

int nc_open_samples(struct nc_array *out, const char *path, const struct nc_port *port,
                    const struct nc_table *table, struct nc_error *err)
{
    *out = (struct nc_array){0};
    if (nc_is_table(path)) {
        int result = table ? read_features(out, path, table, err)
                           : read_numbers(out, path, port->elements, err);
        if (result == 0)
            nc_shape_rows(out, port);
        return result;
    }
    if (is_idx(path))
        return nc_idx_open(out, path, err);
    if (has_ending(path, ".npy") || may_be_npy(path))
        return nc_npy_open(out, path, err);
    const char *dot = strrchr(path, '.');
    if (dot && !strchr(dot, '/') && dot[1])
        return nc_fail(err, path, "%.20s files are not read here; npy, csv, tsv and idx are",
                       dot + 1);
    return nc_fail(err, path, "is no npy file, and its name does not end in .csv, .tsv or .idx");
}
