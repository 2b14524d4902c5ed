/* Safetensors in several files: read by their index, and refused where index and files differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "safetensors.h"
#include "weight_file.h"

static char folder[64];
static struct nc_error err;

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *index_of(const char *json)
{
    const char *path = in_folder("model.safetensors.index.json");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(json, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void write_shards(void)
{
    static const float a[] = {1, 2}, b[] = {3, 4, 5};
    const struct nc_named first[] = {{.name = "a", .rank = 1, .shape = {2}, .data = a}};
    const struct nc_named second[] = {{.name = "b", .rank = 1, .shape = {3}, .data = b},
                                      {.name = "c", .rank = 2, .shape = {1, 2}, .data = a}};
    assert_int_equal(nc_safetensors_write(in_folder("1.safetensors"), first, 1, NULL, 0, &err), 0);
    assert_int_equal(nc_safetensors_write(in_folder("2.safetensors"), second, 2, NULL, 0, &err), 0);
}

static void all_shards_are_one_file(void **state)
{
    struct nc_weight_file f;
    float values[3];
    (void)state;
    write_shards();
    const char *path = index_of("{\"metadata\": {\"total_size\": 28}, \"weight_map\": {"
                                "\"b\": \"2.safetensors\", \"a\": \"1.safetensors\", "
                                "\"c\": \"2.safetensors\"}}");
    if (nc_weight_file_open(&f, path, &err) != 0)
        fail_msg("%s: %s", err.path, err.message);
    assert_int_equal(f.count, 3);
    assert_int_equal(nc_weight_read(&f, nc_weight_find(&f, "b"), values, &err), 0);
    assert_memory_equal(values, ((float[]){3, 4, 5}), sizeof values);
    assert_int_equal(nc_weight_read(&f, nc_weight_find(&f, "a"), values, &err), 0);
    assert_memory_equal(values, ((float[]){1, 2}), 8);
    assert_int_equal(f.weights[nc_weight_find(&f, "c")].rank, 2);
    nc_weight_file_close(&f);
}

static void wrong_indices_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"{\"weight_map\": {\"a\": \"2.safetensors\"}}", "'a' is not in 2.safetensors"},
        {"{\"weight_map\": {\"a\": \"3.safetensors\"}}", "cannot be opened"},
        {"{\"weight_map\": {\"a\": \"../1.safetensors\"}}", "not the name of a file beside"},
        {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "not the name of a file beside"},
        {"{\"weight_map\": {\"a\": \"..\"}}", "not the name of a file beside"},
        {"{\"weight_map\": {\"a\": \"\"}}", "not the name of a file beside"},
        {"{\"weight_map\": {\"a\": 1}}", "names no file"},
        {"{\"weight_map\": {\"a\": \"1.safetensors\", \"a\": \"1.safetensors\"}}", "duplicate"},
        {"{\"weight_map\": {}}", "no weight_map"},
        {"{\"weight_map\": []}", "no weight_map"},
        {"{\"metadata\": {}}", "no weight_map"},
        {"[\"weight_map\"]", "no weight_map"},
        {"{\"weight_map\": {\"a\": ", "line 1"},
        {"{\"weight_map\": {\"a\": \"model.safetensors.index.json\"}}", ""},
    };
    (void)state;
    write_shards();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nc_weight_file f;
        assert_int_equal(nc_weight_file_open(&f, index_of(cases[i][0]), &err), -1);
        if (!strstr(err.message, cases[i][1]))
            fail_msg("the message '%s' lacks '%s'", err.message, cases[i][1]);
    }
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/netcc-shards-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_shards_are_one_file),
        cmocka_unit_test(wrong_indices_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
