/* native.h: the vocabulary's functions precompiled for each instruction set, for code that tcc
 * compiles: tcc's own loops are slow, calls into these are not. One table per instruction set. */
#ifndef NC_NATIVE_H
#define NC_NATIVE_H

struct nc_native_symbol {
    const char *name;
    void (*function)(void);
};

struct nc_native {
    const char *name; /* of the instruction set */
    int rows;         /* NC_ROWS of the tile */
    int count;
    const struct nc_native_symbol *symbols;
};

/* Two primitives in one call, nc_v_FIRST_SECOND(d, a, b, c, n): d[i] = SECOND(FIRST(a[i], b[i]), c[i]); those
 * with an r take it as their right operand. */
#define NC_PAIRS(X) NC_PAIRS_OF(X, add) NC_PAIRS_OF(X, sub) NC_PAIRS_OF(X, mul) NC_PAIRS_OF(X, div)
#define NC_PAIRS_OF(X, first)                                                                      \
    X(first, add)                                                                                  \
    X(first, radd) X(first, sub) X(first, rsub) X(first, mul) X(first, rmul) X(first, div)         \
        X(first, rdiv)

/* The function as tcc_add_symbol takes it. */
const void *nc_native_address(const struct nc_native_symbol *symbol);

#if defined(__x86_64__)
extern const struct nc_native nc_native_sse2, nc_native_avx2, nc_native_avx512;
#else
extern const struct nc_native nc_native_generic;
#endif

/* The best table this machine can run; NETCC_ISA=sse2|avx2|avx512 overrides the choice where it is
 * valid. */
const struct nc_native *nc_native_select(void);
/* The table of that name, NULL if it is unknown or the machine lacks it. */
const struct nc_native *nc_native_find(const char *name);
int nc_isa_valid(const char *name);

/* Has every table a function of that name? */
int nc_native_has(const char *name);

/* C text: a prototype for the block function of every primitive and pair. vocab.h declares the rest. */
const char *nc_native_prototypes(void);

#endif
