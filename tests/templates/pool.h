/* The pooling kernels against plain loops over (sample, output cell, window cell). */
#include "check.h"

#include "template.c"

enum { CELLS = $H * $W * $C, RESULTS = $OH * $OW * $C };

/* The input cell under window cell k of output cell p (channel included), or -1. */
static inline long under(long p, long k)
{
    const long pixel = p / $C % ($OH * $OW);
    const long ih = pixel / $OW * $SH + k / $KW - $PH, iw = pixel % $OW * $SW + k % $KW - $PW;
    if (ih < 0 || ih >= $H || iw < 0 || iw >= $W)
        return -1;
    return p / RESULTS * CELLS + (ih * $W + iw) * $C + p % $C;
}

static inline long cells_under(long p)
{
    long count = 0;
    for (long k = 0; k < $KH * $KW; k++)
        count += under(p, k) >= 0;
    return count;
}

/* The input cell that holds the largest of a window, the first of equals. */
static inline long largest(const nc_real *x, long p)
{
    long best = -1;
    for (long k = 0; k < $KH * $KW; k++) {
        const long at = under(p, k);
        if (at >= 0 && (best < 0 || x[at] > x[best]))
            best = at;
    }
    return best;
}

/* Coarse numbers, so that windows hold equal ones. */
static inline nc_real *steps(long count)
{
    nc_real *x = numbers(count, 3);
    for (long i = 0; i < count; i++)
        x[i] = (nc_real)(long)(x[i] * 3);
    return x;
}
