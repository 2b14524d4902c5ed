/* ONNX by protobuf-c, from the onnx.proto of libonnx-dev. Built into the plugin onnx.so.
 *
 * A message is walked before it is unpacked, as unpacking recurses and makes of two bytes a
 * structure of two hundred: nesting is limited, and so is the memory that a file of its size may
 * take. */
#include "onnx_file.h"

#include <stdbool.h>
#include <string.h>

#include "onnx.pb-c.h"
#include "onnx_memory.h"

/* ---- nesting ----------------------------------------------------------------------------------- */

enum { DEEPEST = 64 };

struct walk {
    const unsigned char *at, *end;
};

/* 0, or -1 where the bytes end or the number does not. */
static int read_varint(struct walk *w, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && w->at < w->end; shift += 7) {
        unsigned char byte = *w->at++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128))
            return 0;
    }
    return -1;
}

static int skip(struct walk *w, uint64_t bytes)
{
    if (bytes > (uint64_t)(w->end - w->at))
        return -1;
    w->at += bytes;
    return 0;
}

static const char *walk_message(const ProtobufCMessageDescriptor *type, struct walk w, int depth);

static const char *walk_field(const ProtobufCMessageDescriptor *type, struct walk *w, int depth)
{
    static const char cut[] = "is truncated or damaged";
    uint64_t key, length;
    if (read_varint(w, &key) != 0 || key >> 3 == 0 || key >> 3 > 0x1fffffff)
        return cut;
    switch (key & 7) {
    case 0:
        return read_varint(w, &length) == 0 ? NULL : cut;
    case 1:
        return skip(w, 8) == 0 ? NULL : cut;
    case 5:
        return skip(w, 4) == 0 ? NULL : cut;
    case 2:
        break;
    default:
        return "is damaged: a field of an unknown kind";
    }
    const unsigned char *start = w->at;
    if (read_varint(w, &length) != 0)
        return cut;
    start = w->at;
    if (skip(w, length) != 0)
        return cut;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(type, (unsigned)(key >> 3));
    if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return NULL;
    return walk_message(field->descriptor, (struct walk){start, w->at}, depth + 1);
}

static const char *walk_message(const ProtobufCMessageDescriptor *type, struct walk w, int depth)
{
    const char *fault = depth > DEEPEST ? "is nested too deeply" : NULL;
    while (!fault && w.at < w.end)
        fault = walk_field(type, &w, depth);
    return fault;
}

/* ---- from bytes ------------------------------------------------------------------------------- */

/* protobuf-c frees what it grows while it reads, and all of a message that it gives up. */
static void drop(void *context, void *pointer)
{
    (void)context, (void)pointer;
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, const void *bytes,
                                size_t size, struct nc_onnx_memory *memory, const char *path,
                                struct nc_error *err)
{
    ProtobufCAllocator allocator = {nc_onnx_take, drop, memory};
    const char *fault =
        walk_message(type, (struct walk){bytes, (const unsigned char *)bytes + size}, 0);
    if (fault) {
        nc_fail(err, path, "%s", fault);
        return NULL;
    }
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, size, bytes);
    if (!message)
        nc_fail(err, path, "is damaged, or takes more memory than a file of its size should");
    return message;
}

/* ---- from messages ----------------------------------------------------------------------------- */

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static void read_external(struct nc_onnx_tensor *out, const Onnx__TensorProto *from)
{
    out->external = from->has_data_location && from->data_location != 0;
    for (size_t i = 0; i < from->n_external_data; i++) {
        const char *key = text_of(from->external_data[i]->key);
        const char *value = from->external_data[i]->value;
        if (!strcmp(key, "location"))
            out->location = value;
        else if (!strcmp(key, "offset"))
            out->offset = value;
        else if (!strcmp(key, "length"))
            out->length = value;
    }
}

static void read_tensor(struct nc_onnx_tensor *out, const Onnx__TensorProto *from)
{
    *out = (struct nc_onnx_tensor){.name = text_of(from->name),
                                   .type = from->data_type,
                                   .rank = from->n_dims,
                                   .dims = from->dims,
                                   .raw = from->has_raw_data ? from->raw_data.data : NULL,
                                   .raw_bytes = from->has_raw_data ? from->raw_data.len : 0,
                                   .floats = from->float_data,
                                   .floats_count = from->n_float_data,
                                   .int32s = from->int32_data,
                                   .int32s_count = from->n_int32_data,
                                   .int64s = from->int64_data,
                                   .int64s_count = from->n_int64_data,
                                   .doubles = from->double_data,
                                   .doubles_count = from->n_double_data,
                                   .uint64s = from->uint64_data,
                                   .uint64s_count = from->n_uint64_data};
    read_external(out, from);
}

static char *copy_text(struct nc_onnx_memory *memory, ProtobufCBinaryData from)
{
    char *text = nc_onnx_take(memory, from.len + 1);
    if (!text)
        return NULL;
    if (from.len)
        memcpy(text, from.data, from.len);
    text[from.len] = '\0';
    return text;
}

static int read_attribute(struct nc_onnx_memory *memory, struct nc_onnx_attribute *out,
                          const Onnx__AttributeProto *from)
{
    *out = (struct nc_onnx_attribute){.name = text_of(from->name),
                                      .type = (int)from->type,
                                      .f = from->f,
                                      .i = from->i,
                                      .s = copy_text(memory, from->s),
                                      .floats = from->floats,
                                      .floats_count = from->n_floats,
                                      .ints = from->ints,
                                      .ints_count = from->n_ints};
    if (from->t) {
        struct nc_onnx_tensor *tensor = nc_onnx_list(memory, 1, sizeof *tensor);
        if (!tensor)
            return -1;
        read_tensor(tensor, from->t);
        out->tensor = tensor;
    }
    return out->s ? 0 : -1;
}

static int read_node(struct nc_onnx_memory *memory, struct nc_onnx_node *out,
                     const Onnx__NodeProto *from)
{
    struct nc_onnx_attribute *attributes =
        nc_onnx_list(memory, from->n_attribute, sizeof *attributes);
    *out = (struct nc_onnx_node){.name = text_of(from->name),
                                 .op = text_of(from->op_type),
                                 .domain = text_of(from->domain),
                                 .inputs = from->input,
                                 .outputs = from->output,
                                 .inputs_count = from->n_input,
                                 .outputs_count = from->n_output,
                                 .attributes = attributes,
                                 .attributes_count = from->n_attribute};
    int result = attributes ? 0 : -1;
    for (size_t i = 0; result == 0 && i < from->n_attribute; i++)
        result = read_attribute(memory, &attributes[i], from->attribute[i]);
    return result;
}

static int read_value(struct nc_onnx_memory *memory, struct nc_onnx_value *out,
                      const Onnx__ValueInfoProto *from)
{
    *out = (struct nc_onnx_value){.name = text_of(from->name)};
    if (!from->type || from->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return 0;
    const Onnx__TypeProto__Tensor *tensor = from->type->tensor_type;
    out->type = tensor->elem_type;
    out->has_shape = tensor->shape != NULL;
    out->rank = tensor->shape ? tensor->shape->n_dim : 0;
    struct nc_onnx_dim *dims = nc_onnx_list(memory, out->rank, sizeof *dims);
    for (size_t i = 0; dims && i < out->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = tensor->shape->dim[i];
        bool fixed = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        bool named = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dims[i] =
            (struct nc_onnx_dim){fixed ? d->dim_value : -1, named ? text_of(d->dim_param) : ""};
    }
    out->dims = dims;
    return dims ? 0 : -1;
}

static int read_values(struct nc_onnx_memory *memory, const struct nc_onnx_value **out,
                       Onnx__ValueInfoProto **from, size_t count)
{
    struct nc_onnx_value *list = nc_onnx_list(memory, count, sizeof *list);
    int result = list ? 0 : -1;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = read_value(memory, &list[i], from[i]);
    *out = list;
    return result;
}

static int read_graph(struct nc_onnx_memory *memory, struct nc_onnx_model *out,
                      const Onnx__GraphProto *graph)
{
    struct nc_onnx_node *nodes = nc_onnx_list(memory, graph->n_node, sizeof *nodes);
    struct nc_onnx_tensor *tensors = nc_onnx_list(memory, graph->n_initializer, sizeof *tensors);
    int result = nodes && tensors ? 0 : -1;
    for (size_t i = 0; result == 0 && i < graph->n_node; i++)
        result = read_node(memory, &nodes[i], graph->node[i]);
    for (size_t i = 0; result == 0 && i < graph->n_initializer; i++)
        read_tensor(&tensors[i], graph->initializer[i]);
    out->graph_name = text_of(graph->name);
    out->nodes = nodes;
    out->nodes_count = graph->n_node;
    out->initializers = tensors;
    out->initializers_count = graph->n_initializer;
    out->sparse_count = graph->n_sparse_initializer;
    out->inputs_count = graph->n_input;
    out->outputs_count = graph->n_output;
    if (result == 0)
        result = read_values(memory, &out->inputs, graph->input, graph->n_input);
    return result == 0 ? read_values(memory, &out->outputs, graph->output, graph->n_output) : -1;
}

static int read_model(struct nc_onnx_memory *memory, struct nc_onnx_model *out,
                      const Onnx__ModelProto *model)
{
    struct nc_onnx_opset *opsets = nc_onnx_list(memory, model->n_opset_import, sizeof *opsets);
    if (!opsets)
        return -1;
    for (size_t i = 0; i < model->n_opset_import; i++)
        opsets[i] = (struct nc_onnx_opset){text_of(model->opset_import[i]->domain),
                                           model->opset_import[i]->version};
    *out = (struct nc_onnx_model){.ir_version = model->ir_version,
                                  .producer = text_of(model->producer_name),
                                  .opsets = opsets,
                                  .opsets_count = model->n_opset_import,
                                  .functions_count = model->n_functions,
                                  .own = memory};
    return read_graph(memory, out, model->graph);
}

static int read_bytes(struct nc_onnx_model *out, const void *bytes, size_t size, const char *path,
                      struct nc_error *err)
{
    *out = (struct nc_onnx_model){0};
    struct nc_onnx_memory *memory = nc_onnx_memory_new(size, path, err);
    if (!memory)
        return -1;
    ProtobufCMessage *message =
        unpack(&onnx__model_proto__descriptor, bytes, size, memory, path, err);
    const Onnx__ModelProto *model = (const Onnx__ModelProto *)message;
    int result = -1;
    if (message && !model->graph)
        nc_fail(err, path, "holds no graph; is it an ONNX model?");
    else if (message && (result = read_model(memory, out, model)) != 0)
        nc_fail(err, path, "takes more memory than a file of its size should");
    if (result != 0) {
        nc_onnx_release(memory);
        *out = (struct nc_onnx_model){0};
    }
    return result;
}

static void close_model(struct nc_onnx_model *model)
{
    nc_onnx_release(model->own);
    *model = (struct nc_onnx_model){0};
}

static int read_tensor_bytes(struct nc_onnx_tensor *out, void **own, const void *bytes, size_t size,
                             const char *path, struct nc_error *err)
{
    struct nc_onnx_memory *memory = nc_onnx_memory_new(size, path, err);
    if (!memory)
        return -1;
    ProtobufCMessage *message =
        unpack(&onnx__tensor_proto__descriptor, bytes, size, memory, path, err);
    if (!message) {
        nc_onnx_release(memory);
        return -1;
    }
    read_tensor(out, (const Onnx__TensorProto *)message);
    *own = memory;
    return 0;
}

static void close_tensor(void *own)
{
    nc_onnx_release(own);
}

const struct nc_onnx_plugin nc_plugin_onnx = {{NC_PLUGIN_ABI},     read_bytes,        close_model,
                                              nc_onnx_write_model, read_tensor_bytes, close_tensor};
