/* safetensors: round trips, exact conversions, every way a header can lie, real files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "safetensors.h"

static char path[64];
static struct nc_error err;

/* Writes a file of this header and `bytes` zero bytes of data. */
static void put(const char *header, size_t length, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    uint64_t word = length;
    assert_non_null(file);
    fwrite(&word, sizeof word, 1, file);
    fwrite(header, 1, strlen(header), file);
    for (size_t i = 0; i < bytes; i++)
        fputc(0, file);
    assert_int_equal(fclose(file), 0);
}

static int open_put(struct nc_safetensors *st, const char *header, size_t bytes)
{
    put(header, strlen(header), bytes);
    return nc_safetensors_open(st, path, &err);
}

static void refused(int result, const char *words)
{
    assert_int_equal(result, -1);
    if (!strstr(err.message, words))
        fail_msg("the message '%s' lacks '%s'", err.message, words);
}

#define T(name, dtype, shape, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void round_trip(void **state)
{
    (void)state;
    static const float a[6] = {1, -2, 3e38f, 1e-45f, 0, 6}, b[1] = {7};
    const struct nc_named tensors[] = {{"dense/kernel", 2, {2, 3}, a},
                                       {"a \"quoted\"\n\xc3\xa4", 0, {0}, b},
                                       {"none", 2, {3, 0}, NULL}};
    const char *const metadata[] = {"format", "pt", "classes", "[\"cat\",\"dog\"]"};
    for (int pass = 0; pass < 2; pass++)
        assert_int_equal(nc_safetensors_write(path, tensors, 3, metadata, 2, &err), 0);
    struct nc_safetensors st;
    assert_int_equal(nc_safetensors_open(&st, path, &err), 0);
    assert_int_equal(st.count, 3);
    assert_int_equal(st.metadata_count, 2);
    assert_string_equal(st.metadata[3], "[\"cat\",\"dog\"]");
    for (int i = 0; i < 2; i++) {
        const struct nc_st_tensor *t = nc_safetensors_find(&st, tensors[i].name);
        float out[6];
        assert_non_null(t);
        assert_int_equal(t->rank, tensors[i].rank);
        assert_int_equal(nc_st_read(t, out, &err), 0);
        assert_memory_equal(out, tensors[i].data, t->bytes);
        assert_int_equal((t->data - (unsigned char *)st.map) % 4, 0);
    }
    assert_int_equal(nc_safetensors_find(&st, "none")->elements, 0);
    assert_null(nc_safetensors_find(&st, "dense"));
    uint64_t length;
    memcpy(&length, st.map, 8);
    assert_int_equal(length % 8, 0);
    nc_safetensors_close(&st);
    nc_safetensors_close(&st);
}

static void write_nothing(void **state)
{
    (void)state;
    struct nc_safetensors st;
    assert_int_equal(nc_safetensors_write(path, NULL, 0, NULL, 0, &err), 0);
    assert_int_equal(nc_safetensors_open(&st, path, &err), 0);
    assert_int_equal(st.count, 0);
    nc_safetensors_close(&st);
}

static void write_refusals(void **state)
{
    (void)state;
    static const float a[1] = {1};
    const struct nc_named twice[] = {{"a", 1, {1}, a}, {"a", 1, {1}, a}};
    const struct nc_named reserved = {"__metadata__", 1, {1}, a}, latin = {"\xe4", 1, {1}, a};
    const struct nc_named vast = {"v", 2, {INT64_MAX, 2}, a};
    const char *const bad[] = {"key", "\xff"};
    unlink(path);
    refused(nc_safetensors_write(path, twice, 2, NULL, 0, &err), "named a");
    refused(nc_safetensors_write(path, &reserved, 1, NULL, 0, &err), "__metadata__");
    refused(nc_safetensors_write(path, &latin, 1, NULL, 0, &err), "UTF-8");
    refused(nc_safetensors_write(path, &vast, 1, NULL, 0, &err), "overflow");
    refused(nc_safetensors_write(path, twice, 1, bad, 1, &err), "UTF-8");
    assert_int_equal(access(path, F_OK), -1);
    refused(nc_safetensors_write("/nowhere/x", twice, 1, NULL, 0, &err), "cannot be written");
    assert_string_equal(err.path, "/nowhere/x");
}

static void header_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t bytes;
        const char *words;
    } cases[] = {
        {"{" T("a", "F32", "[2]", "[0,8]") "}", 7, "outside"},
        {"{" T("a", "F32", "[2]", "[0,8]") "}", 9, "trailing"},
        {"{}", 1, "trailing"},
        {"{" T("a", "F32", "[2]", "[8,0]") "}", 8, "outside"},
        {"{" T("a", "F32", "[2]", "[-8,0]") "}", 8, "outside"},
        {"{" T("a", "F32", "[2]", "[0,9223372036854775807]") "}", 8, "outside"},
        {"{" T("a", "F32", "[2]", "[0,92233720368547758070]") "}", 8, "JSON"},
        {"{" T("a", "F32", "[2]", "[0,8.0]") "}", 8, "data_offsets"},
        {"{" T("a", "F32", "[2]", "[0]") "}", 8, "data_offsets"},
        {"{" T("a", "F32", "[2]", "[4,12]") "}", 12, "before a"},
        {"{" T("a", "F32", "[3]", "[0,8]") "}", 8, "span 8"},
        {"{" T("a", "F32", "[4294967296,4294967296]", "[0,8]") "}", 8, "overflow"},
        {"{" T("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0, "overflow"},
        {"{" T("a", "F32", "[-1]", "[0,0]") "}", 0, "axis 0"},
        {"{" T("a", "F32", "[1.5]", "[0,0]") "}", 0, "axis 0"},
        {"{" T("a", "F32", "2", "[0,8]") "}", 8, "no shape"},
        {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "9 axes"},
        {"{" T("a", "C64", "[1]", "[0,8]") "}", 8, "C64"},
        {"{\"a\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype"},
        {"{\"a\":[0,4]}", 4, "object"},
        {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[4,12]") "}", 12, "overlaps"},
        {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[0,8]") "}", 8, "overlaps"},
        {"{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[1]", "[2,3]") "}", 3, "before b"},
        {"{" T("a", "U8", "[1]", "[0,1]") "," T("a", "U8", "[1]", "[1,2]") "}", 2, "duplicate"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "not a string"},
        {"{\"__metadata__\":[]}", 0, "not an object"},
        {"{", 0, "JSON"},
        {"{} x", 0, "JSON"},
        {" {}", 0, "no JSON object"},
        {"[]", 0, "no JSON object"},
        {"", 0, "no JSON object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nc_safetensors st;
        refused(open_put(&st, cases[i].header, cases[i].bytes), cases[i].words);
        assert_string_equal(err.path, path);
        assert_null(st.tensors);
    }
    struct nc_safetensors st;
    put("{}", 3, 0);
    refused(nc_safetensors_open(&st, path, &err), "truncated");
    put("{}", 1000000000, 0);
    refused(nc_safetensors_open(&st, path, &err), "not a safetensors");
    put("{}", SIZE_MAX, 0);
    refused(nc_safetensors_open(&st, path, &err), "not a safetensors");
    assert_int_equal(truncate(path, 7), 0);
    refused(nc_safetensors_open(&st, path, &err), "too short");
}

static void every_dtype(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int bytes;
    } dtypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
                  {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U64", 8},  {"U32", 4},
                  {"U16", 2}, {"U8", 1},  {"BOOL", 1}};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        char header[160];
        int bytes = dtypes[i].bytes;
        float out[3] = {1, 1, 1};
        struct nc_safetensors st;
        snprintf(header, sizeof header, "{" T("a", "%s", "[3]", "[0,%d]") "}  ", dtypes[i].name,
                 3 * bytes);
        assert_int_equal(open_put(&st, header, 3 * (size_t)bytes), 0);
        int real = strchr(dtypes[i].name, 'F') != NULL;
        assert_int_equal(nc_st_read(&st.tensors[0], out, &err), real ? 0 : -1);
        assert_true(out[2] == (real ? 0 : 1));
        nc_safetensors_close(&st);
    }
}

/* A half's value by definition. */
static float half_by_definition(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double sign = bits >> 15 ? -1 : 1;
    if (exponent == 31)
        return fraction ? NAN : (float)(sign * (double)INFINITY);
    return (float)(sign *
                   (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24)));
}

static void halves_are_exact(void **state)
{
    (void)state;
    static uint16_t bits[65536];
    static float out[65536];
    for (int i = 0; i < 65536; i++)
        bits[i] = (uint16_t)i;
    struct nc_st_tensor t = {"h", "F16", 1, {65536}, 65536, (unsigned char *)bits, sizeof bits};
    assert_int_equal(nc_st_read(&t, out, &err), 0);
    for (int i = 0; i < 65536; i++) {
        float wanted = half_by_definition(bits[i]);
        assert_true(isnan(wanted) ? isnan(out[i]) : memcmp(&out[i], &wanted, 4) == 0);
    }
    strcpy(t.dtype, "BF16");
    assert_int_equal(nc_st_read(&t, out, &err), 0);
    for (int i = 0; i < 65536; i++) {
        uint32_t word;
        memcpy(&word, &out[i], 4);
        assert_true(word == (uint32_t)i << 16);
    }
    static const double wide[3] = {0.1, -1e300, 1e-46};
    struct nc_st_tensor d = {"d", "F64", 1, {3}, 3, (const unsigned char *)wide, sizeof wide};
    assert_int_equal(nc_st_read(&d, out, &err), 0);
    assert_true(out[0] == 0.1f && out[1] == -INFINITY && out[2] == 0);
}

static const char *real_file(const char *name)
{
    static char real[1024];
    const char *root = getenv("NETCC_DATA");
    snprintf(real, sizeof real, "%s/weights/safetensors/%s",
             root && *root ? root : "../shared/data", name);
    if (access(real, R_OK) != 0) {
        printf("SKIP: %s is not here\n", real);
        skip();
    }
    return real;
}

static void real_files(void **state)
{
    (void)state;
    struct nc_safetensors st;
    static float kernel[128 * 784];
    const char *mlp = real_file("mnist_mlp_nobias_tinygrad.safetensors");
    assert_int_equal(nc_safetensors_open(&st, mlp, &err), 0);
    assert_int_equal(st.count, 2);
    const struct nc_st_tensor *t = nc_safetensors_find(&st, "l1.weight");
    assert_int_equal(t->shape[1], 784);
    assert_int_equal(nc_st_read(t, kernel, &err), 0);
    for (int i = 0; i < 128 * 784; i++)
        assert_true(fabsf(kernel[i]) < 10);
    nc_safetensors_close(&st);
    assert_int_equal(nc_safetensors_open(&st, real_file("mnist_conv_burn.safetensors"), &err), 0);
    refused(nc_st_read(nc_safetensors_find(&st, "norm1.num_batches_tracked"), kernel, &err), "I64");
    nc_safetensors_close(&st);
    const char *pixels = real_file("mnist_pixels14x14_dataset.safetensors");
    assert_int_equal(nc_safetensors_open(&st, pixels, &err), 0);
    assert_int_equal(nc_safetensors_find(&st, "Xtrain")->elements, 6000 * 196);
    nc_safetensors_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),     cmocka_unit_test(write_nothing),
        cmocka_unit_test(write_refusals), cmocka_unit_test(header_refusals),
        cmocka_unit_test(every_dtype),    cmocka_unit_test(halves_are_exact),
        cmocka_unit_test(real_files),
    };
    snprintf(path, sizeof path, "/tmp/netcc-test-st-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failures;
}
