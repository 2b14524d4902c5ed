// Rows become panels.
// variant: P=16
// variant: COLS=64
// variant: COLS=5 P=16
// variant: ROWS=n+4 COLS=32
#include "check.h"

#include TEMPLATE

static void check(long n)
{
    const long rows = $ROWS, panels = ($COLS + $P - 1) / $P;
    nc_real *x = numbers(rows * $COLS, 1), *y = room(panels * rows * $P);
    double *wanted = sums(panels * rows * $P);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y};
    for (long i = 0; i < rows; i++)
        for (long j = 0; j < $COLS; j++)
            wanted[(j / $P * rows + i) * $P + j % $P] = (double)x[i * $COLS + j];
    run($name, in, out, n, panels);
    expect(y, wanted, panels * rows * $P, 1);
    free(x), free(y), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 4; n++)
        check(n);
    return failures != 0;
}
