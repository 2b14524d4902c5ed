/* vocab.h: the vocabulary of generated kernels. SPDX-License-Identifier: 0BSD
 *
 * Kernels know no instruction set. They are loops over these words: scalar primitives, block
 * functions over n elements, row reductions, random blocks, and the matmul tile. The preprocessor
 * picks one of three realisations:
 *   vectors   gcc and clang: everything inline; loops over primitives vectorise, the tile is
 *             written in vector types
 *   natives   tcc: prototypes only, resolved to the precompiled functions of native.c
 *   scalar    NC_SCALAR, or any other compiler: plain C99; with NC_DOUBLE in double, and the
 *             elementary functions are libm's
 *
 * Arithmetic is fixed: a fused multiply-add only where nc_fma stands (compile with
 * -ffp-contract=off), sums over 16 virtual lanes and a fixed tree, our own exp, log, tanh, erf. So
 * on machines with FMA all realisations in float give the same bits. Without FMA hardware nc_fma is
 * a * b + c.
 *
 * A NaN yields a NaN, except in comparisons and nc_sign (0) and in the second operand of nc_min and
 * nc_max. Worst errors in ulp: exp 1.0, expm1 1.5, log 0.9, log1p 1.5, tanh 1.4, erf 1.7, sin and
 * cos 1.6 (|x| <= 1e4; bounded beyond), pow 16 (2 where |b log a| < 5). */
#ifndef NC_VOCAB_H
#define NC_VOCAB_H

#ifdef NC_DOUBLE
typedef double nc_real;
#else
typedef float nc_real;
#endif

#ifndef NETCC_H
struct nc_hyper {
    float learning_rate;
    float iteration;
    unsigned int seed;
    unsigned int epoch;
    unsigned long long first_sample;
};
#endif

/* A function of many calls of kernels: it does not get quicker by -O3, which takes longer for it than for
 * the kernels. */
#if defined(__GNUC__) && !defined(__clang__)
#define NC_GLUE __attribute__((optimize("O1")))
#else
#define NC_GLUE
#endif

/* How a tile walks an operand: from one row, k, line and cell to the next; and how far it sums. */
struct nc_strides {
    long row, k, high, wide;
};
struct nc_extents {
    long k, high, wide;
};
/* What is touched when a tile is done: `cells` from each pointer that is not 0 */
struct nc_next {
    const nc_real *from[3];
    long cells;
};
/* A convolution: output o of an axis sees at cell t of the kernel the input's position
 * (o * stride - before + t * dilation) / spread, where that is whole and inside. */
struct nc_window {
    long size[3];   /* of the input: height, width, channels */
    long extent[2]; /* of the output: height, width */
    long kernel[2], stride[2], before[2], dilation[2], spread[2];
    long weight[3]; /* from one line of the kernel, one cell, one channel to the next */
    long run;       /* channels; or those of all cells of a line of the kernel, taken as one */
};
/* A convolution of 3 x 3 by Winograd's transforms, in tiles of `tile` x `tile` outputs. Transformed tiles lie
 * together in groups of `lines` lines of tiles of an image. */
struct nc_winograd {
    long size[3], extent[2];     /* of the input: height, width, channels; of the output */
    long before[2];              /* padding */
    long tiles[2], lines, tile;  /* tiles along the height and the width */
    long filters, panels, width; /* output channels, in panels of `width` */
    long weight[2];              /* from one row of the kernel to the next, from one panel */
    long flip;                   /* the kernel is turned by half */
};

#if defined(__TINYC__) && !defined(NC_SCALAR) /* natives; those of primitives: native.h */

#define NC_STATIC static inline
void nc_v_fill(nc_real *d, nc_real s, long n);
void nc_v_iota(nc_real *d, nc_real start, long n);
void nc_v_copy(nc_real *d, const nc_real *a, long n);
void nc_v_accumulate(nc_real *d, const nc_real *a, long n);
void nc_v_uniform(nc_real *d, const struct nc_hyper *h, unsigned stream, long row, long first,
                  long n);
nc_real nc_sum(const nc_real *x, long n);
nc_real nc_maximum(const nc_real *x, long n);
nc_real nc_minimum(const nc_real *x, long n);
nc_real nc_argmax(const nc_real *x, long n);
void nc_tile(nc_real *c, long ldc, const nc_real *a, long a_row, long a_k, const nc_real *b,
             long ldb, long K, long rows, long width);
void nc_tile_ahead(nc_real *c, long ldc, const nc_real *a, long a_row, long a_k, const nc_real *b,
                   long ldb, long K, long rows, long width, const struct nc_next *next);
void nc_tile_sum(nc_real *c, long ldc, int add, const nc_real *a, const struct nc_strides *as,
                 const nc_real *b, const struct nc_strides *bs, const struct nc_extents *extents,
                 long rows, long width);
void nc_window_tile(nc_real *c, const nc_real *x, const nc_real *w, const struct nc_window *g,
                    long i, long rows, long width);
void nc_depthwise_tile(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                       const struct nc_window *g, long i, long rows, long cols);
void nc_depthwise_line(nc_real *d, const nc_real *x, long ldx, const nc_real *dy, long ldy,
                       long pixels, long cols);
long nc_line(long band, long step, long offset, long all);
void nc_keep_lines(nc_real *ring, long before, long first, long end, long line);
void nc_max_tile(nc_real *c, long ldc, const nc_real *x, const struct nc_window *g, long i,
                 long rows, long cols);
void nc_mean_tile(nc_real *c, long ldc, const nc_real *x, const struct nc_window *g, long i,
                  long rows, long cols);
void nc_max_grad_tile(nc_real *c, long ldc, const nc_real *dy, const nc_real *x, const nc_real *y,
                      const struct nc_window *g, long i, long rows, long cols);
void nc_mean_grad_tile(nc_real *c, long ldc, const nc_real *dy, const struct nc_window *g, long i,
                       long rows, long cols);
void nc_winograd_input(nc_real *v, const nc_real *x, const struct nc_winograd *g, long strip);
void nc_winograd_kernel(nc_real *u, const nc_real *w, const struct nc_winograd *g, long unit);
void nc_winograd_product(nc_real *y, const nc_real *v, const nc_real *u,
                         const struct nc_winograd *g, long n, long unit);
void nc_winograd_output(nc_real *c, const nc_real *v, const struct nc_winograd *g, long i,
                        long rows, long j);
void nc_winograd_output_grad(nc_real *v, const nc_real *dy, const struct nc_winograd *g,
                             long strip);
void nc_winograd_product_tn(nc_real *du, const nc_real *v, const nc_real *z,
                            const struct nc_winograd *g, long n, int add, long unit);
void nc_winograd_kernel_grad(nc_real *dw, const nc_real *du, const struct nc_winograd *g,
                             long unit);
void nc_panel_copy(nc_real *d, long width, const nc_real *x, long ldx, long rows, long cols);
void nc_transpose(nc_real *d, long ldd, const nc_real *a, long lda, long rows, long cols);
void nc_column_sum(nc_real *d, const nc_real *x, long ldx, long rows, long cols);

#else

/* ---- what the compiler offers ---------------------------------------------------------------- */

#if defined(__FAST_MATH__) && !defined(NC_DOUBLE)
#error "exp and log need IEEE arithmetic: compile without -ffast-math and -Ofast"
#endif

#ifdef __TINYC__
double exp(double), expm1(double), log(double), log1p(double), tanh(double), erf(double);
double sqrt(double), floor(double), fabs(double), sin(double), cos(double);
double pow(double, double), fma(double, double, double);
float sqrtf(float), fabsf(float), fmaf(float, float, float);
void *memcpy(void *, const void *, unsigned long);
#else
#include <math.h>
#include <string.h>
#endif

#if defined(__GNUC__) && !defined(__TINYC__)
#define NC_INLINE static inline __attribute__((always_inline, unused))
#define NC_STATIC static inline __attribute__((unused))
#ifdef __clang__
#define NC_NOINLINE static __attribute__((noinline, unused))
#else /* no copies for the literals of one caller either */
#define NC_NOINLINE static __attribute__((noinline, noclone, unused))
#endif
#define NC_MEMCPY __builtin_memcpy
#define NC_LIKELY(x) __builtin_expect(!!(x), 1)
#define NC_PREFETCH(p) __builtin_prefetch(p)
#define NC_PREFETCH_FAR(p) __builtin_prefetch(p, 0, 2)
/* What was made of x, and what was read from memory, is not kept in registers beyond: registers are
 * for the inner loop. */
#define NC_OPAQUE(x) __asm__("" : "+r"(x))
#define NC_RELOAD() __asm__ volatile("" : : : "memory")
#if !defined(NC_SCALAR) && !defined(NC_DOUBLE) && !(defined(__i386__) && !defined(__SSE__))
#define NC_VECTORS 1
#endif
#else
#define NC_INLINE static inline
#define NC_STATIC static inline
#define NC_NOINLINE static inline
#define NC_MEMCPY memcpy
#define NC_LIKELY(x) (x)
#define NC_PREFETCH(p)
#define NC_PREFETCH_FAR(p)
#define NC_OPAQUE(x) ((void)0)
#define NC_RELOAD() ((void)0)
#endif

/* Before a loop: its iterations do not depend on each other (the destination may be a source);
 * its fixed number of rounds is to be unrolled. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* they are wishes: -O1 may decline them */
#pragma STDC FP_CONTRACT OFF
#define NC_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#define NC_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__) && !defined(__TINYC__)
#define NC_INDEPENDENT _Pragma("GCC ivdep")
#define NC_UNROLL _Pragma("GCC unroll 32")
#else
#define NC_INDEPENDENT
#define NC_UNROLL
#endif

#ifdef NC_DOUBLE
#define NC_LIBM(name) name
#else
#define NC_LIBM(name) name##f
#endif

#if defined(__FMA__) || defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA) || defined(NC_DOUBLE)
#define NC_FUSED 1
#else
#define NC_FUSED 0
#endif

#include "vocab/primitives.h"
#include "vocab/blocks.h"
#include "vocab/tuning.h"
#include "vocab/vectors.h"
#include "vocab/random.h"
#include "vocab/tile.h"
#include "vocab/cells.h"
#include "vocab/window.h"
#include "vocab/winograd.h"

#endif /* natives */
#endif /* NC_VOCAB_H */
