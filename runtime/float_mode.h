/* float_mode.h: arithmetic without subnormal numbers. Optimizer state of inputs that are rarely
 * active decays into them, and there a step takes up to three times as long. The mode belongs to a
 * thread: whoever runs a model's code sets it, and every tier and thread count then still gives the
 * same bits. */
#ifndef NC_FLOAT_MODE_H
#define NC_FLOAT_MODE_H

#if defined(__SSE__)
#include <xmmintrin.h>

/* Flush to zero and denormals are zero; yields the mode before. */
static inline unsigned nc_float_mode_fast(void)
{
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040u);
    return before;
}

static inline void nc_float_mode_restore(unsigned mode)
{
    _mm_setcsr(mode);
}
#elif defined(__aarch64__) && defined(__GNUC__)
static inline unsigned nc_float_mode_fast(void)
{
    unsigned long before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | 1UL << 24));
    return (unsigned)before;
}

static inline void nc_float_mode_restore(unsigned mode)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)mode));
}
#else
static inline unsigned nc_float_mode_fast(void)
{
    return 0;
}

static inline void nc_float_mode_restore(unsigned mode)
{
    (void)mode;
}
#endif

#endif
