// y = 2 x, cell by cell.
// variant: CHUNK=20
// variant: CHUNK=7 total=(n*5)
#include "check.h"

#include TEMPLATE

static void check(long n)
{
    const long count = $total;
    nc_real *x = numbers(count, 1), *y = room(count);
    double *wanted = sums(count);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y};
    for (long i = 0; i < count; i++)
        wanted[i] = 2 * (double)x[i];
    run($name, in, out, n, (count + $CHUNK - 1) / $CHUNK);
    expect(y, wanted, count, n);
    free(x), free(y), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 9; n++)
        check(n);
    return failures != 0;
}
