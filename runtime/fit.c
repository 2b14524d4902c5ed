#include "fit.h"

#include "data/spool.h"
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

int nc_fit_shape(const struct nc_array *array, const struct nc_fit *fit, struct nc_error *err)
{
    char have[NC_SHAPE_TEXT], want[NC_SHAPE_TEXT];
    if (fits(array, fit->port))
        return 0;
    nc_shape_text(array->rank - 1, array->shape + 1, have);
    nc_shape_text(fit->port->rank, fit->port->shape, want);
    return nc_fail(err, fit->path, "a sample has shape %s, but %s '%s' has %s", have, fit->role,
                   fit->port->name, want);
}

/* ---- labels ----------------------------------------------------------------------------------- */

struct labels {
    const struct nc_array *array;
    const struct nc_fit *fit;
    int64_t classes;
    struct nc_spool *one_hot; /* to be filled, or NULL */
    unsigned char *row;       /* of it */
    struct nc_error *err;
};

static int check_row(const struct labels *l, int64_t row, const float *values)
{
    for (int64_t k = 0; k < l->array->row_elements; k++) {
        double label = (double)values[k];
        if (!(label >= 0 && label < (double)l->classes && label == floor(label)))
            return nc_fail(l->err, l->fit->path,
                           "sample %lld has label %g; '%s' takes whole numbers from 0 to %lld",
                           (long long)row, label, l->fit->port->name, (long long)l->classes - 1);
    }
    return 0;
}

static int expand_row(const struct labels *l, const float *values)
{
    size_t bytes = (size_t)l->fit->port->elements;
    memset(l->row, 0, bytes);
    for (int64_t k = 0; k < l->array->row_elements; k++)
        l->row[k * l->classes + (int64_t)values[k]] = 1;
    return nc_spool_add(l->one_hot, l->row, bytes, l->err);
}

static int each_row(const struct labels *l)
{
    enum { ROWS = 256, VALUES = 1 << 16 };
    int64_t width = l->array->row_elements, count = l->array->shape[0];
    int64_t most = width < VALUES / ROWS ? ROWS : 1;
    float *values = malloc((size_t)(most * width) * sizeof *values + 1);
    int result = values ? 0 : nc_fail(l->err, l->fit->path, "out of memory");
    for (int64_t first = 0; first < count && result == 0; first += most) {
        uint32_t index[ROWS];
        long n = (long)(count - first < most ? count - first : most);
        for (long i = 0; i < n; i++)
            index[i] = (uint32_t)(first + i);
        result = nc_array_read(l->array, index, n, values, sizeof *values, NULL, l->err);
        for (long i = 0; i < n && result == 0; i++) {
            result = check_row(l, first + i, values + i * width);
            if (result == 0 && l->one_hot)
                result = expand_row(l, values + i * width);
        }
    }
    free(values);
    return result;
}

/* Does the array hold one label where the port holds a row of classes? */
static int holds_labels(const struct nc_array *array, const struct nc_port *port)
{
    struct nc_port label = *port;
    label.rank--;
    return port->rank && !fits(array, port) && fits(array, &label);
}

static int make_one_hot(struct nc_array *array, const struct nc_fit *fit, struct nc_error *err)
{
    const struct nc_port *port = fit->port;
    struct nc_spool spool;
    struct nc_array expanded = {.dtype = NC_U8,
                                .rank = port->rank + 1,
                                .shape = {array->shape[0]},
                                .row_elements = port->elements};
    struct labels labels = {array, fit, port->shape[port->rank - 1], &spool, NULL, err};
    memcpy(expanded.shape + 1, port->shape, sizeof(int64_t) * (size_t)port->rank);
    nc_spool_open(&spool, fit->path);
    labels.row = malloc((size_t)port->elements + 1);
    int result = labels.row ? each_row(&labels) : nc_fail(err, fit->path, "out of memory");
    free(labels.row);
    if (result == 0)
        result = nc_spool_end(&spool, &expanded, err);
    nc_spool_drop(&spool);
    if (result != 0)
        return -1;
    nc_array_close(array);
    *array = expanded;
    return 0;
}

int nc_fit_target(struct nc_array *array, const struct nc_fit *fit, const struct nc_model *model,
                  int k, int one_hot, struct nc_error *err)
{
    int64_t classes = nc_sparse_classes(model, k);
    const struct labels labels = {array, fit, classes, NULL, NULL, err};
    if (one_hot && holds_labels(array, fit->port))
        return make_one_hot(array, fit, err);
    if (nc_fit_shape(array, fit, err) != 0)
        return -1;
    return classes ? each_row(&labels) : 0;
}
