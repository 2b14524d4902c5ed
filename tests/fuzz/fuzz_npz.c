/* The npz plugin on any bytes: every array that the archive claims to have. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every row as float and as double, and the array's own promises. */
static void touch(struct nc_array *array)
{
    size_t bytes = (size_t)array->row_elements * sizeof(double);
    void *row = malloc(bytes);
    if (array->rank < 1 || array->rank > NC_MAX_RANK || array->row_elements < 1 || !row)
        abort();
    for (int64_t i = 0; i < array->shape[0] && i <= UINT32_MAX; i++) {
        nc_array_gather(array, &(uint32_t){(uint32_t)i}, 1, row, sizeof(float));
        nc_array_gather(array, &(uint32_t){(uint32_t)i}, 1, row, sizeof(double));
    }
    free(row);
    nc_array_close(array);
}

static void open_all(const struct nc_zip *zip, char **names, int count)
{
    struct nc_array array;
    struct nc_error err;
    for (int i = 0; i < count && i < 20; i++) {
        if (nc_plugin_npz.array(zip, names[i], &array, &err) == 0)
            touch(&array);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct nc_error err;
    const struct nc_zip zip = {&nc_plugin_npz, nc_plugin_npz.open(path, &err), path};
    char **names;
    int count;
    if (zip.archive && nc_plugin_npz.arrays(&zip, &names, &count, &err) == 0) {
        open_all(&zip, names, count);
        nc_names_free(names, count);
    }
    if (zip.archive)
        nc_plugin_npz.close(zip.archive);
    close(fd);
    return 0;
}
