// dx: each dy goes to the first of its window's largest.
// variant: C=40
// variant: H=6 W=6 C=1 OH=3 OW=3 KH=2 KW=2 SH=2 SW=2 PH=0 PW=0
// variant: H=2 W=2 KH=3 KW=3 OH=2 OW=2 SH=1 SW=1 PH=1 PW=1
#include "pool.h"

int main(void)
{
    for (long n = 1; n < 4; n++) {
        nc_real *dy = numbers(n * RESULTS, 1), *x = steps(n * CELLS), *y = room(n * RESULTS);
        nc_real *dx = room(n * CELLS);
        const nc_real *const in[] = {dy, x, y};
        nc_real *const out[] = {dx};
        double *wanted = sums(n * CELLS);
        for (long p = 0; p < n * RESULTS; p++) {
            y[p] = x[largest(x, p)];
            wanted[largest(x, p)] += (double)dy[p];
        }
        run($name, in, out, n, n);
        expect(dx, wanted, n * CELLS, n);
        free(dy), free(x), free(y), free(dx), free(wanted);
    }
    return failures != 0;
}
