#include "fit.h"

#include "weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int significant(int rank, const int64_t *shape)
{
    while (rank > 0 && shape[rank - 1] == 1)
        rank--;
    return rank;
}

static int fits(const struct nc_array *array, const struct nc_port *port)
{
    int rank = significant(array->rank - 1, array->shape + 1);
    return rank == significant(port->rank, port->shape) &&
           memcmp(array->shape + 1, port->shape, (size_t)rank * sizeof *port->shape) == 0;
}

int64_t nc_sparse_classes(const struct nc_model *model, int target)
{
    const struct nc_port *t = &model->targets[target];
    for (int i = 0; i < model->predict.outputs_count; i++) {
        const struct nc_port *o = &model->predict.outputs[i];
        int64_t classes = o->rank ? o->shape[o->rank - 1] : 1;
        if (strcmp(o->name, t->name) == 0 && classes > 1 && t->elements * classes == o->elements)
            return classes;
    }
    return 0;
}

int nc_fit_shape(const struct nc_array *array, const struct nc_port *port, const char *path,
                 struct nc_error *err)
{
    char have[NC_SHAPE_TEXT], want[NC_SHAPE_TEXT];
    if (fits(array, port))
        return 0;
    nc_shape_text(array->rank - 1, array->shape + 1, have);
    nc_shape_text(port->rank, port->shape, want);
    return nc_fail(err, path, "a sample has shape %s, but '%s' has %s", have, port->name, want);
}

/* Calls `visit` with the values of one row after another; its first fault ends it. */
typedef int visit_row(void *context, int64_t row, const float *values);

static int each_row(const struct nc_array *array, visit_row *visit, void *context)
{
    float *values = malloc((size_t)array->row_elements * sizeof *values + 1);
    int result = values ? 0 : -1;
    for (int64_t i = 0; i < array->shape[0] && result == 0; i++) {
        uint32_t index = (uint32_t)i;
        nc_array_gather(array, &index, 1, values, sizeof *values);
        result = visit(context, i, values);
    }
    free(values);
    return result;
}

struct labels {
    const struct nc_array *array;
    int64_t classes;
    unsigned char *rows; /* one-hot, or NULL */
    const char *path;
    struct nc_error *err;
};

static int check_row(void *context, int64_t row, const float *values)
{
    const struct labels *l = context;
    for (int64_t k = 0; k < l->array->row_elements; k++) {
        double label = (double)values[k];
        if (!(label >= 0 && label < (double)l->classes && label == floor(label)))
            return nc_fail(l->err, l->path,
                           "sample %lld has label %g; whole numbers from 0 to %lld are needed",
                           (long long)row, label, (long long)l->classes - 1);
    }
    return 0;
}

static int expand_row(void *context, int64_t row, const float *values)
{
    const struct labels *l = context;
    int64_t labels = l->array->row_elements;
    if (check_row(context, row, values) != 0)
        return -1;
    for (int64_t k = 0; k < labels; k++)
        l->rows[(row * labels + k) * l->classes + (int64_t)values[k]] = 1;
    return 0;
}

int nc_fit_labels(const struct nc_array *array, int64_t classes, const char *path,
                  struct nc_error *err)
{
    struct labels labels = {array, classes, NULL, path, err};
    nc_fail(err, path, "out of memory");
    return each_row(array, check_row, &labels);
}

int nc_fit_one_hot(struct nc_array *array, const struct nc_port *port, const char *path,
                   struct nc_error *err)
{
    struct nc_port label = *port;
    label.rank--;
    if (!port->rank || fits(array, port) || !fits(array, &label))
        return 0;
    struct labels labels = {array, port->shape[port->rank - 1], NULL, path, err};
    nc_fail(err, path, "out of memory");
    labels.rows = calloc((size_t)array->shape[0] * (size_t)port->elements + 1, 1);
    if (!labels.rows || each_row(array, expand_row, &labels) != 0) {
        free(labels.rows);
        return -1;
    }
    struct nc_array expanded = {.dtype = NC_U8,
                                .rank = port->rank + 1,
                                .shape = {array->shape[0]},
                                .row_elements = port->elements,
                                .data = labels.rows,
                                .block = labels.rows};
    memcpy(expanded.shape + 1, port->shape, sizeof(int64_t) * (size_t)port->rank);
    nc_array_close(array);
    *array = expanded;
    return 0;
}
