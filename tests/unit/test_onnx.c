/* Broken and hostile ONNX files: each a small sound model with one thing wrong, written at run time.
 * All end in a message that names the place, and none leaves anything behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "import/import.h"
#include "onnx_file.h"

extern const Importer import_onnx;

/* x [1, 3] . w [3, 2] + b [2], relu: y */
typedef struct {
    struct nc_onnx_model model;
    struct nc_onnx_opset opset;
    struct nc_onnx_node nodes[3];
    struct nc_onnx_tensor tensors[2];
    struct nc_onnx_value x, y;
    struct nc_onnx_attribute attribute;
    struct nc_onnx_dim x_dims[2];
    int64_t w_dims[8], b_dims[1], ints[8];
    float w[6], b[2];
    char *in[3][3], *out[3][2];
    struct nc_onnx_tensor nested;
} Small;

static void wire(Small *s, int k, const char *op, char *a, char *b, char *y)
{
    s->in[k][0] = a;
    s->in[k][1] = b;
    s->out[k][0] = y;
    s->nodes[k] = (struct nc_onnx_node){.name = op,
                                        .op = op,
                                        .domain = "",
                                        .inputs = s->in[k],
                                        .inputs_count = b ? 2 : 1,
                                        .outputs = s->out[k],
                                        .outputs_count = 1};
}

static void make_small(Small *s)
{
    static char x[] = "x", w[] = "w", b[] = "b", product[] = "p", sum[] = "s", y[] = "y";
    *s = (Small){.opset = {"", 13},
                 .w = {1, 2, 3, 4, 5, 6},
                 .b = {-1, 1},
                 .w_dims = {3, 2},
                 .b_dims = {2},
                 .x_dims = {{1, ""}, {3, ""}}};
    wire(s, 0, "MatMul", x, w, product);
    wire(s, 1, "Add", product, b, sum);
    wire(s, 2, "Relu", sum, NULL, y);
    s->tensors[0] = (struct nc_onnx_tensor){.name = "w", .type = NC_ONNX_FLOAT, .rank = 2};
    s->tensors[0].dims = s->w_dims;
    s->tensors[0].raw = (const unsigned char *)s->w;
    s->tensors[0].raw_bytes = sizeof s->w;
    s->tensors[1] = (struct nc_onnx_tensor){.name = "b", .type = NC_ONNX_FLOAT, .rank = 1};
    s->tensors[1].dims = s->b_dims;
    s->tensors[1].raw = (const unsigned char *)s->b;
    s->tensors[1].raw_bytes = sizeof s->b;
    s->x = (struct nc_onnx_value){"x", NC_ONNX_FLOAT, 1, s->x_dims, 2};
    s->y = (struct nc_onnx_value){.name = "y", .type = NC_ONNX_FLOAT};
    s->model = (struct nc_onnx_model){.ir_version = 8,
                                      .producer = "",
                                      .graph_name = "small",
                                      .opsets = &s->opset,
                                      .opsets_count = 1,
                                      .nodes = s->nodes,
                                      .nodes_count = 3,
                                      .initializers = s->tensors,
                                      .initializers_count = 2,
                                      .inputs = &s->x,
                                      .inputs_count = 1,
                                      .outputs = &s->y,
                                      .outputs_count = 1};
}

/* An operator in the place of the relu, with one attribute. */
static void last_op(Small *s, const char *op, const char *key, int type)
{
    s->nodes[2].op = s->nodes[2].name = op;
    s->attribute = (struct nc_onnx_attribute){.name = key, .type = type, .ints = s->ints};
    s->nodes[2].attributes = &s->attribute;
    s->nodes[2].attributes_count = 1;
}

enum { INT = 2, STRING = 3, TENSOR = 4, INTS = 7 };

static void last_ints(Small *s, const char *op, const char *key, int count, const int64_t *values)
{
    last_op(s, op, key, INTS);
    s->attribute.ints_count = (size_t)count;
    memcpy(s->ints, values, sizeof *values * (size_t)count);
}

/* ---- what is wrong ----------------------------------------------------------------------------- */

#define BREAK(ident) static void ident(Small *s)

static char missing[] = "nowhere", own_y[] = "y", own_x[] = "x", own_s[] = "s", empty[] = "";

BREAK(missing_input)
{
    s->in[0][0] = missing;
}
BREAK(later_input)
{
    s->in[0][0] = own_s;
}
BREAK(own_output)
{
    s->in[2][0] = own_y;
}
BREAK(made_twice)
{
    s->out[1][0] = s->out[0][0];
}
BREAK(shadows_input)
{
    s->out[0][0] = own_x;
    s->in[1][0] = own_x;
}
BREAK(missing_output)
{
    s->y.name = "nothing";
}
BREAK(left_out_input)
{
    s->in[0][1] = empty;
}
BREAK(too_many_inputs)
{
    s->nodes[2].inputs_count = 3;
    s->in[2][1] = s->in[2][2] = own_x;
}
BREAK(no_nodes_output)
{
    s->nodes[1].outputs_count = 0;
}
BREAK(no_outputs)
{
    s->model.outputs_count = 0;
}
BREAK(no_inputs)
{
    s->model.inputs_count = 0;
}
BREAK(unknown_op)
{
    s->nodes[2].op = "Reluu";
}
BREAK(unknown_domain)
{
    s->nodes[2].domain = "com.example";
}
BREAK(two_initializers)
{
    s->tensors[1].name = "w";
}
BREAK(unnamed_initializer)
{
    s->tensors[1].name = "";
}
BREAK(short_data)
{
    s->tensors[0].raw_bytes = 20;
}
BREAK(long_data)
{
    s->w_dims[0] = 2;
}
BREAK(no_data)
{
    s->tensors[0].raw_bytes = 0;
}
BREAK(negative_size)
{
    s->w_dims[0] = -3;
}
BREAK(overflowing_size)
{
    s->w_dims[0] = s->w_dims[1] = (int64_t)1 << 40;
}
BREAK(huge_size)
{
    s->w_dims[0] = (int64_t)1 << 33;
    s->w_dims[1] = 1;
}
BREAK(many_axes)
{
    static int64_t ones[20];
    for (int i = 0; i < 20; i++)
        ones[i] = 1;
    s->tensors[0].dims = ones;
    s->tensors[0].rank = 20;
}
BREAK(wrong_rows)
{
    s->x_dims[1].size = 4;
}
BREAK(text_weights)
{
    s->tensors[0].type = NC_ONNX_STRING;
}
BREAK(complex_weights)
{
    s->tensors[0].type = NC_ONNX_COMPLEX64;
}
BREAK(unknown_type)
{
    s->tensors[0].type = 99;
}
BREAK(text_input)
{
    s->x.type = NC_ONNX_STRING;
}
BREAK(open_size)
{
    s->x_dims[1] = (struct nc_onnx_dim){-1, "features"};
}
BREAK(empty_size)
{
    s->x_dims[1].size = 0;
}
BREAK(large_input)
{
    s->x_dims[1].size = (int64_t)1 << 40;
}
BREAK(old_opset)
{
    s->opset.version = -5;
}
BREAK(broadcast)
{
    s->b_dims[0] = 3;
    s->tensors[1].raw_bytes = 12;
    s->tensors[1].raw = (unsigned char *)s->w;
}
BREAK(no_axis)
{
    last_op(s, "Softmax", "axis", INT);
    s->attribute.i = 7;
}
BREAK(perm_twice)
{
    last_ints(s, "Transpose", "perm", 2, (int64_t[]){0, 0});
}
BREAK(perm_short)
{
    last_ints(s, "Transpose", "perm", 1, (int64_t[]){0});
}
BREAK(perm_beyond)
{
    last_ints(s, "Transpose", "perm", 2, (int64_t[]){0, 1000000});
}
BREAK(reshape_cells)
{
    s->opset.version = 1;
    last_ints(s, "Reshape", "shape", 2, (int64_t[]){1, 5});
}
BREAK(reshape_minus)
{
    s->opset.version = 1;
    last_ints(s, "Reshape", "shape", 2, (int64_t[]){-1, -1});
}
BREAK(reshape_large)
{
    s->opset.version = 1;
    last_ints(s, "Reshape", "shape", 3, (int64_t[]){1, INT64_MAX, INT64_MAX});
}
BREAK(slice_empty)
{
    s->opset.version = 1;
    last_ints(s, "Squeeze", "axes", 1, (int64_t[]){1});
}
BREAK(unsqueeze_twice)
{
    last_ints(s, "Unsqueeze", "axes", 2, (int64_t[]){1, 1});
}
BREAK(reduce_axis)
{
    last_ints(s, "ReduceMax", "axes", 1, (int64_t[]){-9});
}
BREAK(pool_of_matrix)
{
    last_ints(s, "MaxPool", "kernel_shape", 2, (int64_t[]){2, 2});
}
BREAK(constant_of_nothing)
{
    last_op(s, "ConstantOfShape", "value", TENSOR);
    s->in[2][0] = s->in[0][1];
}
BREAK(huge_constant)
{
    static int64_t dims[] = {1};
    static const int64_t cells[] = {(int64_t)1 << 40};
    s->nested =
        (struct nc_onnx_tensor){.name = "c", .type = NC_ONNX_INT64, .rank = 1, .dims = dims};
    s->nested.raw = (const unsigned char *)cells;
    s->nested.raw_bytes = sizeof cells;
    last_op(s, "Constant", "value", TENSOR);
    s->attribute.tensor = &s->nested;
    s->nodes[1] = s->nodes[2];
    s->nodes[1].inputs_count = 0;
    s->out[1][0] = own_s;
    s->nodes[1].outputs = s->out[1];
    wire(s, 2, "ConstantOfShape", own_s, NULL, own_y);
}

static const struct {
    const char *name;
    void (*spoil)(Small *s);
    const char *says;
} broken[] = {
    {"missing input", missing_input, "node 'MatMul' (MatMul): input 'nowhere' is no tensor"},
    {"cycle", later_input, "input 's' is no tensor of the graph before this node"},
    {"node that reads itself", own_output, "input 'y' is no tensor"},
    {"tensor made twice", made_twice, "the tensor 'p' is made twice"},
    {"input made by a node", shadows_input, "the tensor 'x' is made twice"},
    {"output that is not there", missing_output, "output 'nothing' is no tensor of the graph"},
    {"input left out", left_out_input, "(MatMul): input 1 is missing"},
    {"too many inputs", too_many_inputs, "has 3 inputs; the operator takes 1"},
    {"node without output", no_nodes_output, "(Add): has no output"},
    {"graph without output", no_outputs, "the graph has no output"},
    {"graph without input", no_inputs, "the graph has no input"},
    {"unknown operator", unknown_op, "node 'Relu' (Reluu): this operator is not in this build"},
    {"unknown domain", unknown_domain, "domain 'com.example'"},
    {"two initializers of a name", two_initializers, "two tensors are named 'w'"},
    {"initializer without name", unnamed_initializer, "a tensor without a name"},
    {"data too short", short_data, "tensor 'w' has 20 bytes of data for a shape of 24"},
    {"data too long", long_data, "tensor 'w' has 24 bytes of data for a shape of 16"},
    {"no data", no_data, "tensor 'w'"},
    {"negative size", negative_size, "its shape is negative or too large"},
    {"sizes that overflow", overflowing_size, "its shape is negative or too large"},
    {"size beyond memory", huge_size, "its shape is negative or too large"},
    {"too many axes", many_axes, "tensor 'w' has 20 axes; at most 8"},
    {"rows that do not fit", wrong_rows, "cannot multiply 4 columns by 3 rows"},
    {"weights of text", text_weights, "tensor 'w' is of string"},
    {"complex weights", complex_weights, "tensor 'w' is of complex64"},
    {"weights of no type", unknown_type, "tensor 'w' is of an unknown type"},
    {"input of text", text_input, "input 'x' is of string"},
    {"open size", open_size, "input 'x': the size of axis 1"},
    {"size of 0", empty_size, "input 'x': the size of axis 1"},
    {"input beyond memory", large_input, "input 'x': the size of axis 1"},
    {"operator set below 0", old_opset, "operator set -5"},
    {"shapes that do not broadcast", broadcast, "(Add): the shapes of its inputs do not broadcast"},
    {"axis that is not there", no_axis, "(Softmax): there is no axis 7"},
    {"permutation with a repeat", perm_twice, "perm is no permutation"},
    {"permutation too short", perm_short, "perm has 1 numbers for 2 axes"},
    {"permutation beyond", perm_beyond, "perm is no permutation"},
    {"reshape to other cells", reshape_cells, "a size of 5 in its shape"},
    {"reshape with two open sizes", reshape_minus, "a size of -1 in its shape"},
    {"reshape that overflows", reshape_large, "in its shape"},
    {"squeeze of a wide axis", slice_empty, "axis 1 has a size of 2"},
    {"axis added twice", unsqueeze_twice, "an axis stands twice"},
    {"reduced axis that is not there", reduce_axis, "there is no axis -9"},
    {"pooling of a matrix", pool_of_matrix, "(MaxPool)"},
    {"shape of real numbers", constant_of_nothing, "is not a constant list of integers"},
    {"constant beyond memory", huge_constant, "a constant of negative size, or too large"},
};

/* ---- running ----------------------------------------------------------------------------------- */

static char folder[] = "/tmp/netcc_onnx_XXXXXX";
static char path[64], outside[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/case.onnx", folder);
    snprintf(outside, sizeof outside, "%s/data.bin", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    remove(path);
    remove(outside);
    return rmdir(folder);
}

/* Without the plugin there is nothing to test. */
static bool has_plugin(void)
{
    struct nc_error err;
    return nc_plugin("onnx", "", "", &err) != NULL;
}

static void write_small(const Small *s)
{
    struct nc_error err;
    if (nc_onnx_write(&s->model, path, &err) != 0)
        fail_msg("%s", err.message);
}

/* The messages, "" where it was imported. */
static char *import_file(void)
{
    Arena *arena = arena_new();
    Import import = {.arena = arena, .diag = diag_new(arena), .path = path};
    bool good = import_onnx.read(&import) && import_check(&import);
    char *said = strdup(good ? "" : import.diag->text.text);
    if (import.release)
        import.release(import.held);
    arena_free(arena);
    return said;
}

static void expect(const char *name, const char *says)
{
    char *said = import_file();
    if (!strstr(said, says) || !*said || !strstr(said, path))
        fail_msg("%s: expected '%s', got '%s'", name, says, said);
    free(said);
}

static void broken_models(void **state)
{
    (void)state;
    Small s;
    if (!has_plugin())
        skip();
    make_small(&s);
    write_small(&s);
    char *said = import_file();
    assert_string_equal(said, "");
    free(said);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        make_small(&s);
        broken[i].spoil(&s);
        write_small(&s);
        expect(broken[i].name, broken[i].says);
    }
}

static unsigned char *read_all(size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    unsigned char *bytes = calloc(1, 1 << 16);
    *size = fread(bytes, 1, 1 << 16, file);
    fclose(file);
    return bytes;
}

static void write_all(const char *to, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(to, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* Cut anywhere, a file is refused, or is a whole model all the same; never worse. */
static void truncated(void **state)
{
    (void)state;
    Small s;
    if (!has_plugin())
        skip();
    make_small(&s);
    write_small(&s);
    size_t size;
    unsigned char *bytes = read_all(&size);
    for (size_t length = 1; length < size; length++) {
        write_all(path, bytes, length);
        char *said = import_file();
        if (*said && !strstr(said, "error:"))
            fail_msg("cut at %zu: '%s'", length, said);
        free(said);
    }
    write_all(path, bytes, size / 2);
    expect("half a file", "is truncated or damaged");
    free(bytes);
}

/* Every byte in turn set to every one of some values. */
static void corrupted(void **state)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    (void)state;
    Small s;
    if (!has_plugin())
        skip();
    make_small(&s);
    write_small(&s);
    size_t size;
    unsigned char *bytes = read_all(&size);
    for (size_t at = 0; at < size; at++) {
        unsigned char kept = bytes[at];
        for (size_t k = 0; k < sizeof values; k++) {
            bytes[at] = values[k];
            write_all(path, bytes, size);
            free(import_file());
        }
        bytes[at] = kept;
    }
    free(bytes);
}

/* A message inside a message ... `depth` times: attribute, graph, node. */
static size_t nest(unsigned char *out, int depth)
{
    static const unsigned char keys[] = {0x0a, 0x2a, 0x32}; /* node, attribute, g */
    size_t length = 0;
    unsigned char *end = out + (1 << 16), *at = end;
    for (int i = 0; i < depth; i++) {
        size_t n = length;
        unsigned char size[5];
        int count = 0;
        do {
            size[count++] = (unsigned char)((n & 127) | (n > 127 ? 128 : 0));
            n >>= 7;
        } while (n);
        at -= count;
        memcpy(at, size, (size_t)count);
        *--at = i == depth - 1 ? 0x3a : keys[(depth - 2 - i) % 3];
        length = (size_t)(end - at);
    }
    memmove(out, at, length);
    return length;
}

static void hostile_bytes(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t size;
        const char *says;
    } cases[] = {
        {"zeros", "\0\0\0\0\0\0", 6, "is truncated or damaged"},
        {"text", "this is no model", 16, "damaged"},
        {"no graph", "\x08\x03\x12\x01x", 5, "holds no graph"},
        {"length beyond the end", "\x08\x03\x3a\xff\xff\xff\xff\x0f", 8, "is truncated or damaged"},
        {"length of 2^64", "\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "damaged"},
        {"number without end", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, "damaged"},
        {"field 0", "\x02\x00", 2, "is truncated or damaged"},
        {"group", "\x0b\x0c", 2, "damaged"},
        {"empty graph", "\x3a\x00", 2, "the graph has no input"},
    };
    (void)state;
    if (!has_plugin())
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_all(path, (const unsigned char *)cases[i].bytes, cases[i].size);
        expect(cases[i].name, cases[i].says);
    }
    unsigned char *deep = calloc(1, 1 << 16);
    write_all(path, deep, nest(deep, 6000));
    expect("nested graphs", "is nested too deeply");
    free(deep);
    /* two bytes a node: the file stays small, what it means does not */
    size_t size = 1 << 16;
    unsigned char *many = calloc(1, size + 8);
    memcpy(many, "\x3a\x80\x80\x04", 4);
    for (size_t i = 0; i < size; i += 2)
        many[i + 4] = 0x0a;
    write_all(path, many, size + 4);
    char *said = import_file();
    assert_non_null(strstr(said, "error:"));
    free(said);
    free(many);
}

/* ---- data in another file ---------------------------------------------------------------------- */

static void external(Small *s, const char *location, const char *offset, const char *length)
{
    make_small(s);
    s->tensors[0].external = 1;
    s->tensors[0].raw = NULL;
    s->tensors[0].raw_bytes = 0;
    s->tensors[0].location = location;
    s->tensors[0].offset = offset;
    s->tensors[0].length = length;
    write_small(s);
}

static void external_data(void **state)
{
    static const struct {
        const char *location, *offset, *length, *says;
    } cases[] = {
        {"../data.bin", "0", "24", "which is not below the model's folder"},
        {"/etc/hostname", "0", "24", "which is not below the model's folder"},
        {"a/../../data.bin", "0", "24", "which is not below the model's folder"},
        {"", "0", "24", "which is not below the model's folder"},
        {"absent.bin", "0", "24", "is not there"},
        {"data.bin", "32", "24", "24 bytes at 32, but"},
        {"data.bin", "9223372036854775800", "24", "24 bytes at 9223372036854775800"},
        {"data.bin", "-8", "24", "is no number"},
        {"data.bin", "x", "24", "is no number"},
        {"data.bin", "0", "23", "23 bytes of data for a shape of 24"},
        {"data.bin", "99999999999999999999999", "24", "is no number"},
    };
    (void)state;
    Small s;
    if (!has_plugin())
        skip();
    const float values[] = {0, 0, 1, 2, 3, 4, 5, 6};
    write_all(outside, (const unsigned char *)values, sizeof values);
    external(&s, "data.bin", "8", "24");
    char *said = import_file();
    assert_string_equal(said, "");
    free(said);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        external(&s, cases[i].location, cases[i].offset, cases[i].length);
        expect(cases[i].location, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_models), cmocka_unit_test(truncated),
        cmocka_unit_test(corrupted),     cmocka_unit_test(hostile_bytes),
        cmocka_unit_test(external_data),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
