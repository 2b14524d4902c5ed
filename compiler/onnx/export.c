/* The predict graph as ONNX, operator set 13: a node of ours is one of theirs, or two.
 *
 * What depends on weights alone is computed here. ONNX's convolutions want channels first, so a
 * tensor of rank 4 may exist in both orders; element-wise work stays in the order it finds, and
 * transposes stand where an order is lacking. */
#include "onnx/export.h"

#include <math.h>
#include <string.h>

#include "onnx_file.h"
#include "ops/op.h"
#include "passes.h"

enum { PLAIN, FIRST, ORDERS }; /* as ours, channels first */
enum { ATTRIBUTE_FLOAT = 1, ATTRIBUTE_INT = 2, ATTRIBUTE_INTS = 7 };

/* What a node of ours has become. */
typedef struct {
    float *values;            /* constant: row-major, the batch counting as 1 */
    const char *name[ORDERS]; /* NULL: not there yet */
    const char *truth;        /* a comparison before it became a number */
    int window;               /* position of the convolution that made it, else -1 */
    int uses;
} Item;

typedef struct {
    Arena *arena;
    Diag *diag;
    const Graph *graph;
    const struct nc_named *weights;
    int weights_count;
    Item *items; /* by node id */
    struct nc_onnx_node *nodes;
    int nodes_count;
    struct nc_onnx_tensor *tensors;
    int tensors_count;
    const Node *node; /* at hand */
    int serial;
} Export;

/* ---- ONNX nodes and tensors -------------------------------------------------------------------- */

static const char *fresh_name(Export *e, const char *what)
{
    const char *layer = e->node && e->node->name ? e->node->name : "model";
    return arena_printf(e->arena, "%s/%s_%d", layer, what, e->serial++);
}

static char *loose(Export *e, const char *text)
{
    return arena_strdup(e->arena, text);
}

/* Appends a node of one output and returns the output's name. */
static const char *add_node(Export *e, const char *op, const char *const *inputs, int count)
{
    const char *name = fresh_name(e, op);
    char **in = ARENA_ARRAY(e->arena, char *, count + 1), **out = ARENA_NEW(e->arena, char *);
    for (int i = 0; i < count; i++)
        in[i] = loose(e, inputs[i]);
    *out = loose(e, name);
    struct nc_onnx_node node = {.name = name,
                                .op = op,
                                .domain = "",
                                .inputs = in,
                                .inputs_count = (size_t)count,
                                .outputs = out,
                                .outputs_count = 1};
    ARENA_PUSH(e->arena, e->nodes, e->nodes_count, node);
    return name;
}

static const char *add1(Export *e, const char *op, const char *a)
{
    return add_node(e, op, &a, 1);
}

static const char *add2(Export *e, const char *op, const char *a, const char *b)
{
    return add_node(e, op, (const char *[]){a, b}, 2);
}

/* An attribute of the node that came last. */
static void attach(Export *e, struct nc_onnx_attribute attribute)
{
    struct nc_onnx_node *node = &e->nodes[e->nodes_count - 1];
    int count = (int)node->attributes_count;
    struct nc_onnx_attribute *list = ARENA_ARRAY(e->arena, struct nc_onnx_attribute, count + 1);
    for (int i = 0; i < count; i++)
        list[i] = node->attributes[i];
    list[count] = attribute;
    node->attributes = list;
    node->attributes_count++;
}

static void attach_int(Export *e, const char *key, int64_t value)
{
    attach(e, (struct nc_onnx_attribute){.name = key, .type = ATTRIBUTE_INT, .i = value});
}

static void attach_float(Export *e, const char *key, double value)
{
    attach(e, (struct nc_onnx_attribute){.name = key, .type = ATTRIBUTE_FLOAT, .f = (float)value});
}

static void attach_ints(Export *e, const char *key, const int64_t *values, int count)
{
    int64_t *list = ARENA_ARRAY(e->arena, int64_t, count + 1);
    memcpy(list, values, sizeof *list * (size_t)count);
    attach(e, (struct nc_onnx_attribute){
                  .name = key, .type = ATTRIBUTE_INTS, .ints = list, .ints_count = (size_t)count});
}

static const char *add_tensor(Export *e, const char *name, int type, int rank, const int64_t *dims,
                              const void *data, size_t bytes)
{
    int64_t *shape = ARENA_ARRAY(e->arena, int64_t, rank + 1);
    for (int i = 0; i < rank; i++)
        shape[i] = dims[i];
    struct nc_onnx_tensor tensor = {.name = name,
                                    .type = type,
                                    .rank = (size_t)rank,
                                    .dims = shape,
                                    .raw = data,
                                    .raw_bytes = bytes};
    ARENA_PUSH(e->arena, e->tensors, e->tensors_count, tensor);
    return name;
}

static const char *ints_tensor(Export *e, const int64_t *values, int64_t count)
{
    int64_t *data = ARENA_ARRAY(e->arena, int64_t, count + 1);
    memcpy(data, values, sizeof *data * (size_t)count);
    return add_tensor(e, fresh_name(e, "ints"), NC_ONNX_INT64, 1, &count, data,
                      sizeof *data * (size_t)count);
}

static const char *floats_tensor(Export *e, const float *values, int rank, const int64_t *dims,
                                 const char *name)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    return add_tensor(e, name ? name : fresh_name(e, "constant"), NC_ONNX_FLOAT, rank, dims, values,
                      sizeof *values * (size_t)count);
}

static const char *number(Export *e, double value)
{
    float *one = ARENA_NEW(e->arena, float);
    *one = (float)value;
    return floats_tensor(e, one, 0, NULL, NULL);
}

static bool refuse(Export *e, const char *why)
{
    return diag_error(e->diag, e->node->loc, "layer '%s': %s%s has no ONNX form in this build",
                      e->node->name ? e->node->name : "", op_of(e->node)->name, why);
}

/* ---- constants --------------------------------------------------------------------------------- */

static Item *item_of(Export *e, const Node *node)
{
    return &e->items[node->id];
}

static void fixed_dims(Shape shape, int64_t *dims)
{
    for (int i = 0; i < shape.rank; i++)
        dims[i] = shape.dim[i] == BATCH ? 1 : shape.dim[i];
}

/* The cell of `from` that element `at` of `to` reads, by broadcasting. */
static int64_t cell_of(Shape to, int64_t at, Shape from)
{
    int64_t offset = 0, step = 1;
    for (int i = 1; i <= from.rank; i++) {
        int64_t dim = to.dim[to.rank - i], own = from.dim[from.rank - i];
        dim = dim == BATCH ? 1 : dim;
        own = own == BATCH ? 1 : own;
        offset += own == 1 ? 0 : at % dim * step;
        at /= dim;
        step *= own;
    }
    return offset;
}

static void compute_cells(Export *e, const Node *node, float *out)
{
    const Op *op = op_of(node);
    for (int64_t i = 0; i < shape_row(node->shape); i++) {
        double x[3] = {0};
        for (int k = 0; k < node->inputs && k < 3; k++)
            x[k] = (double)item_of(e, node->in[k])
                       ->values[cell_of(node->shape, i, node->in[k]->shape)];
        out[i] = (float)op->fold(x);
    }
}

static void slice_cells(Export *e, const Node *node, float *out)
{
    const float *from = item_of(e, node->in[0])->values;
    int axis = (int)attr(node, "axis")->i;
    int64_t inner = 1, start = attr(node, "start")->i, dim = node->in[0]->shape.dim[axis];
    for (int i = axis + 1; i < node->shape.rank; i++)
        inner *= node->shape.dim[i];
    int64_t run = inner * node->shape.dim[axis], rows = shape_row(node->shape) / run;
    for (int64_t r = 0; r < rows; r++)
        memcpy(out + r * run, from + (r * dim + start) * inner, sizeof *out * (size_t)run);
}

static bool inputs_constant(Export *e, const Node *node)
{
    for (int i = 0; i < node->inputs; i++) {
        if (!item_of(e, node->in[i])->values)
            return false;
    }
    return true;
}

static bool leaf_values(const Node *node, float *out)
{
    double value;
    if (is_constant(node, &value)) {
        for (int64_t i = 0; i < shape_row(node->shape); i++)
            out[i] = (float)value;
        return true;
    }
    if (node->op != OP_iota)
        return false;
    for (int64_t i = 0; i < shape_row(node->shape); i++)
        out[i] = (float)i;
    return true;
}

static const struct nc_named *find_weights(const Export *e, const Param *param)
{
    for (int i = 0; param && i < e->weights_count; i++) {
        if (!strcmp(e->weights[i].name, param->name))
            return &e->weights[i];
    }
    return NULL;
}

/* Sets the values of a node that no input of the model has a part in; false for any other. */
static bool compute(Export *e, const Node *node)
{
    Item *item = item_of(e, node);
    const struct nc_named *weights = find_weights(e, node_param(node));
    if (weights) {
        item->values = ARENA_ARRAY(e->arena, float, shape_row(node->shape) + 1);
        memcpy(item->values, weights->data, sizeof(float) * (size_t)shape_row(node->shape));
        return true;
    }
    bool leaf = node->op == OP_const || node->op == OP_iota;
    bool computed = node->inputs && inputs_constant(e, node) &&
                    (op_of(node)->fold || node->op == OP_reshape || node->op == OP_slice);
    if (!leaf && !computed)
        return false;
    if (node->op == OP_reshape) {
        item->values = item_of(e, node->in[0])->values;
        return true;
    }
    item->values = ARENA_ARRAY(e->arena, float, shape_row(node->shape) + 1);
    if (leaf)
        return leaf_values(node, item->values);
    if (node->op == OP_slice)
        slice_cells(e, node, item->values);
    else
        compute_cells(e, node, item->values);
    return true;
}

/* A constant for use in an order: its axes are the last ones of a tensor of rank 4. */
static const char *constant_in(Export *e, const Node *node, int order)
{
    Item *item = item_of(e, node);
    int64_t dims[MAX_RANK], moved[4];
    int rank = node->shape.rank;
    const Param *param = node_param(node);
    if (item->name[order])
        return item->name[order];
    fixed_dims(node->shape, dims);
    if (order == PLAIN || rank == 0)
        return item->name[order] =
                   floats_tensor(e, item->values, rank, dims, param ? param->name : NULL);
    int64_t h = rank > 2 ? dims[rank - 3] : 1, w = rank > 1 ? dims[rank - 2] : 1;
    int64_t c = dims[rank - 1];
    float *values = ARENA_ARRAY(e->arena, float, h *w *c + 1);
    for (int64_t i = 0; i < h * w * c; i++)
        values[i % c * h * w + i / c] = item->values[i];
    memcpy(moved, (int64_t[]){1, c, h, w}, sizeof moved);
    return item->name[order] =
               floats_tensor(e, values, rank == 4 ? 4 : 3, moved + (rank != 4), NULL);
}

/* ---- values in an order ------------------------------------------------------------------------ */

static const char *value_in(Export *e, const Node *node, int order)
{
    Item *item = item_of(e, node);
    if (item->values)
        return constant_in(e, node, order);
    if (item->name[order])
        return item->name[order];
    static const int64_t perms[ORDERS][4] = {{0, 2, 3, 1}, {0, 3, 1, 2}};
    item->name[order] = add1(e, "Transpose", item->name[!order]);
    attach_ints(e, "perm", perms[order], 4);
    return item->name[order];
}

static void set_value(Export *e, int order, const char *name)
{
    item_of(e, e->node)->name[order] = name;
}

/* Channels first where an input of rank 4 is there in that order alone, and the others follow. */
static int choose_order(Export *e, const Node *node)
{
    bool first = false;
    if (node->shape.rank != 4)
        return PLAIN;
    for (int i = 0; i < node->inputs; i++) {
        const Item *item = item_of(e, node->in[i]);
        if (item->values)
            continue;
        if (node->in[i]->shape.rank != 4)
            return PLAIN;
        first |= item->name[PLAIN] == NULL;
    }
    return first ? FIRST : PLAIN;
}

/* ---- element-wise ------------------------------------------------------------------------------ */

static const struct {
    OpKind op;
    const char *theirs;
} same[] = {{OP_neg, "Neg"},           {OP_abs, "Abs"},
            {OP_sign, "Sign"},         {OP_sqrt, "Sqrt"},
            {OP_exp, "Exp"},           {OP_log, "Log"},
            {OP_tanh, "Tanh"},         {OP_erf, "Erf"},
            {OP_floor, "Floor"},       {OP_sin, "Sin"},
            {OP_cos, "Cos"},           {OP_add, "Add"},
            {OP_sub, "Sub"},           {OP_mul, "Mul"},
            {OP_div, "Div"},           {OP_min, "Min"},
            {OP_max, "Max"},           {OP_pow, "Pow"},
            {OP_lt, "Less"},           {OP_le, "LessOrEqual"},
            {OP_eq, "Equal"},          {OP_where, "Where"},
            {OP_sigmoid, "Sigmoid"},   {OP_softplus, "Softplus"},
            {OP_softsign, "Softsign"}, {OP_relu, "Relu"},
            {OP_elu, "Elu"},           {OP_leaky_relu, "LeakyRelu"}};

static const char *theirs_of(OpKind op)
{
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        if (same[i].op == op)
            return same[i].theirs;
    }
    return NULL;
}

/* Composites that ONNX has as they are. */
static bool has_own_form(const Node *node)
{
    if (node->op == OP_relu)
        return attr(node, "negative_slope")->f == 0 && attr(node, "threshold")->f == 0 &&
               isinf(attr(node, "max_value")->f);
    return theirs_of(node->op) || node->op == OP_softmax || node->op == OP_log_softmax;
}

static const char *as_number(Export *e, const char *truth)
{
    const char *name = add1(e, "Cast", truth);
    attach_int(e, "to", NC_ONNX_FLOAT);
    return name;
}

static const char *as_truth(Export *e, const Node *node, int order)
{
    if (item_of(e, node)->truth && order == PLAIN)
        return item_of(e, node)->truth;
    const char *name = add1(e, "Cast", value_in(e, node, order));
    attach_int(e, "to", NC_ONNX_BOOL);
    return name;
}

/* x + bias right behind a convolution that nothing else reads becomes its bias. */
static bool add_bias(Export *e)
{
    const Node *node = e->node;
    if (node->op != OP_add || node->shape.rank != 4)
        return false;
    const Item *made = item_of(e, node->in[0]), *bias = item_of(e, node->in[1]);
    if (made->window < 0 || made->uses != 1 || !bias->values || node->in[1]->shape.rank != 1 ||
        node->in[1]->shape.dim[0] != node->shape.dim[3])
        return false;
    struct nc_onnx_node *conv = &e->nodes[made->window];
    char **inputs = ARENA_ARRAY(e->arena, char *, 3);
    inputs[0] = conv->inputs[0];
    inputs[1] = conv->inputs[1];
    inputs[2] = loose(e, constant_in(e, node->in[1], PLAIN));
    conv->inputs = inputs;
    conv->inputs_count = 3;
    set_value(e, FIRST, made->name[FIRST]);
    return true;
}

static bool export_elementwise(Export *e)
{
    const Node *node = e->node;
    int order = choose_order(e, node);
    const char *in[3], *name;
    if (add_bias(e))
        return true;
    for (int i = 0; i < node->inputs && i < 3; i++)
        in[i] = node->op == OP_where && i == 0 ? as_truth(e, node->in[0], order)
                                               : value_in(e, node->in[i], order);
    name = add_node(e, theirs_of(node->op), in, node->inputs);
    if (node->op == OP_elu)
        attach_float(e, "alpha", attr(node, "alpha")->f);
    if (node->op == OP_leaky_relu)
        attach_float(e, "alpha", attr(node, "negative_slope")->f);
    if (node->op == OP_lt || node->op == OP_le || node->op == OP_eq) {
        if (order == PLAIN)
            item_of(e, node)->truth = name;
        name = as_number(e, name);
    }
    set_value(e, order, name);
    return true;
}

static bool export_two_steps(Export *e)
{
    const Node *node = e->node;
    int order = choose_order(e, node);
    const char *a = value_in(e, node->in[0], order), *name;
    if (node->op == OP_expm1)
        name = add2(e, "Sub", add1(e, "Exp", a), number(e, 1));
    else if (node->op == OP_log1p)
        name = add1(e, "Log", add2(e, "Add", a, number(e, 1)));
    else
        name = add2(e, "Add", add2(e, "Mul", a, value_in(e, node->in[1], order)),
                    value_in(e, node->in[2], order));
    set_value(e, order, name);
    return true;
}

/* ---- windows ----------------------------------------------------------------------------------- */

/* pads: before is the node's own, after what the extent needs. */
static void attach_window(Export *e, const int64_t *kernel, const int64_t *strides,
                          const int64_t *dilation)
{
    const Node *node = e->node;
    const int64_t *before = attr(node, "padding")->list, *extent = attr(node, "extent")->list;
    int64_t pads[4];
    for (int i = 0; i < 2; i++) {
        int64_t span = (kernel[i] - 1) * (dilation ? dilation[i] : 1) + 1;
        int64_t after =
            (extent[i] - 1) * strides[i] + span - node->in[0]->shape.dim[i + 1] - before[i];
        pads[i] = before[i];
        pads[i + 2] = after > 0 ? after : 0;
    }
    attach_ints(e, "kernel_shape", kernel, 2);
    attach_ints(e, "strides", strides, 2);
    attach_ints(e, "pads", pads, 4);
    if (dilation)
        attach_ints(e, "dilations", dilation, 2);
}

/* HWIO to OIHW; a depthwise [H, W, C] to [C, 1, H, W]. */
static const char *kernel_tensor(Export *e, const Node *kernel, bool depthwise)
{
    const int64_t *d = kernel->shape.dim;
    const float *from = item_of(e, kernel)->values;
    int64_t cells = d[0] * d[1], in = d[2], out = depthwise ? 1 : d[3];
    float *values = ARENA_ARRAY(e->arena, float, shape_row(kernel->shape) + 1);
    for (int64_t p = 0; p < cells; p++) {
        for (int64_t i = 0; i < in; i++) {
            for (int64_t o = 0; o < out; o++) {
                int64_t row = depthwise ? i : o * in + i;
                values[row * cells + p] = from[(p * in + i) * out + o];
            }
        }
    }
    int64_t dims[4] = {depthwise ? in : out, depthwise ? 1 : in, d[0], d[1]};
    const Param *param = node_param(kernel);
    return floats_tensor(e, values, 4, dims, param ? param->name : NULL);
}

static bool export_convolution(Export *e)
{
    const Node *node = e->node, *kernel = node->in[1];
    bool depthwise = node->op == OP_depthwise_conv2d;
    if (!item_of(e, kernel)->values)
        return refuse(e, " by a computed kernel");
    const char *x = value_in(e, node->in[0], FIRST);
    const char *name = add2(e, "Conv", x, kernel_tensor(e, kernel, depthwise));
    attach_window(e, kernel->shape.dim, attr(node, "strides")->list, attr(node, "dilation")->list);
    if (depthwise)
        attach_int(e, "group", kernel->shape.dim[2]);
    item_of(e, node)->window = e->nodes_count - 1;
    set_value(e, FIRST, name);
    return true;
}

static bool export_pool(Export *e)
{
    const Node *node = e->node;
    bool max = node->op == OP_max_pool2d;
    set_value(e, FIRST, add1(e, max ? "MaxPool" : "AveragePool", value_in(e, node->in[0], FIRST)));
    attach_window(e, attr(node, "pool")->list, attr(node, "strides")->list, NULL);
    return true;
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static bool export_matmul(Export *e)
{
    const Node *node = e->node;
    set_value(e, PLAIN,
              add2(e, "MatMul", value_in(e, node->in[0], PLAIN), value_in(e, node->in[1], PLAIN)));
    return true;
}

static bool export_softmax(Export *e)
{
    const Node *node = e->node;
    const char *x = value_in(e, node->in[0], PLAIN);
    set_value(e, PLAIN, add1(e, node->op == OP_softmax ? "Softmax" : "LogSoftmax", x));
    attach_int(e, "axis", -1);
    return true;
}

static bool export_reduce(Export *e)
{
    const Node *node = e->node;
    const AttrValue *axes = attr(node, "axes");
    const char *x = value_in(e, node->in[0], PLAIN), *name;
    if (node->op == OP_reduce_sum) {
        name = add2(e, "ReduceSum", x, ints_tensor(e, axes->list, axes->count));
    } else if (node->op == OP_reduce_max) {
        name = add1(e, "ReduceMax", x);
        attach_ints(e, "axes", axes->list, axes->count);
    } else {
        if (axes->count != 1)
            return refuse(e, " over several axes");
        name = add1(e, "ArgMax", x);
        attach_int(e, "axis", axes->list[0]);
    }
    attach_int(e, "keepdims", 1);
    set_value(e, PLAIN, node->op == OP_argmax ? as_number(e, name) : name);
    return true;
}

static bool export_reshape(Export *e)
{
    const Node *node = e->node;
    const char *shape = ints_tensor(e, node->shape.dim, node->shape.rank); /* BATCH is -1 */
    set_value(e, PLAIN, add2(e, "Reshape", value_in(e, node->in[0], PLAIN), shape));
    return true;
}

static bool export_transpose(Export *e)
{
    const Node *node = e->node;
    static const int64_t swap[] = {1, 0};
    const AttrValue *perm = node->op == OP_transpose ? attr(node, "perm") : NULL;
    set_value(e, PLAIN, add1(e, "Transpose", value_in(e, node->in[0], PLAIN)));
    attach_ints(e, "perm", perm ? perm->list : swap, perm ? perm->count : 2);
    return true;
}

static const int64_t axis_in_first[] = {0, 2, 3, 1};

static bool export_slice(Export *e)
{
    const Node *node = e->node;
    int order = choose_order(e, node);
    int64_t axis = attr(node, "axis")->i, start = attr(node, "start")->i;
    int64_t end = start + attr(node, "size")->i;
    axis = order == FIRST ? axis_in_first[axis] : axis;
    const char *in[] = {value_in(e, node->in[0], order), ints_tensor(e, &start, 1),
                        ints_tensor(e, &end, 1), ints_tensor(e, &axis, 1)};
    set_value(e, order, add_node(e, "Slice", in, 4));
    return true;
}

/* A constant with a batch axis around one tensor is padding of it. */
static bool export_padding(Export *e)
{
    const Node *node = e->node, *inner = NULL;
    int order = choose_order(e, node), axis = (int)attr(node, "axis")->i;
    int64_t pads[2 * MAX_RANK] = {0}, rank = node->shape.rank;
    int at = order == FIRST ? (int)axis_in_first[axis] : axis;
    double value = NAN, part;
    for (int i = 0; i < node->inputs; i++) {
        if (is_constant(node->in[i], &part) && (isnan(value) || value == part)) {
            pads[inner ? at + rank : at] += node->in[i]->shape.dim[axis];
            value = part;
        } else if (!inner && !item_of(e, node->in[i])->values) {
            inner = node->in[i];
        } else {
            return refuse(e, " of constants and several tensors");
        }
    }
    if (!inner)
        return refuse(e, " of constants");
    const char *in[] = {value_in(e, inner, order), ints_tensor(e, pads, 2 * rank),
                        number(e, value)};
    set_value(e, order, add_node(e, "Pad", in, 3));
    return true;
}

static bool export_concatenate(Export *e)
{
    const Node *node = e->node;
    int order = choose_order(e, node);
    int64_t axis = attr(node, "axis")->i;
    const char **in = ARENA_ARRAY(e->arena, const char *, node->inputs);
    for (int i = 0; i < node->inputs; i++) {
        if (item_of(e, node->in[i])->values && shape_has_batch(node->in[i]->shape))
            return export_padding(e);
        in[i] = value_in(e, node->in[i], order);
    }
    set_value(e, order, add_node(e, "Concat", in, node->inputs));
    attach_int(e, "axis", order == FIRST ? axis_in_first[axis] : axis);
    return true;
}

static const struct {
    OpKind op;
    bool (*export)(Export *e);
} others[] = {{OP_expm1, export_two_steps},
              {OP_log1p, export_two_steps},
              {OP_fma, export_two_steps},
              {OP_conv2d, export_convolution},
              {OP_depthwise_conv2d, export_convolution},
              {OP_max_pool2d, export_pool},
              {OP_average_pool2d, export_pool},
              {OP_matmul, export_matmul},
              {OP_softmax, export_softmax},
              {OP_log_softmax, export_softmax},
              {OP_reduce_sum, export_reduce},
              {OP_reduce_max, export_reduce},
              {OP_argmax, export_reduce},
              {OP_reshape, export_reshape},
              {OP_transpose, export_transpose},
              {OP_matrix_transpose, export_transpose},
              {OP_slice, export_slice},
              {OP_concatenate, export_concatenate}};

static bool export_node(Export *e)
{
    if (theirs_of(e->node->op))
        return export_elementwise(e);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (others[i].op == e->node->op)
            return others[i].export(e);
    }
    return refuse(e, e->node->op == OP_param ? ", what it remembers from call to call," : "");
}

/* ---- the model --------------------------------------------------------------------------------- */

static const struct nc_onnx_value *port_values(Export *e, const Port *ports, int count)
{
    struct nc_onnx_value *values = ARENA_ARRAY(e->arena, struct nc_onnx_value, count + 1);
    for (int k = 0; k < count; k++) {
        Shape shape = ports[k].shape;
        struct nc_onnx_dim *dims = ARENA_ARRAY(e->arena, struct nc_onnx_dim, MAX_RANK);
        for (int i = 0; i < shape.rank; i++)
            dims[i] = (struct nc_onnx_dim){shape.dim[i] == BATCH ? -1 : shape.dim[i], "n"};
        values[k] =
            (struct nc_onnx_value){ports[k].name, NC_ONNX_FLOAT, 1, dims, (size_t)shape.rank};
    }
    return values;
}

/* The nodes that the outputs need, and how many read each. */
static bool *find_live(Export *e)
{
    bool *live = ARENA_ARRAY(e->arena, bool, e->graph->count + 1);
    for (int i = 0; i < e->graph->outputs_count; i++) {
        live[e->graph->outputs[i].node->id] = true;
        item_of(e, e->graph->outputs[i].node)->uses++;
    }
    for (int i = e->graph->count - 1; i >= 0; i--) {
        const Node *node = e->graph->nodes[i];
        for (int k = 0; live[i] && k < node->inputs; k++) {
            live[node->in[k]->id] = true;
            item_of(e, node->in[k])->uses++;
        }
    }
    return live;
}

static bool export_graph(Export *e, const Model *model)
{
    e->items = ARENA_ARRAY(e->arena, Item, e->graph->count + 1);
    bool *live = find_live(e);
    for (int i = 0; i < e->graph->count; i++) {
        e->node = e->graph->nodes[i];
        Item *item = item_of(e, e->node);
        item->window = -1;
        if (!live[i])
            continue;
        if (e->node->op == OP_input)
            item->name[PLAIN] = model->inputs[attr(e->node, "index")->i].name;
        else if (!compute(e, e->node) && !export_node(e))
            return false;
    }
    for (int i = 0; i < e->graph->outputs_count; i++) {
        const Output *output = &e->graph->outputs[i];
        e->node = output->node;
        add1(e, "Identity", value_in(e, output->node, PLAIN));
        char **names = ARENA_NEW(e->arena, char *);
        *names = loose(e, output->name);
        e->nodes[e->nodes_count - 1].outputs = names;
    }
    return true;
}

bool onnx_export(Arena *arena, Diag *diag, const Model *model, const Graph *predict,
                 const struct nc_named *weights, int count, const char *path)
{
    static const struct nc_onnx_opset opset = {"", 13};
    struct nc_error err;
    Export e = {.arena = arena,
                .diag = diag,
                .graph = expand_but(predict, has_own_form),
                .weights = weights,
                .weights_count = count};
    if (!export_graph(&e, model))
        return false;
    struct nc_onnx_model out = {.ir_version = 7,
                                .producer = "netcc",
                                .graph_name = model->name,
                                .opsets = &opset,
                                .opsets_count = 1,
                                .nodes = e.nodes,
                                .nodes_count = (size_t)e.nodes_count,
                                .initializers = e.tensors,
                                .initializers_count = (size_t)e.tensors_count,
                                .inputs = port_values(&e, model->inputs, model->inputs_count),
                                .outputs = port_values(&e, model->outputs, model->outputs_count),
                                .inputs_count = (size_t)model->inputs_count,
                                .outputs_count = (size_t)model->outputs_count};
    if (nc_onnx_write(&out, path, &err) == 0)
        return true;
    return diag_error(diag, (Loc){0}, "%s: %s", path, err.message);
}
