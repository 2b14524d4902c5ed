/* The host's random numbers: Philox4x32-10 and the elementary functions come from the vocabulary, so
 * that no libm has a say in how a network starts. */
#include "random.h"

#define NC_SCALAR
#include "vocab.h"

enum { BLOCK = 256 }; /* a multiple of 4, the words of one Philox counter */

void nc_random_uniform(const struct nc_stream *stream, uint32_t draw, int64_t first, int64_t n,
                       float *d)
{
    struct nc_hyper counter = {.seed = stream->seed, .epoch = stream->use, .first_sample = draw};
    nc_v_uniform(d, &counter, stream->stream, 0, first, n);
}

/* Box and Muller: elements 2 i and 2 i + 1 share one pair of uniform numbers. */
static void pair_to_normal(float *pair)
{
    float radius = nc_sqrt(-2 * nc_log(1 - pair[0])), angle = 6.28318531f * pair[1];
    pair[0] = radius * nc_cos(angle);
    pair[1] = radius * nc_sin(angle);
}

void nc_random_normal(const struct nc_stream *stream, uint32_t draw, int64_t first, int64_t n,
                      float *d)
{
    float block[BLOCK];
    for (int64_t end = first + n; first < end;) {
        int64_t base = first / BLOCK * BLOCK, stop = base + BLOCK < end ? base + BLOCK : end;
        int64_t low = first / 2 * 2, high = (stop + 1) / 2 * 2;
        nc_random_uniform(stream, draw, low, high - low, block);
        for (int64_t i = 0; i < high - low; i += 2)
            pair_to_normal(block + i);
        memcpy(d, block + (first - low), (size_t)(stop - first) * sizeof *d);
        d += stop - first;
        first = stop;
    }
}

void nc_shuffle(uint32_t *order, int64_t n, uint32_t seed, uint32_t epoch)
{
    nc_words words[4] = {0};
    for (int64_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (int64_t i = n - 1; i > 0; i--) {
        nc_words turn = (nc_words)(n - 1 - i);
        if (turn % 4 == 0) {
            words[0] = turn / 4, words[1] = 0, words[2] = epoch, words[3] = NC_USE_SHUFFLE;
            nc_philox(words, seed, NC_USE_SHUFFLE);
        }
        uint64_t j = (uint64_t)(uint32_t)words[turn % 4] * (uint64_t)(i + 1) >> 32;
        uint32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
