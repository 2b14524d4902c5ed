/* The matmul tile. SPDX-License-Identifier: 0BSD */

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
                for (int v = 0; v < vectors; v++) {
                    NC_PREFETCH(b_line + (k + 16) * ldb + v * NC_LANES);
                    u[v] = nc_vector_load(b_line + k * ldb + v * NC_LANES);
                }
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
/* One row, eight vectors wide: as many chains as hide the latency of an addition */
NC_INLINE void nc_tile_row(nc_real *c, const int add, const nc_real *a, const struct nc_strides *as,
                           const nc_real *b, const struct nc_strides *bs,
                           const struct nc_extents *extents)
{
    const long a_k = as->k, ldb = bs->k, K = extents->k;
    nc_vector acc[8];
    NC_UNROLL
    for (int v = 0; v < 8; v++)
        acc[v] = add ? nc_vector_load(c + v * NC_LANES) : nc_vector_splat(0);
    for (long wide = 0; wide < extents->wide; wide++) {
        for (long high = 0; high < extents->high; high++) {
            const nc_real *a_line = a + wide * as->wide + high * as->high;
            const nc_real *b_line = b + wide * bs->wide + high * bs->high;
            for (long k = 0; k < K; k++) {
                const nc_vector s = nc_vector_broadcast(a_line + k * a_k);
                NC_UNROLL
                for (int v = 0; v < 8; v++)
                    acc[v] =
                        nc_vector_fma(s, nc_vector_load(b_line + k * ldb + v * NC_LANES), acc[v]);
            }
        }
    }
    NC_UNROLL
    for (int v = 0; v < 8; v++)
        nc_vector_store(c + v * NC_LANES, acc[v]);
}
/* `width` is a multiple of 16; strips of two vectors, or of one; of eight for one row */
NC_INLINE void nc_tile_strips(nc_real *c, long ldc, const int add, const nc_real *a,
                              const struct nc_strides *as, const nc_real *b,
                              const struct nc_strides *bs, const struct nc_extents *extents,
                              const int rows, long width)
{
    long j = 0;
    for (; rows == 1 && j + 8 * NC_LANES <= width; j += 8 * NC_LANES)
        nc_tile_row(c + j, add, a, as, b + j, bs, extents);
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

/* rows in 1..NC_ROWS, width a multiple of 16 (a literal where it is inlined): the whole tile inline, a lower
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
