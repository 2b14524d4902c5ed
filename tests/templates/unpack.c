// Panels become rows.
// variant: P=16
// variant: COLS=64
// variant: COLS=5 P=16
#include "check.h"

#include TEMPLATE

int main(void)
{
    nc_real *x = numbers(64 * $ROWS, 1), *y = room($ROWS * $COLS);
    double *wanted = sums($ROWS * $COLS);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y};
    for (long i = 0; i < $ROWS; i++)
        for (long j = 0; j < $COLS; j++)
            wanted[i * $COLS + j] = (double)x[j / $P * $P * $ROWS + i * $P + j % $P];
    run($name, in, out, 1, 1);
    expect(y, wanted, $ROWS * $COLS, 1);
    free(x), free(y), free(wanted);
    return failures != 0;
}
