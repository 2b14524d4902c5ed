// dw from x and dy.
// variant: C=70
// variant: H=3 W=2 KH=5 KW=5 PH=2 PW=2 SH=1 DW=1 OH=3 OW=2 C=16
// variant: W=9 SW=3 OW=4 PW=2 DW=3 KW=4 C=1
#include "check.h"

#include TEMPLATE

#define X ($H * $W * $C)
#define Y ($OH * $OW * $C)
#define CELLS ($KH * $KW)

static void sum(double *dw, const nc_real *x, const nc_real *dy, long n)
{
    for (long p = 0; p < n * $OH * $OW; p++) {
        for (long k = 0; k < CELLS; k++) {
            const long ih = p / $OW % $OH * $SH + k / $KW * $DH - $PH;
            const long iw = p % $OW * $SW + k % $KW * $DW - $PW;
            const nc_real *seen = x + ((p / ($OH * $OW) * $H + ih) * $W + iw) * $C;
            for (long c = 0; ih >= 0 && ih < $H && iw >= 0 && iw < $W && c < $C; c++)
                dw[k * $C + c] += (double)seen[c] * (double)dy[p * $C + c];
        }
    }
}

int main(void)
{
    for (long n = 1; n < 4; n++) {
        nc_real *x = numbers(n * X, 1), *dy = numbers(n * Y, 2), *result = room(CELLS * $C);
        const nc_real *const in[] = {x, dy};
        nc_real *const out[] = {result};
        double *wanted = sums(CELLS * $C);
        sum(wanted, x, dy, n);
        run($name, in, out, n, CELLS);
        expect(result, wanted, CELLS * $C, n);
        free(x), free(dy), free(result), free(wanted);
    }
    return failures != 0;
}
