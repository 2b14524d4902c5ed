// dx from dy and w, whose matrices are transposed: [OC][IC].
// variant: IC=20 OC=33
// variant: IC=17 OC=40 P=32 KH=1 KW=1 PH=0 SH=1 OH=6 OW=5 DW=1
// variant: W=40 OW=38 KW=3 DW=1 PW=1 SH=1 OH=6 DH=2 PH=2
// variant: W=9 SW=3 OW=4 PW=2 DW=3 KW=4 IC=1 OC=1
// variant: H=3 W=2 KH=5 KW=5 PH=2 PW=2 SH=1 DW=1 OH=3 OW=2
// variant: SH=3 SW=2 KH=2 KW=1 OH=2 OW=3 PH=0
#include "conv.h"

static void visit(long x, long w, long y)
{
    const long transposed = w / ($IC * $OC) * ($IC * $OC) + w % $OC * $IC + w / $OC % $IC;
    wanted[x] += (double)left[y] * (double)right[transposed];
}

int main(void)
{
    for (long n = 1; n < 4; n++)
        check(n, elements_y(n), elements_w(), elements_x(n), n * $H, visit);
    return failures != 0;
}
