// Each row becomes its sum.
// variant: R=(n)
// variant: R=(n*0+1)
#include "check.h"

#include TEMPLATE

static void check(long n)
{
    enum { ROWS = 5 };
    const long columns = $R;
    nc_real *x = numbers(ROWS * columns, 1), *y = room(ROWS);
    double *wanted = sums(ROWS);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y};
    for (long i = 0; i < ROWS * columns; i++)
        wanted[i / columns] += (double)x[i];
    run($name, in, out, n, ROWS);
    expect(y, wanted, ROWS, n);
    free(x), free(y), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 40; n++)
        check(n);
    return failures != 0;
}
