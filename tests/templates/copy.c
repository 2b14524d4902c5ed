// Four nested loops between strided boxes; the defaults transpose n matrices of 40 x 24.
// variant: D3=30 FROM=3 TO=72
// variant: D0=2 D1=n D2=3 TO0=480 TO1=24*n-24*n+72 FROM0=480 FROM1=72
#include "check.h"

#include TEMPLATE

static void check(long n)
{
    const long count = (n + 2) * 960;
    nc_real *x = numbers(count, 1), *y = room(count);
    double *wanted = sums(count);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y};
    for (long i = 0; i < count; i++)
        wanted[i] = 12345;
    for (long i = 0; i < $D0; i++)
        for (long j = 0; j < $D1; j++)
            for (long k = 0; k < $D2; k++)
                for (long l = 0; l < $D3; l++)
                    wanted[$TO + i * $TO0 + j * ($TO1) + k * $TO2 + l * $TO3] =
                        (double)x[$FROM + i * $FROM0 + j * $FROM1 + k * $FROM2 + l * $FROM3];
    run($name, in, out, n, $D0);
    expect(y, wanted, count, n);
    free(x), free(y), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 6; n++)
        check(n);
    return failures != 0;
}
