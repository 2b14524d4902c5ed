// dx from dy and w.
// variant: M=1
// variant: C=40 M=1
// variant: H=3 W=2 KH=5 KW=5 PH=2 PW=2 SH=1 DW=1 OH=3 OW=2 M=3
// variant: W=9 SW=3 OW=4 PW=2 DW=3 KW=4 C=1 M=1
#include "depthwise.h"

static void visit(long x, long w, long y)
{
    wanted[x] += (double)left[y] * (double)right[w];
}

int main(void)
{
    for (long n = 1; n < 4; n++)
        check(n, n * Y, W_, n * X, n, visit);
    return failures != 0;
}
