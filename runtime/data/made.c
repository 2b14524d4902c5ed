/* Arrays whose rows are made when they are asked for: read by many threads at once, and cut down to
 * some of their rows. */
#include "data/spool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ----------------------------------------------------------------------------------- */

struct making {
    const struct nc_array *array;
    const uint32_t *index;
    unsigned char *out;
    size_t real_bytes;
    pthread_mutex_t *lock; /* of what follows */
    long *failed;          /* the first position whose row could not be made */
    struct nc_error *err;
};

/* Which row's fault is told must not depend on which thread comes first. */
static void note_failure(const struct making *m, long at, const struct nc_error *err)
{
    pthread_mutex_lock(m->lock);
    if (at < *m->failed) {
        *m->failed = at;
        *m->err = *err;
    }
    pthread_mutex_unlock(m->lock);
}

static void make_rows(const void *job, long lo, long hi)
{
    const struct making *m = job;
    struct nc_maker *maker = m->array->maker;
    struct nc_array one = *m->array;
    size_t out_bytes = (size_t)one.row_elements * m->real_bytes;
    unsigned char *scratch = malloc((size_t)one.row_elements + 1);
    for (long i = lo; i < hi; i++) {
        struct nc_error err;
        one.data = NULL;
        if (scratch)
            one.data = maker->row(maker, m->index[i], scratch, &err);
        else
            nc_fail(&err, NULL, "out of memory");
        if (one.data)
            nc_array_gather(&one, &(uint32_t){0}, 1, m->out + (size_t)i * out_bytes, m->real_bytes);
        else
            note_failure(m, i, &err);
    }
    free(scratch);
}

int nc_array_read(const struct nc_array *array, const uint32_t *index, long n, void *out,
                  size_t real_bytes, const struct nc_env *env, struct nc_error *err)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    long failed = n;
    struct making m = {array, index, out, real_bytes, &lock, &failed, err};
    if (!array->maker)
        nc_array_gather(array, index, n, out, real_bytes);
    else if (env)
        env->parallel(env->context, make_rows, &m, n);
    else
        make_rows(&m, 0, n);
    return failed < n ? -1 : 0;
}

/* ---- some of the rows -------------------------------------------------------------------------- */

struct picked {
    struct nc_maker maker;
    struct nc_maker *of;
    uint32_t rows[];
};

static const unsigned char *picked_row(struct nc_maker *maker, int64_t row, unsigned char *scratch,
                                       struct nc_error *err)
{
    const struct picked *p = (struct picked *)maker;
    return p->of->row(p->of, p->rows[row], scratch, err);
}

static void picked_close(struct nc_maker *maker)
{
    struct picked *p = (struct picked *)maker;
    p->of->close(p->of);
    free(p);
}

static int pick_made(struct nc_array *array, const uint32_t *rows, int64_t count)
{
    struct picked *p = malloc(sizeof *p + (size_t)count * sizeof *rows);
    if (!p)
        return -1;
    p->maker = (struct nc_maker){picked_row, picked_close};
    p->of = array->maker;
    memcpy(p->rows, rows, (size_t)count * sizeof *rows);
    array->maker = &p->maker;
    array->shape[0] = count;
    return 0;
}

static int pick_held(const struct nc_array *array, const uint32_t *rows, int64_t count,
                     struct nc_array *out, struct nc_error *err)
{
    size_t row_bytes = (size_t)array->row_elements * nc_dtype_size(array->dtype);
    struct nc_spool spool;
    int result = 0;
    nc_spool_open(&spool, NULL);
    for (int64_t i = 0; i < count && result == 0; i++)
        result = nc_spool_add(&spool, array->data + (size_t)rows[i] * row_bytes, row_bytes, err);
    if (result == 0)
        result = nc_spool_end(&spool, out, err);
    nc_spool_drop(&spool);
    return result;
}

int nc_array_pick(struct nc_array *array, const uint32_t *rows, int64_t count, struct nc_error *err)
{
    if (array->maker)
        return pick_made(array, rows, count) == 0 ? 0 : nc_fail(err, NULL, "out of memory");
    struct nc_array copy = *array;
    copy.shape[0] = count;
    copy.map = copy.block = NULL;
    if (pick_held(array, rows, count, &copy, err) != 0)
        return -1;
    nc_array_close(array);
    *array = copy;
    return 0;
}
