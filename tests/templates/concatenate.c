// One part of a joined row; the rest of the row is another part's.
// variant: p$start=10 p$length=25
#include "check.h"

#include TEMPLATE

static void check(long n)
{
    const long length = $p$length;
    nc_real *x = numbers(n * length, 1), *y = room(n * $ROW);
    double *wanted = sums(n * $ROW);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y};
    for (long i = 0; i < n * $ROW; i++)
        wanted[i] = 12345;
    for (long i = 0; i < n * length; i++)
        wanted[i / length * $ROW + $p$start + i % length] = (double)x[i];
    run($name, in, out, n, $OUTER);
    expect(y, wanted, n * $ROW, n);
    free(x), free(y), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 6; n++)
        check(n);
    return failures != 0;
}
