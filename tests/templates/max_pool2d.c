// y: the largest of each window.
// variant: C=40
// variant: H=6 W=6 C=1 OH=3 OW=3 KH=2 KW=2 SH=2 SW=2 PH=0 PW=0
// variant: H=2 W=2 KH=3 KW=3 OH=2 OW=2 SH=1 SW=1 PH=1 PW=1
#include "pool.h"

int main(void)
{
    for (long n = 1; n < 4; n++) {
        nc_real *x = steps(n * CELLS), *y = room(n * RESULTS);
        const nc_real *const in[] = {x};
        nc_real *const out[] = {y};
        double *wanted = sums(n * RESULTS);
        for (long p = 0; p < n * RESULTS; p++) {
            wanted[p] = (double)x[largest(x, p)];
        }
        run($name, in, out, n, n * $OH);
        expect(y, wanted, n * RESULTS, n);
        free(x), free(y), free(wanted);
    }
    return failures != 0;
}
