// A product with rows of a, or columns (A_ROW=1), and b row-major or in panels.
// variant: A_ROW=1 A_K=n
// variant: B_STEP=24 B_LD=32
// variant: P=16
// variant: P=16 B_STEP=24 B_LD=16
// variant: K=1 A_ROW=1
#include "check.h"

#include "template.c"

static double cell(const nc_real *a, const nc_real *b, long n, long i, long j)
{
    const long panel = j / $P * $P;
    double sum = 0;
    (void)n;
    for (long k = 0; k < $K; k++)
        sum +=
            (double)a[i * $A_ROW + k * $A_K] * (double)b[panel * $B_STEP + k * $B_LD + j - panel];
    return sum;
}

static void check(long n)
{
    nc_real *a = numbers(n * 24, 1), *b = numbers(24 * 64, 2), *y = room(n * $N);
    nc_real *bias = numbers($N, 3);
    double *wanted = sums(n * $N);
    const nc_real *const in[] = {a, b, bias};
    nc_real *const out[] = {y};
    for (long i = 0; i < n * $N; i++)
        wanted[i] = cell(a, b, n, i / $N, i % $N);
    run($name, in, out, n, ($M + NC_ROWS - 1) / NC_ROWS);
    expect(y, wanted, n * $N, n);
    free(a), free(b), free(y), free(bias), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 3 * NC_ROWS + 2; n++)
        check(n);
    return failures != 0;
}
