/* Blocks that are no primitives. SPDX-License-Identifier: 0BSD */

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

/* d[rows][width] = x[rows][cols], zeros behind it */
NC_STATIC void nc_panel_copy(nc_real *d, long width, const nc_real *x, long ldx, long rows,
                             long cols)
{
    for (long r = 0; r < rows; r++, d += width, x += ldx) {
        if (cols == 32) {
            NC_MEMCPY(d, x, 32 * sizeof *d);
            continue;
        }
        NC_MEMCPY(d, x, (unsigned long)cols * sizeof *d);
        nc_v_fill(d + cols, 0, width - cols);
    }
}

NC_STATIC void nc_v_accumulate(nc_real *d, const nc_real *a, long n)
{
    NC_INDEPENDENT
    for (long i = 0; i < n; i++)
        d[i] += a[i];
}

/* ---- bands of lines ------------------------------------------------------------------------------ */

/* A line of an image of `all`: step * band + offset, within it */
NC_STATIC long nc_line(long band, long step, long offset, long all)
{
    const long line = step * band + offset;
    return line < 0 ? 0 : line < all ? line : all;
}
/* A ring holds lines [before, end), and from now on lines [first, end), of so many elements. */
NC_STATIC void nc_keep_lines(nc_real *ring, long before, long first, long end, long line)
{
    const long shift = first - before;
    for (long at = first; shift > 0 && at < end; at += shift) {
        nc_real *to = ring + (at - first) * line;
        nc_v_copy(to, to + shift * line, (end - at < shift ? end - at : shift) * line);
    }
}
