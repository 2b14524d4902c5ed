/* The idx reader on any bytes, gzipped or not; without a cache, so that each run inflates. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/array.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    setenv("NETCC_CACHE", "/dev/null/none", 1);
    struct nc_array array;
    struct nc_error err;
    if (nc_idx_open(&array, path, &err) == 0)
        touch(&array);
    close(fd);
    return 0;
}
