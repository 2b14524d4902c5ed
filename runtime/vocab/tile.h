/* The matmul tile. SPDX-License-Identifier: 0BSD */

/* ---- the matmul tile ------------------------------------------------------------------------- */

/* Memory on its way to the second cache while a tile is summed: `pace` bytes of it with each k */
struct nc_supply {
    const char *at;
    long pace;
};
/* The panel itself, so far in front of its use: by more if it is long, as those from memory are */
NC_INLINE struct nc_supply nc_supply_own(const nc_real *b, long ldb, long k)
{
    const long ahead = k < NC_LONG ? 16 * ldb : NC_AHEAD, step = ldb > NC_PANEL ? 0 : ldb;
    const struct nc_supply supply = {(const char *)(b + (step ? ahead : 0)),
                                     step * (long)sizeof *b};
    return supply;
}
/* What is read next, as much as a panel, while `parts` pass over the present one */
NC_INLINE struct nc_supply nc_supply_next(const nc_real *next, long ldb, long parts)
{
    const long step = ldb > NC_PANEL || parts < 1 ? 0 : ldb * (long)sizeof *next;
    const struct nc_supply supply = {(const char *)next, step ? (step + parts - 1) / parts : 0};
    return supply;
}
/* How the cells of `a` lie: anywhere, those of a row side by side, or those of one k side by side. The two
 * need fewer instructions for their addresses, and so many k at a time. */
enum { NC_ANY, NC_BESIDE_ROW, NC_BESIDE_K, NC_AT_ONCE = 4 };

/* A line of k, some at a time, while `supply`, or 0: the panel itself, is on its way. Each `group` of rows has a
 * pointer: with three, their strides are scales of one register. `kept`: out of line, where strides stay in
 * registers. */
NC_INLINE void nc_tile_line(nc_vector *acc, const nc_real *a, const long a_row, const long a_k,
                            const nc_real *b, const long ldb, const long K,
                            struct nc_supply *supply, const int rows, const int vectors,
                            const int beside, const int kept)
{
    enum { LINE = 64 / sizeof(nc_real) };
    const int at_once = beside == NC_ANY ? 1 : NC_AT_ONCE;
    const int group = kept && beside != NC_BESIDE_K ? 3 : NC_TILE_ROWS;
    const int fetches = at_once > 1 ? 2 : 1;
    const struct nc_supply from = supply ? *supply : nc_supply_own(b, ldb, K);
    const char *coming = from.at;
    long pace = at_once / fetches * from.pace, row = a_row;
    const nc_real *a_line[NC_TILE_ROWS];
    if (kept)
        NC_OPAQUE(pace);
    NC_UNROLL
    for (int r = 0; r < rows; r += group) {
        a_line[r / group] = a + r * a_row;
        if (kept)
            NC_OPAQUE(a_line[r / group]);
    }
    for (long k = K; k > 0; k -= at_once) {
        NC_UNROLL
        for (int t = 0; t < at_once; t++) {
            nc_vector u[8];
            NC_UNROLL
            for (int v = 0; v < vectors; v++) {
                if (t < fetches && v * NC_LANES % LINE == 0)
                    NC_PREFETCH_FAR(coming + v * NC_LANES * sizeof(nc_real));
                u[v] = nc_vector_load(b + v * NC_LANES);
            }
            NC_UNROLL
            for (int r = 0; r < rows; r++) {
                nc_vector s = nc_vector_broadcast(a_line[r / group] + r % group * row +
                                                  (beside == NC_BESIDE_ROW ? t : 0));
                NC_UNROLL
                for (int v = 0; v < vectors; v++)
                    acc[r * vectors + v] = nc_vector_fma(s, u[v], acc[r * vectors + v]);
            }
            b += ldb;
            if (t < fetches)
                coming += pace;
            if (beside == NC_BESIDE_K) {
                NC_UNROLL
                for (int r = 0; r < rows; r += group) {
                    a_line[r / group] += a_k;
                    NC_OPAQUE(a_line[r / group]);
                }
            }
            if (beside == NC_BESIDE_ROW)
                NC_OPAQUE(row);
            if (beside != NC_ANY) {
                NC_OPAQUE(b);
                NC_OPAQUE(coming);
            }
        }
        if (beside != NC_BESIDE_K) {
            NC_UNROLL
            for (int r = 0; r < rows; r += group)
                a_line[r / group] += at_once * a_k;
        }
    }
    if (supply)
        supply->at = coming;
}
/* c[r][j] = the sum over k of a[r * row + k * k] * b[k][j]: each element is one chain of fma in a
 * fixed order, so that its bits depend on neither tile shape nor instruction set. K is summed in
 * three nested loops: cells (`wide`) of lines (`high`) of k. The chain starts from 0, or from c if
 * `add`. `rows` and `vectors` are literals; the accumulators are registers, as many as hide the
 * latency of an addition. */
NC_INLINE void nc_tile_part(nc_real *c, long ldc, int add, const nc_real *a,
                            const struct nc_strides *as, const nc_real *b,
                            const struct nc_strides *bs, const struct nc_extents *extents,
                            struct nc_supply *supply, const int rows, const int vectors,
                            const int beside, const int kept)
{
    nc_vector acc[NC_TILE_ROWS * 2 < 12 ? 12 : NC_TILE_ROWS * 2];
    NC_UNROLL
    for (int r = 0; r < rows * vectors; r++)
        acc[r] = nc_vector_splat(0);
    if (add) {
        NC_UNROLL
        for (int r = 0; r < rows; r++) {
            NC_UNROLL
            for (int v = 0; v < vectors; v++)
                acc[r * vectors + v] = nc_vector_load(c + r * ldc + v * NC_LANES);
        }
    }
    for (long wide = 0; wide < extents->wide; wide++) {
        for (long high = 0; high < extents->high; high++) {
            if (kept)
                NC_RELOAD();
            nc_tile_line(acc, a + wide * as->wide + high * as->high,
                         beside == NC_BESIDE_K ? 1 : as->row, beside == NC_BESIDE_ROW ? 1 : as->k,
                         b + wide * bs->wide + high * bs->high, bs->k, extents->k, supply, rows,
                         vectors, beside, kept);
        }
    }
    if (kept) {
        NC_OPAQUE(c);
        NC_OPAQUE(ldc);
    }
    NC_UNROLL
    for (int r = 0; r < rows; r++) {
        NC_UNROLL
        for (int v = 0; v < vectors; v++)
            nc_vector_store(c + r * ldc + v * NC_LANES, acc[r * vectors + v]);
    }
}
/* `parts` of one height below each other, out of line, for each height has the registers for itself; a part
 * higher than the registers hold is none. */
#define NC_TILE_HEIGHTS(X)                                                                         \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#define NC_TILE_PART(name, rows, vectors, beside)                                                  \
    NC_NOINLINE void name(nc_real *c, long ldc, int add, const nc_real *a,                         \
                          const struct nc_strides *as, const nc_real *b,                           \
                          const struct nc_strides *bs, const struct nc_extents *extents,           \
                          struct nc_supply *supply, long parts)                                    \
    {                                                                                              \
        for (; parts > 0; parts--) {                                                               \
            NC_OPAQUE(a);                                                                          \
            NC_OPAQUE(c);                                                                          \
            nc_tile_part(c, ldc, add, a, as, b, bs, extents, supply,                               \
                         (rows) <= NC_TILE_ROWS ? (rows) : 1, vectors, beside, 1);                 \
            c += (rows)*ldc;                                                                       \
            a += (rows)*as->row;                                                                   \
        }                                                                                          \
    }
#define NC_TILE_PARTS(rows)                                                                        \
    NC_TILE_PART(nc_tile_##rows##x1, rows, 1, NC_ANY)                                              \
    NC_TILE_PART(nc_tile_##rows##x2, rows, 2, NC_ANY)                                              \
    NC_TILE_PART(nc_tile_##rows##x2_row, rows, 2, NC_BESIDE_ROW)                                   \
    NC_TILE_PART(nc_tile_##rows##x2_k, rows, 2, NC_BESIDE_K)
NC_TILE_HEIGHTS(NC_TILE_PARTS)
NC_TILE_PART(nc_tile_3x4, 3, 4, NC_ANY)
NC_TILE_PART(nc_tile_2x4, 2, 4, NC_ANY)
NC_TILE_PART(nc_tile_1x8, 1, 8, NC_ANY)

/* A strip of one or two vectors, of any height: in parts of nearly equal height, the higher ones first */
NC_STATIC void nc_tile_strip(nc_real *c, long ldc, int add, const nc_real *a,
                             const struct nc_strides *as, const nc_real *b,
                             const struct nc_strides *bs, const struct nc_extents *extents,
                             struct nc_supply *supply, long rows, int vectors)
{
    const int beside = as->k == 1 && extents->k % NC_AT_ONCE == 0     ? NC_BESIDE_ROW
                       : as->row == 1 && extents->k % NC_AT_ONCE == 0 ? NC_BESIDE_K
                                                                      : NC_ANY;
    const long all = (rows + NC_TILE_ROWS - 1) / NC_TILE_ROWS;
    const long low = all > 0 ? rows / all : 0,
               high = rows - all * low; /* rows; parts that have one more */
    for (long height = low + 1, parts = high; height >= low; height--, parts = all - high) {
        if (parts == 0)
            continue;
#define NC_TILE_CASE(rows)                                                                         \
    case rows:                                                                                     \
        if (rows > NC_TILE_ROWS)                                                                   \
            break;                                                                                 \
        if (vectors == 1)                                                                          \
            nc_tile_##rows##x1(c, ldc, add, a, as, b, bs, extents, supply, parts);                 \
        else if (beside == NC_BESIDE_ROW)                                                          \
            nc_tile_##rows##x2_row(c, ldc, add, a, as, b, bs, extents, supply, parts);             \
        else if (beside == NC_BESIDE_K)                                                            \
            nc_tile_##rows##x2_k(c, ldc, add, a, as, b, bs, extents, supply, parts);               \
        else                                                                                       \
            nc_tile_##rows##x2(c, ldc, add, a, as, b, bs, extents, supply, parts);                 \
        break;
        switch (height) {
            NC_TILE_HEIGHTS(NC_TILE_CASE)
        }
#undef NC_TILE_CASE
        c += parts * height * ldc;
        a += parts * height * as->row;
    }
}
/* `width` is a multiple of 16. Strips are two vectors wide, those of few rows wider; all rows meet one
 * before the next, so that it stays in the first cache. */
NC_STATIC void nc_tile_strips(nc_real *c, long ldc, int add, const nc_real *a,
                              const struct nc_strides *as, const nc_real *b,
                              const struct nc_strides *bs, const struct nc_extents *extents,
                              long rows, long width)
{
    const long strip = 2 * NC_LANES, strips = (width + strip - 1) / strip;
    const long parts = (rows + NC_TILE_ROWS - 1) / NC_TILE_ROWS;
    struct nc_supply behind = nc_supply_next(b + extents->k * extents->high * extents->wide * bs->k,
                                             bs->k, parts * strips);
    struct nc_supply *supply = parts > 1 ? &behind : 0; /* what lies behind the block */
    long j = 0;
    for (; rows == 1 && j + 8 * NC_LANES <= width; j += 8 * NC_LANES)
        nc_tile_1x8(c + j, ldc, add, a, as, b + j, bs, extents, 0, 1);
    for (; rows == 2 && j + 4 * NC_LANES <= width; j += 4 * NC_LANES)
        nc_tile_2x4(c + j, ldc, add, a, as, b + j, bs, extents, 0, 1);
    for (; rows == 3 && NC_TILE_ROWS >= 6 && j + 4 * NC_LANES <= width; j += 4 * NC_LANES)
        nc_tile_3x4(c + j, ldc, add, a, as, b + j, bs, extents, 0, 1);
    for (; j + strip <= width; j += strip)
        nc_tile_strip(c + j, ldc, add, a, as, b + j, bs, extents, supply, rows, 2);
    if (16 % strip != 0 && j < width)
        nc_tile_strip(c + j, ldc, add, a, as, b + j, bs, extents, supply, rows, 1);
}
/* How far to sum at a time, lest operands leave the first cache before the tile's other rows and
 * columns meet them. Panels that rows of `a` meet are read in order, which any cache is quick at. */
NC_STATIC struct nc_extents nc_tile_block(const struct nc_strides *as, const struct nc_strides *bs,
                                          const struct nc_extents *extents, long rows)
{
    const long most =
        rows <= NC_TILE_ROWS || (as->k == 1 && bs->k <= NC_PANEL) ? NC_BLOCK_PANEL : NC_BLOCK;
    struct nc_extents block = {extents->k, 1, 1};
    if (block.k > most) {
        const long parts = (block.k + most - 1) / most;
        block.k = (block.k + parts - 1) / parts;
        return block;
    }
    block.high = block.k * extents->high <= most ? extents->high : most / block.k;
    if (block.high == extents->high)
        block.wide = most / (block.k * block.high);
    return block;
}
NC_INLINE long nc_tile_step(long at, long step, long end)
{
    return end - at < step ? end - at : step;
}
/* A tile of any height, out of line */
NC_NOINLINE void nc_tile_sum(nc_real *c, long ldc, int add, const nc_real *a,
                             const struct nc_strides *as, const nc_real *b,
                             const struct nc_strides *bs, const struct nc_extents *extents,
                             long rows, long width)
{
    struct nc_extents step;
    int more = add;
    if (extents->k < 1 || extents->high < 1 || extents->wide < 1) {
        for (long r = 0; r < rows && !add; r++)
            nc_v_fill(c + r * ldc, 0, width);
        return;
    }
    step = nc_tile_block(as, bs, extents, rows);
    for (long wide = 0; wide < extents->wide; wide += step.wide) {
        for (long high = 0; high < extents->high; high += step.high) {
            for (long k = 0; k < extents->k; k += step.k) {
                const struct nc_extents block = {nc_tile_step(k, step.k, extents->k),
                                                 nc_tile_step(high, step.high, extents->high),
                                                 nc_tile_step(wide, step.wide, extents->wide)};
                nc_tile_strips(c, ldc, more, a + k * as->k + high * as->high + wide * as->wide, as,
                               b + k * bs->k + high * bs->high + wide * bs->wide, bs, &block, rows,
                               width);
                more = 1;
            }
        }
    }
}

/* Any rows, width a multiple of 16, both strides of a and b literals where it is inlined: NC_ROWS rows
 * inline if the registers hold them, else out of line */
NC_INLINE void nc_tile(nc_real *c, long ldc, const nc_real *a, long a_row, long a_k,
                       const nc_real *b, long ldb, long K, long rows, long width)
{
    const struct nc_strides as = {a_row, a_k, 0, 0}, bs = {0, ldb, 0, 0};
    const struct nc_extents extents = {K, 1, 1};
    if (NC_ROWS == NC_TILE_ROWS && NC_LIKELY(rows == NC_ROWS)) {
        long j = 0;
        for (; j + 2 * NC_LANES <= width; j += 2 * NC_LANES)
            nc_tile_part(c + j, ldc, 0, a, &as, b + j, &bs, &extents, 0, NC_TILE_ROWS, 2, NC_ANY,
                         0);
        if (16 % (2 * NC_LANES) != 0 && j < width)
            nc_tile_part(c + j, ldc, 0, a, &as, b + j, &bs, &extents, 0, NC_TILE_ROWS, 1, NC_ANY,
                         0);
    } else {
        nc_tile_sum(c, ldc, 0, a, &as, b, &bs, &extents, rows, width);
    }
}
/* Lines of memory on their way to the cache: of each pointer from `at` on, `share` of them */
NC_INLINE void nc_fetch_lines(const struct nc_next *next, long at, long share)
{
    enum { LINE = 64 / sizeof(nc_real) };
    for (long line = at; line < at + share && line * LINE < next->cells; line++) {
        for (int i = 0; i < 3; i++) {
            if (next->from[i])
                NC_PREFETCH(next->from[i] + line * LINE);
        }
    }
}
/* The same, with few enough rows or short enough sums for all rows of a part to meet both strips; what is
 * touched next comes from memory meanwhile, a share with each part of a strip. */
NC_NOINLINE void nc_tile_ahead(nc_real *c, long ldc, const nc_real *a, long a_row, long a_k,
                               const nc_real *b, long ldb, long K, long rows, long width,
                               const struct nc_next *next)
{
    const struct nc_strides as = {a_row, a_k, 0, 0}, bs = {0, ldb, 0, 0};
    const struct nc_extents extents = {K, 1, 1};
    const long strip = 2 * NC_LANES < width ? 2 * NC_LANES : width;
    const long strips = (width + strip - 1) / strip;
    long parts = (rows + NC_TILE_ROWS - 1) / NC_TILE_ROWS, fetched = 0;
    const long share = next->cells * (long)sizeof(nc_real) / 64 / (parts * strips) + 1;
    for (; parts > 0; parts--) {
        const long done = (rows + parts - 1) / parts;
        for (long j = 0; j < width; j += strip, fetched += share) {
            nc_fetch_lines(next, fetched, share);
            nc_tile_strip(c + j, ldc, 0, a, &as, b + j, &bs, &extents, 0, done,
                          width - j < 2 * NC_LANES ? 1 : 2);
        }
        c += done * ldc;
        a += done * a_row;
        rows -= done;
    }
}
