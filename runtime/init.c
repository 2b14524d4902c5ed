/* Initial values, made in canonical order and packed afterwards, so that a layout does not change
 * what a network learns. */
#include "init.h"

#include "random.h"
#include "weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct nc_stream Stream;

static void fill_constant(float *d, int64_t n, double value)
{
    for (int64_t i = 0; i < n; i++)
        d[i] = (float)value;
}

static void fill_uniform(float *d, int64_t n, const Stream *stream, double low, double high)
{
    nc_random_uniform(stream, 0, 0, n, d);
    for (int64_t i = 0; i < n; i++)
        d[i] = (float)(low + (high - low) * (double)d[i]);
}

/* Keras's truncation: what lies beyond two deviations is drawn again. */
static float redraw(const Stream *stream, int64_t element)
{
    float z = 0;
    for (uint32_t draw = 1; draw < 1000; draw++) {
        nc_random_normal(stream, draw, element, 1, &z);
        if (fabsf(z) <= 2)
            break;
    }
    return z;
}

static void fill_normal(float *d, int64_t n, const Stream *stream, const struct nc_init *init)
{
    nc_random_normal(stream, 0, 0, n, d);
    for (int64_t i = 0; i < n; i++) {
        if (init->kind == NC_INIT_TRUNCATED_NORMAL && fabsf(d[i]) > 2)
            d[i] = redraw(stream, i);
        d[i] = (float)(init->a + init->b * (double)d[i]);
    }
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int l = 0; l < 4; l++)
            sum[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Gram and Schmidt over the rows of q, each twice, which is as exact as Householder's QR; the
 * diagonal of R comes out positive, as Keras makes it. */
static void orthonormalise(double *q, int64_t rows, int64_t length)
{
    for (int64_t j = 0; j < rows; j++) {
        double *row = q + j * length;
        for (int64_t k = 0; k < 2 * j; k++) {
            const double *other = q + k % j * length;
            double r = dot(row, other, length);
            for (int64_t i = 0; i < length; i++)
                row[i] -= r * other[i];
        }
        double norm = sqrt(dot(row, row, length));
        for (int64_t i = 0; i < length; i++)
            row[i] /= norm;
    }
}

/* The matrix [all but the last axis, last axis]: its shorter side is orthonormal. */
static int fill_orthogonal(float *d, const struct nc_parameter *p, const Stream *stream)
{
    int64_t columns = p->rank ? p->shape[p->rank - 1] : 1, rows = p->elements / columns;
    int64_t count = rows < columns ? rows : columns, length = rows < columns ? columns : rows;
    double *q = malloc((size_t)p->elements * sizeof *q + 1);
    if (!q)
        return -1;
    nc_random_normal(stream, 0, 0, p->elements, d);
    for (int64_t i = 0; i < p->elements;
         i++) /* q: the short side's vectors, of A [length, count] */
        q[i % count * length + i / count] = (double)d[i];
    orthonormalise(q, count, length);
    for (int64_t i = 0; i < p->elements; i++) {
        int64_t row = i / columns, column = i % columns;
        d[i] = (float)(p->init.b *
                       (rows < columns ? q[row * length + column] : q[column * length + row]));
    }
    free(q);
    return 0;
}

static int fill(float *d, const struct nc_parameter *p, const Stream *stream)
{
    switch (p->init.kind) {
    case NC_INIT_UNIFORM:
        fill_uniform(d, p->elements, stream, p->init.a, p->init.b);
        return 0;
    case NC_INIT_NORMAL:
    case NC_INIT_TRUNCATED_NORMAL:
        fill_normal(d, p->elements, stream, &p->init);
        return 0;
    case NC_INIT_ORTHOGONAL:
        return fill_orthogonal(d, p, stream);
    case NC_INIT_CONSTANT:
        break;
    }
    fill_constant(d, p->elements, p->init.a);
    return 0;
}

static int64_t largest(const struct nc_model *model)
{
    int64_t most = 0;
    for (int i = 0; i < model->parameters_count; i++) {
        if (model->parameters[i].elements > most)
            most = model->parameters[i].elements;
    }
    return most;
}

/* Zeros, as most optimizer slots start, are there already. */
static int is_zero(const struct nc_parameter *p)
{
    return p->init.kind == NC_INIT_CONSTANT && p->init.a == 0;
}

int nc_init_parameters(const struct nc_model *model, void *weights, void *state, uint32_t seed,
                       const char *given, struct nc_error *err)
{
    if (!weights && !state)
        return 0;
    float *values = malloc((size_t)largest(model) * sizeof *values + 1);
    int result = values ? 0 : -1;
    if (weights)
        memset(weights, 0, model->weights_bytes);
    if (state)
        memset(state, 0, model->state_bytes);
    for (int i = 0; i < model->parameters_count && result == 0; i++) {
        const struct nc_parameter *p = &model->parameters[i];
        const Stream stream = {seed, NC_USE_INIT, (uint32_t)i};
        void *block = p->role == NC_ROLE_SLOT ? state : weights;
        if (!block || is_zero(p) || (given && given[i]))
            continue;
        result = fill(values, p, &stream);
        if (result == 0)
            nc_pack(p, model->real_bytes, values, block);
    }
    free(values);
    return result == 0 ? 0 : nc_fail(err, NULL, "out of memory");
}
