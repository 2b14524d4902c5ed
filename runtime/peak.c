/* peak.c: the fastest multiply-adds and reads of an instruction set, in the vectors of the vocabulary.
 * Compiled as native.c is, with -DNC_ISA=sse2|avx2|avx512|generic. */
#include "vocab.h"
#include "peak.h"

enum { CHAINS = 12, VECTORS = 8 }; /* enough of each to hide their latency */

static void multiply(float *sink, long rounds)
{
    nc_vector acc[CHAINS], a = nc_vector_splat(sink[0]), b = nc_vector_splat(sink[1]);
    NC_UNROLL
    for (int i = 0; i < CHAINS; i++)
        acc[i] = nc_vector_splat((nc_real)i);
    for (long k = 0; k < rounds; k++) {
        NC_UNROLL
        for (int i = 0; i < CHAINS; i++)
            acc[i] = nc_vector_fma(acc[i], a, b);
    }
    NC_UNROLL
    for (int i = 0; i < CHAINS; i++)
        nc_vector_store(sink + 16 * i, acc[i]);
}

static void read(float *sink, const float *data, long count)
{
    nc_vector acc[VECTORS];
    NC_UNROLL
    for (int i = 0; i < VECTORS; i++)
        acc[i] = nc_vector_splat(0);
    for (long k = 0; k < count; k += VECTORS * NC_LANES) {
        NC_UNROLL
        for (int i = 0; i < VECTORS; i++)
            acc[i] = nc_vector_add(acc[i], nc_vector_load(data + k + i * NC_LANES));
    }
    NC_UNROLL
    for (int i = 0; i < VECTORS; i++)
        nc_vector_store(sink + 16 * i, acc[i]);
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define TABLE_(isa) nc_peak_##isa
#define TABLE(isa) TABLE_(isa)
const struct nc_peak TABLE(NC_ISA) = {TEXT(NC_ISA), multiply, 2.0 * CHAINS *NC_LANES, read};
