/* Samples as the files that netcc reads: the first COUNT rows of an idx file as npy, of CIFAR-10's
 * binary layout (label, then red, green and blue planes) as rows [32, 32, 3], or noise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void die(const char *what)
{
    fprintf(stderr, "samples: %s\n", what);
    exit(1);
}

/* A version 1 header for uint8, padded to a multiple of 64. */
static void write_npy(const char *path, const char *shape, const unsigned char *bytes, size_t size)
{
    char text[192];
    FILE *file = fopen(path, "wb");
    int length = snprintf(text, sizeof text,
                          "{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }", shape);
    int padded = (length + 11 + 63) / 64 * 64 - 10;
    if (!file || length < 0 || padded > 191)
        die(path);
    memset(text + length, ' ', (size_t)(padded - length));
    text[padded - 1] = '\n';
    const unsigned char magic[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)padded, 0};
    fwrite(magic, 1, sizeof magic, file);
    fwrite(text, 1, (size_t)padded, file);
    if (fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        die(path);
}

static unsigned char *read_bytes(gzFile in, size_t size)
{
    unsigned char *bytes = malloc(size);
    if (!bytes || gzread(in, bytes, (unsigned)size) != (int)size)
        die("the file is too short");
    return bytes;
}

/* Pictures have three axes in the file, labels one. */
static void idx_rows(gzFile in, size_t count, int flat, const char *out)
{
    unsigned char *head = read_bytes(in, 4), *sizes = read_bytes(in, 4 * (size_t)head[3]);
    char shape[64];
    size_t row = 1;
    int length = snprintf(shape, sizeof shape, "%zu,", count);
    for (int i = 1; i < head[3]; i++) {
        row *= sizes[4 * i + 3];
        length += snprintf(shape + length, sizeof shape - (size_t)length, " %d,", sizes[4 * i + 3]);
    }
    if (flat)
        snprintf(shape, sizeof shape, "%zu, %zu", count, row);
    write_npy(out, shape, read_bytes(in, count * row), count * row);
}

enum { PIXELS = 32 * 32, ROW = 1 + 3 * PIXELS };

static void cifar_rows(gzFile in, size_t count, const char *images, const char *labels)
{
    unsigned char *bytes = read_bytes(in, count * ROW), *x = malloc(count * 3 * PIXELS);
    unsigned char *y = malloc(count);
    char shape[64];
    if (!x || !y)
        die("out of memory");
    for (size_t i = 0; i < count; i++) {
        y[i] = bytes[i * ROW];
        for (size_t k = 0; k < 3 * PIXELS; k++)
            x[i * 3 * PIXELS + k] = bytes[i * ROW + 1 + k % 3 * PIXELS + k / 3];
    }
    snprintf(shape, sizeof shape, "%zu, 32, 32, 3", count);
    write_npy(images, shape, x, count * 3 * PIXELS);
    snprintf(shape, sizeof shape, "%zu,", count);
    write_npy(labels, shape, y, count);
}

/* SIZES is "28, 28, 1" */
static void noise_rows(size_t count, const char *sizes, const char *out)
{
    size_t total = count;
    unsigned state = 1;
    char shape[128];
    for (const char *c = sizes; *c; c += strspn(c, ", ")) {
        char *end;
        total *= strtoul(c, &end, 10);
        if (end == c || total > 1 << 26)
            die("no sizes of a sample");
        c = end;
    }
    unsigned char *bytes = malloc(total);
    for (size_t i = 0; bytes && i < total; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(state >> 24);
    }
    snprintf(shape, sizeof shape, "%zu, %s", count, sizes);
    write_npy(out, shape, bytes, total);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        die("usage: samples idx|flat|cifar|noise FILE|SIZES COUNT OUT [LABELS]");
    size_t count = strtoul(argv[3], NULL, 10);
    if (!strcmp(argv[1], "noise")) {
        noise_rows(count, argv[2], argv[4]);
        return 0;
    }
    gzFile in = gzopen(argv[2], "rb");
    if (!in)
        die(argv[2]);
    if (!strcmp(argv[1], "cifar") && argc == 6)
        cifar_rows(in, count, argv[4], argv[5]);
    else
        idx_rows(in, count, !strcmp(argv[1], "flat"), argv[4]);
    gzclose(in);
    return 0;
}
