/* Files of weights in Keras's layout: what is written, attribute by attribute, and that it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "keras_file.h"

static char folder[64];
static struct nc_error err;

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void need_plugin(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/h5.so", getenv("NETCC_PLUGINS"));
    if (access(path, F_OK) != 0) {
        printf("SKIP keras: built without libhdf5\n");
        skip();
    }
}

static const float values[] = {1, 2, 3, 4, 5, 6};
static const struct nc_named network[] = {
    {.name = "conv/kernel", .rank = 4, .shape = {1, 1, 3, 2}, .data = values},
    {.name = "conv/bias", .rank = 1, .shape = {2}, .data = values + 1},
    {.name = "attention/query/kernel", .rank = 3, .shape = {1, 2, 3}, .data = values},
    {.name = "attention/key/kernel", .rank = 3, .shape = {3, 2, 1}, .data = values}};
enum { NETWORK = sizeof network / sizeof *network };

static void expect_texts(const struct nc_h5 *h5, const char *object, const char *name, int count,
                         const char *const *wanted)
{
    const struct nc_h5_text *text = nc_h5_text(h5, object, name, -1);
    assert_non_null(text);
    assert_int_equal(text->count, count);
    for (int i = 0; i < count; i++)
        assert_string_equal(text->values[i], wanted[i]);
}

static void lies_as_keras_has_it(void **state)
{
    struct nc_h5 h5;
    (void)state;
    need_plugin();
    const char *path = in_folder("network.h5");
    if (nc_keras_write(path, network, NETWORK, &err) != 0)
        fail_msg("%s: %s", err.path, err.message);
    assert_int_equal(nc_h5_open(&h5, path, &err), 0);
    expect_texts(&h5, "/", "backend", 1, (const char *[]){"tensorflow"});
    expect_texts(&h5, "/", "keras_version", 1, (const char *[]){"2.15.0"});
    expect_texts(&h5, "/", "layer_names", 2, (const char *[]){"conv", "attention"});
    expect_texts(&h5, "/conv", "weight_names", 2, (const char *[]){"conv/kernel:0", "conv/bias:0"});
    expect_texts(&h5, "/attention", "weight_names", 2,
                 (const char *[]){"attention/query/kernel:0", "attention/key/kernel:0"});
    const struct nc_h5_array *array = nc_h5_array(&h5, "/conv/conv/bias:0");
    assert_non_null(array);
    assert_int_equal(array->dtype, NC_F32);
    assert_int_equal(array->rank, 1);
    assert_memory_equal(array->data, values + 1, 2 * sizeof *values);
    assert_int_equal(h5.arrays_count, NETWORK);
    nc_h5_close(&h5);
}

static void reads_as_weights(void **state)
{
    struct nc_weight_file file;
    float read[6];
    (void)state;
    need_plugin();
    const char *path = in_folder("network.h5");
    assert_int_equal(nc_keras_write(path, network, NETWORK, &err), 0);
    assert_int_equal(nc_weight_file_open(&file, path, &err), 0);
    assert_int_equal(file.convention, NC_BY_LAYER);
    assert_int_equal(file.count, NETWORK);
    for (int i = 0; i < NETWORK; i++) {
        const struct nc_weight *w = &file.weights[i];
        assert_string_equal(w->layer, i < 2 ? "conv" : "attention");
        assert_int_equal(w->rank, network[i].rank);
        assert_memory_equal(w->shape, network[i].shape, (size_t)w->rank * sizeof *w->shape);
        assert_int_equal(nc_weight_read(&file, i, read, &err), 0);
        assert_memory_equal(read, network[i].data, (size_t)w->elements * sizeof *read);
    }
    nc_weight_file_close(&file);
}

/* An attribute holds 64512 bytes; the names of 900 layers are longer. */
static void long_lists_go_on(void **state)
{
    enum { LAYERS = 900 };
    static char names[LAYERS][128];
    static struct nc_named arrays[LAYERS];
    struct nc_weight_file file;
    (void)state;
    need_plugin();
    for (int i = 0; i < LAYERS; i++) {
        snprintf(names[i], sizeof names[i], "%090d/bias", LAYERS - i);
        arrays[i] =
            (struct nc_named){.name = names[i], .rank = 1, .shape = {1}, .data = &values[i % 6]};
    }
    const char *path = in_folder("long.h5");
    assert_int_equal(nc_keras_write(path, arrays, LAYERS, &err), 0);
    assert_int_equal(nc_weight_file_open(&file, path, &err), 0);
    assert_null(nc_h5_text(nc_keras_h5(&file), "/", "layer_names", -1));
    assert_int_equal(nc_h5_text(nc_keras_h5(&file), "/", "layer_names", 0)->count, 64512 / 90);
    assert_int_equal(nc_h5_text(nc_keras_h5(&file), "/", "layer_names", 1)->count,
                     LAYERS - 64512 / 90);
    assert_int_equal(file.count, LAYERS);
    for (int i = 0; i < LAYERS; i++) {
        assert_string_equal(file.weights[i].name, names[i]);
        assert_memory_equal(file.weights[i].data, &values[i % 6], sizeof *values);
    }
    nc_weight_file_close(&file);
}

/* A network without weights is a list of no layers. */
static void empty_network(void **state)
{
    struct nc_weight_file file;
    (void)state;
    need_plugin();
    const char *path = in_folder("empty.h5");
    assert_int_equal(nc_keras_write(path, NULL, 0, &err), 0);
    assert_int_equal(nc_weight_file_open(&file, path, &err), 0);
    assert_int_equal(file.count, 0);
    nc_weight_file_close(&file);
}

static int count_files(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* Where the disk ends, the file that was there before stays as it was, and no other appears. */
static void full_disk(void **state)
{
    static float many[50000];
    const struct nc_named large = {
        .name = "dense/kernel", .rank = 1, .shape = {50000}, .data = many};
    struct rlimit before, tight;
    struct nc_weight_file file;
    (void)state;
    need_plugin();
    const char *path = in_folder("network.h5");
    assert_int_equal(nc_keras_write(path, network, NETWORK, &err), 0);
    int files = count_files();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    for (rlim_t limit = 0; limit < 200000; limit += limit ? 66000 : 700) {
        tight = (struct rlimit){limit, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &tight);
        int result = nc_keras_write(path, &large, 1, &err);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(result, -1);
        assert_non_null(strstr(err.message, "cannot be written"));
        assert_int_equal(count_files(), files);
    }
    assert_int_equal(nc_weight_file_open(&file, path, &err), 0);
    assert_int_equal(file.count, NETWORK);
    nc_weight_file_close(&file);
}

static int setup(void **state)
{
    (void)state;
    char self[4096] = "";
    if (!getenv("NETCC_PLUGINS")) {
        if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
            return -1;
        char *slash = strrchr(self, '/');
        strcpy(slash, "/..");
        setenv("NETCC_PLUGINS", self, 1);
    }
    snprintf(folder, sizeof folder, "/tmp/netcc-keras-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"network.h5", "long.h5", "empty.h5"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_folder(names[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_as_keras_has_it), cmocka_unit_test(reads_as_weights),
        cmocka_unit_test(long_lists_go_on), cmocka_unit_test(empty_network),
        cmocka_unit_test(full_disk)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
