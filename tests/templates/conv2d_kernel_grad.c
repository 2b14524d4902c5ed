// dw from x and dy.
// variant: IC=20 OC=33 LD=33
// variant: IC=17 OC=40 LD=40 P=32 KH=1 KW=1 PH=0 SH=1 OH=6 OW=5 DW=1
// variant: W=40 OW=38 KW=3 DW=1 PW=1 SH=1 OH=6 DH=2 PH=2
// variant: W=9 SW=3 OW=4 PW=2 DW=3 KW=4 IC=1 OC=1 LD=1
// variant: H=3 W=2 KH=5 KW=5 PH=2 PW=2 SH=1 DW=1 OH=3 OW=2
// variant: WIDE=$P STEP=($KH*$KW*$IC) LD=$P BLOCK=1 IC=20 OC=33
// variant: WIDE=$P STEP=($KH*$KW*$IC) LD=$P IC=17 OC=40 P=32
// variant: SH=3 SW=2 KH=2 KW=1 OH=2 OW=3 PH=0
#include "check.h"

#include TEMPLATE

#define PANELS ($LD == $P && $STEP > 1)

/* Adds a product for each pair of an input cell and an output cell that a kernel cell joins. */
static void sum(double *dw, const nc_real *x, const nc_real *dy, long n)
{
    for (long p = 0; p < n * $OH * $OW; p++) {
        for (long k = 0; k < $KH * $KW; k++) {
            const long ih = p / $OW % $OH * $SH + k / $KW * $DH - $PH;
            const long iw = p % $OW * $SW + k % $KW * $DW - $PW;
            const nc_real *seen = x + ((p / ($OH * $OW) * $H + ih) * $W + iw) * $IC;
            for (long c = 0; ih >= 0 && ih < $H && iw >= 0 && iw < $W && c < $IC * $OC; c++)
                dw[k * $IC * $OC + c] += (double)seen[c / $OC] * (double)dy[p * $OC + c % $OC];
        }
    }
}

/* The result in panels of $P columns, row-major. */
static void unpack(nc_real *to, const nc_real *from, long rows)
{
    for (long i = 0; i < rows * $OC; i++)
        to[i] = from[i % $OC / $P * $P * rows + i / $OC * $P + i % $OC % $P];
}

static void check(long n)
{
    const long rows = $KH * $KW * $IC, panels = ($OC + $P - 1) / $P;
    nc_real *x = numbers(n * $H * $W * $IC, 1), *dy = numbers(n * $OH * $OW * $OC, 2);
    nc_real *result = room(PANELS ? rows * panels * $P : rows * $OC), *plain = room(rows * $OC);
    double *wanted = sums(rows * $OC);
    const nc_real *const in[] = {x, dy};
    nc_real *const out[] = {result};
    sum(wanted, x, dy, n);
    run($name, in, out, n, ($IC + NC_ROWS - 1) / NC_ROWS * $KH * $KW * panels);
    if (PANELS)
        unpack(plain, result, rows);
    for (long i = 0; PANELS && i < rows * panels * $P; i++)
        failures += i / ($P * rows) * $P + i % $P >= $OC && result[i] != 0;
    expect(PANELS ? plain : result, wanted, rows * $OC, n);
    free(x), free(dy), free(result), free(plain), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 4; n++)
        check(n);
    return failures != 0;
}
