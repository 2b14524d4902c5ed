/* The driver on C written by hand: tcc in memory, cc through the cache, and the change from one to
 * the other while the model is in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/driver.h"

static char folder[64];
static Arena *arena;
static Diag *diag;
static struct nc_model model;
static Entry entry; /* stands for one that exists */
static Program program;

/* Which tier computed is told by the sign. */
#define CALL                                                                                       \
    "struct nc_call { void *weights, *prepared, *state, *memory;\n"                                           \
    "  const void *const *inputs, *const *targets;\n"                                              \
    "  void *const *outputs; const void *hyper; long n; void *arena; const void *env; };\n"
#define ENTRY(name, body)                                                                          \
    CALL "void nc_entry_" name "(const struct nc_call *call)\n"                                    \
         "{ const REAL *x = call->inputs[0]; REAL *y = call->outputs[0];\n"                        \
         "  for (long i = 0; i < call->n; i++) " body " }\n"

static const char *cc_unit = "#define REAL float\n" ENTRY("predict", "y[i] = 2 * x[i];");

static char *emit(Arena *to, const Program *unused, EmitTarget target)
{
    (void)unused;
    if (target == EMIT_JIT_CC)
        return arena_strdup(to, cc_unit);
    if (target == EMIT_CHECK)
        return arena_strdup(to,
                            "#if !defined NC_SCALAR || !defined NC_DOUBLE\n#error\n#endif\n"
                            "double exp(double); double fma(double, double, double);\n"
                            "#define REAL double\n" ENTRY("grad", "y[i] = fma(exp(x[i]), 2, 1);"));
    return arena_strdup(to, "#if NC_ROWS < 1\n#error\n#endif\n"
                            "void nc_v_neg(float *d, const float *a, long n);\n"
                            "#define REAL float\n" ENTRY("predict", "nc_v_neg(y + i, x + i, 1);"));
}

static LoadRequest request(void)
{
    return (LoadRequest){arena, diag, &program, &model, emit};
}

static double predicted(double x)
{
    float in = (float)x, out = 0;
    const void *inputs[] = {&in};
    void *outputs[] = {&out};
    const struct nc_call call = {.inputs = inputs, .outputs = outputs, .n = 1};
    model.predict.run(&call);
    return (double)out;
}

static int files_in(const char *path)
{
    int count = 0;
    DIR *open = opendir(path);
    for (struct dirent *e; open && (e = readdir(open));)
        count += e->d_name[0] != '.';
    if (open)
        closedir(open);
    return count;
}

static void empty_folder(const char *path)
{
    char name[512];
    DIR *open = opendir(path);
    for (struct dirent *e; open && (e = readdir(open));) {
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        unlink(name);
    }
    if (open)
        closedir(open);
}

static const char *cached_object(void)
{
    static char name[512];
    DIR *open = opendir(folder);
    name[0] = '\0';
    for (struct dirent *e; open && (e = readdir(open));) {
        if (strstr(e->d_name, ".so"))
            snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
    }
    closedir(open);
    return name;
}

static void tcc_runs_in_memory(void **state)
{
    LoadRequest r = request();
    (void)state;
    Backend *backend = load_tcc(&r, EMIT_JIT_TCC);
    assert_non_null(backend);
    assert_string_equal(backend_name(backend), "tcc");
    assert_float_equal(predicted(3), -3, 0);
    assert_null(model.train.run);
    backend_poll(backend);
    backend_close(backend);
    assert_null(model.predict.run);
}

static void tcc_checks_in_double(void **state)
{
    LoadRequest r = request();
    double in = 0.5, out = 0;
    const void *inputs[] = {&in};
    void *outputs[] = {&out};
    const struct nc_call call = {.inputs = inputs, .outputs = outputs, .n = 1};
    (void)state;
    program.grad = &entry;
    Backend *backend = load_tcc(&r, EMIT_CHECK);
    assert_null(model.predict.run);
    model.grad.run(&call);
    assert_true(fabs(out - (2 * exp(0.5) + 1)) < 1e-15);
    backend_close(backend);
}

static void cc_builds_and_caches(void **state)
{
    LoadRequest r = request();
    (void)state;
    for (int i = 0; i < 2; i++) {
        Backend *backend = load_cc(&r);
        assert_non_null(backend);
        assert_string_equal(backend_name(backend), "cc");
        assert_float_equal(predicted(3), 6, 0);
        backend_close(backend);
        assert_int_equal(files_in(folder), 2);
    }
}

static void spoil(const char *path, long keep, const char *with)
{
    if (keep >= 0)
        assert_int_equal(truncate(path, keep), 0);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 600, SEEK_SET);
    fputs(with, file);
    fclose(file);
}

static void damaged_objects_are_rebuilt(void **state)
{
    LoadRequest r = request();
    (void)state;
    backend_close(load_cc(&r));
    static const long keeps[] = {4000, 700, 0, -1};
    for (int i = 0; i < 4; i++) {
        spoil(cached_object(), keeps[i], i == 2 ? "" : "spoiled");
        Backend *backend = load_cc(&r);
        assert_float_equal(predicted(3), 6, 0);
        backend_close(backend);
        assert_int_equal(files_in(folder), 2);
    }
}

static void units_have_their_own_objects(void **state)
{
    LoadRequest r = request();
    const char *kept = cc_unit;
    (void)state;
    backend_close(load_cc(&r));
    cc_unit = "#define REAL float\n" ENTRY("predict", "y[i] = 5 * x[i];");
    Backend *backend = load_cc(&r);
    assert_float_equal(predicted(3), 15, 0);
    backend_close(backend);
    assert_int_equal(files_in(folder), 4);
    cc_unit = kept;
}

static void auto_changes_over(void **state)
{
    LoadRequest r = request();
    (void)state;
    Backend *backend = load_auto(&r);
    assert_string_equal(backend_name(backend), "tcc");
    assert_float_equal(predicted(3), -3, 0);
    for (int i = 0; i < 20000 && strcmp(backend_name(backend), "cc") != 0; i++) {
        usleep(1000);
        backend_poll(backend);
    }
    assert_string_equal(backend_name(backend), "cc");
    assert_float_equal(predicted(3), 6, 0);
    backend_close(backend);
    assert_int_equal(files_in(folder), 2);
    backend = load_auto(&r); /* now from the cache */
    assert_string_equal(backend_name(backend), "cc");
    backend_close(backend);
    assert_int_equal(diag->text.length, 0);
}

static void a_short_run_leaves_nothing(void **state)
{
    LoadRequest r = request();
    (void)state;
    for (int i = 0; i < 2; i++) {
        Backend *backend = load_auto(&r);
        usleep(i ? 70000 : 0);
        backend_poll(backend);
        backend_close(backend);
        assert_int_equal(files_in(folder), 0);
    }
}

static void without_a_compiler_tcc_stays(void **state)
{
    LoadRequest r = request();
    (void)state;
    setenv("CC", "no-such-compiler", 1);
    Backend *backend = load_auto(&r);
    assert_string_equal(backend_name(backend), "tcc");
    backend_poll(backend);
    backend_close(backend);
    assert_string_equal(diag->text.text,
                        "note: no C compiler ('no-such-compiler') found; staying on tcc\n");
    assert_int_equal(diag->errors, 0);
    assert_null(load_cc(&r));
    assert_int_equal(diag->errors, 1);
    setenv("CC", "false", 1);
    assert_null(load_cc(&r));
    assert_non_null(strstr(diag->text.text, "the C compiler failed"));
    unsetenv("CC");
}

static void without_a_cache_cc_still_works(void **state)
{
    LoadRequest r = request();
    (void)state;
    setenv("NETCC_CACHE", "/proc/no/such/place", 1);
    setenv("TMPDIR", folder, 1);
    Backend *backend = load_cc(&r);
    assert_non_null(backend);
    assert_float_equal(predicted(3), 6, 0);
    backend_close(backend);
    assert_int_equal(files_in(folder), 0);
    chmod(folder, 0777); /* where others may write, no code is kept */
    setenv("NETCC_CACHE", folder, 1);
    unsetenv("TMPDIR");
    backend_close(load_cc(&r));
    assert_int_equal(files_in(folder), 0);
    chmod(folder, 0700);
}

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/netcc-driver-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    setenv("NETCC_CACHE", folder, 1);
    arena = arena_new();
    diag = diag_new(arena);
    program = (Program){.predict = &entry};
    return 0;
}

static int end(void **state)
{
    (void)state;
    empty_folder(folder);
    arena_free(arena);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tcc_runs_in_memory, begin, end),
        cmocka_unit_test_setup_teardown(tcc_checks_in_double, begin, end),
        cmocka_unit_test_setup_teardown(cc_builds_and_caches, begin, end),
        cmocka_unit_test_setup_teardown(damaged_objects_are_rebuilt, begin, end),
        cmocka_unit_test_setup_teardown(units_have_their_own_objects, begin, end),
        cmocka_unit_test_setup_teardown(auto_changes_over, begin, end),
        cmocka_unit_test_setup_teardown(a_short_run_leaves_nothing, begin, end),
        cmocka_unit_test_setup_teardown(without_a_compiler_tcc_stays, begin, end),
        cmocka_unit_test_setup_teardown(without_a_cache_cc_still_works, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
