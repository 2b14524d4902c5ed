/* ONNX by protobuf-c, from the onnx.proto of libonnx-dev. Built into the plugin onnx.so.
 *
 * A message is walked before it is unpacked, as unpacking recurses and makes of two bytes a
 * structure of two hundred: nesting is limited, and so is the memory that a file of its size may
 * take. */
#include "onnx_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/file.h"
#include "onnx.pb-c.h"

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

/* ---- memory ------------------------------------------------------------------------------------ */

/* Blocks that are freed together, at most `left` bytes of them. */
struct memory {
    struct block *blocks;
    size_t left;
};

struct block {
    struct block *next;
    size_t bytes;
    max_align_t data[];
};

static void *take(void *context, size_t bytes)
{
    struct memory *memory = context;
    if (bytes > memory->left)
        return NULL;
    struct block *block = malloc(sizeof *block + bytes + 1);
    if (!block)
        return NULL;
    memory->left -= bytes;
    *block = (struct block){memory->blocks, bytes};
    memory->blocks = block;
    return block->data;
}

/* protobuf-c frees what it grows while it reads, and all of a message that it gives up. */
static void drop(void *context, void *pointer)
{
    (void)context, (void)pointer;
}

static void release(struct memory *memory)
{
    for (struct block *block = memory->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(memory);
}

static struct memory *new_memory(size_t file_bytes, const char *path, struct nc_error *err)
{
    struct memory *memory = malloc(sizeof *memory);
    if (!memory) {
        nc_fail(err, path, "out of memory");
        return NULL;
    }
    *memory = (struct memory){NULL, ((size_t)64 << 20) + 16 * file_bytes};
    return memory;
}

static void *list_of(struct memory *memory, size_t count, size_t bytes)
{
    void *list = count > SIZE_MAX / 2 / bytes ? NULL : take(memory, count * bytes);
    if (list)
        memset(list, 0, count * bytes);
    return list;
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, const void *bytes,
                                size_t size, struct memory *memory, const char *path,
                                struct nc_error *err)
{
    ProtobufCAllocator allocator = {take, drop, memory};
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

static char *copy_text(struct memory *memory, ProtobufCBinaryData from)
{
    char *text = take(memory, from.len + 1);
    if (!text)
        return NULL;
    if (from.len)
        memcpy(text, from.data, from.len);
    text[from.len] = '\0';
    return text;
}

static int read_attribute(struct memory *memory, struct nc_onnx_attribute *out,
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
        struct nc_onnx_tensor *tensor = list_of(memory, 1, sizeof *tensor);
        if (!tensor)
            return -1;
        read_tensor(tensor, from->t);
        out->tensor = tensor;
    }
    return out->s ? 0 : -1;
}

static int read_node(struct memory *memory, struct nc_onnx_node *out, const Onnx__NodeProto *from)
{
    struct nc_onnx_attribute *attributes = list_of(memory, from->n_attribute, sizeof *attributes);
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

static int read_value(struct memory *memory, struct nc_onnx_value *out,
                      const Onnx__ValueInfoProto *from)
{
    *out = (struct nc_onnx_value){.name = text_of(from->name)};
    if (!from->type || from->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return 0;
    const Onnx__TypeProto__Tensor *tensor = from->type->tensor_type;
    out->type = tensor->elem_type;
    out->has_shape = tensor->shape != NULL;
    out->rank = tensor->shape ? tensor->shape->n_dim : 0;
    struct nc_onnx_dim *dims = list_of(memory, out->rank, sizeof *dims);
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

static int read_values(struct memory *memory, const struct nc_onnx_value **out,
                       Onnx__ValueInfoProto **from, size_t count)
{
    struct nc_onnx_value *list = list_of(memory, count, sizeof *list);
    int result = list ? 0 : -1;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = read_value(memory, &list[i], from[i]);
    *out = list;
    return result;
}

static int read_graph(struct memory *memory, struct nc_onnx_model *out,
                      const Onnx__GraphProto *graph)
{
    struct nc_onnx_node *nodes = list_of(memory, graph->n_node, sizeof *nodes);
    struct nc_onnx_tensor *tensors = list_of(memory, graph->n_initializer, sizeof *tensors);
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

static int read_model(struct memory *memory, struct nc_onnx_model *out,
                      const Onnx__ModelProto *model)
{
    struct nc_onnx_opset *opsets = list_of(memory, model->n_opset_import, sizeof *opsets);
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
    struct memory *memory = new_memory(size, path, err);
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
        release(memory);
        *out = (struct nc_onnx_model){0};
    }
    return result;
}

static void close_model(struct nc_onnx_model *model)
{
    release(model->own);
    *model = (struct nc_onnx_model){0};
}

static int read_tensor_bytes(struct nc_onnx_tensor *out, void **own, const void *bytes, size_t size,
                             const char *path, struct nc_error *err)
{
    struct memory *memory = new_memory(size, path, err);
    if (!memory)
        return -1;
    ProtobufCMessage *message =
        unpack(&onnx__tensor_proto__descriptor, bytes, size, memory, path, err);
    if (!message) {
        release(memory);
        return -1;
    }
    read_tensor(out, (const Onnx__TensorProto *)message);
    *own = memory;
    return 0;
}

static void close_tensor(void *own)
{
    release(own);
}

/* ---- to messages ------------------------------------------------------------------------------- */

/* protobuf-c's structures want pointers without const; nothing is written through them. */
static void *loose(const void *pointer)
{
    void *result;
    memcpy(&result, &pointer, sizeof result);
    return result;
}

/* A list of pointers to `count` messages of `bytes` each, the messages in *items. */
static void *message_list(struct memory *memory, size_t count, size_t bytes, void *items)
{
    char *list = list_of(memory, count, bytes),
         **pointers = list_of(memory, count, sizeof *pointers);
    if (!list || !pointers)
        return NULL;
    for (size_t i = 0; i < count; i++)
        pointers[i] = list + i * bytes;
    memcpy(items, &list, sizeof list);
    return pointers;
}

static int write_external(struct memory *memory, Onnx__TensorProto *out,
                          const struct nc_onnx_tensor *from)
{
    const char *const pairs[][2] = {
        {"location", from->location}, {"offset", from->offset}, {"length", from->length}};
    Onnx__StringStringEntryProto *entries;
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

static int write_tensor(struct memory *memory, Onnx__TensorProto *out,
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

static int write_attribute(struct memory *memory, Onnx__AttributeProto *out,
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
        out->t = list_of(memory, 1, sizeof *out->t);
        if (!out->t)
            return -1;
        return write_tensor(memory, out->t, from->tensor);
    }
    return 0;
}

static int write_node(struct memory *memory, Onnx__NodeProto *out, const struct nc_onnx_node *from)
{
    Onnx__AttributeProto *attributes;
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

static int write_shape(struct memory *memory, Onnx__TensorShapeProto *out,
                       const struct nc_onnx_value *from)
{
    Onnx__TensorShapeProto__Dimension *dims;
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

static int write_value(struct memory *memory, Onnx__ValueInfoProto *out,
                       const struct nc_onnx_value *from)
{
    onnx__value_info_proto__init(out);
    out->name = loose(from->name);
    out->type = list_of(memory, 1, sizeof *out->type);
    Onnx__TypeProto__Tensor *tensor = list_of(memory, 1, sizeof *tensor);
    Onnx__TensorShapeProto *shape = list_of(memory, 1, sizeof *shape);
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

static int write_values(struct memory *memory, Onnx__ValueInfoProto ***out,
                        const struct nc_onnx_value *from, size_t count)
{
    Onnx__ValueInfoProto *items;
    *out = message_list(memory, count, sizeof *items, &items);
    int result = *out ? 0 : -1;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = write_value(memory, &items[i], &from[i]);
    return result;
}

static int write_graph(struct memory *memory, Onnx__GraphProto *out,
                       const struct nc_onnx_model *from)
{
    Onnx__NodeProto *nodes;
    Onnx__TensorProto *tensors;
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

static int build_message(struct memory *memory, Onnx__ModelProto *out,
                         const struct nc_onnx_model *from)
{
    Onnx__OperatorSetIdProto *opsets;
    onnx__model_proto__init(out);
    out->has_ir_version = true;
    out->ir_version = from->ir_version;
    out->producer_name = loose(from->producer);
    out->n_opset_import = from->opsets_count;
    out->opset_import = message_list(memory, from->opsets_count, sizeof *opsets, &opsets);
    out->graph = list_of(memory, 1, sizeof *out->graph);
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

static int write_model(const struct nc_onnx_model *model, const char *path, struct nc_error *err)
{
    Onnx__ModelProto message;
    struct memory *memory = new_memory((size_t)1 << 30, path, err);
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
    release(memory);
    return result;
}

const struct nc_onnx_plugin nc_plugin_onnx = {{NC_PLUGIN_ABI}, read_bytes,        close_model,
                                              write_model,     read_tensor_bytes, close_tensor};
