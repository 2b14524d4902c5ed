/* ONNX models as plain structures: what the plugin onnx.so makes of a protocol buffer, and back.
 * Everything read belongs to the model and is given back with it. */
#ifndef NC_ONNX_FILE_H
#define NC_ONNX_FILE_H

#include "plugin.h"

/* onnx.TensorProto.DataType */
enum nc_onnx_type {
    NC_ONNX_FLOAT = 1,
    NC_ONNX_UINT8,
    NC_ONNX_INT8,
    NC_ONNX_UINT16,
    NC_ONNX_INT16,
    NC_ONNX_INT32,
    NC_ONNX_INT64,
    NC_ONNX_STRING,
    NC_ONNX_BOOL,
    NC_ONNX_FLOAT16,
    NC_ONNX_DOUBLE,
    NC_ONNX_UINT32,
    NC_ONNX_UINT64,
    NC_ONNX_COMPLEX64,
    NC_ONNX_COMPLEX128,
    NC_ONNX_BFLOAT16
};

/* The values are in one of the fields: raw bytes, a typed list, or another file. */
struct nc_onnx_tensor {
    const char *name;
    int type;
    size_t rank;
    const int64_t *dims;
    const unsigned char *raw;
    size_t raw_bytes;
    const float *floats;
    size_t floats_count;
    const int32_t *int32s; /* also the small integers, booleans and 16-bit floats as bits */
    size_t int32s_count;
    const int64_t *int64s;
    size_t int64s_count;
    const double *doubles;
    size_t doubles_count;
    const uint64_t *uint64s;
    size_t uint64s_count;
    int external;         /* the values are in a file: */
    const char *location; /* relative to the model's folder; NULL where it is not said */
    const char *offset, *length;
};

struct nc_onnx_attribute {
    const char *name;
    int type; /* onnx.AttributeProto.AttributeType, 0 where the file does not say */
    float f;
    int64_t i;
    const char *s; /* ends with a zero; may hold others */
    const struct nc_onnx_tensor *tensor;
    const float *floats;
    size_t floats_count;
    const int64_t *ints;
    size_t ints_count;
};

struct nc_onnx_node {
    const char *name, *op, *domain;
    char *const *inputs, *const *outputs; /* "" where left out */
    size_t inputs_count, outputs_count;
    const struct nc_onnx_attribute *attributes;
    size_t attributes_count;
};

struct nc_onnx_dim {
    int64_t size;     /* -1: not fixed */
    const char *name; /* of a size that is not fixed, or "" */
};

struct nc_onnx_value {
    const char *name;
    int type; /* 0: not a tensor */
    int has_shape;
    const struct nc_onnx_dim *dims;
    size_t rank;
};

struct nc_onnx_opset {
    const char *domain;
    int64_t version;
};

struct nc_onnx_model {
    int64_t ir_version;
    const char *producer, *graph_name;
    const struct nc_onnx_opset *opsets;
    size_t opsets_count;
    const struct nc_onnx_node *nodes;
    size_t nodes_count;
    const struct nc_onnx_tensor *initializers;
    size_t initializers_count;
    const struct nc_onnx_value *inputs, *outputs;
    size_t inputs_count, outputs_count;
    size_t sparse_count, functions_count; /* sparse initializers, functions of the model's own */
    void *own;                            /* of the plugin */
};

/* Each: 0, or -1 with err. Closing is needed after a success only. */
int nc_onnx_open(struct nc_onnx_model *out, const char *path, struct nc_error *err);
void nc_onnx_close(struct nc_onnx_model *model);
int nc_onnx_write(const struct nc_onnx_model *model, const char *path, struct nc_error *err);
/* The one tensor of a file (test data); *own is given to nc_onnx_tensor_close. */
int nc_onnx_tensor_open(struct nc_onnx_tensor *out, void **own, const char *path,
                        struct nc_error *err);
void nc_onnx_tensor_close(void *own);

struct nc_onnx_plugin {
    struct nc_plugin plugin;
    int (*read)(struct nc_onnx_model *out, const void *bytes, size_t size, const char *path,
                struct nc_error *err);
    void (*close)(struct nc_onnx_model *model);
    int (*write)(const struct nc_onnx_model *model, const char *path, struct nc_error *err);
    int (*read_tensor)(struct nc_onnx_tensor *out, void **own, const void *bytes, size_t size,
                       const char *path, struct nc_error *err);
    void (*close_tensor)(void *own);
};
NC_PLUGIN_EXPORT extern const struct nc_onnx_plugin nc_plugin_onnx;

#endif
