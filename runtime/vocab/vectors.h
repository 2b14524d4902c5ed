/* Vectors, row reductions and transposes. SPDX-License-Identifier: 0BSD */

/* ---- vectors --------------------------------------------------------------------------------- */

#if defined(NC_VECTORS) && defined(__AVX512F__) && !defined(__clang__)
#pragma GCC target(                                                                                \
    "prefer-vector-width=512") /* -march=native may prefer halves, and takes them apart */
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
