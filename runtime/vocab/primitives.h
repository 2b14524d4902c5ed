/* Scalar primitives and the elementary functions. SPDX-License-Identifier: 0BSD */

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
