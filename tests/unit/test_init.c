/* First values and weight files: random numbers that depend on their place only, distributions with
 * the right moments, layouts that are undone as they were done, files that fit or are refused. */
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

#include "init.h"
#include "random.h"
#include "weights.h"

static struct nc_error err;

/* ---- random numbers ---------------------------------------------------------------------------- */

static void numbers_depend_on_their_place_only(void **state)
{
    enum { N = 1000 };
    static float whole[N], part[N];
    const struct nc_stream stream = {7, NC_USE_INIT, 3};
    (void)state;
    void (*draw[])(const struct nc_stream *, uint32_t, int64_t, int64_t,
                   float *) = {nc_random_uniform, nc_random_normal};
    for (int d = 0; d < 2; d++) {
        draw[d](&stream, 0, 0, N, whole);
        for (int first = 0; first < N; first += 7) {
            int n = 1 + (first * 31) % (N - first);
            draw[d](&stream, 0, first, n, part);
            assert_memory_equal(part, whole + first, (size_t)n * sizeof *part);
        }
        draw[d](&(struct nc_stream){7, NC_USE_INIT, 4}, 0, 0, N, part);
        assert_memory_not_equal(part, whole, sizeof part);
        draw[d](&stream, 1, 0, N, part);
        assert_memory_not_equal(part, whole, sizeof part);
    }
}

static void shuffles_are_permutations(void **state)
{
    enum { N = 1001 };
    static uint32_t order[N], again[N];
    static char seen[N];
    (void)state;
    nc_shuffle(order, N, 1, 2);
    nc_shuffle(again, N, 1, 2);
    assert_memory_equal(order, again, sizeof order);
    for (int i = 0; i < N; i++)
        seen[order[i]] = 1;
    assert_null(memchr(seen, 0, N));
    nc_shuffle(again, N, 1, 3);
    assert_memory_not_equal(order, again, sizeof order);
    nc_shuffle(order, 1, 1, 1);
    assert_int_equal(order[0], 0);
    nc_shuffle(order, 0, 1, 1);
}

/* Over many shuffles of 5, every element is at every place about equally often. */
static void shuffles_are_fair(void **state)
{
    enum { RUNS = 5000 };
    int count[5][5] = {{0}};
    uint32_t order[5];
    (void)state;
    for (uint32_t epoch = 0; epoch < RUNS; epoch++) {
        nc_shuffle(order, 5, 11, epoch);
        for (int i = 0; i < 5; i++)
            count[i][order[i]]++;
    }
    for (int i = 0; i < 25; i++)
        assert_in_range(count[i / 5][i % 5], RUNS / 5 - 150, RUNS / 5 + 150);
}

/* ---- layouts ----------------------------------------------------------------------------------- */

/* [5, 7] in panels of 4 columns: 2 panels, the last one padded by a column */
static const struct nc_parameter panels = {
    .name = "dense/kernel",
    .rank = 2,
    .shape = {5, 7},
    .elements = 35,
    .offset = 3,
    .packed_elements = 40,
    .levels = 3,
    .level = {{1, 2, 4}, {0, 5, 1}, {1, 4, 1}},
    .trainable = 1,
};

static void panels_are_packed_and_padded(void **state)
{
    float canonical[35], back[35], block[64];
    (void)state;
    for (int i = 0; i < 35; i++)
        canonical[i] = (float)i + 1;
    memset(block, 0x7f, sizeof block);
    nc_pack(&panels, sizeof(float), canonical, block);
    for (int r = 0; r < 5; r++)
        for (int c = 0; c < 8; c++) {
            float want = c < 7 ? canonical[r * 7 + c] : 0;
            assert_float_equal(block[3 + c / 4 * 20 + r * 4 + c % 4], want, 0);
        }
    nc_unpack(&panels, sizeof(float), block, back);
    assert_memory_equal(back, canonical, sizeof back);
    for (int64_t e = 0; e < 35; e++)
        assert_float_equal(block[nc_packed_index(&panels, e)], canonical[e], 0);
}

static void doubles_are_packed(void **state)
{
    float canonical[35], back[35];
    double block[64] = {0};
    (void)state;
    for (int i = 0; i < 35; i++)
        canonical[i] = (float)i + 1;
    nc_pack(&panels, sizeof(double), canonical, block);
    nc_unpack(&panels, sizeof(double), block, back);
    assert_memory_equal(back, canonical, sizeof back);
    assert_float_equal(block[nc_packed_index(&panels, 34)], 35, 0);
}

static void scalars_and_rows_lie_as_they_are(void **state)
{
    const struct nc_parameter scalar = {.rank = 0, .elements = 1, .packed_elements = 1};
    const struct nc_parameter cube = {
        .rank = 3, .shape = {2, 3, 4}, .elements = 24, .packed_elements = 24};
    float canonical[24], block[24];
    (void)state;
    for (int i = 0; i < 24; i++)
        canonical[i] = (float)i;
    nc_pack(&cube, sizeof(float), canonical, block);
    assert_memory_equal(canonical, block, sizeof block);
    nc_pack(&scalar, sizeof(float), canonical + 5, block);
    assert_float_equal(block[0], 5, 0);
    assert_int_equal(nc_packed_index(&scalar, 0), 0);
}

/* ---- first values ------------------------------------------------------------------------------ */

enum { ROWS = 96, COLUMNS = 64, CELLS = ROWS * COLUMNS };

/* One row-major matrix per kind of distribution, and a slot */
static struct nc_model model_of(struct nc_parameter *list, int count)
{
    for (int i = 0; i < count; i++) {
        list[i].rank = 2;
        list[i].shape[0] = ROWS;
        list[i].shape[1] = COLUMNS;
        list[i].elements = list[i].packed_elements = CELLS;
        list[i].offset = (int64_t)i * CELLS;
    }
    return (struct nc_model){.abi = NC_ABI,
                             .name = "m",
                             .batch = 1,
                             .real_bytes = sizeof(float),
                             .weights_bytes = (size_t)count * CELLS * sizeof(float),
                             .parameters = list,
                             .parameters_count = count};
}

static void moments(const float *x, double *mean, double *deviation, double *largest)
{
    double sum = 0, squares = 0;
    *largest = 0;
    for (int i = 0; i < CELLS; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
        *largest = fmax(*largest, fabs((double)x[i]));
    }
    *mean = sum / CELLS;
    *deviation = sqrt(squares / CELLS - *mean * *mean);
}

static void distributions_have_their_moments(void **state)
{
    struct nc_parameter list[] = {{.name = "c", .init = {NC_INIT_CONSTANT, 0.25, 0}},
                                  {.name = "u", .init = {NC_INIT_UNIFORM, -0.5, 0.5}},
                                  {.name = "n", .init = {NC_INIT_NORMAL, 1, 0.1}},
                                  {.name = "t", .init = {NC_INIT_TRUNCATED_NORMAL, 0, 1}}};
    struct nc_model model = model_of(list, 4);
    float *w = malloc(model.weights_bytes);
    double mean, deviation, largest;
    (void)state;
    assert_int_equal(nc_init_parameters(&model, w, NULL, 5, NULL, &err), 0);
    moments(w, &mean, &deviation, &largest);
    assert_float_equal(mean, 0.25, 0);
    moments(w + CELLS, &mean, &deviation, &largest);
    assert_true(fabs(mean) < 0.02 && fabs(deviation - 0.2887) < 0.01 && largest <= 0.5);
    moments(w + 2 * CELLS, &mean, &deviation, &largest);
    assert_true(fabs(mean - 1) < 0.005 && fabs(deviation - 0.1) < 0.005);
    moments(w + 3 * CELLS, &mean, &deviation, &largest);
    assert_true(fabs(mean) < 0.04 && fabs(deviation - 0.8796) < 0.02 && largest <= 2);
    free(w);
}

/* The columns of a tall matrix, the rows of a wide one */
static void orthogonal_matrices_are_orthogonal(void **state)
{
    struct nc_parameter list[] = {{.name = "tall", .init = {NC_INIT_ORTHOGONAL, 0, 2}}};
    struct nc_model model = model_of(list, 1);
    float *w = malloc(model.weights_bytes);
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        list[0].shape[0] = wide ? COLUMNS : ROWS;
        list[0].shape[1] = wide ? ROWS : COLUMNS;
        assert_int_equal(nc_init_parameters(&model, w, NULL, 5, NULL, &err), 0);
        for (int a = 0; a < COLUMNS; a++)
            for (int b = 0; b < COLUMNS; b++) {
                double sum = 0;
                for (int i = 0; i < ROWS; i++)
                    sum += wide ? (double)w[a * ROWS + i] * (double)w[b * ROWS + i]
                                : (double)w[i * COLUMNS + a] * (double)w[i * COLUMNS + b];
                assert_true(fabs(sum - (a == b ? 4 : 0)) < 1e-5);
            }
    }
    free(w);
}

/* What is given is left alone, and what is not begins as it would without. */
static void given_parameters_have_no_first_value(void **state)
{
    struct nc_parameter list[] = {{.name = "c", .init = {NC_INIT_CONSTANT, 0.25, 0}},
                                  {.name = "u", .init = {NC_INIT_UNIFORM, -0.5, 0.5}},
                                  {.name = "n", .init = {NC_INIT_NORMAL, 1, 0.1}}};
    struct nc_model model = model_of(list, 3);
    float *all = malloc(model.weights_bytes), *rest = malloc(model.weights_bytes);
    (void)state;
    assert_int_equal(nc_init_parameters(&model, all, NULL, 5, NULL, &err), 0);
    assert_int_equal(nc_init_parameters(&model, rest, NULL, 5, "\1\1\0", &err), 0);
    for (int i = 0; i < 2 * CELLS; i++)
        assert_true(rest[i] == 0);
    assert_memory_equal(rest + 2 * CELLS, all + 2 * CELLS, CELLS * sizeof *all);
    free(all);
    free(rest);
}

static void first_values_do_not_depend_on_the_layout(void **state)
{
    struct nc_parameter plain = panels, packed = panels;
    struct nc_model model = {
        .real_bytes = sizeof(float), .weights_bytes = 64 * sizeof(float), .parameters_count = 1};
    float a[64], b[64], canonical_a[35], canonical_b[35];
    (void)state;
    plain.init = packed.init = (struct nc_init){NC_INIT_UNIFORM, -1, 1};
    plain.levels = 0;
    plain.packed_elements = 35;
    model.parameters = &plain;
    assert_int_equal(nc_init_parameters(&model, a, NULL, 9, NULL, &err), 0);
    model.parameters = &packed;
    assert_int_equal(nc_init_parameters(&model, b, NULL, 9, NULL, &err), 0);
    nc_unpack(&plain, sizeof(float), a, canonical_a);
    nc_unpack(&packed, sizeof(float), b, canonical_b);
    assert_memory_equal(canonical_a, canonical_b, sizeof canonical_a);
}

/* ---- files ------------------------------------------------------------------------------------- */

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void weights_go_to_a_file_and_back(void **state)
{
    struct nc_parameter list[] = {panels,
                                  {.name = "dense/bias",
                                   .rank = 1,
                                   .shape = {7},
                                   .elements = 7,
                                   .offset = 43,
                                   .packed_elements = 7},
                                  {.name = "dense/bias/m",
                                   .role = NC_ROLE_SLOT,
                                   .rank = 1,
                                   .shape = {7},
                                   .elements = 7,
                                   .packed_elements = 7}};
    struct nc_model model = {.real_bytes = sizeof(float),
                             .weights_bytes = 64 * sizeof(float),
                             .state_bytes = 64,
                             .parameters = list,
                             .parameters_count = 3};
    const char *const metadata[] = {"model", "m"}, *path = in_folder("w.safetensors");
    float w[64], back[64] = {0}, slots[16];
    struct nc_misfit misfit;
    (void)state;
    list[0].init = list[1].init = (struct nc_init){NC_INIT_NORMAL, 0, 1};
    assert_int_equal(nc_init_parameters(&model, w, slots, 2, NULL, &err), 0);
    assert_int_equal(nc_weights_save(&model, w, path, metadata, 1, &err), 0);
    assert_int_equal(nc_weights_load(&model, back, path, &misfit, &err), 0);
    assert_memory_equal(w, back, sizeof w);

    list[0].shape[0] = 4, list[0].elements = 28;
    list[1].name = "dense/bios";
    assert_int_equal(nc_weights_load(&model, back, path, &misfit, &err), -1);
    assert_memory_equal(w, back, sizeof w);
    assert_int_equal(misfit.differing, 1);
    assert_int_equal(misfit.missing, 1);
    assert_int_equal(misfit.extra, 1);
    assert_non_null(strstr(misfit.text, "dense/kernel: the model has [4, 7], the file [5, 7]\n"));
    assert_non_null(strstr(misfit.text, "dense/bios: not in the file\n"));
    assert_non_null(strstr(misfit.text, "dense/bias: not in the model\n"));
    unlink(path);
}

static void a_long_list_of_misfits_is_cut(void **state)
{
    enum { MANY = 200 };
    static struct nc_parameter list[MANY];
    static char names[MANY][64];
    struct nc_model empty = {.real_bytes = sizeof(float)};
    struct nc_model many = {
        .real_bytes = sizeof(float), .parameters = list, .parameters_count = MANY};
    const char *path = in_folder("w.safetensors");
    struct nc_misfit misfit;
    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "a_layer_with_a_long_name_%d/kernel", i);
        list[i] = (struct nc_parameter){.name = names[i], .elements = 1, .packed_elements = 1};
    }
    float cell = 0;
    assert_int_equal(nc_weights_save(&empty, &cell, path, NULL, 0, &err), 0);
    assert_int_equal(nc_weights_load(&many, &cell, path, &misfit, &err), -1);
    assert_int_equal(misfit.missing, MANY);
    assert_true(strlen(misfit.text) < sizeof misfit.text);
    assert_string_equal(misfit.text + strlen(misfit.text) - 5, "\n...\n");
    unlink(path);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/netcc-init-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_depend_on_their_place_only),
        cmocka_unit_test(shuffles_are_permutations),
        cmocka_unit_test(shuffles_are_fair),
        cmocka_unit_test(panels_are_packed_and_padded),
        cmocka_unit_test(doubles_are_packed),
        cmocka_unit_test(scalars_and_rows_lie_as_they_are),
        cmocka_unit_test(distributions_have_their_moments),
        cmocka_unit_test(orthogonal_matrices_are_orthogonal),
        cmocka_unit_test(first_values_do_not_depend_on_the_layout),
        cmocka_unit_test(given_parameters_have_no_first_value),
        cmocka_unit_test(weights_go_to_a_file_and_back),
        cmocka_unit_test(a_long_list_of_misfits_is_cut),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
