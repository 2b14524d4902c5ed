/* The pool: every unit done exactly once, whatever the number of threads, units and callers. */
#include "pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define MOST 1000
enum { PARTS_EACH = 4 }; /* calls that a job may make of each thread */

/* Plain ints: two threads on one unit would be a data race for ThreadSanitizer to see. */
struct count {
    int done[MOST];
    atomic_int calls;
    const struct nc_env *env; /* for nested work */
};

static void count_units(const void *job, long lo, long hi)
{
    struct count *c = *(struct count *const *)job;
    atomic_fetch_add(&c->calls, 1);
    for (long i = lo; i < hi; i++)
        c->done[i]++;
}

static void check_counts(const struct count *c, long units, int want)
{
    for (long i = 0; i < MOST; i++)
        assert_int_equal(c->done[i], i < units ? want : 0);
}

static void test_every_unit_once(void **unused)
{
    static const long sizes[] = {0, 1, 2, 3, 7, 8, 9, 64, MOST};
    (void)unused;
    for (int threads = 2; threads <= 8; threads++) {
        struct nc_pool *pool = nc_pool_new(threads);
        const struct nc_env *env = nc_pool_env(pool);
        assert_int_equal(nc_pool_threads(pool), threads);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            struct count c, *job = &c;
            memset(&c, 0, sizeof c);
            for (int i = 0; i < 50; i++)
                env->parallel(env->context, count_units, &job, sizes[s]);
            check_counts(&c, sizes[s], 50);
            assert_true(atomic_load(&c.calls) <= 50 * threads * PARTS_EACH);
        }
        nc_pool_free(pool);
    }
}

/* What one job wrote, the next one reads on other threads. */
struct chain {
    long from[MOST], to[MOST];
};

static void shift(const void *job, long lo, long hi)
{
    struct chain *c = *(struct chain *const *)job;
    for (long i = lo; i < hi; i++)
        c->to[i] = c->from[MOST - 1 - i] + 1;
}

static void shift_back(const void *job, long lo, long hi)
{
    struct chain *c = *(struct chain *const *)job;
    for (long i = lo; i < hi; i++)
        c->from[i] = c->to[MOST - 1 - i] + 1;
}

static void test_jobs_in_a_row(void **unused)
{
    (void)unused;
    struct nc_pool *pool = nc_pool_new(2);
    const struct nc_env *env = nc_pool_env(pool);
    struct chain *c = calloc(1, sizeof *c);
    for (int i = 0; i < 2000; i++) {
        if (i % 500 == 0)
            usleep(1000); /* helpers fall asleep */
        env->parallel(env->context, shift, &c, MOST);
        env->parallel(env->context, shift_back, &c, MOST);
    }
    for (long i = 0; i < MOST; i++)
        assert_int_equal(c->from[i], 4000);
    free(c);
    nc_pool_free(pool);
}

static void nest(const void *job, long lo, long hi)
{
    struct count *c = *(struct count *const *)job;
    for (long i = lo; i < hi; i++) {
        struct count *inner = &c[1 + i];
        c->env->parallel(c->env->context, count_units, &inner, 5);
    }
}

static void test_nested(void **unused)
{
    enum { OUTER = 20 };
    (void)unused;
    struct nc_pool *pool = nc_pool_new(4);
    struct count *c = calloc(1 + OUTER, sizeof *c);
    c->env = nc_pool_env(pool);
    c->env->parallel(c->env->context, nest, &c, OUTER);
    for (int i = 0; i < OUTER; i++)
        check_counts(&c[1 + i], 5, 1);
    free(c);
    nc_pool_free(pool);
}

static void *caller(void *argument)
{
    const struct nc_env *env = argument;
    struct count *c = calloc(1, sizeof *c);
    for (int i = 0; i < 300; i++)
        env->parallel(env->context, count_units, &c, 100);
    return c;
}

static void test_several_callers(void **unused)
{
    (void)unused;
    struct nc_pool *pool = nc_pool_new(3);
    const struct nc_env *env = nc_pool_env(pool);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, caller, (void *)(uintptr_t)env), 0);
    for (int i = 0; i < 3; i++) {
        void *counted;
        pthread_join(threads[i], &counted);
        check_counts(counted, 100, 300);
        free(counted);
    }
    nc_pool_free(pool);
}

/* Whoever gets the first unit is held up until all other parts are done. */
struct held {
    atomic_long done;
    long others;
};

static void hold_first(const void *job, long lo, long hi)
{
    struct held *h = *(struct held *const *)job;
    while (lo == 0 && atomic_load(&h->done) < h->others)
        usleep(100);
    atomic_fetch_add(&h->done, hi - lo);
}

/* A thread that is held up keeps the part that it has begun, no more: the others do the rest. */
static void test_nobody_waits_for_parts_not_begun(void **unused)
{
    (void)unused;
    for (int threads = 2; threads <= 5; threads++) {
        struct nc_pool *pool = nc_pool_new(threads);
        const struct nc_env *env = nc_pool_env(pool);
        struct held h = {.others = MOST - MOST / threads / PARTS_EACH}, *job = &h;
        alarm(20);
        env->parallel(env->context, hold_first, &job, MOST);
        alarm(0);
        assert_int_equal(atomic_load(&h.done), MOST);
        nc_pool_free(pool);
    }
}

static void test_one_thread(void **unused)
{
    (void)unused;
    struct nc_pool *pool = nc_pool_new(1);
    assert_non_null(pool);
    assert_null(nc_pool_env(pool));
    assert_int_equal(nc_pool_threads(pool), 1);
    nc_pool_free(pool);
    assert_null(nc_pool_env(NULL));
    nc_pool_free(NULL);
    pool = nc_pool_new(0);
    assert_true(nc_pool_threads(pool) >= 1);
    nc_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_unit_once),
        cmocka_unit_test(test_jobs_in_a_row),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_several_callers),
        cmocka_unit_test(test_nobody_waits_for_parts_not_begun),
        cmocka_unit_test(test_one_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
