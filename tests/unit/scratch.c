#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char folder[64];
struct nc_error err;

const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

const char *put(const char *name, const void *bytes, size_t size)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

size_t get(const char *path, unsigned char *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t got = fread(out, 1, size, file);
    fclose(file);
    return got;
}

void refused(int result, const char *words)
{
    assert_int_equal(result, -1);
    if (!strstr(err.message, words))
        fail_msg("the message '%s' lacks '%s'", err.message, words);
}

const char *real_file(const char *name)
{
    static char path[1024];
    const char *root = getenv("NETCC_DATA");
    snprintf(path, sizeof path, "%s/%s", root && *root ? root : "../shared/data", name);
    if (access(path, R_OK) != 0) {
        printf("SKIP: %s is not here\n", path);
        skip();
    }
    return path;
}

/* All elements as doubles. */
void expect_cells(const struct nc_array *array, const double *wanted, int count)
{
    double out[64];
    uint32_t rows[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    assert_int_equal(array->shape[0] * array->row_elements, count);
    nc_array_gather(array, rows, array->shape[0], out, sizeof(double));
    for (int i = 0; i < count; i++) {
        if (out[i] != wanted[i])
            fail_msg("element %d is %.17g instead of %.17g", i, out[i], wanted[i]);
    }
}

/* The plugins are in the folder above, where the build puts them. */
static void find_plugins(void)
{
    char self[512] = "", path[600];
    if (getenv("NETCC_PLUGINS") || readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        return;
    *strrchr(self, '/') = '\0';
    snprintf(path, sizeof path, "%s/..", self);
    setenv("NETCC_PLUGINS", path, 1);
}

int scratch_make(void **state)
{
    (void)state;
    find_plugins();
    snprintf(folder, sizeof folder, "/tmp/netcc-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    return setenv("NETCC_CACHE", folder, 1);
}

int scratch_remove(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}
