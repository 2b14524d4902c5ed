/* The reader of PyTorch's files on any bytes: as they are, and as the pickle of a legacy file that
 * has a storage. Zip archives are fuzzed by npz. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weight_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const char *path)
{
    enum { MOST = 1 << 20 };
    struct nc_weight_file file;
    struct nc_error err;
    static float values[MOST];
    if (nc_weight_file_open(&file, path, &err) != 0)
        return;
    for (int i = 0; i < file.count; i++) {
        if (file.weights[i].elements <= MOST)
            nc_weight_read(&file, i, values, &err);
    }
    nc_weight_file_close(&file);
}

static void read_bytes(const void *head, size_t head_size, const uint8_t *data, size_t size,
                       const void *tail, size_t tail_size)
{
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, head, head_size) != (ssize_t)head_size ||
        write(fd, data, size) != (ssize_t)size || write(fd, tail, tail_size) != (ssize_t)tail_size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_all(path);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] = "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
                               "\x80\2M\xe9\3.\x80\2}.";
    static const char tail[] = "\x80\2]U\1"
                               "0a.\4\0\0\0\0\0\0\0"
                               "0123456789abcdef";
    if (size >= 2 && memcmp(data, "PK", 2) == 0)
        return 0;
    read_bytes("", 0, data, size, "", 0);
    read_bytes(head, sizeof head - 1, data, size, tail, sizeof tail - 1);
    return 0;
}
