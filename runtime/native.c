/* native.c: the vocabulary as functions, compiled once per instruction set with -DNC_ISA=sse2|avx2|
 * avx512 (generic off x86) and the flags that go with it. Everything is static but the table. */
#include "vocab.h"
#include "native.h"
#include "primitives.h"

/* d[i] = primitive(a[i], ...); d may be one of the sources. */
#define LOOP(name, call, ...)                                                                      \
    static void nc_v_##name(nc_real *d, __VA_ARGS__, long n)                                       \
    {                                                                                              \
        NC_INDEPENDENT                                                                             \
        for (long i = 0; i < n; i++)                                                               \
            d[i] = nc_##name call;                                                                 \
    }
#define BLOCK_1(name) LOOP(name, (a[i]), const nc_real *a)
#define BLOCK_2(name) LOOP(name, (a[i], b[i]), const nc_real *a, const nc_real *b)
#define BLOCK_3(name)                                                                              \
    LOOP(name, (a[i], b[i], c[i]), const nc_real *a, const nc_real *b, const nc_real *c)
#define BLOCK(name, arity) BLOCK_##arity(name)
NC_PRIMITIVES(BLOCK)

#define REVERSED(name)                                                                             \
    static nc_real nc_r##name(nc_real a, nc_real b)                                                \
    {                                                                                              \
        return nc_##name(b, a);                                                                    \
    }
REVERSED(add)
REVERSED(sub)
REVERSED(mul)
REVERSED(div)
#define PAIR(first, second)                                                                        \
    static void nc_v_##first##_##second(nc_real *d, const nc_real *a, const nc_real *b,            \
                                        const nc_real *c, long n)                                  \
    {                                                                                              \
        NC_INDEPENDENT                                                                             \
        for (long i = 0; i < n; i++)                                                               \
            d[i] = nc_##second(nc_##first(a[i], b[i]), c[i]);                                      \
    }
NC_PAIRS(PAIR)

#define FUNCTION(name) (void (*)(void)) name
#define PRIMITIVE(name, arity) {"nc_v_" #name, FUNCTION(nc_v_##name)},
#define PAIR_SYMBOL(first, second) {"nc_v_" #first "_" #second, FUNCTION(nc_v_##first##_##second)},
static const struct nc_native_symbol symbols[] = {
    NC_PRIMITIVES(PRIMITIVE) NC_PAIRS(PAIR_SYMBOL){"nc_v_fill", FUNCTION(nc_v_fill)},
    {"nc_v_iota", FUNCTION(nc_v_iota)},
    {"nc_v_copy", FUNCTION(nc_v_copy)},
    {"nc_v_accumulate", FUNCTION(nc_v_accumulate)},
    {"nc_v_uniform", FUNCTION(nc_v_uniform)},
    {"nc_sum", FUNCTION(nc_sum)},
    {"nc_maximum", FUNCTION(nc_maximum)},
    {"nc_minimum", FUNCTION(nc_minimum)},
    {"nc_argmax", FUNCTION(nc_argmax)},
    {"nc_tile", FUNCTION(nc_tile)},
    {"nc_tile_ahead", FUNCTION(nc_tile_ahead)},
    {"nc_tile_sum", FUNCTION(nc_tile_sum)},
    {"nc_window_tile", FUNCTION(nc_window_tile)},
    {"nc_depthwise_tile", FUNCTION(nc_depthwise_tile)},
    {"nc_depthwise_line", FUNCTION(nc_depthwise_line)},
    {"nc_line", FUNCTION(nc_line)},
    {"nc_keep_lines", FUNCTION(nc_keep_lines)},
    {"nc_max_tile", FUNCTION(nc_max_tile)},
    {"nc_mean_tile", FUNCTION(nc_mean_tile)},
    {"nc_max_grad_tile", FUNCTION(nc_max_grad_tile)},
    {"nc_mean_grad_tile", FUNCTION(nc_mean_grad_tile)},
    {"nc_winograd_input", FUNCTION(nc_winograd_input)},
    {"nc_winograd_kernel", FUNCTION(nc_winograd_kernel)},
    {"nc_winograd_product", FUNCTION(nc_winograd_product)},
    {"nc_winograd_output", FUNCTION(nc_winograd_output)},
    {"nc_winograd_output_grad", FUNCTION(nc_winograd_output_grad)},
    {"nc_winograd_product_tn", FUNCTION(nc_winograd_product_tn)},
    {"nc_winograd_kernel_grad", FUNCTION(nc_winograd_kernel_grad)},
    {"nc_panel_copy", FUNCTION(nc_panel_copy)},
    {"nc_transpose", FUNCTION(nc_transpose)},
    {"nc_column_sum", FUNCTION(nc_column_sum)},
};

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define TABLE_(isa) nc_native_##isa
#define TABLE(isa) TABLE_(isa)
const struct nc_native TABLE(NC_ISA) = {TEXT(NC_ISA), NC_ROWS,
                                        (int)(sizeof symbols / sizeof symbols[0]), symbols};
