/* Convolutions of 3 x 3 by Winograd's minimal filtering (Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", 2016). SPDX-License-Identifier: 0BSD
 *
 * Tiles of m x m outputs, m = 2 or 4, see patches of s x s inputs, s = m + 2. Each line of a patch is
 * transformed by B^T, the kernel's by G, and what comes of their products by A^T; both ways, so that s * s
 * products of matrices do the work of 9 m * m multiplications. All transforms run over channels. */

/* ---- one line: each is a matrix times `a`, m is a literal --------------------------------------- */

enum { NC_PATCH, NC_KERNEL, NC_RESULT, NC_RESULT_BACK, NC_KERNEL_BACK };

NC_INLINE nc_vector nc_winograd_sub(nc_vector a, nc_vector b)
{
    for (int l = 0; l < NC_LANES; l++)
        NC_LANE(a, l) = NC_LANE(a, l) - NC_LANE(b, l);
    return a;
}
/* a + s * b, a * s */
NC_INLINE nc_vector nc_winograd_axpy(nc_vector a, nc_real s, nc_vector b)
{
    return nc_vector_fma(nc_vector_splat(s), b, a);
}
NC_INLINE nc_vector nc_winograd_scale(nc_vector a, nc_real s)
{
    for (int l = 0; l < NC_LANES; l++)
        NC_LANE(a, l) = NC_LANE(a, l) * s;
    return a;
}
/* B^T */
NC_INLINE void nc_winograd_patch(nc_vector *d, const nc_vector *a, const int m)
{
    if (m == 2) {
        d[0] = nc_winograd_sub(a[0], a[2]);
        d[1] = nc_vector_add(a[1], a[2]);
        d[2] = nc_winograd_sub(a[2], a[1]);
        d[3] = nc_winograd_sub(a[1], a[3]);
    } else {
        const nc_vector even = nc_winograd_axpy(a[4], -4, a[2]);
        const nc_vector odd = nc_winograd_axpy(a[3], -4, a[1]);
        const nc_vector near = nc_winograd_sub(a[4], a[2]), far = nc_winograd_sub(a[3], a[1]);
        d[0] = nc_winograd_axpy(nc_winograd_axpy(a[4], -5, a[2]), 4, a[0]);
        d[1] = nc_vector_add(even, odd);
        d[2] = nc_winograd_sub(even, odd);
        d[3] = nc_winograd_axpy(near, 2, far);
        d[4] = nc_winograd_axpy(near, -2, far);
        d[5] = nc_winograd_axpy(nc_winograd_axpy(a[5], -5, a[3]), 4, a[1]);
    }
}
/* G */
NC_INLINE void nc_winograd_kernel_line(nc_vector *d, const nc_vector *a, const int m)
{
    const nc_vector outer = nc_vector_add(a[0], a[2]);
    d[0] = a[0];
    if (m == 2) {
        d[1] = nc_winograd_scale(nc_vector_add(outer, a[1]), (nc_real)0.5);
        d[2] = nc_winograd_scale(nc_winograd_sub(outer, a[1]), (nc_real)0.5);
        d[3] = a[2];
    } else {
        const nc_vector far = nc_winograd_axpy(a[0], 4, a[2]);
        d[0] = nc_winograd_scale(a[0], (nc_real)0.25);
        d[1] = nc_winograd_scale(nc_vector_add(outer, a[1]), (nc_real)(-1.0 / 6));
        d[2] = nc_winograd_scale(nc_winograd_sub(outer, a[1]), (nc_real)(-1.0 / 6));
        d[3] = nc_winograd_scale(nc_winograd_axpy(far, 2, a[1]), (nc_real)(1.0 / 24));
        d[4] = nc_winograd_scale(nc_winograd_axpy(far, -2, a[1]), (nc_real)(1.0 / 24));
        d[5] = a[2];
    }
}
/* A^T */
NC_INLINE void nc_winograd_result(nc_vector *d, const nc_vector *a, const int m)
{
    const nc_vector near = nc_vector_add(a[1], a[2]), skew = nc_winograd_sub(a[1], a[2]);
    if (m == 2) {
        d[0] = nc_vector_add(a[0], near);
        d[1] = nc_winograd_sub(skew, a[3]);
    } else {
        const nc_vector far = nc_vector_add(a[3], a[4]), far_skew = nc_winograd_sub(a[3], a[4]);
        d[0] = nc_vector_add(nc_vector_add(a[0], near), far);
        d[1] = nc_winograd_axpy(skew, 2, far_skew);
        d[2] = nc_winograd_axpy(near, 4, far);
        d[3] = nc_vector_add(nc_winograd_axpy(skew, 8, far_skew), a[5]);
    }
}
/* A */
NC_INLINE void nc_winograd_result_back(nc_vector *d, const nc_vector *a, const int m)
{
    d[0] = a[0];
    if (m == 2) {
        d[1] = nc_vector_add(a[0], a[1]);
        d[2] = nc_winograd_sub(a[0], a[1]);
        d[3] = nc_winograd_scale(a[1], -1);
    } else {
        const nc_vector even = nc_vector_add(a[0], a[2]), odd = nc_vector_add(a[1], a[3]);
        const nc_vector far_even = nc_winograd_axpy(a[0], 4, a[2]);
        const nc_vector far_odd = nc_winograd_axpy(a[1], 4, a[3]);
        d[1] = nc_vector_add(even, odd);
        d[2] = nc_winograd_sub(even, odd);
        d[3] = nc_winograd_axpy(far_even, 2, far_odd);
        d[4] = nc_winograd_axpy(far_even, -2, far_odd);
        d[5] = a[3];
    }
}
/* G^T */
NC_INLINE void nc_winograd_kernel_back(nc_vector *d, const nc_vector *a, const int m)
{
    const nc_vector near = nc_vector_add(a[1], a[2]), skew = nc_winograd_sub(a[1], a[2]);
    if (m == 2) {
        const nc_vector half = nc_winograd_scale(near, (nc_real)0.5);
        d[0] = nc_vector_add(a[0], half);
        d[1] = nc_winograd_scale(skew, (nc_real)0.5);
        d[2] = nc_vector_add(half, a[3]);
    } else {
        const nc_vector far = nc_vector_add(a[3], a[4]), far_skew = nc_winograd_sub(a[3], a[4]);
        const nc_vector sixth = nc_winograd_scale(near, (nc_real)(-1.0 / 6));
        d[0] = nc_winograd_axpy(nc_winograd_axpy(sixth, (nc_real)0.25, a[0]), (nc_real)(1.0 / 24),
                                far);
        d[1] = nc_winograd_axpy(nc_winograd_scale(skew, (nc_real)(-1.0 / 6)), (nc_real)(1.0 / 12),
                                far_skew);
        d[2] = nc_vector_add(nc_winograd_axpy(sixth, (nc_real)(1.0 / 6), far), a[5]);
    }
}
NC_INLINE void nc_winograd_line(const int kind, const int m, nc_vector *d, const nc_vector *a)
{
    switch (kind) {
    case NC_PATCH:
        nc_winograd_patch(d, a, m);
        break;
    case NC_KERNEL:
        nc_winograd_kernel_line(d, a, m);
        break;
    case NC_RESULT:
        nc_winograd_result(d, a, m);
        break;
    case NC_RESULT_BACK:
        nc_winograd_result_back(d, a, m);
        break;
    default:
        nc_winograd_kernel_back(d, a, m);
        break;
    }
}

/* ---- both ways ---------------------------------------------------------------------------------- */

/* Cells [top, bottom) x [left, right) of a square are in memory, lines and cells `high` and `wide` apart,
 * the first at the pointer beside it. What is not there is read as 0 and not written. */
struct nc_square {
    long high, wide, top, bottom, left, right;
};
/* d = L a L^T for one vector of channels; a is `from` cells wide, d `to`. */
NC_INLINE void nc_winograd_square(const int kind, const int m, const int from, const int to,
                                  nc_real *d, const struct nc_square *ds, const nc_real *a,
                                  const struct nc_square *as)
{
    nc_vector half[6][6], line[6];
    for (long q = 0; q < from; q++) {
        if (q < as->left || q >= as->right) {
            NC_UNROLL
            for (int p = 0; p < to; p++)
                half[p][q] = nc_vector_splat(0);
            continue;
        }
        const nc_real *column = a + (q - as->left) * as->wide;
        nc_vector seen[6];
        NC_UNROLL
        for (int p = 0; p < from; p++)
            seen[p] = p >= as->top && p < as->bottom
                          ? nc_vector_load(column + (p - as->top) * as->high)
                          : nc_vector_splat(0);
        nc_winograd_line(kind, m, line, seen);
        NC_UNROLL
        for (int p = 0; p < to; p++)
            half[p][q] = line[p];
    }
    for (long p = ds->top; p < ds->bottom; p++, d += ds->high) {
        nc_winograd_line(kind, m, line, half[p]);
        NC_UNROLL
        for (int q = 0; q < to; q++) {
            if (q >= ds->left && q < ds->right)
                nc_vector_store(d + (q - ds->left) * ds->wide, line[q]);
        }
    }
}
/* The part of `span` cells from `at` on that lies within [0, size) */
NC_STATIC void nc_winograd_inside(long at, long span, long size, long *from, long *to)
{
    *from = at < 0 ? -at : 0;
    *to = size - at < span ? size - at : span;
}
/* The last channels of a's cells, fewer than a vector, in a square of their own */
NC_STATIC void nc_winograd_rest(nc_real *d, struct nc_square *ds, const nc_real *a,
                                const struct nc_square *as, long count)
{
    const long width = as->right - as->left;
    nc_v_fill(d, 0, 36 * NC_LANES);
    for (long p = 0; p < as->bottom - as->top; p++) {
        for (long q = 0; q < width; q++)
            nc_v_copy(d + (p * width + q) * NC_LANES, a + p * as->high + q * as->wide, count);
    }
    *ds = *as;
    ds->high = width * NC_LANES;
    ds->wide = NC_LANES;
}
/* Transformed tiles: a group holds, cell by cell, all its tiles' channels, `ld` apart. Cells are a line of the
 * cache more apart than they are long, or they would meet in few sets of it. */
NC_STATIC long nc_winograd_rows(const struct nc_winograd *g)
{
    return g->lines * g->tiles[1];
}
NC_STATIC long nc_winograd_cell(const struct nc_winograd *g, long ld)
{
    return nc_winograd_rows(g) * ld + 16;
}
NC_STATIC long nc_winograd_group(const struct nc_winograd *g, long ld)
{
    return (g->tile + 2) * (g->tile + 2) * nc_winograd_cell(g, ld);
}
/* Where the tiles of a line begin */
NC_STATIC long nc_winograd_line_of(const struct nc_winograd *g, long strip, long ld)
{
    return strip / g->lines * nc_winograd_group(g, ld) + strip % g->lines * g->tiles[1] * ld;
}
/* From one cell of a transformed patch to the next: whole vectors of any instruction set */
NC_STATIC long nc_winograd_ld(long channels)
{
    return (channels + 15) / 16 * 16;
}

/* All channels of a tile, into cells `cell` apart */
NC_INLINE void nc_winograd_spread(const int kind, const int m, const int from, nc_real *d,
                                  long cell, const nc_real *a, const struct nc_square *as,
                                  long channels)
{
    const struct nc_square ds = {(m + 2) * cell, cell, 0, m + 2, 0, m + 2};
    for (long e = 0; e < channels; e += NC_LANES) {
        nc_real rest[36 * NC_LANES];
        struct nc_square square = *as;
        const nc_real *seen = a + e;
        if (channels - e < NC_LANES) {
            nc_winograd_rest(rest, &square, seen, as, channels - e);
            seen = rest;
        }
        nc_winograd_square(kind, m, from, m + 2, d + e, &ds, seen, &square);
    }
}
/* The tiles of one line of tiles, over images of `size` */
NC_INLINE void nc_winograd_strip(const int kind, const int m, const int from, nc_real *v, long ld,
                                 const nc_real *x, const struct nc_winograd *g, const long *size,
                                 const long *before, long channels, long strip)
{
    const long image = strip / g->tiles[0], top = strip % g->tiles[0] * m - before[0];
    struct nc_square square = {size[1] * channels, channels, 0, 0, 0, 0};
    nc_winograd_inside(top, from, size[0], &square.top, &square.bottom);
    v += nc_winograd_line_of(g, strip, ld);
    x += (image * size[0] + top + square.top) * size[1] * channels;
    for (long t = 0; t < g->tiles[1]; t++, v += ld) {
        const long left = t * m - before[1];
        nc_winograd_inside(left, from, size[1], &square.left, &square.right);
        nc_winograd_spread(kind, m, from, v, nc_winograd_cell(g, ld),
                           x + (left + square.left) * channels, &square, channels);
    }
}

/* ---- kernels ------------------------------------------------------------------------------------ */

/* The transformed tiles of x [n, height, width, channels]; a unit is a line of tiles. */
NC_NOINLINE void nc_winograd_input(nc_real *v, const nc_real *x, const struct nc_winograd *g,
                                   long strip)
{
    const long channels = g->size[2], ld = nc_winograd_ld(channels);
    if (g->tile == 4)
        nc_winograd_strip(NC_PATCH, 4, 6, v, ld, x, g, g->size, g->before, channels, strip);
    else
        nc_winograd_strip(NC_PATCH, 2, 4, v, ld, x, g, g->size, g->before, channels, strip);
}
/* The transformed tiles of the output's gradient */
NC_NOINLINE void nc_winograd_output_grad(nc_real *v, const nc_real *dy, const struct nc_winograd *g,
                                         long strip)
{
    static const long none[] = {0, 0};
    const long ld = g->panels * g->width;
    if (g->tile == 4)
        nc_winograd_strip(NC_RESULT_BACK, 4, 4, v, ld, dy, g, g->extent, none, g->filters, strip);
    else
        nc_winograd_strip(NC_RESULT_BACK, 2, 2, v, ld, dy, g, g->extent, none, g->filters, strip);
}
/* u [s * s, panels, channels, width] of w [3, 3, channels, filters]; a unit is a row of a panel. */
NC_INLINE void nc_winograd_kernel_row(const int m, nc_real *u, const nc_real *w,
                                      const struct nc_winograd *g, long unit)
{
    const long channels = g->size[2], panel = unit / channels, row = unit % channels;
    const long cell = g->panels * channels * g->width, line = channels * g->weight[0];
    const struct nc_square ds = {(m + 2) * cell, cell, 0, m + 2, 0, m + 2};
    const struct nc_square as = {
        g->flip ? -3 * line : 3 * line, g->flip ? -line : line, 0, 3, 0, 3};
    w += panel * g->weight[1] + row * g->weight[0] + (g->flip ? 8 * line : 0);
    u += (panel * channels + row) * g->width;
    for (long e = 0; e < g->width; e += NC_LANES)
        nc_winograd_square(NC_KERNEL, m, 3, m + 2, u + e, &ds, w + e, &as);
}
NC_NOINLINE void nc_winograd_kernel(nc_real *u, const nc_real *w, const struct nc_winograd *g,
                                    long unit)
{
    if (g->tile == 4)
        nc_winograd_kernel_row(4, u, w, g, unit);
    else
        nc_winograd_kernel_row(2, u, w, g, unit);
}
/* dw of du; writes `wide` cells of each row of a panel, those behind the last filter as 0 */
NC_INLINE void nc_winograd_kernel_grad_row(const int m, nc_real *dw, const nc_real *du,
                                           const struct nc_winograd *g, long wide, long unit)
{
    const long channels = g->size[2], panel = unit / channels, row = unit % channels;
    const long cell = g->panels * channels * g->width, line = channels * g->weight[0];
    const long cols = g->filters - panel * g->width < wide ? g->filters - panel * g->width : wide;
    const struct nc_square as = {(m + 2) * cell, cell, 0, m + 2, 0, m + 2};
    const struct nc_square ds = {3 * NC_LANES, NC_LANES, 0, 3, 0, 3};
    nc_real part[9 * NC_LANES];
    du += (panel * channels + row) * g->width;
    dw += panel * g->weight[1] + row * g->weight[0];
    for (long e = 0; e < cols; e += NC_LANES) {
        const long count = cols - e < NC_LANES ? cols - e : NC_LANES;
        nc_winograd_square(NC_KERNEL_BACK, m, m + 2, 3, part, &ds, du + e, &as);
        for (long k = 0; k < 9; k++)
            nc_v_copy(dw + k * line + e, part + k * NC_LANES, count);
    }
    for (long k = 0; k < 9 && g->weight[0] == g->width; k++)
        nc_v_fill(dw + k * line + cols, 0, g->width - cols);
}
NC_NOINLINE void nc_winograd_kernel_grad(nc_real *dw, const nc_real *du,
                                         const struct nc_winograd *g, long unit)
{
    if (g->tile == 4)
        nc_winograd_kernel_grad_row(4, dw, du, g, g->width, unit);
    else
        nc_winograd_kernel_grad_row(2, dw, du, g, g->width, unit);
}

/* c[r] is output i + r of whole lines, `width` filters of a panel wide. */
NC_INLINE void nc_winograd_lines(const int m, nc_real *c, const nc_real *v,
                                 const struct nc_winograd *g, long line, long lines, long j)
{
    const long height = g->extent[0], width = g->extent[1], ld = g->panels * g->width,
               cell = nc_winograd_cell(g, ld);
    const struct nc_square as = {(m + 2) * cell, cell, 0, m + 2, 0, m + 2};
    struct nc_square ds = {width * g->width, g->width, 0, 0, 0, 0};
    while (lines > 0) {
        const long strip = line / height * g->tiles[0] + line % height / m;
        const nc_real *seen = v + nc_winograd_line_of(g, strip, ld) + j;
        ds.top = line % height % m;
        ds.bottom = m < height - line % height + ds.top ? m : height - line % height + ds.top;
        ds.bottom = ds.bottom < ds.top + lines ? ds.bottom : ds.top + lines;
        for (long t = 0; t < g->tiles[1]; t++, seen += ld) {
            nc_winograd_inside(t * m, m, width, &ds.left, &ds.right);
            for (long e = 0; e < g->width; e += NC_LANES)
                nc_winograd_square(NC_RESULT, m, m + 2, m, c + t * m * g->width + e, &ds, seen + e,
                                   &as);
        }
        c += (ds.bottom - ds.top) * width * g->width;
        line += ds.bottom - ds.top;
        lines -= ds.bottom - ds.top;
    }
}
NC_NOINLINE void nc_winograd_output(nc_real *c, const nc_real *v, const struct nc_winograd *g,
                                    long i, long rows, long j)
{
    if (g->tile == 4)
        nc_winograd_lines(4, c, v, g, i / g->extent[1], rows / g->extent[1], j);
    else
        nc_winograd_lines(2, c, v, g, i / g->extent[1], rows / g->extent[1], j);
}

/* A unit of products is one cell of as many groups as have some 48 tiles. */
NC_STATIC long nc_winograd_block(const struct nc_winograd *g)
{
    return (nc_winograd_rows(g) + 47) / nc_winograd_rows(g);
}
/* y, the transformed tiles of the output, of those of the input and the transformed kernel u */
NC_NOINLINE void nc_winograd_product(nc_real *y, const nc_real *v, const nc_real *u,
                                     const struct nc_winograd *g, long n, long unit)
{
    const long cells = (g->tile + 2) * (g->tile + 2), block = nc_winograd_block(g),
               cell = unit % cells;
    const long groups = n * (g->tiles[0] / g->lines), first = unit / cells * block;
    const long last = first + block < groups ? first + block : groups;
    const long ldv = nc_winograd_ld(g->size[2]), ldy = g->panels * g->width;
    const struct nc_strides as = {ldv, 1, 0, 0}, bs = {0, g->width, 0, 0};
    const struct nc_extents extents = {g->size[2], 1, 1};
    v += cell * nc_winograd_cell(g, ldv);
    y += cell * nc_winograd_cell(g, ldy);
    u += cell * g->panels * g->size[2] * g->width;
    for (long panel = 0; panel < g->panels; panel++) {
        for (long group = first; group < last; group++)
            nc_tile_sum(y + group * nc_winograd_group(g, ldy) + panel * g->width, ldy, 0,
                        v + group * nc_winograd_group(g, ldv), &as, u, &bs, &extents,
                        nc_winograd_rows(g), g->width);
        u += g->size[2] * g->width;
    }
}
/* du, laid out as u, of v and the transformed gradient z; added to what is there, if `add`. A unit is a cell.
 * Groups are taken in blocks that stay in the first cache. */
NC_NOINLINE void nc_winograd_product_tn(nc_real *du, const nc_real *v, const nc_real *z,
                                        const struct nc_winograd *g, long n, int add, long cell)
{
    const long channels = g->size[2], ldv = nc_winograd_ld(channels), ldz = g->panels * g->width;
    const long rows = nc_winograd_rows(g), groups = n * (g->tiles[0] / g->lines);
    const long most = 6144 / (rows * (ldv + ldz)), block = most > 1 ? most : 1;
    const struct nc_strides as = {1, ldv, nc_winograd_group(g, ldv), 0};
    const struct nc_strides bs = {0, ldz, nc_winograd_group(g, ldz), 0};
    struct nc_extents extents = {rows, block, 1};
    v += cell * nc_winograd_cell(g, ldv);
    z += cell * nc_winograd_cell(g, ldz);
    du += cell * g->panels * channels * g->width;
    for (long group = 0; group < groups; group += block) {
        if (groups - group < block)
            extents.high = groups - group;
        for (long panel = 0; panel < g->panels; panel++)
            nc_tile_sum(du + panel * channels * g->width, g->width, add || group > 0,
                        v + group * as.high, &as, z + group * bs.high + panel * g->width, &bs,
                        &extents, channels, g->width);
    }
}
