/* Convolution with deep kernels, cell by cell. SPDX-License-Identifier: 0BSD */

/* ---- convolution, cell by cell ------------------------------------------------------------------ */

/* Outputs of short lines meet the kernel cell by cell: those that see something there make parts of full height,
 * wherever they lie. */
enum { NC_MEET = 256 /* rows at once */, NC_DEEP = 128 /* channels from which that pays */ };
/* What the first cell of an output's kernel sees: a position, which may be outside, and its element of x */
struct nc_origin {
    long line, column, at;
};
/* Rows of c, and the pixel that each sees */
struct nc_pairs {
    nc_real *to[NC_MEET + NC_TILE_ROWS];
    const nc_real *from[NC_MEET + NC_TILE_ROWS];
};
/* to[r][j] += the sum over k of from[r][k] * b[k][j] for NC_TILE_ROWS rows, two vectors wide */
NC_NOINLINE void nc_tile_pairs(nc_real *const *to, long j, const nc_real *const *from,
                               const nc_real *b, long ldb, long K, struct nc_supply *supply)
{
    nc_vector acc[NC_TILE_ROWS][2];
    const nc_real *a[NC_TILE_ROWS];
    const char *coming = supply->at;
    const long pace = NC_AT_ONCE / 2 * supply->pace;
    NC_UNROLL
    for (int r = 0; r < NC_TILE_ROWS; r++) {
        a[r] = from[r];
        acc[r][0] = nc_vector_load(to[r] + j);
        acc[r][1] = nc_vector_load(to[r] + j + NC_LANES);
    }
    for (long k = 0; k < K; k += NC_AT_ONCE) {
        NC_UNROLL
        for (int t = 0; t < NC_AT_ONCE; t++) {
            const nc_vector u = nc_vector_load(b), v = nc_vector_load(b + NC_LANES);
            if (t < 2)
                NC_PREFETCH_FAR(coming + t * pace);
            NC_UNROLL
            for (int r = 0; r < NC_TILE_ROWS; r++) {
                const nc_vector s = nc_vector_broadcast(a[r] + k + t);
                acc[r][0] = nc_vector_fma(s, u, acc[r][0]);
                acc[r][1] = nc_vector_fma(s, v, acc[r][1]);
            }
            b += ldb;
            NC_OPAQUE(b);
        }
        coming += 2 * pace;
    }
    supply->at = coming;
    NC_UNROLL
    for (int r = 0; r < NC_TILE_ROWS; r++) {
        nc_vector_store(to[r] + j, acc[r][0]);
        nc_vector_store(to[r] + j + NC_LANES, acc[r][1]);
    }
}
NC_STATIC void nc_find_origins(struct nc_origin *origins, const struct nc_window *g, long i,
                               long rows)
{
    for (long r = 0; r < rows; r++) {
        const long line = (i + r) / g->extent[1], image = line / g->extent[0];
        origins[r].line = line % g->extent[0] * g->stride[0] - g->before[0];
        origins[r].column = (i + r) % g->extent[1] * g->stride[1] - g->before[1];
        origins[r].at =
            ((image * g->size[0] + origins[r].line) * g->size[1] + origins[r].column) * g->size[2];
    }
}
/* The rows that see something at a cell, `high` lines and `wide` columns from the first one; returns how many.
 * The last is repeated until a part is full. */
NC_STATIC long nc_find_pairs(struct nc_pairs *pairs, nc_real *c, const nc_real *x,
                             const struct nc_origin *origins, const struct nc_window *g, long high,
                             long wide, long rows, long width)
{
    const long move = (high * g->size[1] + wide) * g->size[2];
    long count = 0;
    for (long r = 0; r < rows; r++) {
        const long line = origins[r].line + high, column = origins[r].column + wide;
        if (line >= 0 && line < g->size[0] && column >= 0 && column < g->size[1]) {
            pairs->to[count] = c + r * width;
            pairs->from[count++] = x + (origins[r].at + move);
        }
    }
    for (long r = count; count > 0 && r < count + NC_TILE_ROWS; r++) {
        pairs->to[r] = pairs->to[count - 1];
        pairs->from[r] = pairs->from[count - 1];
    }
    return count;
}
/* All rows at one cell, whose panel is b, while the next one's is on its way */
NC_STATIC void nc_window_cell(const struct nc_pairs *pairs, long count, const nc_real *b,
                              const nc_real *next, const struct nc_window *g, long width)
{
    const long ldb = g->weight[2], parts = (count + NC_TILE_ROWS - 1) / NC_TILE_ROWS;
    struct nc_supply supply = nc_supply_next(next, ldb, parts * (width / (2 * NC_LANES)));
    for (long j = 0; j < width; j += 2 * NC_LANES)
        for (long r = 0; r < count; r += NC_TILE_ROWS)
            nc_tile_pairs(pairs->to + r, j, pairs->from + r, b + j, ldb, g->size[2], &supply);
}
NC_STATIC void nc_window_cells(nc_real *c, const nc_real *x, const nc_real *w,
                               const struct nc_window *g, long i, long rows, long width)
{
    struct nc_origin origins[NC_MEET];
    struct nc_pairs pairs;
    nc_find_origins(origins, g, i, rows);
    nc_v_fill(c, 0, rows * width);
    for (long wide = 0; wide < g->kernel[1]; wide++) {
        for (long high = 0; high < g->kernel[0]; high++) {
            const long count = nc_find_pairs(&pairs, c, x, origins, g, high * g->dilation[0],
                                             wide * g->dilation[1], rows, width);
            const nc_real *b = w + high * g->weight[0] + wide * g->weight[1];
            const nc_real *next = high + 1 < g->kernel[0]   ? b + g->weight[0]
                                  : wide + 1 < g->kernel[1] ? w + (wide + 1) * g->weight[1]
                                                            : b + g->size[2] * g->weight[2];
            nc_window_cell(&pairs, count, b, next, g, width);
        }
    }
}
/* Where registers hold a pointer for each row of a part, channels are many and lines do not make full parts by
 * themselves */
NC_STATIC int nc_meets_cells(const struct nc_window *g)
{
    return NC_TILE_ROWS <= 6 && 16 % (2 * NC_LANES) == 0 && g->spread[0] * g->spread[1] == 1 &&
           g->run == g->size[2] && g->run >= NC_DEEP && g->run % NC_AT_ONCE == 0 &&
           g->extent[1] < NC_MEET;
}
