/* Writing of ONNX: our structures as protobuf-c's messages, packed straight into the file. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "data/file.h"
#include "onnx.pb-c.h"
#include "onnx_memory.h"

/* protobuf-c's structures want pointers without const; nothing is written through them. */
static void *loose(const void *pointer)
{
    void *result;
    memcpy(&result, &pointer, sizeof result);
    return result;
}

/* A list of pointers to `count` messages of `bytes` each, the messages in *items. */
static void *message_list(struct nc_onnx_memory *memory, size_t count, size_t bytes, void *items)
{
    char *list = nc_onnx_list(memory, count, bytes),
         **pointers = nc_onnx_list(memory, count, sizeof *pointers);
    if (!list || !pointers)
        return NULL;
    for (size_t i = 0; i < count; i++)
        pointers[i] = list + i * bytes;
    memcpy(items, &list, sizeof list);
    return pointers;
}

static int write_external(struct nc_onnx_memory *memory, Onnx__TensorProto *out,
                          const struct nc_onnx_tensor *from)
{
    const char *const pairs[][2] = {
        {"location", from->location}, {"offset", from->offset}, {"length", from->length}};
    Onnx__StringStringEntryProto *entries = NULL;
    out->has_data_location = true;
    out->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    out->external_data = message_list(memory, 3, sizeof *entries, &entries);
    for (int i = 0; out->external_data && i < 3; i++) {
        if (!pairs[i][1])
            continue;
        Onnx__StringStringEntryProto *entry = &entries[out->n_external_data++];
        onnx__string_string_entry_proto__init(entry);
        entry->key = loose(pairs[i][0]);
        entry->value = loose(pairs[i][1]);
    }
    return out->external_data ? 0 : -1;
}

static int write_tensor(struct nc_onnx_memory *memory, Onnx__TensorProto *out,
                        const struct nc_onnx_tensor *from)
{
    onnx__tensor_proto__init(out);
    out->name = loose(from->name);
    out->has_data_type = true;
    out->data_type = from->type;
    out->n_dims = from->rank;
    out->dims = loose(from->dims);
    if (from->external)
        return write_external(memory, out, from);
    out->has_raw_data = true;
    out->raw_data = (ProtobufCBinaryData){from->raw_bytes, loose(from->raw)};
    return 0;
}

static int write_attribute(struct nc_onnx_memory *memory, Onnx__AttributeProto *out,
                           const struct nc_onnx_attribute *from)
{
    onnx__attribute_proto__init(out);
    out->name = loose(from->name);
    out->has_type = true;
    out->type = (Onnx__AttributeProto__AttributeType)from->type;
    out->has_f = from->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    out->f = from->f;
    out->has_i = from->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    out->i = from->i;
    out->n_ints = from->ints_count;
    out->ints = loose(from->ints);
    if (from->s) {
        out->has_s = true;
        out->s = (ProtobufCBinaryData){strlen(from->s), loose(from->s)};
    }
    if (from->tensor) {
        out->t = nc_onnx_list(memory, 1, sizeof *out->t);
        if (!out->t)
            return -1;
        return write_tensor(memory, out->t, from->tensor);
    }
    return 0;
}

static int write_node(struct nc_onnx_memory *memory, Onnx__NodeProto *out,
                      const struct nc_onnx_node *from)
{
    Onnx__AttributeProto *attributes = NULL;
    onnx__node_proto__init(out);
    out->name = loose(from->name);
    out->op_type = loose(from->op);
    out->domain = loose(from->domain);
    out->n_input = from->inputs_count;
    out->input = loose(from->inputs);
    out->n_output = from->outputs_count;
    out->output = loose(from->outputs);
    out->n_attribute = from->attributes_count;
    out->attribute = message_list(memory, from->attributes_count, sizeof *attributes, &attributes);
    int result = out->attribute ? 0 : -1;
    for (size_t i = 0; result == 0 && i < from->attributes_count; i++)
        result = write_attribute(memory, &attributes[i], &from->attributes[i]);
    return result;
}

static int write_shape(struct nc_onnx_memory *memory, Onnx__TensorShapeProto *out,
                       const struct nc_onnx_value *from)
{
    Onnx__TensorShapeProto__Dimension *dims = NULL;
    onnx__tensor_shape_proto__init(out);
    out->n_dim = from->rank;
    out->dim = message_list(memory, from->rank, sizeof *dims, &dims);
    for (size_t i = 0; out->dim && i < from->rank; i++) {
        onnx__tensor_shape_proto__dimension__init(&dims[i]);
        if (from->dims[i].size >= 0) {
            dims[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dims[i].dim_value = from->dims[i].size;
        } else {
            dims[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dims[i].dim_param = loose(from->dims[i].name);
        }
    }
    return out->dim ? 0 : -1;
}

static int write_value(struct nc_onnx_memory *memory, Onnx__ValueInfoProto *out,
                       const struct nc_onnx_value *from)
{
    onnx__value_info_proto__init(out);
    out->name = loose(from->name);
    out->type = nc_onnx_list(memory, 1, sizeof *out->type);
    Onnx__TypeProto__Tensor *tensor = nc_onnx_list(memory, 1, sizeof *tensor);
    Onnx__TensorShapeProto *shape = nc_onnx_list(memory, 1, sizeof *shape);
    if (!out->type || !tensor || !shape)
        return -1;
    onnx__type_proto__init(out->type);
    onnx__type_proto__tensor__init(tensor);
    out->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    out->type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = from->type;
    tensor->shape = shape;
    return write_shape(memory, shape, from);
}

static int write_values(struct nc_onnx_memory *memory, Onnx__ValueInfoProto ***out,
                        const struct nc_onnx_value *from, size_t count)
{
    Onnx__ValueInfoProto *items = NULL;
    *out = message_list(memory, count, sizeof *items, &items);
    int result = *out ? 0 : -1;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = write_value(memory, &items[i], &from[i]);
    return result;
}

static int write_graph(struct nc_onnx_memory *memory, Onnx__GraphProto *out,
                       const struct nc_onnx_model *from)
{
    Onnx__NodeProto *nodes = NULL;
    Onnx__TensorProto *tensors = NULL;
    onnx__graph_proto__init(out);
    out->name = loose(from->graph_name);
    out->n_node = from->nodes_count;
    out->node = message_list(memory, from->nodes_count, sizeof *nodes, &nodes);
    out->n_initializer = from->initializers_count;
    out->initializer = message_list(memory, from->initializers_count, sizeof *tensors, &tensors);
    int result = out->node && out->initializer ? 0 : -1;
    for (size_t i = 0; result == 0 && i < from->nodes_count; i++)
        result = write_node(memory, &nodes[i], &from->nodes[i]);
    for (size_t i = 0; result == 0 && i < from->initializers_count; i++)
        result = write_tensor(memory, &tensors[i], &from->initializers[i]);
    out->n_input = from->inputs_count;
    out->n_output = from->outputs_count;
    if (result == 0)
        result = write_values(memory, &out->input, from->inputs, from->inputs_count);
    return result == 0 ? write_values(memory, &out->output, from->outputs, from->outputs_count)
                       : -1;
}

static int build_message(struct nc_onnx_memory *memory, Onnx__ModelProto *out,
                         const struct nc_onnx_model *from)
{
    Onnx__OperatorSetIdProto *opsets = NULL;
    onnx__model_proto__init(out);
    out->has_ir_version = true;
    out->ir_version = from->ir_version;
    out->producer_name = loose(from->producer);
    out->n_opset_import = from->opsets_count;
    out->opset_import = message_list(memory, from->opsets_count, sizeof *opsets, &opsets);
    out->graph = nc_onnx_list(memory, 1, sizeof *out->graph);
    if (!out->opset_import || !out->graph)
        return -1;
    for (size_t i = 0; i < from->opsets_count; i++) {
        onnx__operator_set_id_proto__init(&opsets[i]);
        opsets[i].domain = loose(from->opsets[i].domain);
        opsets[i].has_version = true;
        opsets[i].version = from->opsets[i].version;
    }
    return write_graph(memory, out->graph, from);
}

/* Packs straight into the file. */
struct sink {
    ProtobufCBuffer base;
    FILE *file;
};

static void append(ProtobufCBuffer *buffer, size_t length, const uint8_t *data)
{
    fwrite(data, 1, length, ((struct sink *)buffer)->file);
}

static int write_file(const Onnx__ModelProto *message, const char *name, const char *path,
                      struct nc_error *err)
{
    struct sink sink = {{append}, fopen(name, "wb")};
    if (!sink.file)
        return nc_fail(err, path, "cannot be written: %s", strerror(errno));
    onnx__model_proto__pack_to_buffer(message, &sink.base);
    bool good = !ferror(sink.file);
    if (fclose(sink.file) != 0 || !good)
        return nc_fail(err, path, "cannot be written: %s", strerror(errno));
    return 0;
}

int nc_onnx_write_model(const struct nc_onnx_model *model, const char *path, struct nc_error *err)
{
    Onnx__ModelProto message;
    struct nc_onnx_memory *memory = nc_onnx_memory_new((size_t)1 << 30, path, err);
    if (!memory)
        return -1;
    int result = -1;
    char *temporary = NULL;
    if (build_message(memory, &message, model) != 0)
        nc_fail(err, path, "out of memory");
    else if (onnx__model_proto__get_packed_size(&message) > INT32_MAX)
        nc_fail(err, path, "an ONNX file holds at most 2 GiB");
    else if ((temporary = nc_file_temporary(path, err)) != NULL)
        result = nc_file_publish(temporary, path, write_file(&message, temporary, path, err), err);
    nc_onnx_release(memory);
    return result;
}
