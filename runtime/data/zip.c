/* zip and npz on demand: only who uses them pays for loading libzip. */
#include "data/zip.h"

#include "data/npz.h"

static const struct nc_npz_plugin *need(const char *what, const char *path, struct nc_error *err)
{
    return nc_plugin("npz", what, path, err);
}
#define NPZ_NEEDS "npz files need libzip"
#define ZIP_NEEDS "zip archives need libzip"

int nc_npz_open_any(struct nc_array *out, const char *path, const char *member,
                    struct nc_error *err)
{
    const struct nc_npz_plugin *plugin = need(NPZ_NEEDS, path, err);
    *out = (struct nc_array){0};
    return plugin ? plugin->open(out, path, member, err) : -1;
}

int nc_npz_open(struct nc_array *out, const char *path, const char *member, struct nc_error *err)
{
    if (nc_npz_open_any(out, path, member, err) != 0)
        return -1;
    if (out->rank)
        return 0;
    nc_array_close(out);
    return nc_fail(err, path,
                   "%.100s is a single number (shape ()); samples have at least one axis", member);
}

int nc_npz_names(const char *path, char ***names, int *count, struct nc_error *err)
{
    const struct nc_npz_plugin *plugin = need(NPZ_NEEDS, path, err);
    *names = NULL;
    *count = 0;
    return plugin ? plugin->names(path, names, count, err) : -1;
}

int nc_npz_write(const char *path, const struct nc_named *arrays, int count, struct nc_error *err)
{
    const struct nc_npz_plugin *plugin = need(NPZ_NEEDS, path, err);
    return plugin ? plugin->write(path, arrays, count, err) : -1;
}

int nc_zip_names(const char *path, char ***names, int *count, struct nc_error *err)
{
    const struct nc_npz_plugin *plugin = need(ZIP_NEEDS, path, err);
    *names = NULL;
    *count = 0;
    return plugin ? plugin->zip_names(path, names, count, err) : -1;
}

int nc_zip_read(const char *path, const char *member, unsigned char **bytes, size_t *size,
                struct nc_error *err)
{
    const struct nc_npz_plugin *plugin = need(ZIP_NEEDS, path, err);
    *bytes = NULL;
    *size = 0;
    return plugin ? plugin->zip_read(path, member, bytes, size, err) : -1;
}
