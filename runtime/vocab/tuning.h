/* What the vocabulary chooses for the machine. SPDX-License-Identifier: 0BSD */

/* ---- tuning ------------------------------------------------------------------------------------ */

/* lanes    reals a vector
 * part     rows whose sums, two vectors each, are held in registers
 * tile     rows of a whole tile
 * block    k summed at a time, where operands are read in strides: rows and a strip of two vectors stay
 *          in the first cache
 * panel    the same where they are read in order
 * No result depends on any of them. */
#define NC_TUNING_avx512 16, 14, 14, NC_UNBOUNDED, NC_UNBOUNDED
#define NC_TUNING_avx2 8, 6, 64, 128, 1024
#define NC_TUNING_sse2 4, 6, 12, 128, 1024
#define NC_TUNING_neon 4, 12, 12, 128, 1024
#define NC_TUNING_generic 16, 4, 4, NC_UNBOUNDED, NC_UNBOUNDED

#if !defined(NC_VECTORS)
#define NC_TUNING NC_TUNING_generic
#elif defined(__AVX512F__)
#define NC_TUNING NC_TUNING_avx512
#elif defined(__AVX2__)
#define NC_TUNING NC_TUNING_avx2
#elif defined(__aarch64__)
#define NC_TUNING NC_TUNING_neon
#else
#define NC_TUNING NC_TUNING_sse2
#endif

#define NC_UNBOUNDED 0x7fffffff
#define NC_TUNED_0(lanes, part, tile, block, panel) lanes
#define NC_TUNED_1(lanes, part, tile, block, panel) part
#define NC_TUNED_2(lanes, part, tile, block, panel) tile
#define NC_TUNED_3(lanes, part, tile, block, panel) block
#define NC_TUNED_4(lanes, part, tile, block, panel) panel
#define NC_TUNED(column, ...) NC_TUNED_##column(__VA_ARGS__)
#define NC_LANES NC_TUNED(0, NC_TUNING)
#define NC_TILE_ROWS NC_TUNED(1, NC_TUNING)
#define NC_BLOCK NC_TUNED(3, NC_TUNING)
#define NC_BLOCK_PANEL NC_TUNED(4, NC_TUNING)
#ifndef NC_ROWS
#define NC_ROWS NC_TUNED(2, NC_TUNING)
#endif
#define NC_PANEL 128  /* the widest panel */
#define NC_LONG 512   /* k of a long panel */
#define NC_AHEAD 2048 /* reals between what is fetched of such and what is used */
