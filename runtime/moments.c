#include "moments.h"

#include "weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One input's rows, and what is measured of them. */
struct measure {
    const struct nc_array *array;
    const struct nc_table *table; /* NULL: no columns */
    int64_t width, features;
    float *row, *fill;     /* [width]; fill NULL: nothing is filled in */
    double *sum, *squares; /* [width], [features] */
    double *count;         /* [width] of sum */
    struct nc_error *err;
};

static int read_row(const struct measure *m, int64_t row)
{
    uint32_t index = (uint32_t)row;
    if (nc_array_read(m->array, &index, 1, m->row, sizeof *m->row, NULL, m->err) != 0)
        return -1;
    for (int64_t k = 0; m->fill && k < m->width; k++)
        m->row[k] = isnan(m->row[k]) ? m->fill[k] : m->row[k];
    return 0;
}

/* sum[k] and count[k] of the values of place k; missing ones count where they are filled in. */
static int add_up(const struct measure *m)
{
    memset(m->sum, 0, (size_t)m->width * sizeof *m->sum);
    memset(m->count, 0, (size_t)m->width * sizeof *m->count);
    for (int64_t i = 0; i < m->array->shape[0]; i++) {
        if (read_row(m, i) != 0)
            return -1;
        for (int64_t k = 0; k < m->width; k++) {
            double value = (double)m->row[k];
            if (m->table && isnan(value))
                continue;
            m->sum[k] += value;
            m->count[k]++;
        }
    }
    return 0;
}

static int is_category(const struct measure *m, int64_t k)
{
    return m->table && k < m->table->features_count && m->table->features[k].category;
}

/* A missing category is none of them: no position equals -1. */
static int find_fill(struct measure *m, float *fill)
{
    if (add_up(m) != 0)
        return -1;
    for (int64_t k = 0; k < m->width; k++)
        fill[k] = is_category(m, k) ? -1 : m->count[k] > 0 ? (float)(m->sum[k] / m->count[k]) : 0;
    m->fill = fill;
    return 0;
}

/* A feature that never changes keeps its scale, so that it becomes 0; so do categories. */
static int find_moments(const struct measure *m, float *mean, float *variance)
{
    double rows = (double)(m->array->shape[0] * (m->width / m->features));
    if (add_up(m) != 0)
        return -1;
    for (int64_t k = m->features; k < m->width; k++)
        m->sum[k % m->features] += m->sum[k];
    for (int64_t k = 0; k < m->features; k++)
        m->sum[k] /= rows;
    for (int64_t i = 0; i < m->array->shape[0]; i++) {
        if (read_row(m, i) != 0)
            return -1;
        for (int64_t k = 0; k < m->width; k++) {
            double apart = (double)m->row[k] - m->sum[k % m->features];
            m->squares[k % m->features] += apart * apart;
        }
    }
    for (int64_t k = 0; k < m->features; k++) {
        int spared = m->features == m->width && is_category(m, k);
        mean[k] = spared ? 0 : (float)m->sum[k];
        variance[k] = spared || !(m->squares[k] > 0) ? 1 : (float)(m->squares[k] / rows);
    }
    return 0;
}

static const struct nc_parameter *find_parameter(const struct nc_model *model, const char *input,
                                                 const char *suffix)
{
    char name[256];
    snprintf(name, sizeof name, "%s/%s", input, suffix);
    return nc_find_parameter(model, name);
}

static int measure_input(struct measure *m, const struct nc_model *model, int input, void *weights)
{
    const char *name = model->inputs[input].name;
    const struct nc_parameter *fill = find_parameter(model, name, "fill"),
                              *mean = find_parameter(model, name, "mean"),
                              *variance = find_parameter(model, name, "variance");
    float *values = calloc(3 * (size_t)m->width + 1, sizeof *values);
    float *means = values + m->width, *variances = means + m->features;
    int result = values ? 0 : nc_fail(m->err, NULL, "out of memory");
    if (result == 0 && fill)
        result = find_fill(m, values);
    if (result == 0 && mean && variance)
        result = find_moments(m, means, variances);
    if (result == 0 && fill)
        nc_pack(fill, model->real_bytes, values, weights);
    if (result == 0 && mean && variance) {
        nc_pack(mean, model->real_bytes, means, weights);
        nc_pack(variance, model->real_bytes, variances, weights);
    }
    free(values);
    return result;
}

int nc_moments_set(const struct nc_model *model, const struct nc_samples *samples,
                   const struct nc_table *table, void *weights, struct nc_error *err)
{
    int result = 0;
    for (int i = 0; i < model->inputs_count && result == 0; i++) {
        const struct nc_port *port = &model->inputs[i];
        struct measure m = {.array = &samples->inputs[i], .table = table, .err = err};
        m.width = port->elements;
        m.features = port->rank ? port->shape[port->rank - 1] : 1;
        m.row = malloc((size_t)m.width * sizeof *m.row + 1);
        m.sum = calloc(3 * (size_t)m.width + 1, sizeof *m.sum);
        if (m.row && m.sum) {
            m.count = m.sum + m.width;
            m.squares = m.count + m.width;
            result = measure_input(&m, model, i, weights);
        } else {
            result = nc_fail(err, NULL, "out of memory");
        }
        free(m.row);
        free(m.sum);
    }
    return result;
}
