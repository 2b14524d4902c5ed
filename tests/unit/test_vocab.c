/* The vocabulary in every realisation at hand: the tables of each instruction set this machine runs,
 * and the header as this file's own flags choose it (which is how the scalar realisation is tested:
 * -DNC_SCALAR). native.c is included under another name to turn the header into a table. */
#define NC_ISA here
#include "../../runtime/native.c"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MAX_TABLES 4
static const struct nc_native *tables[MAX_TABLES] = {&nc_native_here};
static int fused[MAX_TABLES]; /* nc_fma rounds once */
static int tables_count = 1;

typedef void function_1(float *d, const float *a, long n);
typedef void function_2(float *d, const float *a, const float *b, long n);
typedef void function_3(float *d, const float *a, const float *b, const float *c, long n);
typedef void function_s(float *d, float s, long n);
typedef float reduction(const float *x, long n);

static void (*find(const struct nc_native *table, const char *name))(void)
{
    for (int i = 0; i < table->count; i++)
        if (strcmp(table->symbols[i].name, name) == 0)
            return table->symbols[i].function;
    fail_msg("%s lacks %s", table->name, name);
    return NULL;
}
#define FIND(type, table, name) ((type *)find(table, name))

/* ---- samples --------------------------------------------------------------------------------- */

static uint32_t state = 1;
static uint32_t any_bits(void)
{
    state = state * 1664525u + 1013904223u;
    return state ^ (state >> 15);
}
static float between(float low, float high)
{
    return low + (high - low) * (float)(any_bits() >> 8) * 0x1p-24f;
}
/* A third each: any bits, moderate, and small values */
static float any_float(void)
{
    uint32_t kind = any_bits() % 3;
    return kind == 0   ? nc_from_bits(any_bits())
           : kind == 1 ? between(-20, 20)
                       : between(-1, 1) * nc_power_of_two(-(int)(any_bits() % 20));
}
static const float specials[] = {
    0,      -0.0f,   1,      -1,      0.5f,  -0.5f,   2,        -2,        3,        -3,
    1e-45f, -1e-45f, 1e-39f, -1e-39f, 1e38f, -1e38f,  INFINITY, -INFINITY, NAN,      88.7f,
    88.8f,  -87.4f,  -104,   -103.9f, -17,   8388608, 1e30f,    0.7071f,   -0.9999f, 16777216};
#define SPECIALS ((long)(sizeof specials / sizeof specials[0]))

static int same(float a, float b)
{
    return (a != a && b != b) || nc_bits(a) == nc_bits(b);
}
static void assert_same(float got, float want, const char *table, const char *what, long at)
{
    if (!same(got, want))
        fail_msg("%s %s [%ld]: %.9g (%08x), not %.9g (%08x)", table, what, at, (double)got,
                 nc_bits(got), (double)want, nc_bits(want));
}

/* ---- accuracy -------------------------------------------------------------------------------- */

/* |got - want| in units of the last place of want as a float; an overflow counts from 2^128 */
static double ulps(float got, long double want)
{
    int exponent;
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : 1e9;
    if (isinf(got) && fabsl(want) >= FLT_MAX)
        return (got > 0) == (want > 0) ? 0 : 1e9;
    if (isinf(want))
        return 1e9;
    long double value = isinf(got) ? copysignl(0x1p128L, got) : got;
    frexpl(want, &exponent);
    exponent = exponent - 24 < -149 ? -149 : exponent - 24;
    return (double)fabsl(ldexpl(value - want, -exponent));
}

struct accuracy {
    const char *name;
    long double (*exact)(long double);
    double fused, unfused; /* limits in ulp */
    float domain;          /* |x| at most */
};
static const struct accuracy accuracies[] = {
    {"exp", expl, 1.0, 1.0, INFINITY},   {"expm1", expm1l, 1.5, 1.5, INFINITY},
    {"log", logl, 0.9, 0.9, INFINITY},   {"log1p", log1pl, 1.5, 1.5, INFINITY},
    {"tanh", tanhl, 1.5, 1.6, INFINITY}, {"erf", erfl, 1.8, 2.6, INFINITY},
    {"sin", sinl, 1.6, 1.7, 1e4f},       {"cos", cosl, 1.6, 1.7, 1e4f},
    {"sqrt", sqrtl, 0.5, 0.5, INFINITY}, {"floor", floorl, 0, 0, INFINITY},
};

static void check_accuracy(const struct accuracy *f, const float *x, long n)
{
    char name[32];
    snprintf(name, sizeof name, "nc_v_%s", f->name);
    for (int t = 0; t < tables_count; t++) {
        float y[1024];
        FIND(function_1, tables[t], name)(y, x, n);
        for (long i = 0; i < n; i++) {
            if (fabsf(x[i]) > f->domain)
                continue;
            double error = ulps(y[i], f->exact(x[i]));
            if (error > (fused[t] ? f->fused : f->unfused))
                fail_msg("%s %s(%.9g) = %.9g is %.2f ulp off", tables[t]->name, f->name,
                         (double)x[i], (double)y[i], error);
        }
    }
}

static void test_accuracy(void **unused)
{
    (void)unused;
    for (size_t f = 0; f < sizeof accuracies / sizeof accuracies[0]; f++) {
        check_accuracy(&accuracies[f], specials, SPECIALS);
        for (int round = 0; round < 100; round++) {
            float x[1024];
            for (int i = 0; i < 1024; i++)
                x[i] = any_float();
            check_accuracy(&accuracies[f], x, 1024);
        }
    }
}

static void test_odd_functions_keep_the_sign_of_zero(void **unused)
{
    static const char *const names[] = {"nc_v_tanh", "nc_v_erf", "nc_v_floor", "nc_v_neg"};
    (void)unused;
    for (int t = 0; t < tables_count; t++)
        for (int i = 0; i < 4; i++) {
            const float zeros[2] = {0, -0.0f};
            float y[2];
            FIND(function_1, tables[t], names[i])(y, zeros, 2);
            assert_int_equal(signbit(y[0]) != 0, i == 3);
            assert_int_equal(signbit(y[1]) != 0, i != 3);
        }
}

static void test_sine_is_bounded_outside_its_domain(void **unused)
{
    const float x[4] = {1e6f, -3e7f, 1e20f, 3e38f};
    float y[4];
    (void)unused;
    for (int t = 0; t < tables_count; t++) {
        FIND(function_1, tables[t], "nc_v_sin")(y, x, 4);
        for (int i = 0; i < 4; i++)
            assert_true(fabsf(y[i]) <= 1);
    }
}

static void test_pow(void **unused)
{
    static const struct {
        float a, b, want;
    } exact[] = {{0, 0, 1},           {0, 2, 0},         {0, -1, INFINITY},       {-2, 3, -8},
                 {-2, 2, 4},          {-2, 0.5f, NAN},   {1, 1e30f, 1},           {1, INFINITY, 1},
                 {NAN, 0, 1},         {NAN, 1, NAN},     {2, INFINITY, INFINITY}, {2, -INFINITY, 0},
                 {0.5f, INFINITY, 0}, {2, 10, 1024},     {INFINITY, 2, INFINITY}, {INFINITY, -1, 0},
                 {2, -149, 1e-45f},   {2, 128, INFINITY}};
    (void)unused;
    for (int t = 0; t < tables_count; t++) {
        function_2 *power = FIND(function_2, tables[t], "nc_v_pow");
        for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
            float y;
            power(&y, &exact[i].a, &exact[i].b, 1);
            assert_same(y, exact[i].want, tables[t]->name, "pow", (long)i);
        }
        for (int i = 0; i < 100000; i++) {
            float a = expf(between(-10, 10)), b = between(-30, 30), y;
            if (i % 3 == 0) /* bias corrections: pow(0.999, t) */
                a = 1 - between(0, 0.1f), b = floorf(between(0, 1000));
            power(&y, &a, &b, 1);
            long double want = powl(a, b);
            double limit = fabsl(logl(want)) < 5 ? 2 : 16;
            if (ulps(y, want) > limit)
                fail_msg("%s pow(%.9g, %.9g) is %.2f ulp off", tables[t]->name, (double)a,
                         (double)b, ulps(y, want));
        }
    }
}

/* ---- exact primitives ------------------------------------------------------------------------ */

#define EXACT(name, value)                                                                         \
    static float exact_##name(float a, float b)                                                    \
    {                                                                                              \
        return value;                                                                              \
    }
EXACT(add, a + b)
EXACT(sub, a - b)
EXACT(mul, a *b)
EXACT(div, a / b)
EXACT(min, b < a ? b : a)
EXACT(max, b > a ? b : a)
EXACT(lt, a < b ? 1 : 0)
EXACT(le, a <= b ? 1 : 0)
EXACT(eq, a == b ? 1 : 0)

static const struct {
    const char *name;
    float (*value)(float, float);
} exact_2[] = {{"nc_v_add", exact_add}, {"nc_v_sub", exact_sub}, {"nc_v_mul", exact_mul},
               {"nc_v_div", exact_div}, {"nc_v_min", exact_min}, {"nc_v_max", exact_max},
               {"nc_v_lt", exact_lt},   {"nc_v_le", exact_le},   {"nc_v_eq", exact_eq}};

static void test_exact_primitives(void **unused)
{
    (void)unused;
    for (int t = 0; t < tables_count; t++) {
        const char *isa = tables[t]->name;
        for (long i = 0; i < SPECIALS; i++) {
            float a[SPECIALS], y[SPECIALS];
            for (long j = 0; j < SPECIALS; j++)
                a[j] = specials[i];
            for (size_t f = 0; f < sizeof exact_2 / sizeof exact_2[0]; f++) {
                FIND(function_2, tables[t], exact_2[f].name)(y, a, specials, SPECIALS);
                for (long j = 0; j < SPECIALS; j++)
                    assert_same(y[j], exact_2[f].value(a[j], specials[j]), isa, exact_2[f].name, j);
            }
            FIND(function_3, tables[t], "nc_v_where")(y, specials, a, specials, SPECIALS);
            for (long j = 0; j < SPECIALS; j++)
                assert_same(y[j], specials[j] != 0 ? a[j] : specials[j], isa, "where", j);
            FIND(function_1, tables[t], "nc_v_sign")(y, a, 1);
            assert_same(y[0], a[0] > 0 ? 1.0f : a[0] < 0 ? -1.0f : 0.0f, isa, "sign", i);
            FIND(function_1, tables[t], "nc_v_abs")(y, a, 1);
            assert_same(y[0], fabsf(a[0]), isa, "abs", i);
            FIND(function_1, tables[t], "nc_v_neg")(y, a, 1);
            assert_same(y[0], -a[0], isa, "neg", i);
        }
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

#define LONGEST 70
#define GUARD 12345.0f

static void call(const struct nc_native *table, const char *name, int arity, float *d,
                 const float *const source[3], long n)
{
    if (arity == 1)
        FIND(function_1, table, name)(d, source[0], n);
    else if (arity == 2)
        FIND(function_2, table, name)(d, source[0], source[1], n);
    else
        FIND(function_3, table, name)(d, source[0], source[1], source[2], n);
}

/* Any length gives what one element at a time gives, in place as well, and no more is written. */
static void check_block(const struct nc_native *table, const char *name, int arity)
{
    float x[3][LONGEST], want[LONGEST];
    const float *const source[3] = {x[0], x[1], x[2]};
    for (int i = 0; i < LONGEST; i++) {
        for (int s = 0; s < 3; s++)
            x[s][i] = any_float();
        const float *const one[3] = {x[0] + i, x[1] + i, x[2] + i};
        call(table, name, arity, want + i, one, 1);
    }
    for (long n = 0; n <= LONGEST; n++)
        for (int place = -1; place < arity; place++) {
            float d[LONGEST + 1];
            const float *in_place[3] = {source[0], source[1], source[2]};
            if (place >= 0) {
                memcpy(d, source[place], sizeof x[0]);
                in_place[place] = d;
            }
            d[n] = GUARD;
            call(table, name, arity, d, in_place, n);
            for (long i = 0; i < n; i++)
                assert_same(d[i], want[i], table->name, name, i);
            assert_true(d[n] == GUARD);
        }
}

static void test_blocks(void **unused)
{
    (void)unused;
    for (int t = 0; t < tables_count; t++) {
#define CHECK(primitive, arity) check_block(tables[t], "nc_v_" #primitive, arity);
        NC_PRIMITIVES(CHECK)
    }
}

static void test_tables_agree(void **unused)
{
    enum { N = 4096 };
    static float x[3][N], y[MAX_TABLES][N];
    const float *const source[3] = {x[0], x[1], x[2]};
    (void)unused;
    for (int s = 0; s < 3; s++)
        for (int i = 0; i < N; i++)
            x[s][i] = i < SPECIALS ? specials[i] : any_float();
    int first = -1;
    for (int t = 0; t < tables_count; t++) {
        if (!fused[t])
            continue;
        first = first < 0 ? t : first;
#define AGREE(primitive, arity)                                                                    \
    call(tables[first], "nc_v_" #primitive, arity, y[0], source, N);                               \
    call(tables[t], "nc_v_" #primitive, arity, y[1], source, N);                                   \
    for (long i = 0; i < N; i++)                                                                   \
        assert_same(y[1][i], y[0][i], tables[t]->name, #primitive, i);
        NC_PRIMITIVES(AGREE)
    }
}

static void test_fill_iota_copy(void **unused)
{
    (void)unused;
    for (int t = 0; t < tables_count; t++) {
        float d[40], e[40];
        FIND(function_s, tables[t], "nc_v_iota")(d, 3, 40);
        FIND(function_s, tables[t], "nc_v_fill")(e, 7, 40);
        FIND(function_1, tables[t], "nc_v_copy")(e, d, 39);
        FIND(function_1, tables[t], "nc_v_copy")(e, e, 39);
        for (int i = 0; i < 39; i++)
            assert_true(d[i] == (float)(3 + i) && e[i] == d[i]);
        assert_true(e[39] == 7);
    }
}

/* ---- reductions ------------------------------------------------------------------------------ */

static float lanes_rule(const float *x, long n, float start, float (*join)(float, float))
{
    float lane[16];
    for (int l = 0; l < 16; l++)
        lane[l] = start;
    for (long i = 0; i < n; i++)
        lane[i % 16] = join(lane[i % 16], x[i]);
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] = join(lane[l], lane[l + half]);
    return lane[0];
}

static void test_reductions(void **unused)
{
    (void)unused;
    for (int t = 0; t < tables_count; t++)
        for (long n = 1; n <= 200; n++) {
            float x[200];
            long most = 0;
            for (long i = 0; i < n; i++) {
                x[i] = n % 3 == 0 ? floorf(between(-4, 4)) : between(-1, 1);
                most = x[i] > x[most] ? i : most;
            }
            const char *isa = tables[t]->name;
            assert_same(FIND(reduction, tables[t], "nc_sum")(x, n), lanes_rule(x, n, 0, exact_add),
                        isa, "sum", n);
            assert_same(FIND(reduction, tables[t], "nc_maximum")(x, n),
                        lanes_rule(x, n, x[0], exact_max), isa, "maximum", n);
            assert_same(FIND(reduction, tables[t], "nc_minimum")(x, n),
                        lanes_rule(x, n, x[0], exact_min), isa, "minimum", n);
            assert_same(FIND(reduction, tables[t], "nc_argmax")(x, n), (float)most, isa, "argmax",
                        n);
        }
}

/* ---- random ---------------------------------------------------------------------------------- */

/* The known answers of Random123 for philox4x32-10 */
static void test_philox_known_answers(void **unused)
{
    static const unsigned known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1}};
    (void)unused;
    for (int i = 0; i < 3; i++) {
        nc_words c[4] = {known[i][0], known[i][1], known[i][2], known[i][3]};
        nc_philox(c, known[i][4], known[i][5]);
        for (int w = 0; w < 4; w++)
            assert_int_equal((unsigned)c[w], known[i][6 + w]);
    }
}

static void test_uniform(void **unused)
{
    typedef void uniform(float *, const struct nc_hyper *, unsigned, long, long, long);
    const struct nc_hyper h = {0, 1, 42, 7, 0xfffffffeull};
    (void)unused;
    for (int t = 0; t < tables_count; t++)
        for (long row = 0; row < 4; row++)
            for (long first = 0; first < 9; first++)
                for (long n = 0; n < 90; n += n < 20 ? 1 : 23) {
                    float d[91];
                    d[n] = GUARD;
                    FIND(uniform, tables[t], "nc_v_uniform")(d, &h, 5, row, first, n);
                    assert_true(d[n] == GUARD);
                    for (long e = first; e < first + n; e++) {
                        unsigned long long sample = h.first_sample + (unsigned long long)row;
                        nc_words c[4] = {(unsigned)(e / 4), (unsigned)sample, 5, 7};
                        nc_philox(c, 42, (unsigned)(sample >> 32) ^ 0x6e657463u);
                        assert_same(d[e - first], (float)((unsigned)c[e % 4] >> 8) * 0x1p-24f,
                                    tables[t]->name, "uniform", e);
                    }
                }
}

/* ---- tile, transpose, column sum ------------------------------------------------------------- */

typedef void tile_function(float *, long, const float *, long, long, const float *, long, long,
                           long, long);

static float chain(const float *a, long a_k, const float *b, long ldb, long K, int once)
{
    float sum = 0;
    for (long k = 0; k < K; k++) {
        volatile float product = a[k * a_k] * b[k * ldb];
        sum = once ? fmaf(a[k * a_k], b[k * ldb], sum) : product + sum;
    }
    return sum;
}

typedef void ahead_function(float *, long, const float *, long, long, const float *, long, long,
                            long, long, const struct nc_next *);

/* One tile in a sea of guards; the bits are those of the plain chain, the value that of doubles. */
static void check_tile(int t, long rows, long width, long K, int transposed, int ahead)
{
    enum { LDB = 144, LDC = 136, MOST = 310, ROWS = 64 };
    static float a[MOST * ROWS], b[MOST * LDB], c[(ROWS + 1) * LDC];
    long a_row = transposed ? 1 : K + 3, a_k = transposed ? ROWS : 1;
    assert_true(rows <= ROWS);
    for (int i = 0; i < MOST * ROWS; i++)
        a[i] = between(-1, 1);
    for (int i = 0; i < MOST * LDB; i++)
        b[i] = between(-1, 1);
    for (int i = 0; i < (ROWS + 1) * LDC; i++)
        c[i] = GUARD;
    const struct nc_next next = {{b, NULL, a}, rows * width};
    if (ahead)
        FIND(ahead_function, tables[t], "nc_tile_ahead")
    (c, LDC, a, a_row, a_k, b, LDB, K, rows, width, &next);
    else FIND(tile_function, tables[t], "nc_tile")(c, LDC, a, a_row, a_k, b, LDB, K, rows, width);
    for (long r = 0; r <= ROWS; r++)
        for (long j = 0; j < LDC; j++) {
            int inside = r < rows && j < width;
            float want = inside ? chain(a + r * a_row, a_k, b + j, LDB, K, fused[t]) : GUARD;
            double exact = inside ? 0 : GUARD;
            for (long k = 0; inside && k < K; k++)
                exact += (double)a[r * a_row + k * a_k] * b[k * LDB + j];
            assert_same(c[r * LDC + j], want, tables[t]->name, "tile", r * LDC + j);
            assert_true(fabs(c[r * LDC + j] - exact) < 4e-5);
        }
}

static void test_tile(void **unused)
{
    static const long depths[] = {0, 1, 2, 3, 7, 16, 61, 300};
    (void)unused;
    for (int t = 0; t < tables_count; t++)
        for (long rows = 1; rows <= tables[t]->rows; rows++)
            for (long width = 16; width <= 128; width *= 2)
                for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++)
                    for (int way = 0; way < 4; way++)
                        check_tile(t, rows, width, depths[d], way & 1, way & 2);
}

static void test_transpose(void **unused)
{
    typedef void transpose(float *, long, const float *, long, long, long);
    enum { LD = 50 };
    static float a[LD * LD], d[LD * LD];
    static const long sizes[] = {1, 3, 15, 16, 17, 33, 48};
    (void)unused;
    for (int i = 0; i < LD * LD; i++)
        a[i] = (float)i;
    for (int t = 0; t < tables_count; t++)
        for (int s = 0; s < 49; s++) {
            long rows = sizes[s / 7], cols = sizes[s % 7];
            for (int i = 0; i < LD * LD; i++)
                d[i] = GUARD;
            FIND(transpose, tables[t], "nc_transpose")(d, LD, a, LD, rows, cols);
            for (long j = 0; j < LD; j++)
                for (long i = 0; i < LD; i++)
                    assert_true(d[j * LD + i] == (i < rows && j < cols ? a[i * LD + j] : GUARD));
        }
}

static void test_column_sum(void **unused)
{
    typedef void column_sum(float *, const float *, long, long, long);
    enum { LD = 210, ROWS = 37 };
    static float x[ROWS * LD];
    (void)unused;
    for (int i = 0; i < ROWS * LD; i++)
        x[i] = between(-1, 1);
    for (int t = 0; t < tables_count; t++)
        for (long cols = 1; cols < 200; cols += cols < 20 ? 1 : 13)
            for (long rows = 0; rows <= ROWS; rows += 37) {
                float d[LD];
                d[cols] = GUARD;
                FIND(column_sum, tables[t], "nc_column_sum")(d, x, LD, rows, cols);
                assert_true(d[cols] == GUARD);
                for (long j = 0; j < cols; j++) {
                    float sum = 0;
                    for (long i = 0; i < rows; i++)
                        sum += x[i * LD + j];
                    assert_same(d[j], sum, tables[t]->name, "column_sum", j);
                }
            }
}

/* ---- choice of the instruction set ----------------------------------------------------------- */

static void test_selection(void **unused)
{
    (void)unused;
    unsetenv("NETCC_ISA");
    const struct nc_native *best = nc_native_select();
    assert_non_null(best);
    assert_true(nc_isa_valid(best->name));
    for (int t = 1; t < tables_count; t++) {
        setenv("NETCC_ISA", tables[t]->name, 1);
        assert_ptr_equal(nc_native_select(), tables[t]);
    }
    setenv("NETCC_ISA", "mmx", 1);
    assert_ptr_equal(nc_native_select(), best);
    unsetenv("NETCC_ISA");
    assert_false(nc_isa_valid(NULL));
    assert_false(nc_isa_valid(""));
    assert_non_null(nc_native_address(&best->symbols[0]));
    assert_non_null(
        strstr(nc_native_prototypes(),
               "void nc_v_add(nc_real *d, const nc_real *a, const nc_real *b, long n);"));
}

static void collect_tables(void)
{
    static const char *const names[] = {"sse2", "avx2", "avx512"};
    for (int i = 0; i < 3; i++)
        if (nc_isa_valid(names[i]))
            tables[tables_count++] = nc_native_find(names[i]);
    for (int t = 0; t < tables_count; t++) {
        const float a = 1 + 0x1p-23f, c = -(1 + 0x1p-22f);
        float y;
        FIND(function_3, tables[t], "nc_v_fma")(&y, &a, &a, &c, 1);
        fused[t] = y == 0x1p-46f;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_odd_functions_keep_the_sign_of_zero),
        cmocka_unit_test(test_sine_is_bounded_outside_its_domain),
        cmocka_unit_test(test_pow),
        cmocka_unit_test(test_exact_primitives),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_tables_agree),
        cmocka_unit_test(test_fill_iota_copy),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_tile),
        cmocka_unit_test(test_transpose),
        cmocka_unit_test(test_column_sum),
        cmocka_unit_test(test_selection),
    };
    collect_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
