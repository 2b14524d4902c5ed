/* The safetensors reader on any bytes: every tensor is read, every byte of it touched. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "safetensors.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const struct nc_st_tensor *tensor)
{
    struct nc_error err;
    float *out = malloc((size_t)tensor->elements * sizeof *out + 1);
    unsigned char *bytes = malloc(tensor->bytes + 1);
    if (!out || !bytes)
        abort();
    memcpy(bytes, tensor->data, tensor->bytes);
    nc_st_read(tensor, out, &err);
    free(bytes);
    free(out);
}

static size_t touch_all(const struct nc_safetensors *file)
{
    size_t bytes = 0;
    for (int i = 0; i < file->count; i++) {
        touch(&file->tensors[i]);
        bytes += file->tensors[i].bytes;
        if (!nc_safetensors_find(file, file->tensors[i].name))
            abort();
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct nc_safetensors file;
    struct nc_error err;
    if (nc_safetensors_open(&file, path, &err) == 0) {
        if (touch_all(&file) > size)
            abort();
        nc_safetensors_close(&file);
    }
    close(fd);
    return 0;
}
