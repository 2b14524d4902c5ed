/* Random numbers. SPDX-License-Identifier: 0BSD */

/* ---- random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", 2011) ------------------------------------------------------------------------------------- */

#define NC_PHILOX_M0 0xd2511f53u /* multipliers */
#define NC_PHILOX_M1 0xcd9e8d57u
#define NC_PHILOX_W0 0x9e3779b9u /* from one round's key to the next */
#define NC_PHILOX_W1 0xbb67ae85u
#define NC_UNIT ((nc_real)5.9604644775390625e-8) /* 2^-24 */

/* The words are kept in 64 bits, of which the low 32 count: products need no shuffles then. */
typedef unsigned long long nc_words;
NC_INLINE void nc_philox(nc_words c[4], unsigned key0, unsigned key1)
{
    NC_UNROLL
    for (int round = 0; round < 10; round++) {
        nc_words p = (c[0] & 0xffffffffu) * NC_PHILOX_M0, q = (c[2] & 0xffffffffu) * NC_PHILOX_M1;
        c[0] = (q >> 32) ^ c[1] ^ key0;
        c[1] = q;
        c[2] = (p >> 32) ^ c[3] ^ key1;
        c[3] = p;
        key0 += NC_PHILOX_W0;
        key1 += NC_PHILOX_W1;
    }
}
NC_INLINE nc_real nc_unit(nc_words word)
{
    return (nc_real)(int)((unsigned)word >> 8) * NC_UNIT;
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
/* Several counters at once, in vectors of words; a product of low halves is one instruction, which gcc 12
 * does not find by itself. */
#if defined(NC_SHUFFLE) && defined(__SSE2__) && !defined(NC_DOUBLE)
#ifdef __AVX2__
#define NC_COUNTERS 4
#define NC_MULTIPLY(a, b) __builtin_ia32_pmuludq256(a, b)
#define NC_FRONT 0, 4, 1, 5
#define NC_REAR 2, 6, 3, 7
#else
#define NC_COUNTERS 2
#define NC_MULTIPLY(a, b) __builtin_ia32_pmuludq128(a, b)
#define NC_FRONT 0, 2
#define NC_REAR 1, 3
#endif
#define NC_WORDS __attribute__((vector_size(NC_COUNTERS * sizeof(nc_words))))
typedef nc_words nc_word_vector NC_WORDS;
typedef unsigned nc_half_vector NC_WORDS;
typedef int nc_int_vector NC_WORDS;
typedef float nc_unit_vector
    __attribute__((vector_size(NC_COUNTERS * sizeof(nc_words)), aligned(sizeof(float)), may_alias));
NC_INLINE nc_word_vector nc_words_of(nc_words word)
{
    nc_word_vector v = {0};
    return v + word;
}
NC_INLINE nc_word_vector nc_low_product(nc_word_vector a, unsigned factor)
{
    const nc_word_vector b = nc_words_of(factor);
#ifdef __clang__
    return (a & 0xffffffffu) * b;
#else
    return (nc_word_vector)NC_MULTIPLY((nc_int_vector)a, (nc_int_vector)b);
#endif
}
NC_INLINE void nc_store_units(nc_real *d, nc_word_vector halves)
{
    const nc_half_vector words = (nc_half_vector)halves >> 8;
    *(nc_unit_vector *)d = __builtin_convertvector((nc_int_vector)words, nc_unit_vector) * NC_UNIT;
}
/* The first `whole` counters, but for some at the end; returns how many. */
NC_STATIC long nc_uniform_counters(nc_real *d, unsigned counter, nc_words sample, unsigned stream,
                                   nc_words epoch, unsigned key0, unsigned key1, long whole)
{
    enum { SETS = 2 }; /* hide the latency of a product */
    long j = 0;
    for (; j + SETS * NC_COUNTERS <= whole; j += SETS * NC_COUNTERS) {
        nc_word_vector c[SETS][4];
        unsigned k0 = key0, k1 = key1;
        NC_UNROLL
        for (int s = 0; s < SETS; s++) {
            c[s][0] = nc_words_of(counter + (unsigned)(j + s * NC_COUNTERS));
            for (int l = 0; l < NC_COUNTERS; l++)
                c[s][0][l] += (nc_words)l;
            c[s][1] = nc_words_of(sample);
            c[s][2] = nc_words_of(stream);
            c[s][3] = nc_words_of(epoch);
        }
        NC_UNROLL
        for (int round = 0; round < 10; round++) {
            NC_UNROLL
            for (int s = 0; s < SETS; s++) {
                const nc_word_vector p = nc_low_product(c[s][0], NC_PHILOX_M0);
                const nc_word_vector q = nc_low_product(c[s][2], NC_PHILOX_M1);
                c[s][0] = (q >> 32) ^ c[s][1] ^ k0;
                c[s][1] = q;
                c[s][2] = (p >> 32) ^ c[s][3] ^ k1;
                c[s][3] = p;
            }
            k0 += NC_PHILOX_W0;
            k1 += NC_PHILOX_W1;
        }
        NC_UNROLL
        for (int s = 0; s < SETS; s++) {
            const nc_word_vector a = (c[s][0] & 0xffffffffu) | c[s][1] << 32;
            const nc_word_vector b = (c[s][2] & 0xffffffffu) | c[s][3] << 32;
            nc_real *to = d + 4 * (j + s * NC_COUNTERS);
            nc_store_units(to, __builtin_shufflevector(a, b, NC_FRONT));
            nc_store_units(to + 2 * NC_COUNTERS, __builtin_shufflevector(a, b, NC_REAR));
        }
    }
    return j;
}
#else
#define nc_uniform_counters(d, counter, sample, stream, epoch, key0, key1, whole) 0
#endif
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
    for (long j = nc_uniform_counters(d, counter, sample, stream, epoch, key0, key1, whole);
         j < whole; j++) {
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
