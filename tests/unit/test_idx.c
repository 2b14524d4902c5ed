/* idx files, plain and packed: what they hold is read, what is damaged is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/array.h"
#include "scratch.h"

#define TWO_BY_THREE "\0\0\x08\x02\0\0\0\2\0\0\0\3"
#define IDX_BYTES TWO_BY_THREE "abcdef"

static void idx_plain(void **state)
{
    (void)state;
    struct nc_array a;
    assert_int_equal(nc_idx_open(&a, put("a.idx", IDX_BYTES, 18), &err), 0);
    assert_int_equal(a.rank, 2);
    assert_int_equal(a.row_elements, 3);
    expect_cells(&a, (double[]){'a', 'b', 'c', 'd', 'e', 'f'}, 6);
    nc_array_close(&a);
    assert_null(a.data);
}

static void idx_element_types(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        double value[2];
    } cases[] = {
        {"\0\0\x09\1\0\0\0\2\x80\x7f", 10, {-128, 127}},
        {"\0\0\x0b\1\0\0\0\2\x80\0\x01\x02", 12, {-32768, 258}},
        {"\0\0\x0c\1\0\0\0\2\xff\xff\xff\xff\x01\x02\x03\x04", 16, {-1, 16909060}},
        {"\0\0\x0d\1\0\0\0\2\x3f\x80\0\0\xc0\x20\0\0", 16, {1, -2.5}},
        {"\0\0\x0e\1\0\0\0\2\x3f\xf0\0\0\0\0\0\0\xc0\x04\0\0\0\0\0\0", 24, {1, -2.5}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nc_array a;
        assert_int_equal(nc_idx_open(&a, put("t.idx", cases[i].bytes, cases[i].size), &err), 0);
        expect_cells(&a, cases[i].value, 2);
        nc_array_close(&a);
    }
}

static void idx_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } cases[] = {
        {"", 0, "empty"},
        {"\0\0\x08", 3, "truncated"},
        {"\0\0\x08\x02\0\0\0\2", 8, "truncated"},
        {IDX_BYTES, 17, "truncated"},
        {IDX_BYTES "g", 19, "trailing"},
        {"\0\1\x08\x01\0\0\0\1a", 9, "not an idx"},
        {"\0\0\x0a\x01\0\0\0\1a", 9, "0x0a"},
        {"\0\0\x08\x00\0\0\0\1a", 9, "rank 0"},
        {"\0\0\x08\x09\0\0\0\1a", 9, "rank 9"},
        {"\0\0\x08\x02\0\0\0\1\0\0\0\0", 12, "axis 1"},
        {"\0\0\x0e\x02\xff\xff\xff\xff\xff\xff\xff\xff", 12, "overflow"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nc_array a = {.rank = 7};
        refused(nc_idx_open(&a, put("bad.idx", cases[i].bytes, cases[i].size), &err),
                cases[i].words);
        assert_string_equal(err.path, in_folder("bad.idx"));
        assert_int_equal(a.rank, 0);
    }
    struct nc_array a;
    refused(nc_idx_open(&a, in_folder("missing"), &err), "No such file");
    refused(nc_idx_open(&a, folder, &err), "not a regular file");
}

/* idx.gz */

static size_t gzip(const void *bytes, size_t size, unsigned char *out, size_t room)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static void expect_gzipped(const char *path, int mapped)
{
    struct nc_array a;
    assert_int_equal(nc_idx_open(&a, path, &err), 0);
    assert_int_equal(a.map != NULL, mapped);
    expect_cells(&a, (double[]){'a', 'b', 'c', 'd', 'e', 'f'}, 6);
    nc_array_close(&a);
}

static int count_files(const char *path)
{
    int count = 0;
    DIR *listing = opendir(path);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        count += entry->d_name[0] != '.';
    if (listing)
        closedir(listing);
    return count;
}

static void gz_cached(void **state)
{
    (void)state;
    unsigned char packed[256];
    char cache[128];
    snprintf(cache, sizeof cache, "%s/one/two", folder);
    setenv("NETCC_CACHE", cache, 1);
    size_t size = gzip(IDX_BYTES, 18, packed, sizeof packed);
    expect_gzipped(put("a.gz", packed, size), 1);
    assert_int_equal(count_files(cache), 1);
    expect_gzipped(in_folder("a.gz"), 1);
    assert_int_equal(count_files(cache), 1);
    /* A damaged cached file is made anew. */
    char command[256];
    snprintf(command, sizeof command, "for f in %s/*; do echo no >$f; done", cache);
    assert_int_equal(system(command), 0);
    expect_gzipped(in_folder("a.gz"), 1);
    expect_gzipped(in_folder("a.gz"), 1);
    /* Other contents, other name. */
    size = gzip(TWO_BY_THREE "ABCDEF", 18, packed, sizeof packed);
    struct nc_array a;
    assert_int_equal(nc_idx_open(&a, put("a.gz", packed, size), &err), 0);
    assert_int_equal(a.data[0], 'A');
    nc_array_close(&a);
}

static void gz_without_cache(void **state)
{
    (void)state;
    unsigned char packed[256];
    size_t size = gzip(IDX_BYTES, 18, packed, sizeof packed);
    setenv("NETCC_CACHE", "/dev/null/none", 1);
    expect_gzipped(put("b.gz", packed, size), 0);
    setenv("NETCC_SPOOL_BYTES", "5", 1);
    expect_gzipped(put("b.gz", packed, size), 1);
    unsetenv("NETCC_SPOOL_BYTES");
    setenv("NETCC_CACHE", folder, 1);
}

static void gz_refusals(void **state)
{
    (void)state;
    unsigned char packed[256], bad[512];
    struct nc_array a;
    size_t size = gzip(IDX_BYTES, 18, packed, sizeof packed);
    for (size_t cut = 2; cut < size; cut++)
        refused(nc_idx_open(&a, put("c.gz", packed, cut), &err), "truncated");
    memcpy(bad, packed, size);
    bad[size - 6] ^= 1;
    refused(nc_idx_open(&a, put("c.gz", bad, size), &err), "check");
    bad[size - 6] ^= 1;
    bad[size] = 'x';
    refused(nc_idx_open(&a, put("c.gz", bad, size + 1), &err), "trailing");
    refused(nc_idx_open(&a, put("c.gz", bad, gzip(IDX_BYTES, 17, bad, 512)), &err), "truncated");
    refused(nc_idx_open(&a, put("c.gz", bad, gzip(IDX_BYTES "g", 19, bad, 512)), &err), "trailing");
    size = gzip("\0\0\x0e\x02\0\xff\xff\xff\0\xff\xff\xff", 12, bad, 512);
    refused(nc_idx_open(&a, put("c.gz", bad, size), &err), "cannot hold");
}

/* Two gzip members are one stream. */
static void gz_members(void **state)
{
    (void)state;
    unsigned char packed[512];
    size_t size = gzip(IDX_BYTES, 13, packed, 256);
    size += gzip(&IDX_BYTES[13], 5, packed + size, 256);
    expect_gzipped(put("d.gz", packed, size), 1);
}

static void real_mnist(void **state)
{
    (void)state;
    struct nc_array images, labels;
    assert_int_equal(nc_idx_open(&labels, real_file("mnist/t10k-labels-idx1-ubyte.gz"), &err), 0);
    assert_int_equal(nc_idx_open(&images, real_file("mnist/t10k-images-idx3-ubyte.gz"), &err), 0);
    assert_int_equal(images.shape[0], 10000);
    assert_int_equal(images.row_elements, 784);
    assert_int_equal(labels.shape[0], 10000);
    assert_int_equal(labels.data[0], 7);
    assert_int_equal(crc32(0, images.data, 7840000), 0xe4ca5f57);
    static float rows[3][784];
    nc_array_gather(&images, (uint32_t[]){9999, 0, 5}, 3, rows, sizeof(float));
    for (int i = 0; i < 784; i++) {
        assert_true(rows[0][i] == images.data[9999 * 784 + i]);
        assert_true(rows[1][i] == images.data[i]);
    }
    nc_array_close(&images);
    nc_array_close(&labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_plain),        cmocka_unit_test(idx_element_types),
        cmocka_unit_test(idx_refusals),     cmocka_unit_test(gz_cached),
        cmocka_unit_test(gz_without_cache), cmocka_unit_test(gz_refusals),
        cmocka_unit_test(gz_members),       cmocka_unit_test(real_mnist),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
