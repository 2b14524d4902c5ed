/* zip and npz on demand: only who uses them pays for loading libzip. */
#include "data/zip.h"

#include "data/npz.h"

static const char npz_needs[] = "npz files need libzip", zip_needs[] = "zip archives need libzip";

static int open_for(const char *needs, struct nc_zip *out, const char *path, struct nc_error *err)
{
    *out = (struct nc_zip){0};
    const struct nc_npz_plugin *plugin = nc_plugin("npz", needs, path, err);
    void *archive = plugin ? plugin->open(path, err) : NULL;
    if (!archive)
        return -1;
    *out = (struct nc_zip){plugin, archive, path};
    return 0;
}

int nc_zip_open(struct nc_zip *out, const char *path, struct nc_error *err)
{
    return open_for(zip_needs, out, path, err);
}

void nc_zip_close(struct nc_zip *zip)
{
    if (zip->archive)
        zip->plugin->close(zip->archive);
    *zip = (struct nc_zip){0};
}

int nc_zip_names(const struct nc_zip *zip, char ***names, int *count, struct nc_error *err)
{
    return zip->plugin->names(zip, names, count, err);
}

int nc_zip_read(const struct nc_zip *zip, const char *member, unsigned char **bytes, size_t *size,
                struct nc_error *err)
{
    return zip->plugin->read(zip, member, bytes, size, err);
}

int nc_zip_read_one(const char *path, const char *member, unsigned char **bytes, size_t *size,
                    struct nc_error *err)
{
    struct nc_zip zip;
    if (nc_zip_open(&zip, path, err) != 0)
        return -1;
    int result = nc_zip_read(&zip, member, bytes, size, err);
    nc_zip_close(&zip);
    return result;
}

int nc_zip_arrays(const struct nc_zip *zip, char ***names, int *count, struct nc_error *err)
{
    return zip->plugin->arrays(zip, names, count, err);
}

int nc_zip_array(const struct nc_zip *zip, const char *member, struct nc_array *out,
                 struct nc_error *err)
{
    return zip->plugin->array(zip, member, out, err);
}

int nc_npz_open_any(struct nc_array *out, const char *path, const char *member,
                    struct nc_error *err)
{
    struct nc_zip zip;
    *out = (struct nc_array){0};
    if (open_for(npz_needs, &zip, path, err) != 0)
        return -1;
    int result = nc_zip_array(&zip, member, out, err);
    nc_zip_close(&zip);
    return result;
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
    struct nc_zip zip;
    *names = NULL;
    *count = 0;
    if (open_for(npz_needs, &zip, path, err) != 0)
        return -1;
    int result = nc_zip_arrays(&zip, names, count, err);
    nc_zip_close(&zip);
    return result;
}

int nc_npz_write(const char *path, const struct nc_named *arrays, int count, struct nc_error *err)
{
    const struct nc_npz_plugin *plugin = nc_plugin("npz", npz_needs, path, err);
    return plugin ? plugin->write(path, arrays, count, err) : -1;
}
