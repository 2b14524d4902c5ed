/* nc_array's core: messages, element types, and the gathering of rows as floats. */
#include "data/array.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A long path keeps its end, which says more than its beginning. */
static void set_path(struct nc_error *err, const char *path)
{
    size_t length = strlen(path), room = sizeof err->path - 1;
    if (length <= room)
        memcpy(err->path, path, length + 1);
    else
        snprintf(err->path, sizeof err->path, "...%s", path + (length - room + 3));
}

/* Names quoted from a hostile file must not steer the terminal. */
static void make_plain(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

int nc_fail(struct nc_error *err, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    make_plain(err->message);
    set_path(err, path ? path : "");
    err->note[0] = '\0';
    return -1;
}

int nc_fail_note(struct nc_error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->note, sizeof err->note, format, arguments);
    va_end(arguments);
    make_plain(err->note);
    return -1;
}

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [NC_U8] = {"uint8", 1},      [NC_I8] = {"int8", 1},     [NC_U16] = {"uint16", 2},
    [NC_I16] = {"int16", 2},     [NC_U32] = {"uint32", 4},  [NC_I32] = {"int32", 4},
    [NC_U64] = {"uint64", 8},    [NC_I64] = {"int64", 8},   [NC_F16] = {"float16", 2},
    [NC_BF16] = {"bfloat16", 2}, [NC_F32] = {"float32", 4}, [NC_F64] = {"float64", 8},
    [NC_BOOL] = {"bool", 1},
};

size_t nc_dtype_size(enum nc_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *nc_dtype_name(enum nc_dtype dtype)
{
    return dtypes[dtype].name;
}

void nc_array_close(struct nc_array *array)
{
    if (array->map)
        munmap(array->map, array->map_bytes);
    free(array->block);
    if (array->maker)
        array->maker->close(array->maker);
    *array = (struct nc_array){0};
}

void nc_names_free(char **names, int count)
{
    for (int i = 0; names && i < count; i++)
        free(names[i]);
    free(names);
}

/* How one element's bits become a number. Subnormal halves are scaled, the rest re-biased. */
static float half_value(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, rest = bits & 0x7fff, word;
    float value;
    if (rest < 0x0400) {
        value = (float)rest * 0x1p-24f;
        return sign ? -value : value;
    }
    word = sign | (rest < 0x7c00 ? (rest << 13) + 0x38000000 : 0x7f800000 | (rest & 0x3ff) << 13);
    memcpy(&value, &word, sizeof value);
    return value;
}

/* bfloat16 is the upper half of a float32. */
static float brain_value(uint16_t bits)
{
    uint32_t word = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

#define AS_IS(bits) bits
#define AS_TRUTH(bits) ((bits) != 0)
#define DEFINE_SIGNED(TYPE, BITS)                                                                  \
    static TYPE TYPE##_value(BITS bits)                                                            \
    {                                                                                              \
        TYPE value;                                                                                \
        memcpy(&value, &bits, sizeof value);                                                       \
        return value;                                                                              \
    }
DEFINE_SIGNED(int8_t, uint8_t)
DEFINE_SIGNED(int16_t, uint16_t)
DEFINE_SIGNED(int32_t, uint32_t)
DEFINE_SIGNED(int64_t, uint64_t)
DEFINE_SIGNED(float, uint32_t)
DEFINE_SIGNED(double, uint64_t)

/* A converter of n elements, which may lie unaligned, byte-swapped where SWAP says so. */
#define DEFINE_CONVERT(NAME, REAL, BITS, SWAP, VALUE)                                              \
    static void NAME(const unsigned char *source, int64_t n, void *target)                         \
    {                                                                                              \
        REAL *out = target;                                                                        \
        for (int64_t i = 0; i < n; i++) {                                                          \
            BITS bits;                                                                             \
            memcpy(&bits, source + i * (int64_t)sizeof bits, sizeof bits);                         \
            out[i] = (REAL)VALUE(SWAP(bits));                                                      \
        }                                                                                          \
    }
#define DEFINE_ORDERS(NAME, REAL, BITS, SWAP, VALUE)                                               \
    DEFINE_CONVERT(NAME##_little, REAL, BITS, AS_IS, VALUE)                                        \
    DEFINE_CONVERT(NAME##_big, REAL, BITS, SWAP, VALUE)
#define DEFINE_CONVERTS(REAL)                                                                      \
    DEFINE_ORDERS(REAL##_u8, REAL, uint8_t, AS_IS, AS_IS)                                          \
    DEFINE_ORDERS(REAL##_i8, REAL, uint8_t, AS_IS, int8_t_value)                                   \
    DEFINE_ORDERS(REAL##_u16, REAL, uint16_t, __builtin_bswap16, AS_IS)                            \
    DEFINE_ORDERS(REAL##_i16, REAL, uint16_t, __builtin_bswap16, int16_t_value)                    \
    DEFINE_ORDERS(REAL##_u32, REAL, uint32_t, __builtin_bswap32, AS_IS)                            \
    DEFINE_ORDERS(REAL##_i32, REAL, uint32_t, __builtin_bswap32, int32_t_value)                    \
    DEFINE_ORDERS(REAL##_u64, REAL, uint64_t, __builtin_bswap64, AS_IS)                            \
    DEFINE_ORDERS(REAL##_i64, REAL, uint64_t, __builtin_bswap64, int64_t_value)                    \
    DEFINE_ORDERS(REAL##_f16, REAL, uint16_t, __builtin_bswap16, half_value)                       \
    DEFINE_ORDERS(REAL##_bf16, REAL, uint16_t, __builtin_bswap16, brain_value)                     \
    DEFINE_ORDERS(REAL##_f32, REAL, uint32_t, __builtin_bswap32, float_value)                      \
    DEFINE_ORDERS(REAL##_f64, REAL, uint64_t, __builtin_bswap64, double_value)                     \
    DEFINE_ORDERS(REAL##_bool, REAL, uint8_t, AS_IS, AS_TRUTH)
DEFINE_CONVERTS(float)
DEFINE_CONVERTS(double)

typedef void convert(const unsigned char *source, int64_t n, void *target);

#define PAIR(REAL, TYPE)                                                                           \
    {                                                                                              \
        REAL##_##TYPE##_little, REAL##_##TYPE##_big                                                \
    }
#define TABLE(REAL)                                                                                \
    {                                                                                              \
        [NC_U8] = PAIR(REAL, u8), [NC_I8] = PAIR(REAL, i8), [NC_U16] = PAIR(REAL, u16),            \
        [NC_I16] = PAIR(REAL, i16), [NC_U32] = PAIR(REAL, u32), [NC_I32] = PAIR(REAL, i32),        \
        [NC_U64] = PAIR(REAL, u64), [NC_I64] = PAIR(REAL, i64), [NC_F16] = PAIR(REAL, f16),        \
        [NC_BF16] = PAIR(REAL, bf16), [NC_F32] = PAIR(REAL, f32), [NC_F64] = PAIR(REAL, f64),      \
        [NC_BOOL] = PAIR(REAL, bool),                                                              \
    }
static convert *const to_float[][2] = TABLE(float);
static convert *const to_double[][2] = TABLE(double);

/* The two kinds of rows that training lives on. A block of a known length vectorises at -O2. */
enum { BLOCK = 16 };
static void block_to_float(const unsigned char *restrict in, float *restrict out)
{
    for (int i = 0; i < BLOCK; i++)
        out[i] = in[i];
}

static void bytes_to_float(const unsigned char *source, int64_t n, void *target)
{
    float *out = target;
    int64_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK)
        block_to_float(source + i, out + i);
    for (; i < n; i++)
        out[i] = source[i];
}

static void copy_floats(const unsigned char *source, int64_t n, void *target)
{
    memcpy(target, source, (size_t)n * sizeof(float));
}

static convert *find_convert(const struct nc_array *array, size_t real_bytes)
{
    if (real_bytes == sizeof(double))
        return to_double[array->dtype][array->big_endian != 0];
    if (array->dtype == NC_U8)
        return bytes_to_float;
    if (array->dtype == NC_F32 && !array->big_endian)
        return copy_floats;
    return to_float[array->dtype][array->big_endian != 0];
}

void nc_array_gather(const struct nc_array *array, const uint32_t *index, long n, void *out,
                     size_t real_bytes)
{
    convert *row = find_convert(array, real_bytes);
    size_t in_bytes = (size_t)array->row_elements * nc_dtype_size(array->dtype);
    size_t out_bytes = (size_t)array->row_elements * real_bytes;
    for (long i = 0; i < n; i++)
        row(array->data + index[i] * in_bytes, array->row_elements,
            (unsigned char *)out + (size_t)i * out_bytes);
}
