// Transposes of a stack of matrices in panels; a row-major one is a single panel.
// variant: FROM_P=32
// variant: TO_P=16
// variant: STACK=n*2 FROM_P=32 TO_P=32
// variant: STACK=n+2 ROWS=1 TO_P=1
// variant: COLS=33 FROM_P=32 TO_P=16
#include "check.h"

#include TEMPLATE

/* Where [matrix][i][j] of matrices of `rows` rows lies in panels. */
static long offset(long stack, long matrix, long rows, long panel, long i, long j)
{
    return (j / panel * panel * stack + matrix * panel) * rows + i * panel + j % panel;
}

static void check(long n)
{
    const long stack = ($STACK), room_for = 9 * 64 * 64;
    nc_real *x = numbers(room_for, 1), *y = room(room_for);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y};
    run($name, in, out, n, stack * (($COLS + $FROM_P - 1) / $FROM_P));
    for (long m = 0; m < stack; m++)
        for (long i = 0; i < $ROWS; i++)
            for (long j = 0; j < $COLS; j++)
                failures += y[offset(stack, m, $COLS, $TO_P, j, i)] !=
                            x[offset(stack, m, $ROWS, $FROM_P, i, j)];
    long written = 0;
    for (long i = 0; i < room_for + SLACK; i++)
        written += y[i] != 12345;
    failures += written != stack * $ROWS * $COLS;
    free(x), free(y);
}

int main(void)
{
    for (long n = 1; n < 4; n++)
        check(n);
    return failures != 0;
}
