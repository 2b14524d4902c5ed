// The columns of several matrices become their sums.
// variant: C=1
// variant: C=64
// variant: C=200
// variant: C=n R=7
#include "check.h"

#include TEMPLATE

static void check(long n)
{
    enum { MATRICES = 3 };
    const long rows = $R, columns = $C, cells = rows * columns;
    nc_real *x = numbers(MATRICES * cells, 1), *y = room(MATRICES * columns);
    double *wanted = sums(MATRICES * columns);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y};
    for (long i = 0; i < MATRICES * cells; i++)
        wanted[i / cells * columns + i % columns] += (double)x[i];
    run($name, in, out, n, MATRICES * ((columns + 63) / 64));
    expect(y, wanted, MATRICES * columns, n);
    free(x), free(y), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 70; n += 3)
        check(n);
    return failures != 0;
}
