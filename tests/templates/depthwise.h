/* The depthwise kernels against one plain loop over (sample, output cell, kernel cell, channel). */
#include "check.h"

#include "template.c"

static const nc_real *left, *right; /* in[0] and in[1] */
static double *wanted;

enum { X = $H * $W * $C, Y = $OH * $OW * $C * $M, W_ = $KH * $KW * $C * $M };

static inline void each_product(long n, void (*visit)(long x, long w, long y))
{
    for (long p = 0; p < n * $OH * $OW; p++) {
        for (long k = 0; k < $KH * $KW; k++) {
            const long ih = p / $OW % $OH * $SH + k / $KW * $DH - $PH;
            const long iw = p % $OW * $SW + k % $KW * $DW - $PW;
            if (ih < 0 || ih >= $H || iw < 0 || iw >= $W)
                continue;
            for (long c = 0; c < $C * $M; c++)
                visit(((p / ($OH * $OW) * $H + ih) * $W + iw) * $C + c / $M, k * $C * $M + c,
                      p * $C * $M + c);
        }
    }
}

static inline void check(long n, long left_count, long right_count, long count, long units,
                         void (*visit)(long x, long w, long y))
{
    nc_real *a = numbers(left_count, 1), *b = numbers(right_count, 2), *result = room(count);
    const nc_real *const in[] = {a, b};
    nc_real *const out[] = {result};
    left = a;
    right = b;
    wanted = sums(count);
    each_product(n, visit);
    run($name, in, out, n, units);
    expect(result, wanted, count, n);
    free(a), free(b), free(result), free(wanted);
}
