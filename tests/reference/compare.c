/* compare: tensors that netcc wrote against expected ones.
 *
 *   compare TOLERANCE EXPECTED PREFIX=ACTUAL...
 *
 * EXPECTED is a safetensors file; its tensors PREFIX/NAME are sought as NAME in ACTUAL, an npz or a
 * safetensors file, which must not hold others. The npz is read by libzip here, not by netcc's reader. An element's difference counts relative to itself or
 * to the largest of its tensor, or to FLOOR, whichever is largest: so an element that is small
 * because large terms cancel need not be exact to its last digit. One line a tensor, worst last. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "safetensors.h"

static const double FLOOR = 0.01;

struct tensor {
    char name[256];
    int rank;
    int64_t shape[NC_MAX_RANK];
    int64_t elements;
    float *values;
};

struct tensors {
    int count;
    struct tensor *list;
};

static void stop(const char *path, const char *message)
{
    fprintf(stderr, "compare: %s: %s\n", path, message);
    exit(2);
}

static void *allocate(size_t count, size_t size)
{
    void *block = calloc(count + 1, size);
    if (!block)
        stop("memory", "there is not enough");
    return block;
}

/* ---- files ------------------------------------------------------------------------------------- */

static struct tensors read_safetensors(const char *path)
{
    struct nc_safetensors file;
    struct nc_error err;
    if (nc_safetensors_open(&file, path, &err) != 0)
        stop(path, err.message);
    struct tensors result = {file.count, allocate((size_t)file.count, sizeof(struct tensor))};
    for (int i = 0; i < file.count; i++) {
        const struct nc_st_tensor *from = &file.tensors[i];
        struct tensor *to = &result.list[i];
        snprintf(to->name, sizeof to->name, "%s", from->name);
        to->rank = from->rank;
        memcpy(to->shape, from->shape, sizeof to->shape);
        to->elements = from->elements;
        to->values = allocate((size_t)from->elements, sizeof(float));
        if (nc_st_read(from, to->values, &err) != 0)
            stop(path, err.message);
    }
    nc_safetensors_close(&file);
    return result;
}

/* Version 1 of the npy format, float32 in C order; https://numpy.org/neps/nep-0001-npy-format.html */
static void parse_npy(const char *path, const unsigned char *bytes, size_t size, struct tensor *to)
{
    size_t at = size < 10 ? 0 : 10 + (size_t)bytes[8] + 256 * (size_t)bytes[9];
    if (!at || at > size || memcmp(bytes, "\x93NUMPY\1", 7) || bytes[at - 1] != '\n')
        stop(path, "not an npy of version 1");
    char header[400] = "";
    memcpy(header, bytes + 10, at - 11 < sizeof header ? at - 11 : sizeof header - 1);
    const char *shape = strstr(header, "'shape': (");
    if (!shape || !strstr(header, "'<f4'") || !strstr(header, "'fortran_order': False"))
        stop(path, "not little-endian float32 in C order");
    to->elements = 1;
    for (const char *c = strchr(shape, '(') + 1; *c && *c != ')' && to->rank < NC_MAX_RANK;) {
        char *end;
        to->shape[to->rank++] = strtoll(c, &end, 10);
        to->elements *= to->shape[to->rank - 1];
        c = end + strspn(end, ", ");
    }
    if (size - at != (size_t)to->elements * sizeof(float))
        stop(path, "the data do not fit the shape");
    to->values = allocate((size_t)to->elements, sizeof(float));
    memcpy(to->values, bytes + at, size - at);
}

static void read_member(const char *path, zip_t *zip, zip_uint64_t index, struct tensor *to)
{
    zip_stat_t info;
    zip_file_t *file = zip_fopen_index(zip, index, 0);
    if (!file || zip_stat_index(zip, index, 0, &info) != 0)
        stop(path, "a member cannot be read");
    size_t length = strlen(info.name);
    if (length < 5 || strcmp(info.name + length - 4, ".npy"))
        stop(path, "a member is not called NAME.npy");
    snprintf(to->name, sizeof to->name, "%.*s", (int)(length - 4), info.name);
    unsigned char *bytes = allocate(info.size, 1);
    if (zip_fread(file, bytes, info.size) != (zip_int64_t)info.size || zip_fclose(file) != 0)
        stop(path, "a member is damaged");
    parse_npy(path, bytes, info.size, to);
    free(bytes);
}

static struct tensors read_npz(const char *path)
{
    zip_t *zip = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, NULL);
    if (!zip)
        stop(path, "not a zip file");
    struct tensors result = {(int)zip_get_num_entries(zip, 0), NULL};
    result.list = allocate((size_t)result.count, sizeof(struct tensor));
    for (int i = 0; i < result.count; i++)
        read_member(path, zip, (zip_uint64_t)i, &result.list[i]);
    zip_discard(zip);
    return result;
}

static struct tensors read_tensors(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && !strcmp(dot, ".npz") ? read_npz(path) : read_safetensors(path);
}

static void free_tensors(struct tensors *tensors)
{
    for (int i = 0; i < tensors->count; i++)
        free(tensors->list[i].values);
    free(tensors->list);
}

/* ---- comparing --------------------------------------------------------------------------------- */

static const struct tensor *find(const struct tensors *in, const char *prefix, const char *name)
{
    size_t length = strlen(prefix);
    for (int i = 0; i < in->count; i++) {
        const char *have = in->list[i].name;
        if (!length && !strcmp(have, name))
            return &in->list[i];
        if (length && !strncmp(have, prefix, length) && have[length] == '/' &&
            !strcmp(have + length + 1, name))
            return &in->list[i];
    }
    return NULL;
}

static int same_shape(const struct tensor *a, const struct tensor *b)
{
    return a->rank == b->rank && !memcmp(a->shape, b->shape, sizeof(int64_t) * (size_t)a->rank);
}

static double worst_of(const struct tensor *expected, const struct tensor *actual)
{
    double largest = FLOOR, worst = 0;
    for (int64_t i = 0; i < expected->elements; i++)
        largest = fmax(largest, fabs((double)expected->values[i]));
    for (int64_t i = 0; i < expected->elements; i++) {
        double difference = fabs((double)actual->values[i] - (double)expected->values[i]);
        if (isnan(difference))
            return INFINITY;
        worst = fmax(worst, difference / largest);
    }
    return worst;
}

static double compare_one(const struct tensor *expected, const char *name,
                          const struct tensors *actual)
{
    const struct tensor *found = find(actual, "", name);
    double worst = INFINITY;
    if (!found)
        printf("%s is missing\n", expected->name);
    else if (!same_shape(expected, found))
        printf("%s: %lld elements of another shape than the %lld expected\n", expected->name,
               (long long)found->elements, (long long)expected->elements);
    else
        printf("%s %.2g\n", expected->name, worst = worst_of(expected, found));
    return worst;
}

static double compare_file(const struct tensors *expected, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals)
        stop(text, "expected PREFIX=FILE");
    *equals = '\0';
    size_t length = strlen(text);
    struct tensors actual = read_tensors(equals + 1);
    double worst = 0;
    int compared = 0;
    for (int i = 0; i < expected->count; i++) {
        const char *name = expected->list[i].name;
        if (strncmp(name, text, length) || name[length] != '/')
            continue;
        worst = fmax(worst, compare_one(&expected->list[i], name + length + 1, &actual));
        compared++;
    }
    for (int i = 0; i < actual.count; i++) {
        if (find(expected, text, actual.list[i].name))
            continue;
        printf("%s/%s is not expected\n", text, actual.list[i].name);
        worst = INFINITY;
    }
    free_tensors(&actual);
    return compared ? worst : INFINITY;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: compare TOLERANCE EXPECTED PREFIX=ACTUAL...\n");
        return 2;
    }
    double tolerance = strtod(argv[1], NULL), worst = 0;
    struct tensors expected = read_tensors(argv[2]);
    for (int i = 3; i < argc; i++)
        worst = fmax(worst, compare_file(&expected, argv[i]));
    free_tensors(&expected);
    printf("worst %.2g\n", worst);
    return worst <= tolerance ? 0 : 1;
}
