/* npy, npz, spools and what is made: what is written is read back, what is damaged is refused, real files
 * are understood, and the digits are the same everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "data/array.h"
#include "data/spool.h"
#include "scratch.h"
#include "weight_file.h"

/* npy */

static size_t make_npy(unsigned char *out, const char *dictionary, const void *data, size_t size)
{
    size_t length = strlen(dictionary);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (unsigned char)length;
    out[9] = 0;
    memcpy(out + 10, dictionary, length);
    memcpy(out + 10 + length, data, size);
    return 10 + length + size;
}

static int open_npy(struct nc_array *a, const char *dictionary, const void *data, size_t size)
{
    unsigned char file[512];
    return nc_npy_open(a, put("x.npy", file, make_npy(file, dictionary, data, size)), &err);
}

static void npy_element_types(void **state)
{
    (void)state;
    static const struct {
        const char *descr, *bytes;
        size_t size;
        double value[2];
    } cases[] = {
        {"|u1", "\1\xff", 2, {1, 255}},
        {"|i1", "\1\xff", 2, {1, -1}},
        {"|b1", "\0\1", 2, {0, 1}},
        {"<u2", "\1\2\xff\xff", 4, {513, 65535}},
        {">u2", "\1\2\xff\xff", 4, {258, 65535}},
        {"<i2", "\1\2\xff\xff", 4, {513, -1}},
        {">i4", "\0\0\1\2\xff\xff\xff\xff", 8, {258, -1}},
        {"<u4", "\0\0\0\x80\xff\xff\xff\xff", 8, {2147483648.0, 4294967295.0}},
        {"<i8", "\1\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16, {1, -1}},
        {">u8", "\0\0\0\0\0\0\0\1\x80\0\0\0\0\0\0\0", 16, {1, 0x1p63}},
        {"<f2", "\x00\x3c\x01\x80", 4, {1, -0x1p-24}},
        {">f2", "\x7b\xff\x04\x00", 4, {65504, 0x1p-14}},
        {"<f4", "\0\0\x80\x3f\0\0\x20\xc0", 8, {1, -2.5}},
        {">f4", "\x3f\x80\0\0\xc0\x20\0\0", 8, {1, -2.5}},
        {"<f8", "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\x04\xc0", 16, {1, -2.5}},
        {">f8", "\x3f\xf0\0\0\0\0\0\0\xc0\x04\0\0\0\0\0\0", 16, {1, -2.5}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char dictionary[128];
        struct nc_array a;
        snprintf(dictionary, sizeof dictionary,
                 "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }\n", cases[i].descr);
        assert_int_equal(open_npy(&a, dictionary, cases[i].bytes, cases[i].size), 0);
        expect_cells(&a, cases[i].value, 2);
        float single[2];
        nc_array_gather(&a, (uint32_t[]){1, 0}, 2, single, sizeof(float));
        assert_true(single[0] == (float)cases[i].value[1] && single[1] == (float)cases[i].value[0]);
        nc_array_close(&a);
    }
}

static void npy_spellings(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "{\"shape\":(2L,3),\"fortran_order\":False,\"descr\":\"|u1\"}",
        "{ 'fortran_order' : False ,\n 'shape' : ( 2 , 3 , ) , 'descr' : '<u1' , }   \n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n",
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        struct nc_array a;
        assert_int_equal(open_npy(&a, fine[i], "abcdef", 6), 0);
        expect_cells(&a, (double[]){'a', 'b', 'c', 'd', 'e', 'f'}, 6);
        nc_array_close(&a);
    }
    struct nc_array a; /* one axis is in both orders at once */
    assert_int_equal(open_npy(&a, "{'descr':'|u1','fortran_order':True,'shape':(2,)}", "ab", 2), 0);
    nc_array_close(&a);
}

#define HEAD(descr) "{'descr': " descr ", 'fortran_order': False, 'shape': "

static void npy_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *dictionary, *words;
    } cases[] = {
        {HEAD("'<c8'") "(2,)}", "<c8 is not supported (complex"},
        {HEAD("'|O'") "(2,)}", "|O is not supported (pickled"},
        {HEAD("'<U3'") "(2,)}", "<U3 is not supported (strings"},
        {HEAD("'|S3'") "(2,)}", "strings"},
        {HEAD("'|V3'") "(2,)}", "raw bytes"},
        {HEAD("'<M8[s]'") "(2,)}", "dates"},
        {HEAD("'<f16'") "(2,)}", "<f16"},
        {HEAD("'|f4'") "(2,)}", "|f4"},
        {HEAD("[('a', '<f4'), ('b', '<i4', (2,))]") "(2,)}", "('b', '<i4', (2,))] is not"},
        {HEAD("'|u1'") "(1,1,1,1,1,1,1,1,6)}", "9 axes"},
        {HEAD("'|u1'") "(6)}", "understood"},
        {HEAD("'|u1'") "(6,}", "understood"},
        {HEAD("'|u1'") "(-6,)}", "understood"},
        {HEAD("'|u1'") "(6,)", "understood"},
        {HEAD("'|u1'") "(6,)} x", "understood"},
        {HEAD("'|u1'") "(6,), 'shape': (6,)}", "understood"},
        {HEAD("'|u1'") "(6,), 'more': (6,)}", "understood"},
        {HEAD("'|u1'") "(99999999999999999999,)}", "understood"},
        {"{'descr': '|u1', 'shape': (6,)}", "understood"},
        {"[1]", "understood"},
        {HEAD("[('a'") "(6,)}", "understood"},
        {HEAD("'|u1'") "(0, 3)}", "no elements"},
        {HEAD("'|u1'") "(2, 4)}", "truncated"},
        {HEAD("'|u1'") "(5,)}", "trailing"},
        {HEAD("'<f8'") "(4294967296, 4294967296)}", "overflow"},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}", "fortran_order"},
        {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2, 3)}", "understood"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nc_array a;
        refused(open_npy(&a, cases[i].dictionary, "abcdef", 6), cases[i].words);
    }
    struct nc_array a;
    refused(open_npy(&a, HEAD("'|u1'") "()}", "a", 1), "shape ()");
    refused(nc_npy_open(&a, put("x.npy", "\x93NUMPX\1\0\0\0{}", 12), &err), "not an npy");
    refused(nc_npy_open(&a, put("x.npy", "\x93NUMPY\4\0\0\0{}", 12), &err), "4.0");
    refused(nc_npy_open(&a, put("x.npy", "\x93NUMPY\1\0\xff\0{}", 12), &err), "truncated");
    refused(nc_npy_open(&a, put("x.npy", "\x93NUMPY\2\0\xff\xff\xff\xff", 12), &err), "truncated");
    refused(nc_npy_open(&a, put("x.npy", "\x93NUMPY\1\0\1\0{}", 12), &err), "too short");
}

static void npy_version_2(void **state)
{
    (void)state;
    static const char text[] = HEAD("'|u1'") "(1, 2)}";
    unsigned char file[256] = "\x93NUMPY\x02";
    file[8] = sizeof text - 1;
    memcpy(file + 12, text, sizeof text - 1);
    memcpy(file + 12 + sizeof text - 1, "ab", 2);
    for (file[6] = 2; file[6] <= 3; file[6]++) {
        struct nc_array a;
        assert_int_equal(nc_npy_open(&a, put("v.npy", file, 12 + sizeof text - 1 + 2), &err), 0);
        expect_cells(&a, (double[]){'a', 'b'}, 2);
        nc_array_close(&a);
    }
}

static const float six[6] = {1, -2.5f, 3, 4, 0, 1e-30f};
static const double six_wide[6] = {1, -2.5, 3, 4, 0, 1e-30f};

static void npy_round_trip(void **state)
{
    (void)state;
    const struct nc_named named = {"x", 2, {2, 3}, six};
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder("r.npy"));
    for (int pass = 0; pass < 2; pass++) { /* the second replaces the first */
        struct nc_array a;
        assert_int_equal(nc_npy_write(path, &named, &err), 0);
        assert_int_equal(nc_npy_open(&a, path, &err), 0);
        assert_int_equal((a.data - (unsigned char *)a.map) % 64, 0);
        expect_cells(&a, six_wide, 6);
        nc_array_close(&a);
    }
    const struct nc_named none = {"y", 2, {0, INT64_MAX}, NULL};
    assert_int_equal(nc_npy_write(path, &none, &err), 0);
    struct nc_array a;
    refused(nc_npy_open(&a, path, &err), "no elements");
    refused(nc_npy_write("/nowhere/x.npy", &named, &err), "cannot be written");
    const struct nc_named vast = {"y", 2, {INT64_MAX, 3}, six};
    refused(nc_npy_write(path, &vast, &err), "overflow");
    char command[128];
    snprintf(command, sizeof command, "ls %s | grep -q part", folder);
    assert_int_not_equal(system(command), 0);
}

/* npz */

static void need_plugin(void)
{
    char **names;
    int count;
    nc_npz_names("/dev/null", &names, &count, &err);
    if (strstr(err.message, "npz.so")) {
        printf("SKIP: %s\n", err.message);
        skip();
    }
}

static const struct nc_named two[2] = {{"dense/kernel", 2, {2, 3}, six}, {"loss", 0, {0}, six}};

static void expect_spooled(const char *path)
{
    struct nc_array a;
    setenv("NETCC_SPOOL_BYTES", "8", 1);
    assert_int_equal(nc_npz_open(&a, path, "dense/kernel", &err), 0);
    unsetenv("NETCC_SPOOL_BYTES");
    assert_non_null(a.map);
    expect_cells(&a, six_wide, 6);
    nc_array_close(&a);
}

static void npz_round_trip(void **state)
{
    (void)state;
    need_plugin();
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder("r.npz"));
    assert_int_equal(nc_npz_write(path, two, 2, &err), 0);
    static const char *const spellings[] = {"dense/kernel", "dense/kernel.npy"};
    for (int i = 0; i < 2; i++) {
        struct nc_array a;
        assert_int_equal(nc_npz_open(&a, path, spellings[i], &err), 0);
        expect_cells(&a, six_wide, 6);
        nc_array_close(&a);
    }
    expect_spooled(path);
    char **names;
    int count;
    assert_int_equal(nc_npz_names(path, &names, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "dense/kernel");
    assert_string_equal(names[1], "loss");
    nc_names_free(names, count);
    struct nc_array a;
    refused(nc_npz_open(&a, path, "loss", &err), "shape ()");
    assert_int_equal(nc_npz_open_any(&a, path, "loss", &err), 0);
    assert_int_equal(a.rank, 0);
    assert_true(*(const float *)a.data == *two[1].data);
    nc_array_close(&a);
    refused(nc_npz_open(&a, path, "dense", &err), "no array named dense");
    unsigned char first[2048], again[2048];
    size_t size = get(path, first, sizeof first);
    assert_int_equal(nc_npz_write(path, two, 2, &err), 0);
    assert_int_equal(get(path, again, sizeof again), size);
    assert_memory_equal(first, again, size);
}

/* Files without a name that are mapped */
static int count_nameless(void)
{
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "(deleted)") != NULL;
    fclose(maps);
    return count;
}

static void npz_weights_give_back(void **state)
{
    (void)state;
    need_plugin();
    struct nc_weight_file file;
    char path[512];
    float values[6];
    int before = count_nameless();
    snprintf(path, sizeof path, "%s", in_folder("w.npz"));
    assert_int_equal(nc_npz_write(path, two, 2, &err), 0);
    setenv("NETCC_SPOOL_BYTES", "8", 1);
    assert_int_equal(nc_weight_file_open(&file, path, &err), 0);
    unsetenv("NETCC_SPOOL_BYTES");
    assert_int_equal(count_nameless(), before + 1);
    assert_int_equal(nc_weight_read(&file, nc_weight_find(&file, "dense/kernel"), values, &err), 0);
    assert_memory_equal(values, six, sizeof values);
    nc_weight_file_close(&file);
    assert_int_equal(count_nameless(), before);
}

static int open_changed(const unsigned char *file, size_t size)
{
    struct nc_array a;
    int result = nc_npz_open(&a, put("bad.npz", file, size), "dense/kernel", &err);
    nc_array_close(&a);
    return result;
}

static void put_word(unsigned char *at, uint32_t word)
{
    memcpy(at, &word, sizeof word);
}

static void npz_refusals(void **state)
{
    (void)state;
    need_plugin();
    unsigned char file[2048], bad[2048];
    assert_int_equal(nc_npz_write(in_folder("r.npz"), two, 2, &err), 0);
    size_t size = get(in_folder("r.npz"), file, sizeof file);
    for (size_t cut = 1; cut < size; cut += 7)
        assert_int_equal(open_changed(file, cut), -1);
    unsigned char *entry = memmem(file, size, "PK\1\2", 4);
    assert_non_null(entry);
    size_t at = (size_t)(entry - file);
    memcpy(bad, file, size);
    unsigned char *data = memmem(bad, size, &six[1], 4);
    data[0] ^= 1;
    refused(open_changed(bad, size), "CRC");
    memcpy(bad, file, size);
    put_word(bad + at + 24, 1 << 30);
    assert_int_equal(open_changed(bad, size), -1);
    memcpy(bad, file, size);
    put_word(bad + at + 24, 151);
    put_word(bad + at + 20, 151);
    assert_int_equal(open_changed(bad, size), -1);
    memcpy(bad, file, size);
    unsigned char *shape = memmem(bad, size, "(2, 3)", 6);
    shape[1] = '9';
    refused(open_changed(bad, size), "truncated");
    struct nc_array a;
    refused(nc_npz_open(&a, put("no.npz", "hello", 5), "x", &err), "not an npz");
}

static void npz_plugin_missing(void **state)
{
    (void)state;
    /* In a process of its own, since a plugin is loaded once. */
    char command[4400], self[4096] = "";
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command, "NETCC_PLUGINS=/nowhere %s without-plugin", self);
    assert_int_equal(system(command), 0);
}

/* Real files */

static void real_npy(void **state)
{
    (void)state;
    struct nc_array a;
    assert_int_equal(nc_npy_open(&a, real_file("weights/npz/tiny/npy_test.npy"), &err), 0);
    assert_int_equal(a.shape[1], 3);
    nc_array_close(&a);
    assert_int_equal(nc_npy_open(&a, real_file("weights/npz/tiny/perf_samples_idxs.npy"), &err), 0);
    assert_int_equal(a.dtype, NC_I64);
    assert_int_equal(a.shape[0], 200);
    nc_array_close(&a);
}

static void read_all(const char *path, int wanted)
{
    char **names;
    int count;
    assert_int_equal(nc_npz_names(path, &names, &count, &err), 0);
    assert_int_equal(count, wanted);
    for (int i = 0; i < count; i++) {
        struct nc_array a;
        assert_int_equal(nc_npz_open(&a, path, names[i], &err), 0);
        nc_array_close(&a);
    }
    nc_names_free(names, count);
}

static void real_npz(void **state)
{
    (void)state;
    need_plugin();
    read_all(real_file("weights/npz/tiny/npz_test.npz"), 2);
    read_all(real_file("weights/npz/mnist_cnn_mlx.npz"), 8);
    read_all(real_file("weights/npz/mnist_mlp_nnayz.npz"), 6);
    struct nc_array a;
    const char *bad = real_file("weights/npz/tiny/npz_test_out.npz");
    refused(nc_npz_open(&a, bad, "weights", &err), "CRC");
    refused(nc_npz_open(&a, bad, "biases", &err), "CRC");
}

/* Gathering and digits */

static void gather_bytes(void **state)
{
    (void)state;
    unsigned char bytes[3 * 37];
    for (int i = 0; i < 111; i++)
        bytes[i] = (unsigned char)(i * 7);
    for (int width = 1; width <= 37; width++) {
        struct nc_array a = {.rank = 2, .shape = {3, width}, .row_elements = width, .data = bytes};
        float out[2 * 37 + 1];
        out[2 * width] = -1;
        nc_array_gather(&a, (uint32_t[]){2, 1}, 2, out, sizeof(float));
        for (int i = 0; i < width; i++)
            assert_true(out[i] == bytes[2 * width + i] && out[width + i] == bytes[width + i]);
        assert_true(out[2 * width] == -1);
    }
}

static void digits_repeat(void **state)
{
    (void)state;
    struct nc_array images, labels, fewer, fewer_labels;
    assert_int_equal(nc_digits_make(&images, &labels, 6000, 1, &err), 0);
    assert_int_equal(images.rank, 4);
    assert_int_equal(images.row_elements, 784);
    int counts[10] = {0};
    for (int i = 0; i < 6000; i++)
        counts[labels.data[i]]++;
    for (int i = 0; i < 10; i++)
        assert_int_equal(counts[i], 600);
    assert_int_equal(crc32(0, images.data, 6000 * 784), 0x88a80fec);
    assert_int_equal(crc32(0, labels.data, 6000), 0x085d94d2);
    assert_int_equal(nc_digits_make(&fewer, &fewer_labels, 7, 1, &err), 0);
    assert_memory_equal(fewer.data, images.data, 7 * 784);
    assert_memory_equal(fewer_labels.data, labels.data, 7);
    nc_array_close(&fewer);
    nc_array_close(&fewer_labels);
    assert_int_equal(nc_digits_make(&fewer, &fewer_labels, 7, 2, &err), 0);
    assert_memory_not_equal(fewer.data, images.data, 7 * 784);
    nc_array_close(&fewer);
    nc_array_close(&fewer_labels);
    nc_array_close(&images);
    nc_array_close(&labels);
    refused(nc_digits_make(&images, &labels, 0, 1, &err), "at least 1");
    refused(nc_digits_make(&images, &labels, INT64_MAX / 2, 1, &err), "memory");
}

/* The numbers 0, 1, ... as rows of `width`, through a spool that keeps `most` bytes in memory. */
static void spool_rows(int rows, int width, const char *most, int mapped)
{
    struct nc_array a = {0};
    struct nc_spool spool;
    int32_t row[64], next = 0;
    setenv("NETCC_SPOOL_BYTES", most, 1);
    nc_spool_open(&spool, "rows");
    for (int i = 0; i < rows; i++) {
        for (int k = 0; k < width; k++)
            row[k] = next++;
        assert_int_equal(nc_spool_add(&spool, row, (size_t)width * sizeof *row, &err), 0);
    }
    assert_int_equal(nc_spool_end(&spool, &a, &err), 0);
    unsetenv("NETCC_SPOOL_BYTES");
    assert_int_equal(a.map != NULL, mapped);
    for (int32_t i = 0; i < next; i++)
        assert_memory_equal(a.data + (size_t)i * sizeof i, &i, sizeof i);
    nc_array_close(&a);
}

static void spool_sizes(void **state)
{
    (void)state;
    spool_rows(0, 1, "100", 0);
    spool_rows(25, 1, "100", 0);
    spool_rows(26, 1, "100", 1);
    spool_rows(1, 64, "0", 1);
    spool_rows(100000, 7, "1000000", 1);
    spool_rows(100000, 7, "2800000", 0);
}

static void spool_refusals(void **state)
{
    (void)state;
    struct nc_spool spool;
    const char *folder_before = getenv("TMPDIR");
    char saved[512];
    snprintf(saved, sizeof saved, "%s", folder_before ? folder_before : "");
    setenv("TMPDIR", "/nowhere", 1);
    setenv("NETCC_SPOOL_BYTES", "3", 1);
    nc_spool_open(&spool, "rows");
    refused(nc_spool_add(&spool, "abcd", 4, &err), "/nowhere");
    nc_spool_drop(&spool);
    unsetenv("NETCC_SPOOL_BYTES");
    if (folder_before)
        setenv("TMPDIR", saved, 1);
    else
        unsetenv("TMPDIR");
}

static void messages_are_tame(void **state)
{
    (void)state;
    char path[400];
    memset(path, 'p', sizeof path - 1);
    memcpy(path + sizeof path - 5, ".npy", 5);
    assert_int_equal(nc_fail(&err, path, "a\nb\033[2J %0600d", 7), -1);
    assert_string_equal(err.path + sizeof err.path - 5, ".npy");
    assert_memory_equal(err.path, "...p", 4);
    assert_memory_equal(err.message, "a?b?[2J 000", 11);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static int without_plugin(void)
{
    struct nc_array a;
    return nc_npz_open(&a, "x.npz", "x", &err) == -1 && strstr(err.message, "libzip") ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_element_types), cmocka_unit_test(npy_spellings),
        cmocka_unit_test(npy_refusals),      cmocka_unit_test(npy_version_2),
        cmocka_unit_test(npy_round_trip),    cmocka_unit_test(npz_round_trip),
        cmocka_unit_test(npz_refusals),      cmocka_unit_test(npz_plugin_missing),
        cmocka_unit_test(real_npy),          cmocka_unit_test(real_npz),
        cmocka_unit_test(gather_bytes),      cmocka_unit_test(digits_repeat),
        cmocka_unit_test(spool_sizes),       cmocka_unit_test(spool_refusals),
        cmocka_unit_test(messages_are_tame), cmocka_unit_test(npz_weights_give_back),
    };
    if (argc > 1 && strcmp(argv[1], "without-plugin") == 0)
        return without_plugin();
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
