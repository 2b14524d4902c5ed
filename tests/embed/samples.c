/* Writes the samples of small.yaml, wide.yaml and recurrent.yaml as npy files into the current folder. */
#include <stdio.h>
#include <string.h>

enum { ROWS = 100 };

static float next(void)
{
    static unsigned state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 16777216.0f;
}

/* `values` per row in [-0.5, 0.5), or one of `classes`. */
static int write_npy(const char *path, const char *shape, int values, int classes)
{
    char head[118];
    FILE *file = fopen(path, "wb");
    int length =
        snprintf(head, sizeof head, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d%s), }",
                 ROWS, shape);
    memset(head + length, ' ', sizeof head - (size_t)length - 1);
    head[sizeof head - 1] = '\n';
    if (!file)
        return 1;
    fwrite("\x93NUMPY\1\0\x76\0", 1, 10, file);
    fwrite(head, 1, sizeof head, file);
    for (int i = 0; i < ROWS * values; i++) {
        float value = classes ? (float)(i % classes) : next() - 0.5f;
        fwrite(&value, sizeof value, 1, file);
    }
    return fclose(file) != 0;
}

int main(void)
{
    return write_npy("small.npy", ", 6, 6, 2", 72, 0) || write_npy("small_t.npy", ",", 1, 5) ||
           write_npy("wide.npy", ", 72", 72, 0) || write_npy("wide_t.npy", ", 5", 5, 0) ||
           write_npy("half.npy", ", 4, 3", 12, 0) || write_npy("half_t.npy", ", 2", 2, 0);
}
