/* Windows over images: convolution and pooling. SPDX-License-Identifier: 0BSD */

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
    if (dilation == 1) {
        const long whole = t.at / spread, past = t.at - whole * spread;
        t.first = past > 0 ? spread - past : -past;
        t.at = past > 0 ? whole + 1 : whole;
        t.step = spread;
    } else {
        while (t.step * dilation % spread != 0)
            t.step++;
        while (t.first < t.step && t.at % spread != 0)
            t.first++, t.at += dilation;
        if (t.at % spread != 0)
            return t;
        t.at /= spread;
        t.move = t.step * dilation / spread;
    }
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
/* The same where the cells of a line of the kernel are taken as one: outputs that see something outside the
 * image are sums of their own. */
NC_STATIC void nc_window_joined(nc_real *c, const nc_real *x, const nc_real *w,
                                const struct nc_window *g, const struct nc_taps *high, long first,
                                long rows, long width)
{
    const long channels = g->size[2], pace = g->stride[1];
    const struct nc_strides as = {pace * channels, 1, high->move * g->size[1] * channels, 0};
    const struct nc_strides bs = {0, g->weight[2], high->step * g->weight[0], 0};
    w += high->first * g->weight[0];
    for (long o = 0, done; o < rows; o += done) {
        struct nc_taps wide = nc_taps(g, 1, first + o);
        const long left = g->size[1] - wide.at - g->kernel[1];
        done = wide.at < 0 || left < 0 ? 1 : left / pace + 1;
        done = done < rows - o ? done : rows - o;
        nc_taps_inside(&wide, g->size[1]);
        const struct nc_extents extents = {wide.count * channels, high->count, 1};
        nc_tile_sum(c + o * width, width, 0, x + wide.at * channels, &as,
                    w + wide.first * g->weight[1], &bs, &extents, done, width);
    }
}
/* `rows` outputs of one line from column `first` on. Only the first and the last few may see something outside
 * the image. */
NC_STATIC void nc_window_line(nc_real *c, const nc_real *x, const nc_real *w,
                              const struct nc_window *g, long line, long first, long rows,
                              long width)
{
    const long spread = g->spread[1], row = g->size[1] * g->size[2];
    struct nc_taps high = nc_taps(g, 0, line % g->extent[0]);
    nc_taps_inside(&high, g->size[0]);
    x += (line / g->extent[0] * g->size[0] + high.at) * row;
    if (g->run > g->size[2]) {
        nc_window_joined(c, x, w, g, &high, first, rows, width);
        return;
    }
    for (long phase = 0; phase < spread && phase < rows; phase++) {
        const long all = (rows - phase + spread - 1) / spread;
        const long parts = (all + NC_TILE_ROWS - 1) / NC_TILE_ROWS;
        const long few = (all + parts - 1) / parts;
        for (long at = 0, done; at < all; at += done) {
            const long o = phase + at * spread;
            const struct nc_taps wide = nc_taps(g, 1, first + o);
            done = at > 0 && all - at > few ? all - at - few : nc_tile_step(at, few, all);
            nc_window_part(c + o * width, spread * width, x, w, g, &high, &wide, done, width);
        }
    }
}
/* A tile of a convolution of x [n, height, width, channels] with w: c[r] is output i + r of all
 * outputs in order, `width` channels wide. */
NC_NOINLINE void nc_window_tile(nc_real *c, const nc_real *x, const nc_real *w,
                                const struct nc_window *g, long i, long rows, long width)
{
    const int cells = nc_meets_cells(g);
    while (rows > 0) {
        const long line = i / g->extent[1], first = i % g->extent[1];
        const long most = cells ? (long)NC_MEET : g->extent[1] - first;
        const long done = most < rows ? most : rows;
        if (cells)
            nc_window_cells(c, x, w, g, i, done, width);
        else
            nc_window_line(c, x, w, g, line, first, done, width);
        c += done * width;
        i += done;
        rows -= done;
    }
}

/* ---- windows over each channel alone ----------------------------------------------------------- */

/* What output i of all outputs, in `row` and `column` of `image`, sees of the input: `high` x `wide`
 * cells, the first at `start`, lines and cells of the input `line` and `cell` apart. */
struct nc_view {
    struct nc_taps high, wide;
    long start, line, cell, column, row, image, origin;
};
NC_STATIC void nc_view_line(struct nc_view *v, const struct nc_window *g, long i)
{
    const long line = i / g->extent[1];
    v->column = i % g->extent[1];
    v->row = line % g->extent[0];
    v->image = line / g->extent[0];
    v->high = nc_taps(g, 0, v->row);
    nc_taps_inside(&v->high, g->size[0]);
    v->origin = (v->image * g->size[0] + v->high.at) * g->size[1] * g->size[2];
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

/* Four neighbours `pace` (1 or 2) apart that see three cells side by side, `vectors` of channels at once:
 * each cell is read once for all. What the first sees left of the image, and the last right of it, is
 * left out. */
NC_INLINE void nc_depthwise_four(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                                 const struct nc_window *g, const struct nc_taps *high,
                                 const int pace, const int vectors, int left, int right)
{
    const long line = high->move * g->size[1] * g->size[2], cell = g->size[2];
    const long w_line = high->step * g->weight[0], w_cell = g->weight[1];
    nc_vector acc[4][2];
    NC_UNROLL
    for (int p = 0; p < 4 * vectors; p++)
        acc[p / vectors][p % vectors] = nc_vector_splat(0);
    for (long h = 0; h < high->count; h++) {
        nc_vector u[3][2];
        NC_UNROLL
        for (int k = 0; k < 3 * vectors; k++)
            u[k / vectors][k % vectors] =
                nc_vector_load(w + h * w_line + k / vectors * w_cell + k % vectors * NC_LANES);
        NC_UNROLL
        for (int q = 0; q < 3 * pace + 3; q++) {
            if ((q == 0 && left) || (q == 3 * pace + 2 && right))
                continue;
            NC_UNROLL
            for (int v = 0; v < vectors; v++) {
                const nc_vector seen = nc_vector_load(x + h * line + q * cell + v * NC_LANES);
                NC_UNROLL
                for (int p = 0; p < 4; p++)
                    if (q >= p * pace && q < p * pace + 3)
                        acc[p][v] = nc_vector_fma(seen, u[q - p * pace][v], acc[p][v]);
            }
        }
    }
    NC_UNROLL
    for (int p = 0; p < 4 * vectors; p++)
        nc_vector_store(c + p / vectors * ldc + p % vectors * NC_LANES,
                        acc[p / vectors][p % vectors]);
}
/* All channels that make vectors, mostly two at once, which hide the latency of additions; returns the
 * first channel that is left. */
NC_INLINE long nc_depthwise_channels(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                                     const struct nc_window *g, const struct nc_taps *high,
                                     const int pace, int left, int right, long cols)
{
    long e = 0;
    for (; e + 2 * NC_LANES <= cols; e += 2 * NC_LANES)
        nc_depthwise_four(c + e, ldc, x + e, w + e, g, high, pace, 2, left, right);
    for (; e + NC_LANES <= cols; e += NC_LANES)
        nc_depthwise_four(c + e, ldc, x + e, w + e, g, high, pace, 1, left, right);
    return e;
}
/* Do all outputs of a line see three cells side by side, of which one at most is outside? */
NC_STATIC int nc_sees_three(const struct nc_window *g)
{
    const long end = (g->extent[1] - 1) * g->stride[1] - g->before[1] + 2;
    return g->kernel[1] == 3 && g->dilation[1] == 1 && g->spread[1] == 1 && g->stride[1] <= 2 &&
           g->extent[1] > 1 && g->before[1] <= 1 && end <= g->size[1];
}
/* `rows` outputs of one line, at least four, by fours from `first` on: the last four may begin before the
 * others end. Returns the first channel that is left. */
NC_STATIC long nc_depthwise_threes(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                                   const struct nc_window *g, long line, long first, long rows,
                                   long cols)
{
    struct nc_taps high = nc_taps(g, 0, line % g->extent[0]);
    long done = 0;
    nc_taps_inside(&high, g->size[0]);
    x += (line / g->extent[0] * g->size[0] + high.at) * g->size[1] * g->size[2];
    w += high.first * g->weight[0];
    for (long o = 0; o < rows; o += 4) {
        const long from = o + 4 <= rows ? o : rows - 4;
        const long at = (first + from) * g->stride[1] - g->before[1];
        const int right = at + 3 * g->stride[1] + 2 >= g->size[1];
        if (g->stride[1] == 1)
            done = nc_depthwise_channels(c + from * ldc, ldc, x + at * g->size[2], w, g, &high, 1,
                                         at < 0, right, cols);
        else
            done = nc_depthwise_channels(c + from * ldc, ldc, x + at * g->size[2], w, g, &high, 2,
                                         at < 0, right, cols);
    }
    return done;
}
/* `pixels` neighbours at once (a literal), so that each weight is read once, from channel e on */
NC_INLINE void nc_depthwise_cells(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                                  const struct nc_window *g, const struct nc_view *v,
                                  const int pixels, long e, long cols)
{
    const long pace = g->stride[1] * g->size[2];
    const long w_line = v->high.step * g->weight[0], w_cell = v->wide.step * g->weight[1];
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
/* `rows` outputs from i on, whatever they see, from channel e on */
NC_STATIC void nc_depthwise_any(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                                const struct nc_window *g, long i, long rows, long e, long cols)
{
    struct nc_view v = nc_view(g, i);
    for (long r = 0, done = 0; r < rows; r += done) {
        if (r > 0)
            nc_view_next(&v, g, i + r, done);
        done = rows - r >= 4 ? nc_view_run(g, v.column, 4) : 1;
        if (done == 4)
            nc_depthwise_cells(c + r * ldc, ldc, x, w, g, &v, 4, e, cols);
        else
            nc_depthwise_cells(c + r * ldc, ldc, x, w, g, &v, 1, e, cols);
    }
}
/* Each channel with its own window: x and w begin at the tile's first channel. */
NC_NOINLINE void nc_depthwise_tile(nc_real *c, long ldc, const nc_real *x, const nc_real *w,
                                   const struct nc_window *g, long i, long rows, long cols)
{
    while (rows > 0) {
        const long line = i / g->extent[1], first = i % g->extent[1];
        const long done = g->extent[1] - first < rows ? g->extent[1] - first : rows;
        long e = 0;
        if (done >= 4 && nc_sees_three(g))
            e = nc_depthwise_threes(c, ldc, x, w, g, line, first, done, cols);
        if (e < cols)
            nc_depthwise_any(c, ldc, x, w, g, i, done, e, cols);
        c += done * ldc;
        i += done;
        rows -= done;
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

/* The largest cell of each window, or the cells' sum; the first of equals is kept, and a NaN. Where
 * `cols` is a literal, as it mostly is, cells are whole vectors. */
NC_INLINE void nc_max_cells(nc_real *c, const nc_real *x, const struct nc_view *v, long cols)
{
    nc_v_copy(c, x, cols);
    for (long h = 0; h < v->high.count; h++) {
        for (long k = h == 0; k < v->wide.count; k++) {
            const nc_real *seen = x + h * v->line + k * v->cell;
            NC_INDEPENDENT
            for (long e = 0; e < cols; e++)
                c[e] = nc_max(c[e], seen[e]);
        }
    }
}
NC_NOINLINE void nc_max_tile(nc_real *c, long ldc, const nc_real *x, const struct nc_window *g,
                             long i, long rows, long cols)
{
    struct nc_view v = nc_view(g, i);
    for (long r = 0; r < rows; r++, c += ldc) {
        if (r > 0)
            nc_view_next(&v, g, i + r, 1);
        if (cols == 32)
            nc_max_cells(c, x + v.start, &v, 32);
        else
            nc_max_cells(c, x + v.start, &v, cols);
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
NC_INLINE void nc_first_holder(nc_real *open, const nc_real *image, const nc_real *y,
                               const struct nc_window *g, const long at[2], const long start[2],
                               long cols)
{
    const long width = g->extent[1], channels = g->size[2];
    const nc_real *here = image + (at[0] * width + at[1]) * channels;
    NC_INDEPENDENT
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
/* What the pixel of `v` gets, in the image x; cols is 32 at most. */
NC_INLINE void nc_max_grad_cells(nc_real *c, const nc_real *dy, const nc_real *x, const nc_real *y,
                                 const struct nc_window *g, const struct nc_view *v, long cols)
{
    nc_real open[32];
    const long at[2] = {v->row, v->column};
    nc_v_fill(c, 0, cols);
    for (long h = 0; h < v->high.count; h++) {
        for (long k = 0; k < v->wide.count; k++) {
            const long from = v->start + h * v->line + k * v->cell;
            const long start[2] = {
                (v->high.at + h * v->high.move) * g->spread[0] - (g->kernel[0] - 1 - g->before[0]),
                (v->wide.at + k * v->wide.move) * g->spread[1] - (g->kernel[1] - 1 - g->before[1])};
            nc_first_holder(open, x, y + from, g, at, start, cols);
            NC_INDEPENDENT
            for (long e = 0; e < cols; e++)
                c[e] += open[e] * dy[from + e];
        }
    }
}
/* Windows that do not overlap, the first one at the corner: a pixel lies in one of them at most. */
NC_STATIC int nc_are_disjoint(const struct nc_window *g)
{
    return g->kernel[0] == g->spread[0] && g->kernel[1] == g->spread[1] &&
           g->before[0] == g->kernel[0] - 1 && g->before[1] == g->kernel[1] - 1;
}
/* The pixel at (h, w) of the window that begins at x, `wide` cells wide, gets dy if it is the first to hold
 * y. */
NC_INLINE void nc_max_grad_pixel(nc_real *c, const nc_real *dy, const nc_real *x, const nc_real *y,
                                 long line, long cell, long wide, long h, long w, long cols)
{
    const nc_real *here = x + h * line + w * cell;
    NC_INDEPENDENT
    for (long e = 0; e < cols; e++)
        c[e] = here[e] == y[e] ? dy[e] : 0;
    for (long a = 0; a <= h; a++) {
        for (long b = 0; b < (a == h ? w : wide); b++) {
            const nc_real *before = x + a * line + b * cell;
            NC_INDEPENDENT
            for (long e = 0; e < cols; e++)
                c[e] = before[e] == y[e] ? 0 : c[e];
        }
    }
}
NC_STATIC void nc_max_grad_disjoint(nc_real *c, long ldc, const nc_real *dy, const nc_real *x,
                                    const nc_real *y, const struct nc_window *g, long i, long rows,
                                    long cols)
{
    const long cell = g->size[2], line = g->extent[1] * cell;
    for (long r = 0; r < rows;) {
        const long row = (i + r) / g->extent[1], image = row / g->extent[0];
        const long at = row % g->extent[0], window = at / g->kernel[0], h = at % g->kernel[0];
        const nc_real *from = x + (row - h) * line;
        const long out = (image * g->size[0] + window) * g->size[1] * cell;
        long w = (i + r) % g->extent[1], column = w / g->kernel[1], k = w % g->kernel[1];
        for (; r < rows && w < g->extent[1]; r++, w++, c += ldc) {
            const long see = out + column * cell, left = g->extent[1] - (w - k);
            const long wide = left < g->kernel[1] ? left : g->kernel[1];
            if (window >= g->size[0] || column >= g->size[1])
                nc_v_fill(c, 0, cols);
            else if (cols == 32)
                nc_max_grad_pixel(c, dy + see, from + (w - k) * cell, y + see, line, cell, wide, h,
                                  k, 32);
            else
                nc_max_grad_pixel(c, dy + see, from + (w - k) * cell, y + see, line, cell, wide, h,
                                  k, cols);
            if (++k == g->kernel[1])
                k = 0, column++;
        }
    }
}
NC_NOINLINE void nc_max_grad_tile(nc_real *c, long ldc, const nc_real *dy, const nc_real *x,
                                  const nc_real *y, const struct nc_window *g, long i, long rows,
                                  long cols)
{
    const long pixels = g->extent[0] * g->extent[1];
    struct nc_view v;
    if (nc_are_disjoint(g)) {
        nc_max_grad_disjoint(c, ldc, dy, x, y, g, i, rows, cols);
        return;
    }
    v = nc_view(g, i);
    for (long r = 0; r < rows; r++, c += ldc) {
        if (r > 0)
            nc_view_next(&v, g, i + r, 1);
        if (cols == 32)
            nc_max_grad_cells(c, dy, x + v.image * pixels * g->size[2], y, g, &v, 32);
        else
            nc_max_grad_cells(c, dy, x + v.image * pixels * g->size[2], y, g, &v, cols);
    }
}
