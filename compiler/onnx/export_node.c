/* The making of ONNX's nodes, attributes and tensors. */
#include <string.h>

#include "onnx/exporter.h"

enum { ATTRIBUTE_FLOAT = 1, ATTRIBUTE_INT = 2, ATTRIBUTE_INTS = 7 };

static const char *fresh_name(OnnxExport *e, const char *what)
{
    const char *layer = e->node && e->node->name ? e->node->name : "model";
    return arena_printf(e->arena, "%s/%s_%d", layer, what, e->serial++);
}

static char *loose(OnnxExport *e, const char *text)
{
    return arena_strdup(e->arena, text);
}

/* Appends a node of one output and returns the output's name. */
const char *onnx_add(OnnxExport *e, const char *op, const char *const *inputs, int count)
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

const char *onnx_add1(OnnxExport *e, const char *op, const char *a)
{
    return onnx_add(e, op, &a, 1);
}

const char *onnx_add2(OnnxExport *e, const char *op, const char *a, const char *b)
{
    return onnx_add(e, op, (const char *[]){a, b}, 2);
}

/* An attribute of the node that came last. */
static void attach(OnnxExport *e, struct nc_onnx_attribute attribute)
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

void onnx_int(OnnxExport *e, const char *key, int64_t value)
{
    attach(e, (struct nc_onnx_attribute){.name = key, .type = ATTRIBUTE_INT, .i = value});
}

void onnx_float(OnnxExport *e, const char *key, double value)
{
    attach(e, (struct nc_onnx_attribute){.name = key, .type = ATTRIBUTE_FLOAT, .f = (float)value});
}

void onnx_ints(OnnxExport *e, const char *key, const int64_t *values, int count)
{
    int64_t *list = ARENA_ARRAY(e->arena, int64_t, count + 1);
    memcpy(list, values, sizeof *list * (size_t)count);
    attach(e, (struct nc_onnx_attribute){
                  .name = key, .type = ATTRIBUTE_INTS, .ints = list, .ints_count = (size_t)count});
}

static const char *add_tensor(OnnxExport *e, const char *name, int type, int rank,
                              const int64_t *dims, const void *data, size_t bytes)
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

const char *onnx_int_list(OnnxExport *e, const int64_t *values, int64_t count)
{
    int64_t *data = ARENA_ARRAY(e->arena, int64_t, count + 1);
    memcpy(data, values, sizeof *data * (size_t)count);
    return add_tensor(e, fresh_name(e, "ints"), NC_ONNX_INT64, 1, &count, data,
                      sizeof *data * (size_t)count);
}

const char *onnx_float_tensor(OnnxExport *e, const float *values, int rank, const int64_t *dims,
                              const char *name)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    return add_tensor(e, name ? name : fresh_name(e, "constant"), NC_ONNX_FLOAT, rank, dims, values,
                      sizeof *values * (size_t)count);
}

const char *onnx_number(OnnxExport *e, double value)
{
    float *one = ARENA_NEW(e->arena, float);
    *one = (float)value;
    return onnx_float_tensor(e, one, 0, NULL, NULL);
}

const char *onnx_as_number(OnnxExport *e, const char *truth)
{
    const char *name = onnx_add1(e, "Cast", truth);
    onnx_int(e, "to", NC_ONNX_FLOAT);
    return name;
}

/* pads: before is the node's own, after what the extent needs. */
void onnx_window(OnnxExport *e, const int64_t *kernel, const int64_t *strides,
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
    onnx_ints(e, "kernel_shape", kernel, 2);
    onnx_ints(e, "strides", strides, 2);
    onnx_ints(e, "pads", pads, 4);
    if (dilation)
        onnx_ints(e, "dilations", dilation, 2);
}

/* [height, width, inputs of a group, outputs] to [outputs, inputs of a group, height, width] */
static const char *channels_first(OnnxExport *e, const Node *kernel, int64_t in)
{
    const int64_t *d = kernel->shape.dim;
    const float *from = onnx_constant(e, kernel);
    int64_t cells = d[0] * d[1], count = shape_row(kernel->shape), out = count / (cells * in);
    float *values = ARENA_ARRAY(e->arena, float, count + 1);
    for (int64_t i = 0; i < count; i++)
        values[(i % out * in + i / out % in) * cells + i / (in * out)] = from[i];
    const Param *param = node_param(kernel);
    return onnx_float_tensor(e, values, 4, (int64_t[]){out, in, d[0], d[1]},
                             param ? param->name : NULL);
}

bool onnx_convolution(OnnxExport *e, int64_t groups)
{
    const Node *node = e->node, *kernel = node->in[1];
    if (!onnx_constant(e, kernel))
        return onnx_refuse(e, " by a computed kernel");
    const char *x = onnx_value(e, node->in[0], ORDER_FIRST);
    int64_t in = node->in[0]->shape.dim[3] / groups;
    const char *name = onnx_add2(e, "Conv", x, channels_first(e, kernel, in));
    onnx_window(e, kernel->shape.dim, attr(node, "strides")->list, attr(node, "dilation")->list);
    if (groups > 1)
        onnx_int(e, "group", groups);
    return onnx_is_window(e, name);
}
