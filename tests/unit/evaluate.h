/* Evaluates a graph without composites, in double, as slowly and plainly as can be: what tests
 * compare with. Elementwise nodes go through the records' fold rules. */
#ifndef NETCC_TEST_EVALUATE_H
#define NETCC_TEST_EVALUATE_H

#include <stdlib.h>
#include <string.h>

#include "ops/op.h"

typedef struct {
    Arena *arena;
    int64_t n;
    const double *const *inputs, *const *targets;
    double **params; /* by id */
    double learning_rate, iteration;
} Evaluation;

static inline int64_t full_dim(const Evaluation *e, Shape shape, int axis)
{
    return shape.dim[axis] == BATCH ? e->n : shape.dim[axis];
}

static inline int64_t elements(const Evaluation *e, Shape shape)
{
    int64_t product = 1;
    for (int i = 0; i < shape.rank; i++)
        product *= full_dim(e, shape, i);
    return product;
}

/* The element of `from` that stands at element `index` of `to`, from's dims of 1 repeating. */
static inline int64_t broadcast_index(const Evaluation *e, Shape to, int64_t index, Shape from)
{
    int64_t result = 0, stride = 1;
    for (int i = 1; i <= from.rank; i++) {
        int64_t dim = full_dim(e, to, to.rank - i), own = full_dim(e, from, from.rank - i);
        result += own == 1 ? 0 : index % dim * stride;
        index /= dim;
        stride *= own;
    }
    return result;
}

static inline void evaluate_primitive(const Evaluation *e, const Node *node, double **value,
                                      double *out)
{
    for (int64_t i = 0; i < elements(e, node->shape); i++) {
        double x[3] = {0};
        for (int k = 0; k < node->inputs; k++)
            x[k] = value[node->in[k]->id][broadcast_index(e, node->shape, i, node->in[k]->shape)];
        out[i] = op_of(node)->fold(x);
    }
}

static inline void evaluate_reduce(const Evaluation *e, const Node *node, const double *x,
                                   double *out)
{
    const Node *in = node->in[0];
    int64_t count = elements(e, in->shape), outputs = elements(e, node->shape);
    int64_t last = full_dim(e, in->shape, in->shape.rank - 1);
    double *best = arena_alloc(e->arena, sizeof(double) * (size_t)outputs);
    bool *seen = arena_alloc(e->arena, sizeof(bool) * (size_t)outputs);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = broadcast_index(e, in->shape, i, node->shape);
        bool larger = !seen[at] || x[i] > best[at];
        seen[at] = true;
        if (node->op == OP_reduce_sum)
            out[at] += x[i];
        else if (larger)
            out[at] = node->op == OP_argmax ? (double)(i % last) : x[i];
        if (larger)
            best[at] = x[i];
    }
}

/* Runs of pixels, summed for each channel. */
static inline void evaluate_tile_sum(const Evaluation *e, const Node *node, const double *x,
                                     double *out)
{
    Shape in = node->in[0]->shape;
    int64_t channels = in.dim[3], rows = image_rows(in);
    for (int64_t i = 0; i < elements(e, in); i++)
        out[i / channels / rows * channels + i % channels] += x[i];
}

static inline void evaluate_matmul(const Evaluation *e, const Node *node, double **value,
                                   double *out)
{
    const Node *a = node->in[0], *b = node->in[1];
    const double *x = value[a->id], *y = value[b->id];
    bool tn = node->op == OP_matmul_tn;
    int64_t width = full_dim(e, a->shape, a->shape.rank - 1);
    int64_t rows = elements(e, a->shape) / width;
    int64_t n = full_dim(e, b->shape, b->shape.rank - 1);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t k = 0; k < width; k++) {
            for (int64_t j = 0; j < n; j++) {
                if (tn)
                    out[k * n + j] += x[r * width + k] * y[r * n + j];
                else
                    out[r * n + j] += x[r * width + k] * y[k * n + j];
            }
        }
    }
}

static inline void evaluate_transpose(const Evaluation *e, const Node *node, const double *x,
                                      double *out)
{
    Shape from = node->in[0]->shape;
    int64_t swapped[MAX_RANK];
    for (int axis = 0; axis < from.rank; axis++)
        swapped[axis] = axis < from.rank - 2 ? axis : 2 * from.rank - 3 - axis;
    const int64_t *perm =
        node->op == OP_matrix_transpose ? swapped : attr(node, "perm")->list;
    for (int64_t i = 0; i < elements(e, node->shape); i++) {
        int64_t rest = i, index = 0;
        for (int axis = node->shape.rank - 1; axis >= 0; axis--) {
            int64_t dim = full_dim(e, node->shape, axis), stride = 1;
            for (int k = (int)perm[axis] + 1; k < from.rank; k++)
                stride *= full_dim(e, from, k);
            index += rest % dim * stride;
            rest /= dim;
        }
        out[i] = x[index];
    }
}

/* slice reads, concatenate writes a run of positions of one axis. */
static inline void copy_run(const Evaluation *e, Shape small, Shape large, int axis, int64_t start,
                            double *part, double *whole, bool write)
{
    int64_t inner = 1, outer = 1;
    for (int i = 0; i < small.rank; i++)
        *(i < axis ? &outer : &inner) *= full_dim(e, small, i);
    int64_t unit = inner / full_dim(e, small, axis);
    for (int64_t i = 0; i < outer; i++) {
        double *at = whole + (i * full_dim(e, large, axis) + start) * unit;
        memcpy(write ? at : part + i * inner, write ? part + i * inner : at,
               sizeof(double) * (size_t)inner);
    }
}

static inline void evaluate_join(const Evaluation *e, const Node *node, double **value, double *out)
{
    int axis = (int)attr(node, "axis")->i;
    int64_t start = node->op == OP_slice ? attr(node, "start")->i : 0;
    for (int i = 0; i < node->inputs; i++) {
        const Node *in = node->in[i];
        if (node->op == OP_slice)
            copy_run(e, node->shape, in->shape, axis, start, out, value[in->id], false);
        else
            copy_run(e, in->shape, node->shape, axis, start, value[in->id], out, true);
        start += in->shape.dim[axis];
    }
}

static inline void evaluate_leaf(const Evaluation *e, const Node *node, double *out)
{
    int64_t count = elements(e, node->shape);
    const double *from = NULL;
    if (node->op == OP_param)
        from = e->params[node_param(node)->id];
    else if (node->op == OP_input)
        from = (*attr(node, "port")->s == 'i' ? e->inputs : e->targets)[attr(node, "index")->i];
    for (int64_t i = 0; i < count; i++) {
        if (from)
            out[i] = from[i];
        else if (node->op == OP_const)
            out[i] = attr(node, "value")->f;
        else if (node->op == OP_iota)
            out[i] = (double)i;
        else if (node->op == OP_uniform)
            out[i] = (double)((i * 7919 + 13) % 97) / 97;
        else
            out[i] = *attr(node, "field")->s == 'b'   ? (double)e->n
                     : *attr(node, "field")->s == 'l' ? e->learning_rate
                                                      : e->iteration;
    }
}

static inline void evaluate_node(const Evaluation *e, const Node *node, double **value, double *out)
{
    const double *x = node->inputs ? value[node->in[0]->id] : NULL;
    if (op_of(node)->class == OP_LEAF)
        evaluate_leaf(e, node, out);
    else if (op_of(node)->class == OP_PRIMITIVE)
        evaluate_primitive(e, node, value, out);
    else if (node->op == OP_tile_sum)
        evaluate_tile_sum(e, node, x, out);
    else if (op_of(node)->reducer)
        evaluate_reduce(e, node, x, out);
    else if (node->op == OP_matmul || node->op == OP_matmul_tn)
        evaluate_matmul(e, node, value, out);
    else if (node->op == OP_transpose || node->op == OP_matrix_transpose)
        evaluate_transpose(e, node, x, out);
    else if (node->op == OP_slice || node->op == OP_concatenate)
        evaluate_join(e, node, value, out);
    else if (node->op == OP_reshape || node->op == OP_update)
        memcpy(out, x, sizeof(double) * (size_t)elements(e, node->shape));
    else
        bug("the test evaluator lacks op %s", op_of(node)->name);
}

/* The values of all nodes, by id. */
static inline double **evaluate(const Evaluation *e, const Graph *graph)
{
    double **value = arena_alloc(e->arena, sizeof(double *) * (size_t)graph->count);
    for (int i = 0; i < graph->count; i++) {
        const Node *node = graph->nodes[i];
        value[i] = arena_alloc(e->arena, sizeof(double) * (size_t)elements(e, node->shape));
        evaluate_node(e, node, value, value[i]);
    }
    return value;
}

#endif
