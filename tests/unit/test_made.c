/* Arrays whose rows are made: any number of threads reads the same, the first fault is told, and rows
 * can be picked from rows that were picked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/array.h"
#include "pool.h"

enum { ROWS = 40, WIDTH = 3 };

struct counter {
    struct nc_maker maker;
    int64_t bad; /* rows from here on cannot be made */
    int closed;
};

static const unsigned char *count_row(struct nc_maker *maker, int64_t row, unsigned char *scratch,
                                      struct nc_error *err)
{
    const struct counter *c = (struct counter *)maker;
    if (row >= c->bad) {
        nc_fail(err, "row", "%lld cannot be made", (long long)row);
        return NULL;
    }
    for (int i = 0; i < WIDTH; i++)
        scratch[i] = (unsigned char)(row * WIDTH + i);
    return scratch;
}

static void close_counter(struct nc_maker *maker)
{
    ((struct counter *)maker)->closed++;
}

static struct nc_array array_of(struct counter *c, int64_t bad)
{
    *c = (struct counter){{count_row, close_counter}, bad, 0};
    return (struct nc_array){.dtype = NC_U8,
                             .rank = 2,
                             .shape = {ROWS, WIDTH},
                             .row_elements = WIDTH,
                             .maker = &c->maker};
}

static void threads_read_the_same(void **state)
{
    struct counter c;
    struct nc_array a = array_of(&c, ROWS);
    struct nc_error err;
    uint32_t index[ROWS];
    float one[ROWS * WIDTH];
    double many[ROWS * WIDTH];
    struct nc_pool *pool = nc_pool_new(3);
    (void)state;
    for (int i = 0; i < ROWS; i++)
        index[i] = (uint32_t)(ROWS - 1 - i);
    assert_int_equal(nc_array_read(&a, index, ROWS, one, sizeof *one, NULL, &err), 0);
    assert_int_equal(nc_array_read(&a, index, ROWS, many, sizeof *many, nc_pool_env(pool), &err),
                     0);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        assert_float_equal(one[i], (float)(index[i / WIDTH] * WIDTH + (uint32_t)i % WIDTH), 0);
        assert_float_equal(many[i], (double)one[i], 0);
    }
    nc_pool_free(pool);
    nc_array_close(&a);
    assert_int_equal(c.closed, 1);
}

static void the_first_fault_is_told(void **state)
{
    struct counter c;
    struct nc_array a = array_of(&c, 7);
    struct nc_error err;
    uint32_t index[ROWS];
    float out[ROWS * WIDTH];
    struct nc_pool *pool = nc_pool_new(4);
    (void)state;
    for (int i = 0; i < ROWS; i++)
        index[i] = (uint32_t)i;
    for (int run = 0; run < 20; run++) {
        assert_int_equal(nc_array_read(&a, index, ROWS, out, sizeof *out, nc_pool_env(pool), &err),
                         -1);
        assert_string_equal(err.message, "7 cannot be made");
    }
    nc_pool_free(pool);
    nc_array_close(&a);
}

static void rows_are_picked(void **state)
{
    struct counter c;
    struct nc_array a = array_of(&c, ROWS);
    struct nc_error err;
    float out[2 * WIDTH];
    (void)state;
    assert_int_equal(nc_array_pick(&a, (uint32_t[]){5, 9, 30}, 3, &err), 0);
    assert_int_equal(nc_array_pick(&a, (uint32_t[]){2, 0}, 2, &err), 0);
    assert_int_equal(a.shape[0], 2);
    assert_int_equal(nc_array_read(&a, (uint32_t[]){0, 1}, 2, out, sizeof *out, NULL, &err), 0);
    assert_float_equal(out[0], 90, 0);
    assert_float_equal(out[WIDTH], 15, 0);
    nc_array_close(&a);
    assert_int_equal(c.closed, 1);
}

static void rows_in_memory_are_picked(void **state)
{
    unsigned char bytes[] = {1, 2, 3, 4, 5, 6};
    struct nc_array a = {
        .dtype = NC_U8, .rank = 2, .shape = {3, 2}, .row_elements = 2, .data = bytes};
    struct nc_error err;
    float out[4];
    (void)state;
    assert_int_equal(nc_array_pick(&a, (uint32_t[]){2, 0}, 2, &err), 0);
    assert_int_equal(nc_array_read(&a, (uint32_t[]){0, 1}, 2, out, sizeof *out, NULL, &err), 0);
    assert_memory_equal(out, ((float[]){5, 6, 1, 2}), sizeof out);
    nc_array_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_read_the_same),
        cmocka_unit_test(the_first_fault_is_told),
        cmocka_unit_test(rows_are_picked),
        cmocka_unit_test(rows_in_memory_are_picked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
