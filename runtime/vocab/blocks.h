/* Blocks that are no primitives, and random numbers. SPDX-License-Identifier: 0BSD */

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
