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

/* How a tile walks an operand: from one row, k, line and cell to the next; and how far it sums. */
struct nc_strides {
    long row, k, high, wide;
};
struct nc_extents {
    long k, high, wide;
};
/* A convolution: output o of an axis sees at cell t of the kernel the input's position
 * (o * stride - before + t * dilation) / spread, where that is whole and inside. */
struct nc_window {
    long size[3];   /* of the input: height, width, channels */
    long extent[2]; /* of the output: height, width */
    long kernel[2], stride[2], before[2], dilation[2], spread[2];
    long weight[3]; /* from one line of the kernel, one cell, one channel to the next */
    long
        run; /* of channels; or of a kernel's whole line that never leaves the image, as one cell */
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
void nc_tile_sum(nc_real *c, long ldc, int add, const nc_real *a, const struct nc_strides *as,
                 const nc_real *b, const struct nc_strides *bs, const struct nc_extents *extents,
                 long rows, long width);
void nc_window_tile(nc_real *c, const nc_real *x, const nc_real *w, const struct nc_window *g,
                    long i, long rows, long width);
void nc_depthwise_tile(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                       const struct nc_window *g, long i, long rows, long cols);
void nc_depthwise_line(nc_real *d, const nc_real *x, long ldx, const nc_real *dy, long ldy,
                       long pixels, long cols);
void nc_max_tile(nc_real *c, long ldc, const nc_real *x, const struct nc_window *g, long i,
                 long rows, long cols);
void nc_mean_tile(nc_real *c, long ldc, const nc_real *x, const struct nc_window *g, long i,
                  long rows, long cols);
void nc_max_grad_tile(nc_real *c, long ldc, const nc_real *dy, const nc_real *x, const nc_real *y,
                      const struct nc_window *g, long i, long rows, long cols);
void nc_mean_grad_tile(nc_real *c, long ldc, const nc_real *dy, const struct nc_window *g, long i,
                       long rows, long cols);
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
#if !defined(NC_SCALAR) && !defined(NC_DOUBLE) && !(defined(__i386__) && !defined(__SSE__))
#define NC_VECTORS 1
#endif
#else
#define NC_INLINE static inline
#define NC_STATIC static inline
#define NC_NOINLINE static inline
#define NC_MEMCPY memcpy
#define NC_LIKELY(x) (x)
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

/* ---- primitives ------------------------------------------------------------------------------ */

NC_INLINE nc_real nc_neg(nc_real a)
{
    return -a;
}
NC_INLINE nc_real nc_abs(nc_real a)
{
    return NC_LIBM(fabs)(a);
}
NC_INLINE nc_real nc_sign(nc_real a)
{
    return (nc_real)(a > 0) - (nc_real)(a < 0);
}
NC_INLINE nc_real nc_sqrt(nc_real a)
{
    return NC_LIBM(sqrt)(a);
}
NC_INLINE nc_real nc_add(nc_real a, nc_real b)
{
    return a + b;
}
NC_INLINE nc_real nc_sub(nc_real a, nc_real b)
{
    return a - b;
}
NC_INLINE nc_real nc_mul(nc_real a, nc_real b)
{
    return a * b;
}
NC_INLINE nc_real nc_div(nc_real a, nc_real b)
{
    return a / b;
}
/* A NaN in a is kept, a NaN in b is not: relu is max(x, 0). */
NC_INLINE nc_real nc_min(nc_real a, nc_real b)
{
    return b < a ? b : a;
}
NC_INLINE nc_real nc_max(nc_real a, nc_real b)
{
    return b > a ? b : a;
}
NC_INLINE nc_real nc_lt(nc_real a, nc_real b)
{
    return a < b ? (nc_real)1 : (nc_real)0;
}
NC_INLINE nc_real nc_le(nc_real a, nc_real b)
{
    return a <= b ? (nc_real)1 : (nc_real)0;
}
NC_INLINE nc_real nc_eq(nc_real a, nc_real b)
{
    return a == b ? (nc_real)1 : (nc_real)0;
}
NC_INLINE nc_real nc_where(nc_real c, nc_real a, nc_real b)
{
    return c != 0 ? a : b;
}
NC_INLINE nc_real nc_fma(nc_real a, nc_real b, nc_real c)
{
#if NC_FUSED
    return NC_LIBM(fma)(a, b, c);
#else
    return a * b + c;
#endif
}

#ifdef NC_DOUBLE

NC_INLINE nc_real nc_floor(nc_real x)
{
    return floor(x);
}
NC_INLINE nc_real nc_exp(nc_real x)
{
    return exp(x);
}
NC_INLINE nc_real nc_expm1(nc_real x)
{
    return expm1(x);
}
NC_INLINE nc_real nc_log(nc_real x)
{
    return log(x);
}
NC_INLINE nc_real nc_log1p(nc_real x)
{
    return log1p(x);
}
NC_INLINE nc_real nc_tanh(nc_real x)
{
    return tanh(x);
}
NC_INLINE nc_real nc_erf(nc_real x)
{
    return erf(x);
}
NC_INLINE nc_real nc_sin(nc_real x)
{
    return sin(x);
}
NC_INLINE nc_real nc_cos(nc_real x)
{
    return cos(x);
}
NC_INLINE nc_real nc_pow(nc_real a, nc_real b)
{
    return pow(a, b);
}

#else

/* The elementary functions in float: no branch, so that loops over them vectorise. Argument
 * reduction in two or three constants after Cody & Waite, "Software Manual for the Elementary
 * Functions" (1980); rounding by adding 1.5 * 2^23; the polynomials are our own minimax fits
 * (Remez), in Horner form. */

NC_INLINE unsigned nc_bits(float x)
{
    unsigned u;
    NC_MEMCPY(&u, &x, sizeof u);
    return u;
}
NC_INLINE float nc_from_bits(unsigned u)
{
    float x;
    NC_MEMCPY(&x, &u, sizeof x);
    return x;
}
NC_INLINE float nc_copysign(float magnitude, float sign)
{
    return nc_from_bits((nc_bits(magnitude) & 0x7fffffffu) | (nc_bits(sign) & 0x80000000u));
}
/* x as a float indeed: the x87 computes in more */
NC_INLINE float nc_rounded(float x)
{
#if defined(__i386__) && !defined(__SSE2_MATH__)
    volatile float rounded = x;
    return rounded;
#else
    return x;
#endif
}
/* Exactly floor; SSE2 has no instruction for it. From 2^23 on every float is an integer. */
NC_INLINE float nc_floor(float x)
{
    float t = nc_copysign(nc_rounded(nc_abs(x) + 8388608.0f) - 8388608.0f, x);
    t = t > x ? t - 1 : t;
    return nc_abs(x) < 8388608.0f ? t : x;
}
/* 2^k for -126 <= k <= 127 */
NC_INLINE float nc_power_of_two(int k)
{
    return nc_from_bits((unsigned)(k + 127) << 23);
}
/* a * b + c where the error terms below need it fused; the product is exact in double. */
NC_INLINE float nc_fused(float a, float b, float c)
{
#if NC_FUSED
    return NC_LIBM(fma)(a, b, c);
#else
    return (float)((double)a * (double)b + (double)c);
#endif
}

#define NC_ROUND 12582912.0f     /* 1.5 * 2^23: x + NC_ROUND holds round(x) in its low bits */
#define NC_LN2_HIGH 0.693145752f /* 15 bits: its product with an exponent is exact */
#define NC_LN2_LOW 1.42860682e-6f
#define NC_INF nc_from_bits(0x7f800000u)
#define NC_NAN nc_from_bits(0x7fc00000u)

/* x = k ln2 + r, |r| <= ln2 / 2 */
NC_INLINE int nc_exp_split(float x, float *r)
{
    float t = nc_rounded(nc_fma(x, 1.44269504f, NC_ROUND)), k = t - NC_ROUND;
    *r = nc_fma(k, -NC_LN2_LOW, nc_fma(k, -NC_LN2_HIGH, x));
    return (int)(nc_bits(t) - nc_bits(NC_ROUND));
}
/* e^r - 1, |r| <= ln2 / 2; error of the fit 2^-28.7 */
NC_INLINE float nc_expm1_reduced(float r)
{
    float q = 0.000198458986f;
    q = nc_fma(q, r, 0.00139408925f);
    q = nc_fma(q, r, 0.00833338995f);
    q = nc_fma(q, r, 0.0416663578f);
    q = nc_fma(q, r, 0.166666664f);
    q = nc_fma(q, r, 0.5f);
    return nc_fma(r * r, q, r);
}
/* e^r 2^k for k from -151 to 128, in two factors so that only the last product rounds */
NC_INLINE float nc_exp_join(float r, int k)
{
    return (1 + nc_expm1_reduced(r)) * nc_power_of_two(k >> 1) * nc_power_of_two(k - (k >> 1));
}
NC_INLINE float nc_exp_clamp(float x)
{
    return nc_min(nc_max(x, -104), 89);
}
NC_INLINE float nc_exp(float x)
{
    float r;
    int k = nc_exp_split(nc_exp_clamp(x), &r);
    return nc_exp_join(r, k);
}
/* e^x - 1 for x < 88 */
NC_INLINE float nc_expm1_low(float x)
{
    float r;
    int k = nc_exp_split(nc_max(x, -18), &r);
    float s = nc_power_of_two(k);
    return nc_fma(s, nc_expm1_reduced(r), s - 1);
}
NC_INLINE float nc_expm1(float x)
{
    float r;
    int k = nc_exp_split(nc_min(nc_max(x, -18), 89), &r), top = k > 127;
    float s = nc_power_of_two(k - top);
    return nc_fma(s, nc_expm1_reduced(r), s - 1) * (float)(1 + top);
}

/* x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), for positive normal x */
NC_INLINE int nc_log_split(float x, float *f)
{
    unsigned u = nc_bits(x) - 0x3f3504f3u; /* sqrt(1/2) */
    *f = nc_from_bits((u & 0x7fffffu) + 0x3f3504f3u) - 1;
    return (int)u >> 23;
}
/* (log(1 + f) - f + f^2 / 2) / f^3; error of the fit relative to log(1 + f) 2^-28.1 */
NC_INLINE float nc_log_tail(float f)
{
    float p = 0.0674661076f;
    p = nc_fma(p, f, -0.116756195f);
    p = nc_fma(p, f, 0.118881579f);
    p = nc_fma(p, f, -0.124055941f);
    p = nc_fma(p, f, 0.142195537f);
    p = nc_fma(p, f, -0.166679956f);
    p = nc_fma(p, f, 0.200021186f);
    p = nc_fma(p, f, -0.250000096f);
    return nc_fma(p, f, 0.333333126f);
}
/* k ln2 + log(1 + f) */
NC_INLINE float nc_log_join(float f, float k)
{
    float s = f * f;
    float low = nc_fma(k, NC_LN2_LOW, nc_fma(-0.5f, s, s * f * nc_log_tail(f)));
    return nc_fma(k, NC_LN2_HIGH, f + low);
}
/* The result y of a logarithm whose argument x may be out of its domain */
NC_INLINE float nc_log_special(float x, float y)
{
    y = x < NC_INF ? y : x;
    y = x == 0 ? -NC_INF : y;
    return x < 0 ? NC_NAN : y;
}
NC_INLINE float nc_log(float x)
{
    int tiny = x < 1.17549435e-38f;
    float f, scaled = x * (tiny ? 8388608.0f : 1.0f);
    int k = nc_log_split(scaled, &f);
    return nc_log_special(x, nc_log_join(f, (float)(k - (tiny ? 23 : 0))));
}
/* log(u + c), u = 1 + x rounded and c its error */
NC_INLINE float nc_log1p(float x)
{
    float u = nc_rounded(1 + x), b = u - 1, c = (1 - (u - b)) + (x - b), f;
    int k = nc_log_split(u, &f);
    f = nc_fma(c, nc_power_of_two(-(k < 126 ? k : 126)), f);
    return nc_log_special(u, nc_log_join(f, (float)k));
}

/* tanh x = x + x^3 P(x^2) below 0.625 (error of the fit 2^-26.8), else 1 - 2 / (e^2a + 1) */
NC_INLINE float nc_tanh(float x)
{
    float a = nc_abs(x), s = x * x, p = -0.00570499161f, r, t;
    int k = nc_exp_split(nc_min(2 * a, 20), &r);
    p = nc_fma(p, s, 0.0206390911f);
    p = nc_fma(p, s, -0.0537397161f);
    p = nc_fma(p, s, 0.133314422f);
    p = nc_fma(p, s, -0.333332819f);
    t = (1 + nc_expm1_reduced(r)) * nc_power_of_two(k);
    t = a < 0.625f ? nc_fma(a * s, p, a) : 1 - 2 / (t + 1);
    return nc_copysign(t, x);
}

/* erf x = 1 - e^(-a Q(a)), a = |x|; error of the fit 2^-27.9 */
NC_INLINE float nc_erf(float x)
{
    float a = nc_min(nc_abs(x), 3.95f), q = -9.25011019e-6f;
    q = nc_fma(q, a, 0.000117583934f);
    q = nc_fma(q, a, -0.000632622579f);
    q = nc_fma(q, a, 0.00166661397f);
    q = nc_fma(q, a, -0.000159954314f);
    q = nc_fma(q, a, -0.0191533239f);
    q = nc_fma(q, a, 0.102777909f);
    q = nc_fma(q, a, 0.636619372f);
    q = nc_fma(q, a, -5.8635e-8f); /* 2 / sqrt(pi) in two parts */
    return nc_copysign(nc_expm1_low(-nc_fma(a, 1.12837923f, a * q)), x);
}

/* sin(x + turns * pi / 2), accurate for |x| <= 1e4 */
NC_INLINE float nc_sine(float x, unsigned turns)
{
    float t = nc_rounded(nc_fma(x, 0.636619772f, NC_ROUND)), k = t - NC_ROUND;
    unsigned quadrant = nc_bits(t) + turns;
    float r = nc_fused(k, -1.57079637f, x), s, p, q;
    r = nc_fused(k, 4.37113883e-8f, r);
    r = nc_fused(k, 1.71512451e-15f, r);
    r = nc_min(nc_max(r, -1), 1); /* beyond the domain: wrong, but bounded */
    s = r * r;
    p = nc_fma(nc_fma(-0.00019514785f, s, 0.00833215716f), s, -0.166666546f);
    p = nc_fma(s * r, p, r);
    q = nc_fma(nc_fma(2.44325876e-5f, s, -0.00138873114f), s, 0.0416666456f);
    q = nc_fma(s, nc_fma(s, q, -0.5f), 1);
    p = (quadrant & 1) != 0 ? q : p;
    return nc_from_bits(nc_bits(p) ^ ((quadrant & 2) << 30));
}
NC_INLINE float nc_sin(float x)
{
    return nc_sine(x, 0);
}
NC_INLINE float nc_cos(float x)
{
    return nc_sine(x, 1);
}

/* e^(b log a), with log a and its product by b in two parts each. A negative a takes an integer b. */
NC_INLINE float nc_pow(float a, float b)
{
    float x = nc_abs(a), scale = x < 1.17549435e-38f ? 8388608.0f : 1.0f, f, r;
    int k = nc_log_split(x * scale, &f) - (scale == 1 ? 0 : 23), e;
    /* log(1 + f) = m + m_low, k ln2 + that = h + h_low, the same with h_low small = log + low */
    float s = f * f, m = f - 0.5f * s, n = (float)k * NC_LN2_HIGH, h = nc_rounded(n + m), z = h - n;
    float m_low = nc_fma(-0.5f, nc_fused(f, f, -s), (f - m) - 0.5f * s);
    float h_low = nc_fma((float)k, NC_LN2_LOW, nc_fma(s * f, nc_log_tail(f), m_low)) +
                  ((n - (h - z)) + (m - z));
    float log = nc_rounded(h + h_low), low = h_low - (log - h);
    float high = b * nc_log_special(x, log), y, whole = nc_floor(b), half = 0.5f * b;
    low = nc_fma(b, low, nc_fused(b, log, -high));
    e = nc_exp_split(nc_exp_clamp(high), &r);
    y = nc_exp_join(r + (nc_abs(high) < 200 ? low : 0), e);
    y = a < 0 ? (whole != b ? NC_NAN : nc_floor(half) != half ? -y : y) : y;
    return b == 0 || a == 1 ? 1 : y;
}

#endif

/* ---- blocks that are no primitives ---------------------------------------------------------- */

NC_STATIC void nc_v_fill(nc_real *d, nc_real s, long n)
{
    for (long i = 0; i < n; i++)
        d[i] = s;
}
NC_STATIC void nc_v_iota(nc_real *d, nc_real start, long n)
{
    for (long i = 0; i < n; i++)
        d[i] = start + (nc_real)i;
}
NC_STATIC void nc_v_copy(nc_real *d, const nc_real *a, long n)
{
    if (d != a)
        NC_MEMCPY(d, a, (unsigned long)n * sizeof *d);
}

NC_STATIC void nc_v_accumulate(nc_real *d, const nc_real *a, long n)
{
    NC_INDEPENDENT
    for (long i = 0; i < n; i++)
        d[i] += a[i];
}

/* ---- random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", 2011) ------------------------------------------------------------------------------------- */

/* The words are kept in 64 bits, of which the low 32 count: products need no shuffles then. */
typedef unsigned long long nc_words;
NC_INLINE void nc_philox(nc_words c[4], unsigned key0, unsigned key1)
{
    NC_UNROLL
    for (int round = 0; round < 10; round++) {
        nc_words p = (c[0] & 0xffffffffu) * 0xd2511f53u, q = (c[2] & 0xffffffffu) * 0xcd9e8d57u;
        c[0] = (q >> 32) ^ c[1] ^ key0;
        c[1] = q;
        c[2] = (p >> 32) ^ c[3] ^ key1;
        c[3] = p;
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
}
NC_INLINE nc_real nc_unit(nc_words word)
{
    return (nc_real)(int)((unsigned)word >> 8) * (nc_real)5.9604644775390625e-8; /* 2^-24 */
}
/* Elements from..to of a counter's four */
NC_INLINE void nc_uniform_part(nc_real *d, nc_words counter, nc_words sample, unsigned stream,
                               const struct nc_hyper *h, unsigned key1, long from, long to)
{
    nc_words c[4];
    c[0] = counter, c[1] = sample, c[2] = stream, c[3] = h->epoch;
    nc_philox(c, h->seed, key1);
    for (long w = from; w < to; w++)
        d[w - from] = nc_unit(c[w]);
}
/* d[i] = uniform in [0, 1), 24 bits, of element first + i of `row`: word e % 4 of the counter
 * (e / 4, sample, stream, epoch) under the key (seed, high half of the sample's number) */
NC_STATIC void nc_v_uniform(nc_real *d, const struct nc_hyper *h, unsigned stream, long row,
                            long first, long n)
{
    const nc_words number = h->first_sample + (nc_words)row, sample = number & 0xffffffffu;
    const nc_words epoch = h->epoch;
    const unsigned key0 = h->seed, key1 = (unsigned)(number >> 32) ^ 0x6e657463u;
    unsigned counter = (unsigned)(first / 4);
    const long skip = first % 4, head = skip == 0 ? 0 : 4 - skip < n ? 4 - skip : n;
    long whole;
    if (head > 0)
        nc_uniform_part(d, counter++, sample, stream, h, key1, skip, skip + head);
    d += head;
    n -= head;
    whole = n / 4;
    for (long j = 0; j < whole; j++) {
        nc_words c[4];
        c[0] = counter + (unsigned)j, c[1] = sample, c[2] = stream, c[3] = epoch;
        nc_philox(c, key0, key1);
        d[4 * j] = nc_unit(c[0]);
        d[4 * j + 1] = nc_unit(c[1]);
        d[4 * j + 2] = nc_unit(c[2]);
        d[4 * j + 3] = nc_unit(c[3]);
    }
    if (n % 4 != 0)
        nc_uniform_part(d + 4 * whole, counter + (unsigned)whole, sample, stream, h, key1, 0,
                        n % 4);
}

/* ---- vectors --------------------------------------------------------------------------------- */

/* NC_LANES reals a vector; NC_TILE_ROWS x 2 accumulators fit the registers; NC_ROWS is the height of
 * a whole tile. */
#if defined(NC_VECTORS) && defined(__AVX512F__) && !defined(__clang__)
#pragma GCC target(                                                                                \
    "prefer-vector-width=512") /* -march=native may prefer halves, and takes them apart */
#endif
#ifndef NC_VECTORS
#define NC_LANES 16
#define NC_TILE_ROWS 4
#define NC_TILE_HEIGHT 4
#elif defined(__AVX512F__)
#define NC_LANES 16
#define NC_TILE_ROWS 14
#define NC_TILE_HEIGHT 14
#elif defined(__AVX2__)
#define NC_LANES 8
#define NC_TILE_ROWS 6
#define NC_TILE_HEIGHT 12
#elif defined(__aarch64__)
#define NC_LANES 4
#define NC_TILE_ROWS 12
#define NC_TILE_HEIGHT 12
#else
#define NC_LANES 4
#define NC_TILE_ROWS 6
#define NC_TILE_HEIGHT 12
#endif
#ifndef NC_ROWS
#define NC_ROWS NC_TILE_HEIGHT
#endif

/* Vector operations are lane loops; only their container depends on the realisation. */
#ifdef NC_VECTORS
typedef nc_real nc_vector
    __attribute__((vector_size(NC_LANES * sizeof(nc_real)), aligned(sizeof(nc_real)), may_alias));
#define NC_LANE(v, l) (v)[l]
#else
typedef struct {
    nc_real lane[NC_LANES];
} nc_vector;
#define NC_LANE(v, l) (v).lane[l]
#endif

NC_INLINE nc_vector nc_vector_load(const nc_real *p)
{
#ifdef NC_VECTORS
    return *(const nc_vector *)p;
#else
    nc_vector v;
    for (int l = 0; l < NC_LANES; l++)
        NC_LANE(v, l) = p[l];
    return v;
#endif
}
NC_INLINE void nc_vector_store(nc_real *p, nc_vector v)
{
#ifdef NC_VECTORS
    *(nc_vector *)p = v;
#else
    for (int l = 0; l < NC_LANES; l++)
        p[l] = NC_LANE(v, l);
#endif
}
NC_INLINE nc_vector nc_vector_splat(nc_real s)
{
    nc_vector v = {0};
    for (int l = 0; l < NC_LANES; l++)
        NC_LANE(v, l) = s;
    return v;
}
/* *p in every lane. It is read as a word: of such reads as floats, at literal strides, gcc 12 makes
 * vector loads and permutes, and the tile takes twice the time (measured). */
NC_INLINE nc_vector nc_vector_broadcast(const nc_real *p)
{
#ifdef NC_DOUBLE
    return nc_vector_splat(*p);
#else
    unsigned word;
    NC_MEMCPY(&word, p, sizeof word);
    return nc_vector_splat(nc_from_bits(word));
#endif
}
NC_INLINE nc_vector nc_vector_fma(nc_vector a, nc_vector b, nc_vector c)
{
    for (int l = 0; l < NC_LANES; l++)
        NC_LANE(c, l) = nc_fma(NC_LANE(a, l), NC_LANE(b, l), NC_LANE(c, l));
    return c;
}
NC_INLINE nc_vector nc_vector_add(nc_vector a, nc_vector b)
{
    for (int l = 0; l < NC_LANES; l++)
        NC_LANE(a, l) = nc_add(NC_LANE(a, l), NC_LANE(b, l));
    return a;
}
NC_INLINE nc_vector nc_vector_min(nc_vector a, nc_vector b)
{
    for (int l = 0; l < NC_LANES; l++)
        NC_LANE(a, l) = nc_min(NC_LANE(a, l), NC_LANE(b, l));
    return a;
}
NC_INLINE nc_vector nc_vector_max(nc_vector a, nc_vector b)
{
    for (int l = 0; l < NC_LANES; l++)
        NC_LANE(a, l) = nc_max(NC_LANE(a, l), NC_LANE(b, l));
    return a;
}

/* ---- row reductions, n >= 1 ------------------------------------------------------------------ */

/* 16 virtual lanes, whatever the instruction set: element i goes to lane i % 16 in ascending order,
 * then lanes l and l + 8, l + 4, l + 2, l + 1 are joined. */
#define NC_REDUCTION(name, op, start)                                                              \
    NC_STATIC nc_real name(const nc_real *x, long n)                                               \
    {                                                                                              \
        nc_vector acc[16 / NC_LANES];                                                              \
        nc_real lane[16];                                                                          \
        long i = 0;                                                                                \
        for (int v = 0; v < 16 / NC_LANES; v++)                                                    \
            acc[v] = nc_vector_splat(start);                                                       \
        for (; i + 16 <= n; i += 16)                                                               \
            for (int v = 0; v < 16 / NC_LANES; v++)                                                \
                acc[v] = nc_vector_##op(acc[v], nc_vector_load(x + i + v * NC_LANES));             \
        for (int v = 0; v < 16 / NC_LANES; v++)                                                    \
            nc_vector_store(lane + v * NC_LANES, acc[v]);                                          \
        for (long l = 0; l < n - i; l++)                                                           \
            lane[l] = nc_##op(lane[l], x[i + l]);                                                  \
        for (int half = 8; half > 0; half /= 2)                                                    \
            for (int l = 0; l < half; l++)                                                         \
                lane[l] = nc_##op(lane[l], lane[l + half]);                                        \
        return lane[0];                                                                            \
    }
NC_REDUCTION(nc_sum, add, 0)
NC_REDUCTION(nc_maximum, max, x[0])
NC_REDUCTION(nc_minimum, min, x[0])

/* Index of the first maximum; 0 if it is a NaN */
NC_STATIC nc_real nc_argmax(const nc_real *x, long n)
{
    nc_real most = nc_maximum(x, n);
    for (long i = 0; i < n; i++)
        if (x[i] == most)
            return (nc_real)i;
    return 0;
}

/* d[j] = sum over rows of x[row][j], rows ascending */
NC_INLINE void nc_column_strip(nc_real *d, const nc_real *x, long ldx, long rows, const int vectors)
{
    nc_vector acc[64 / NC_LANES];
    NC_UNROLL
    for (int v = 0; v < vectors; v++)
        acc[v] = nc_vector_splat(0);
    for (long i = 0; i < rows; i++) {
        NC_UNROLL
        for (int v = 0; v < vectors; v++)
            acc[v] = nc_vector_add(acc[v], nc_vector_load(x + i * ldx + v * NC_LANES));
    }
    NC_UNROLL
    for (int v = 0; v < vectors; v++)
        nc_vector_store(d + v * NC_LANES, acc[v]);
}
NC_STATIC void nc_column_sum(nc_real *d, const nc_real *x, long ldx, long rows, long cols)
{
    long j = 0;
    for (; j + 64 <= cols; j += 64)
        nc_column_strip(d + j, x + j, ldx, rows, 64 / NC_LANES);
    for (; j + 16 <= cols; j += 16)
        nc_column_strip(d + j, x + j, ldx, rows, 16 / NC_LANES);
    if (j < cols) {
        nc_real acc[16] = {0};
        for (long i = 0; i < rows; i++)
            for (long l = 0; l < cols - j; l++)
                acc[l] += x[i * ldx + j + l];
        for (long l = 0; l < cols - j; l++)
            d[j + l] = acc[l];
    }
}

/* Transposes of small squares in registers: log2(NC_LANES) rounds, each of which interleaves row i with
 * row i + NC_LANES / 2, turn rows into columns. */
#if defined(NC_VECTORS) && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define NC_SHUFFLE 1
#endif
#endif
#ifdef NC_SHUFFLE
#if NC_LANES == 16
#define NC_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define NC_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif NC_LANES == 8
#define NC_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define NC_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define NC_LOW 0, 4, 1, 5
#define NC_HIGH 2, 6, 3, 7
#endif
NC_INLINE void nc_transpose_square(nc_real *d, long ldd, const nc_real *a, long lda)
{
    nc_vector row[NC_LANES], mixed[NC_LANES];
    NC_UNROLL
    for (int i = 0; i < NC_LANES; i++)
        row[i] = nc_vector_load(a + i * lda);
    NC_UNROLL
    for (int round = 1; round < NC_LANES; round *= 2) {
        NC_UNROLL
        for (int i = 0; i < NC_LANES / 2; i++) {
            mixed[2 * i] = __builtin_shufflevector(row[i], row[i + NC_LANES / 2], NC_LOW);
            mixed[2 * i + 1] = __builtin_shufflevector(row[i], row[i + NC_LANES / 2], NC_HIGH);
        }
        NC_UNROLL
        for (int i = 0; i < NC_LANES; i++)
            row[i] = mixed[i];
    }
    NC_UNROLL
    for (int i = 0; i < NC_LANES; i++)
        nc_vector_store(d + i * ldd, row[i]);
}
#else
NC_INLINE void nc_transpose_square(nc_real *d, long ldd, const nc_real *a, long lda)
{
    for (int j = 0; j < NC_LANES; j++)
        for (int i = 0; i < NC_LANES; i++)
            d[j * ldd + i] = a[i * lda + j];
}
#endif
/* d[j][i] = a[i][j] */
NC_STATIC void nc_transpose(nc_real *d, long ldd, const nc_real *a, long lda, long rows, long cols)
{
    for (long i = 0; i < rows; i += NC_LANES)
        for (long j = 0; j < cols; j += NC_LANES) {
            if (i + NC_LANES <= rows && j + NC_LANES <= cols) {
                nc_transpose_square(d + j * ldd + i, ldd, a + i * lda + j, lda);
                continue;
            }
            for (long k = j; k < j + NC_LANES && k < cols; k++)
                for (long l = i; l < i + NC_LANES && l < rows; l++)
                    d[k * ldd + l] = a[l * lda + k];
        }
}

/* ---- the matmul tile ------------------------------------------------------------------------- */

/* c[r][j] = the sum over k of a[r * row + k * k] * b[k][j]: each element is one chain of fma in a
 * fixed order, so that its bits depend on neither tile shape nor instruction set. K is summed in
 * three nested loops: cells (`wide`) of lines (`high`) of k. The chain starts from 0, or from c if
 * `add`. `rows` and `vectors` are literals; the accumulators are registers. */
NC_INLINE void nc_tile_part(nc_real *c, long ldc, const int add, const nc_real *a,
                            const struct nc_strides *as, const nc_real *b,
                            const struct nc_strides *bs, const struct nc_extents *extents,
                            const int rows, const int vectors)
{
    const long a_row = as->row, a_k = as->k, ldb = bs->k, K = extents->k;
    nc_vector acc[NC_TILE_ROWS][2];
    NC_UNROLL
    for (int r = 0; r < rows; r++) {
        NC_UNROLL
        for (int v = 0; v < vectors; v++)
            acc[r][v] = add ? nc_vector_load(c + r * ldc + v * NC_LANES) : nc_vector_splat(0);
    }
    for (long wide = 0; wide < extents->wide; wide++) {
        for (long high = 0; high < extents->high; high++) {
            const nc_real *a_line = a + wide * as->wide + high * as->high;
            const nc_real *b_line = b + wide * bs->wide + high * bs->high;
            for (long k = 0; k < K; k++) {
                nc_vector u[2];
                NC_UNROLL
                for (int v = 0; v < vectors; v++)
                    u[v] = nc_vector_load(b_line + k * ldb + v * NC_LANES);
                NC_UNROLL
                for (int r = 0; r < rows; r++) {
                    nc_vector s = nc_vector_broadcast(a_line + r * a_row + k * a_k);
                    NC_UNROLL
                    for (int v = 0; v < vectors; v++)
                        acc[r][v] = nc_vector_fma(s, u[v], acc[r][v]);
                }
            }
        }
    }
    NC_UNROLL
    for (int r = 0; r < rows; r++) {
        NC_UNROLL
        for (int v = 0; v < vectors; v++)
            nc_vector_store(c + r * ldc + v * NC_LANES, acc[r][v]);
    }
}
/* `width` is a multiple of 16; strips of two vectors, or of one */
NC_INLINE void nc_tile_strips(nc_real *c, long ldc, const int add, const nc_real *a,
                              const struct nc_strides *as, const nc_real *b,
                              const struct nc_strides *bs, const struct nc_extents *extents,
                              const int rows, long width)
{
    long j = 0;
    for (; j + 2 * NC_LANES <= width; j += 2 * NC_LANES)
        nc_tile_part(c + j, ldc, add, a, as, b + j, bs, extents, rows, 2);
    if (16 % (2 * NC_LANES) != 0 && j < width)
        nc_tile_part(c + j, ldc, add, a, as, b + j, bs, extents, rows, 1);
}
/* A tile of any height, out of line: cut into parts of nearly equal height. */
NC_NOINLINE void nc_tile_sum(nc_real *c, long ldc, int add, const nc_real *a,
                             const struct nc_strides *as, const nc_real *b,
                             const struct nc_strides *bs, const struct nc_extents *extents,
                             long rows, long width)
{
    for (long parts = (rows + NC_TILE_ROWS - 1) / NC_TILE_ROWS; parts > 0; parts--) {
        const long done = (rows + parts - 1) / parts;
#define NC_TILE_CASE(height)                                                                       \
    case height:                                                                                   \
        if (height <= NC_TILE_ROWS)                                                                \
            nc_tile_strips(c, ldc, add, a, as, b, bs, extents,                                     \
                           height <= NC_TILE_ROWS ? height : 1, width);                            \
        break;
        switch (done) {
            NC_TILE_CASE(1)
            NC_TILE_CASE(2)
            NC_TILE_CASE(3)
            NC_TILE_CASE(4)
            NC_TILE_CASE(5)
            NC_TILE_CASE(6)
            NC_TILE_CASE(7)
            NC_TILE_CASE(8)
            NC_TILE_CASE(9)
            NC_TILE_CASE(10)
            NC_TILE_CASE(11)
            NC_TILE_CASE(12)
            NC_TILE_CASE(13)
            NC_TILE_CASE(14)
        }
#undef NC_TILE_CASE
        c += done * ldc;
        a += done * as->row;
        rows -= done;
    }
}

/* rows in 1..NC_ROWS, width 16 or 32 (a literal where it is inlined): the whole tile inline, a lower
 * one out of line */
NC_INLINE void nc_tile(nc_real *c, long ldc, const nc_real *a, long a_row, long a_k,
                       const nc_real *b, long ldb, long K, long rows, long width)
{
    const struct nc_strides as = {a_row, a_k, 0, 0}, bs = {0, ldb, 0, 0};
    const struct nc_extents extents = {K, 1, 1};
    if (NC_LIKELY(rows == NC_ROWS)) {
        for (long r = 0; r < NC_ROWS; r += NC_TILE_ROWS)
            nc_tile_strips(c + r * ldc, ldc, 0, a + r * a_row, &as, b, &bs, &extents, NC_TILE_ROWS,
                           width);
    } else {
        nc_tile_sum(c, ldc, 0, a, &as, b, &bs, &extents, rows, width);
    }
}

/* ---- convolution: the tile under a window ------------------------------------------------------ */

/* The kernel's cells that see the input from output position o along an axis: `count` of them from
 * cell `first` on, `step` apart; the first sees input position `at`, each further one `move` more. */
struct nc_taps {
    long first, count, step, at, move;
};
NC_STATIC struct nc_taps nc_taps(const struct nc_window *g, int axis, long o)
{
    const long dilation = g->dilation[axis], spread = g->spread[axis];
    struct nc_taps t = {0, g->kernel[axis], 1, o * g->stride[axis] - g->before[axis], dilation};
    if (spread == 1)
        return t;
    t.count = 0;
    while (t.step * dilation % spread != 0)
        t.step++;
    while (t.first < t.step && t.at % spread != 0)
        t.first++, t.at += dilation;
    if (t.at % spread != 0)
        return t;
    t.at /= spread;
    t.move = t.step * dilation / spread;
    if (t.first < g->kernel[axis])
        t.count = (g->kernel[axis] - t.first + t.step - 1) / t.step;
    return t;
}
/* Leaves out the cells that see nothing of `size` positions. */
NC_STATIC void nc_taps_inside(struct nc_taps *t, long size)
{
    while (t->count > 0 && t->at < 0)
        t->first += t->step, t->at += t->move, t->count--;
    while (t->count > 0 && t->at + (t->count - 1) * t->move >= size)
        t->count--;
}
/* `rows` outputs `spread` apart along a line, whose cells along the height are `high`; x is the first
 * input line they see. Outputs that all cells see whole are one sum; else each column of cells adds to
 * the outputs it serves, which is the same sum. */
NC_STATIC void nc_window_part(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                              const struct nc_window *g, const struct nc_taps *high,
                              const struct nc_taps *wide, long rows, long width)
{
    const long channels = g->size[2], last = g->size[1] - 1, pace = g->stride[1];
    const struct nc_strides as = {pace * channels, 1, high->move * g->size[1] * channels,
                                  wide->move * channels};
    const struct nc_strides bs = {0, g->weight[2], high->step * g->weight[0],
                                  wide->step * g->weight[1]};
    struct nc_extents extents = {g->run, high->count, wide->count};
    const long end = wide->at + (wide->count - 1) * wide->move + (rows - 1) * pace;
    w += high->first * g->weight[0] + wide->first * g->weight[1];
    if (wide->at >= 0 && end <= last) {
        nc_tile_sum(c, ldc, 0, x + wide->at * channels, &as, w, &bs, &extents, rows, width);
        return;
    }
    for (long r = 0; r < rows; r++)
        nc_v_fill(c + r * ldc, 0, width);
    extents.wide = 1;
    for (long k = 0; k < wide->count; k++) {
        const long at = wide->at + k * wide->move;
        const long from = at < 0 ? (-at + pace - 1) / pace : 0;
        const long to = at > last                       ? 0
                        : (last - at) / pace + 1 < rows ? (last - at) / pace + 1
                                                        : rows;
        if (from < to)
            nc_tile_sum(c + from * ldc, ldc, 1, x + (at + from * pace) * channels, &as,
                        w + k * bs.wide, &bs, &extents, to - from, width);
    }
}
/* `rows` outputs of one line from column `first` on, in parts that the registers hold */
NC_STATIC void nc_window_line(nc_real *c, const nc_real *x, const nc_real *w,
                              const struct nc_window *g, long line, long first, long rows,
                              long width)
{
    const long spread = g->spread[1], row = g->size[1] * g->size[2];
    struct nc_taps high = nc_taps(g, 0, line % g->extent[0]);
    nc_taps_inside(&high, g->size[0]);
    x += (line / g->extent[0] * g->size[0] + high.at) * row;
    for (long phase = 0; phase < spread && phase < rows; phase++) {
        long o = phase, left = (rows - phase + spread - 1) / spread;
        for (long parts = (left + NC_TILE_ROWS - 1) / NC_TILE_ROWS; parts > 0; parts--) {
            const long height = (left + parts - 1) / parts;
            const struct nc_taps wide = nc_taps(g, 1, first + o);
            nc_window_part(c + o * width, spread * width, x, w, g, &high, &wide, height, width);
            o += height * spread;
            left -= height;
        }
    }
}
/* A tile of a convolution of x [n, height, width, channels] with w: c[r] is output i + r of all
 * outputs in order, `width` channels wide. */
NC_NOINLINE void nc_window_tile(nc_real *c, const nc_real *x, const nc_real *w,
                                const struct nc_window *g, long i, long rows, long width)
{
    while (rows > 0) {
        const long line = i / g->extent[1], first = i % g->extent[1];
        const long done = g->extent[1] - first < rows ? g->extent[1] - first : rows;
        nc_window_line(c, x, w, g, line, first, done, width);
        c += done * width;
        i += done;
        rows -= done;
    }
}

/* ---- windows over each channel alone ----------------------------------------------------------- */

/* What output i of all outputs sees of the input: `high` x `wide` cells, the first at `start`, lines
 * and cells of the input `line` and `cell` apart. */
struct nc_view {
    struct nc_taps high, wide;
    long start, line, cell, column, origin;
};
NC_STATIC void nc_view_line(struct nc_view *v, const struct nc_window *g, long i)
{
    const long line = i / g->extent[1], image = line / g->extent[0];
    v->column = i % g->extent[1];
    v->high = nc_taps(g, 0, line % g->extent[0]);
    nc_taps_inside(&v->high, g->size[0]);
    v->origin = (image * g->size[0] + v->high.at) * g->size[1] * g->size[2];
    v->line = v->high.move * g->size[1] * g->size[2];
}
NC_STATIC void nc_view_column(struct nc_view *v, const struct nc_window *g)
{
    v->wide = nc_taps(g, 1, v->column);
    nc_taps_inside(&v->wide, g->size[1]);
    v->start = v->origin + v->wide.at * g->size[2];
    v->cell = v->wide.move * g->size[2];
}
NC_STATIC struct nc_view nc_view(const struct nc_window *g, long i)
{
    struct nc_view v;
    nc_view_line(&v, g, i);
    nc_view_column(&v, g);
    return v;
}
/* On to what output i sees, `step` behind the one before */
NC_STATIC void nc_view_next(struct nc_view *v, const struct nc_window *g, long i, long step)
{
    v->column += step;
    if (v->column >= g->extent[1])
        nc_view_line(v, g, i);
    nc_view_column(v, g);
}
/* How many outputs from column o on, `most` at most, see all columns of the kernel inside one line */
NC_STATIC long nc_view_run(const struct nc_window *g, long o, long most)
{
    const long left = g->extent[1] - o;
    const long at = o * g->stride[1] - g->before[1];
    const long end = at + (g->kernel[1] - 1) * g->dilation[1] + (most - 1) * g->stride[1];
    return g->spread[1] == 1 && most <= left && at >= 0 && end < g->size[1] ? most : 1;
}

/* `pixels` neighbours at once (a literal), so that each weight is read once */
NC_INLINE void nc_depthwise_cells(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                                  const struct nc_window *g, const struct nc_view *v,
                                  const int pixels, long cols)
{
    const long pace = g->stride[1] * g->size[2];
    const long w_line = v->high.step * g->weight[0], w_cell = v->wide.step * g->weight[1];
    long e = 0;
    x += v->start;
    w += v->high.first * g->weight[0] + v->wide.first * g->weight[1];
    for (; e + NC_LANES <= cols; e += NC_LANES) {
        nc_vector acc[4];
        NC_UNROLL
        for (int p = 0; p < pixels; p++)
            acc[p] = nc_vector_splat(0);
        for (long h = 0; h < v->high.count; h++) {
            for (long k = 0; k < v->wide.count; k++) {
                const nc_vector u = nc_vector_load(w + h * w_line + k * w_cell + e);
                const nc_real *seen = x + h * v->line + k * v->cell + e;
                NC_UNROLL
                for (int p = 0; p < pixels; p++)
                    acc[p] = nc_vector_fma(nc_vector_load(seen + p * pace), u, acc[p]);
            }
        }
        NC_UNROLL
        for (int p = 0; p < pixels; p++)
            nc_vector_store(c + p * ldc + e, acc[p]);
    }
    for (; e < cols; e++) {
        for (int p = 0; p < pixels; p++) {
            nc_real sum = 0;
            for (long h = 0; h < v->high.count; h++)
                for (long k = 0; k < v->wide.count; k++)
                    sum = nc_fma(x[h * v->line + k * v->cell + p * pace + e],
                                 w[h * w_line + k * w_cell + e], sum);
            c[p * ldc + e] = sum;
        }
    }
}
/* Each channel with its own window: x and w begin at the tile's first channel. */
NC_NOINLINE void nc_depthwise_tile(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                                   const struct nc_window *g, long i, long rows, long cols)
{
    struct nc_view v = nc_view(g, i);
    for (long r = 0, done = 0; r < rows; r += done) {
        if (r > 0)
            nc_view_next(&v, g, i + r, done);
        done = rows - r >= 4 ? nc_view_run(g, v.column, 4) : 1;
        if (done == 4)
            nc_depthwise_cells(c + r * ldc, ldc, x, w, g, &v, 4, cols);
        else
            nc_depthwise_cells(c + r * ldc, ldc, x, w, g, &v, 1, cols);
    }
}
/* d[e] += the sum over a line's pixels of x[e] * dy[e], each chain in the order of pixels */
NC_NOINLINE void nc_depthwise_line(nc_real *d, const nc_real *x, long ldx, const nc_real *dy,
                                   long ldy, long pixels, long cols)
{
    long e = 0;
    for (; e + 4 * NC_LANES <= cols; e += 4 * NC_LANES) {
        nc_vector acc[4];
        NC_UNROLL
        for (int v = 0; v < 4; v++)
            acc[v] = nc_vector_load(d + e + v * NC_LANES);
        for (long p = 0; p < pixels; p++) {
            NC_UNROLL
            for (int v = 0; v < 4; v++)
                acc[v] = nc_vector_fma(nc_vector_load(x + p * ldx + e + v * NC_LANES),
                                       nc_vector_load(dy + p * ldy + e + v * NC_LANES), acc[v]);
        }
        NC_UNROLL
        for (int v = 0; v < 4; v++)
            nc_vector_store(d + e + v * NC_LANES, acc[v]);
    }
    for (long p = 0; p < pixels; p++) {
        NC_INDEPENDENT
        for (long l = e; l < cols; l++)
            d[l] = nc_fma(x[p * ldx + l], dy[p * ldy + l], d[l]);
    }
}

/* The largest cell of each window, or the cells' sum; the first of equals is kept, and a NaN. */
NC_NOINLINE void nc_max_tile(nc_real *c, long ldc, const nc_real *x, const struct nc_window *g,
                             long i, long rows, long cols)
{
    struct nc_view v = nc_view(g, i);
    for (long r = 0; r < rows; r++, c += ldc) {
        if (r > 0)
            nc_view_next(&v, g, i + r, 1);
        nc_v_copy(c, x + v.start, cols);
        for (long t = 1; t < v.high.count * v.wide.count; t++) {
            const nc_real *seen =
                x + v.start + t / v.wide.count * v.line + t % v.wide.count * v.cell;
            NC_INDEPENDENT
            for (long e = 0; e < cols; e++)
                c[e] = nc_max(c[e], seen[e]);
        }
    }
}
NC_NOINLINE void nc_mean_tile(nc_real *c, long ldc, const nc_real *x, const struct nc_window *g,
                              long i, long rows, long cols)
{
    struct nc_view v = nc_view(g, i);
    for (long r = 0; r < rows; r++, c += ldc) {
        if (r > 0)
            nc_view_next(&v, g, i + r, 1);
        const long count = v.high.count * v.wide.count;
        nc_v_copy(c, x + v.start, cols);
        for (long t = 1; t < count; t++)
            nc_v_accumulate(c, x + v.start + t / v.wide.count * v.line + t % v.wide.count * v.cell,
                            cols);
        NC_INDEPENDENT
        for (long e = 0; e < cols; e++)
            c[e] = c[e] / (nc_real)count;
    }
}
/* The gradients of both run over the pixels of x; g then describes what each pixel sees of dy, whose
 * windows lie the other way round: cell t of g is cell kernel - 1 - t of the window. */
NC_STATIC long nc_cells_inside(const struct nc_window *g, int axis, long o)
{
    const long kernel = g->kernel[axis],
               from = o * g->spread[axis] - (kernel - 1 - g->before[axis]);
    const long to = from + kernel < g->extent[axis] ? from + kernel : g->extent[axis];
    return to - (from > 0 ? from : 0);
}
NC_NOINLINE void nc_mean_grad_tile(nc_real *c, long ldc, const nc_real *dy,
                                   const struct nc_window *g, long i, long rows, long cols)
{
    struct nc_view v = nc_view(g, i);
    for (long r = 0; r < rows; r++, c += ldc) {
        if (r > 0)
            nc_view_next(&v, g, i + r, 1);
        nc_v_fill(c, 0, cols);
        for (long t = 0; t < v.high.count * v.wide.count; t++) {
            const long h = t / v.wide.count, k = t % v.wide.count;
            const nc_real *seen = dy + v.start + h * v.line + k * v.cell;
            const nc_real count = (nc_real)(nc_cells_inside(g, 0, v.high.at + h * v.high.move) *
                                            nc_cells_inside(g, 1, v.wide.at + k * v.wide.move));
            NC_INDEPENDENT
            for (long e = 0; e < cols; e++)
                c[e] += seen[e] / count;
        }
    }
}
/* open[e] = 1 where pixel (h, w) of `image` is the first of its window to hold y; the window begins at
 * (top, left) */
NC_STATIC void nc_first_holder(nc_real *open, const nc_real *image, const nc_real *y,
                               const struct nc_window *g, const long at[2], const long start[2],
                               long cols)
{
    const long width = g->extent[1], channels = g->size[2];
    const nc_real *here = image + (at[0] * width + at[1]) * channels;
    for (long e = 0; e < cols; e++)
        open[e] = nc_eq(here[e], y[e]);
    for (long h = start[0] > 0 ? start[0] : 0; h <= at[0]; h++) {
        const long end = start[1] + g->kernel[1] < width ? start[1] + g->kernel[1] : width;
        for (long k = start[1] > 0 ? start[1] : 0; k < (h == at[0] ? at[1] : end); k++) {
            const nc_real *before = image + (h * width + k) * channels;
            NC_INDEPENDENT
            for (long e = 0; e < cols; e++)
                open[e] = nc_eq(before[e], y[e]) != 0 ? 0 : open[e];
        }
    }
}
/* cols is 32 at most. */
NC_NOINLINE void nc_max_grad_tile(nc_real *c, long ldc, const nc_real *dy, const nc_real *x,
                                  const nc_real *y, const struct nc_window *g, long i, long rows,
                                  long cols)
{
    nc_real open[32];
    const long width = g->extent[1], pixels = g->extent[0] * width;
    struct nc_view v = nc_view(g, i);
    for (long r = 0; r < rows; r++, c += ldc) {
        if (r > 0)
            nc_view_next(&v, g, i + r, 1);
        const long at[2] = {(i + r) / width % g->extent[0], (i + r) % width};
        nc_v_fill(c, 0, cols);
        for (long t = 0; t < v.high.count * v.wide.count; t++) {
            const long h = t / v.wide.count, k = t % v.wide.count;
            const long from = v.start + h * v.line + k * v.cell;
            const long start[2] = {
                (v.high.at + h * v.high.move) * g->spread[0] - (g->kernel[0] - 1 - g->before[0]),
                (v.wide.at + k * v.wide.move) * g->spread[1] - (g->kernel[1] - 1 - g->before[1])};
            nc_first_holder(open, x + (i + r) / pixels * pixels * g->size[2], y + from, g, at,
                            start, cols);
            NC_INDEPENDENT
            for (long e = 0; e < cols; e++)
                c[e] += open[e] * dy[from + e];
        }
    }
}

#endif /* natives */
#endif /* NC_VOCAB_H */
