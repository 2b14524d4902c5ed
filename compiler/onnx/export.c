/* The predict graph as ONNX, operator set 13: a node of ours is one of theirs, or what the `to_onnx` of
 * its record makes of it.
 *
 * What depends on weights alone is computed here. ONNX's convolutions want channels first, so a
 * tensor of rank 4 may exist in both orders; element-wise work stays in the order it finds, and
 * transposes stand where an order is lacking. */
#include "onnx/export.h"

#include <string.h>

#include "onnx/exporter.h"
#include "passes.h"

/* ---- constants --------------------------------------------------------------------------------- */

static OnnxItem *item_of(const OnnxExport *e, const Node *node)
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

static void compute_cells(const OnnxExport *e, const Node *node, float *out)
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

static bool inputs_constant(const OnnxExport *e, const Node *node)
{
    for (int i = 0; i < node->inputs; i++) {
        if (!item_of(e, node->in[i])->values)
            return false;
    }
    return true;
}

static void leaf_values(const Node *node, float *out)
{
    double value = 0;
    bool equal = is_constant(node, &value);
    for (int64_t i = 0; i < shape_row(node->shape); i++)
        out[i] = equal ? (float)value : (float)i;
}

static const struct nc_named *find_weights(const OnnxExport *e, const Param *param)
{
    for (int i = 0; param && i < e->weights_count; i++) {
        if (!strcmp(e->weights[i].name, param->name))
            return &e->weights[i];
    }
    return NULL;
}

static void evaluate(const OnnxExport *e, const Node *node, float *out)
{
    const float **in = ARENA_ARRAY(e->arena, const float *, node->inputs + 1);
    for (int i = 0; i < node->inputs; i++)
        in[i] = item_of(e, node->in[i])->values;
    if (op_of(node)->evaluate)
        op_of(node)->evaluate(node, in, out);
    else
        compute_cells(e, node, out);
}

/* Sets the values of a node that no input of the model has a part in; false for any other. */
static bool compute(OnnxExport *e, const Node *node)
{
    const struct nc_named *weights = find_weights(e, node_param(node));
    bool leaf = plays(node, ROLE_CONSTANT) || plays(node, ROLE_POSITIONS);
    bool computed = node->inputs && inputs_constant(e, node) &&
                    (op_of(node)->fold || op_of(node)->evaluate || plays(node, ROLE_ALIAS));
    if (!weights && !leaf && !computed)
        return false;
    if (plays(node, ROLE_ALIAS)) {
        item_of(e, node)->values = item_of(e, node->in[0])->values;
        return true;
    }
    float *values = ARENA_ARRAY(e->arena, float, shape_row(node->shape) + 1);
    if (weights)
        memcpy(values, weights->data, sizeof *values * (size_t)shape_row(node->shape));
    else if (leaf)
        leaf_values(node, values);
    else
        evaluate(e, node, values);
    item_of(e, node)->values = values;
    return true;
}

const float *onnx_constant(const OnnxExport *e, const Node *node)
{
    return item_of(e, node)->values;
}

/* A constant for use in an order: its axes are the last ones of a tensor of rank 4. */
static const char *constant_in(OnnxExport *e, const Node *node, OnnxOrder order)
{
    OnnxItem *item = item_of(e, node);
    int64_t dims[MAX_RANK], moved[4];
    int rank = node->shape.rank;
    const Param *param = node_param(node);
    if (item->name[order])
        return item->name[order];
    fixed_dims(node->shape, dims);
    if (order == ORDER_PLAIN || rank == 0)
        return item->name[order] =
                   onnx_float_tensor(e, item->values, rank, dims, param ? param->name : NULL);
    int64_t h = rank > 2 ? dims[rank - 3] : 1, w = rank > 1 ? dims[rank - 2] : 1;
    int64_t c = dims[rank - 1];
    float *values = ARENA_ARRAY(e->arena, float, h *w *c + 1);
    for (int64_t i = 0; i < h * w * c; i++)
        values[i % c * h * w + i / c] = item->values[i];
    memcpy(moved, (int64_t[]){1, c, h, w}, sizeof moved);
    return item->name[order] =
               onnx_float_tensor(e, values, rank == 4 ? 4 : 3, moved + (rank != 4), NULL);
}

/* ---- values in an order ------------------------------------------------------------------------ */

const char *onnx_value(OnnxExport *e, const Node *node, OnnxOrder order)
{
    OnnxItem *item = item_of(e, node);
    if (item->values)
        return constant_in(e, node, order);
    if (item->name[order])
        return item->name[order];
    static const int64_t perms[ORDERS][4] = {{0, 2, 3, 1}, {0, 3, 1, 2}};
    item->name[order] = onnx_add1(e, "Transpose", item->name[!order]);
    onnx_ints(e, "perm", perms[order], 4);
    return item->name[order];
}

const char *onnx_truth(OnnxExport *e, const Node *node, OnnxOrder order)
{
    if (item_of(e, node)->truth && order == ORDER_PLAIN)
        return item_of(e, node)->truth;
    const char *name = onnx_add1(e, "Cast", onnx_value(e, node, order));
    onnx_int(e, "to", NC_ONNX_BOOL);
    return name;
}

bool onnx_is(OnnxExport *e, OnnxOrder order, const char *name)
{
    item_of(e, e->node)->name[order] = name;
    return true;
}

bool onnx_is_truth(OnnxExport *e, OnnxOrder order, const char *name)
{
    if (order == ORDER_PLAIN)
        item_of(e, e->node)->truth = name;
    return onnx_is(e, order, onnx_as_number(e, name));
}

bool onnx_is_window(OnnxExport *e, const char *name)
{
    item_of(e, e->node)->window = e->nodes_count - 1;
    return onnx_is(e, ORDER_FIRST, name);
}

OnnxOrder onnx_order(OnnxExport *e)
{
    const Node *node = e->node;
    bool first = false;
    if (node->shape.rank != 4)
        return ORDER_PLAIN;
    for (int i = 0; i < node->inputs; i++) {
        const OnnxItem *item = item_of(e, node->in[i]);
        if (item->values)
            continue;
        if (node->in[i]->shape.rank != 4)
            return ORDER_PLAIN;
        first |= item->name[ORDER_PLAIN] == NULL;
    }
    return first ? ORDER_FIRST : ORDER_PLAIN;
}

/* ---- nodes ------ */

bool onnx_joins_window(OnnxExport *e)
{
    const Node *node = e->node;
    if (node->shape.rank != 4)
        return false;
    const OnnxItem *made = item_of(e, node->in[0]), *bias = item_of(e, node->in[1]);
    if (made->window < 0 || made->uses != 1 || !bias->values || node->in[1]->shape.rank != 1 ||
        node->in[1]->shape.dim[0] != node->shape.dim[3])
        return false;
    struct nc_onnx_node *conv = &e->nodes[made->window];
    char **inputs = ARENA_ARRAY(e->arena, char *, 3);
    inputs[0] = conv->inputs[0];
    inputs[1] = conv->inputs[1];
    inputs[2] = arena_strdup(e->arena, constant_in(e, node->in[1], ORDER_PLAIN));
    conv->inputs = inputs;
    conv->inputs_count = 3;
    return onnx_is(e, ORDER_FIRST, made->name[ORDER_FIRST]);
}

const char *onnx_same(OnnxExport *e, OnnxOrder order)
{
    const Node *node = e->node;
    const char **in = ARENA_ARRAY(e->arena, const char *, node->inputs);
    for (int i = 0; i < node->inputs; i++)
        in[i] = onnx_value(e, node->in[i], order);
    return onnx_add(e, op_of(node)->onnx, in, node->inputs);
}

bool onnx_in_our_order(OnnxExport *e)
{
    return onnx_is(e, ORDER_PLAIN, onnx_same(e, ORDER_PLAIN));
}

bool onnx_refuse(OnnxExport *e, const char *why)
{
    return diag_error(e->diag, e->node->loc, "layer '%s': %s%s has no ONNX form in this build",
                      e->node->name ? e->node->name : "", op_of(e->node)->name, why);
}

static bool export_node(OnnxExport *e)
{
    const Op *op = op_of(e->node);
    if (op->to_onnx)
        return op->to_onnx(e);
    if (!op->onnx)
        return onnx_refuse(e, plays(e->node, ROLE_PARAM) ? ", what it remembers from call to call,"
                                                         : "");
    OnnxOrder order = onnx_order(e);
    return onnx_is(e, order, onnx_same(e, order));
}

/* Composites that ONNX has as they are. */
static bool has_own_form(const Node *node)
{
    const Op *op = op_of(node);
    return op->onnx && (!op->onnx_if || op->onnx_if(node));
}

/* ---- the model --------------------------------------------------------------------------------- */

static const struct nc_onnx_value *port_values(OnnxExport *e, const Port *ports, int count)
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
static bool *find_live(OnnxExport *e)
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

static bool export_graph(OnnxExport *e, const Model *model)
{
    e->items = ARENA_ARRAY(e->arena, OnnxItem, e->graph->count + 1);
    bool *live = find_live(e);
    for (int i = 0; i < e->graph->count; i++) {
        e->node = e->graph->nodes[i];
        OnnxItem *item = item_of(e, e->node);
        item->window = -1;
        if (!live[i])
            continue;
        if (plays(e->node, ROLE_PORT))
            item->name[ORDER_PLAIN] = model->inputs[attr(e->node, "index")->i].name;
        else if (!compute(e, e->node) && !export_node(e))
            return false;
    }
    for (int i = 0; i < e->graph->outputs_count; i++) {
        const Output *output = &e->graph->outputs[i];
        e->node = output->node;
        onnx_add1(e, "Identity", onnx_value(e, output->node, ORDER_PLAIN));
        char **names = ARENA_NEW(e->arena, char *);
        *names = arena_strdup(e->arena, output->name);
        e->nodes[e->nodes_count - 1].outputs = names;
    }
    return true;
}

bool onnx_export(Arena *arena, Diag *diag, const Model *model, const Graph *predict,
                 const struct nc_named *weights, int count, const char *path)
{
    static const struct nc_onnx_opset opset = {"", 13};
    struct nc_error err;
    OnnxExport e = {.arena = arena,
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
