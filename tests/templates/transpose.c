// A transpose between matrices in panels; a row-major one is a single panel.
// variant: FROM_P=32
// variant: TO_P=16
// variant: FROM_P=32 TO_P=32
// variant: ROWS=1 TO_P=1
// variant: COLS=33 FROM_P=32 TO_P=16
#include "check.h"

#include "template.c"

/* Where [i][j] of a matrix of `rows` rows lies in panels. */
static long offset(long rows, long panel, long i, long j)
{
    return j / panel * panel * rows + i * panel + j % panel;
}

int main(void)
{
    nc_real *x = numbers(64 * 64, 1), *y = room(64 * 64);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y};
    run($name, in, out, 1, 1);
    for (long i = 0; i < $ROWS; i++)
        for (long j = 0; j < $COLS; j++)
            failures += y[offset($COLS, $TO_P, j, i)] != x[offset($ROWS, $FROM_P, i, j)];
    long written = 0;
    for (long i = 0; i < 64 * 64 + SLACK; i++)
        written += y[i] != 12345;
    failures += written != $ROWS * $COLS;
    free(x), free(y);
    return failures != 0;
}
