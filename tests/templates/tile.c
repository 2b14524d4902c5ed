// A convolution, b being row-major or in panels; its gradient for the input, which spreads; a product
// with rows of a, or columns.
// variant: P=16
// variant: R=5 w$value={6,5,2},{3,3},{3,2},{2,1},{1,0},{1,2},{1,1},{160,80,40},2
// variant: R=50 w$value={6,5,2},{3,3},{3,2},{2,1},{2,1},{1,1},{1,1},{160,80,40},2
// variant: w$value={5,6,20},{3,3},{2,2},{1,2},{0,1},{1,1},{1,1},{1600,800,40},20
// variant: w$value={2,3,3},{3,3},{5,5},{1,1},{2,2},{1,1},{1,1},{600,120,40},3
// variant: w$value={2,3,3},{3,3},{3,3},{1,1},{2,2},{1,1},{2,2},{360,120,40},3
// variant: w$value={2,1,3},{3,3},{3,2},{1,1},{2,3},{1,2},{2,3},{240,120,40},3
// variant: w$value={2,2,3},{3,3},{1,1},{1,1},{0,0},{1,1},{2,2},{120,120,40},3
// variant: R=7 w$value={2,2,3},{3,3},{3,2},{1,1},{2,3},{2,3},{2,2},{-240,-120,40},3 FIRST=600 k$call=(void)next,nc_window_tile(c,a,b+600+j,&window,i,rows,$P)
// variant: w$value={3,3,8},{3,3},{1,1},{1,1},{0,0},{1,1},{1,1},{256,256,32},8 k$call=(void)next,nc_window_tile(c,a,b+j*8,&window,i,rows,$P) STEP=8
// variant: w$value={6,5,2},{3,3},{3,3},{2,1},{1,0},{1,1},{1,1},{240,80,40},6
// variant: w$value={6,5,2},{3,3},{3,3},{2,2},{1,1},{1,1},{1,1},{240,80,40},6
// variant: M=n w$value={1,1,24},{1,1},{1,1},{1,1},{0,0},{1,1},{1,1},{960,960,40},24 k$call=(void)window,(void)next,nc_tile(c,$P,a+i*24,24,1,b+j,40,24,rows,$P)
// variant: M=n P=16 STEP=24 w$value={1,1,24},{1,1},{1,1},{1,1},{0,0},{1,1},{1,1},{384,384,16},24 k$call=(void)window,(void)next,nc_tile(c,$P,a+i*24,24,1,b+j*24,16,24,rows,$P)
// variant: M=n A_ROW=1 A_K=n w$value={1,1,24},{1,1},{1,1},{1,1},{0,0},{1,1},{1,1},{960,960,40},24 k$call=(void)window,(void)next,nc_tile(c,$P,a+i,1,n,b+j,40,24,rows,$P)
// variant: M=n A_ROW=1 A_K=n w$value={1,1,24},{1,1},{1,1},{1,1},{0,0},{1,1},{1,1},{960,960,40},24 h$value={b,a,0},rows*$P k$call=(void)window,nc_tile_ahead(c,$P,a+i,1,n,b+j,40,24,rows,$P,&next)
#include "check.h"

#include TEMPLATE

#ifndef $STEP
#define $STEP 1
#endif
#ifndef $FIRST
#define $FIRST 0
#endif

static const struct nc_window g = {$w$value};

/* Element `channel` of pixel (h, w) of an image in a. */
static double seen(const nc_real *a, long n, long image, const long at[2], long channel)
{
    const long pixel = (image * g.size[0] + at[0]) * g.size[1] + at[1];
    (void)n;
#ifdef $A_ROW
    return (double)a[pixel * $A_ROW + channel * $A_K];
#else
    return (double)a[pixel * g.size[2] + channel];
#endif
}

/* The input's position that output o of an axis sees at cell t, or -1. */
static long position(int axis, long o, long t)
{
    const long at = o * g.stride[axis] - g.before[axis] + t * g.dilation[axis];
    return at >= 0 && at % g.spread[axis] == 0 && at / g.spread[axis] < g.size[axis]
               ? at / g.spread[axis]
               : -1;
}

static double cell(const nc_real *a, const nc_real *b, long n, long i, long j)
{
    const long ow = i % g.extent[1], oh = i / g.extent[1] % g.extent[0];
    const long image = i / (g.extent[0] * g.extent[1]), panel = j / $P * $P;
    double sum = 0;
    for (long t = 0; t < g.kernel[0] * g.kernel[1]; t++) {
        const long th = t / g.kernel[1], tw = t % g.kernel[1];
        const long at[2] = {position(0, oh, th), position(1, ow, tw)};
        const nc_real *w = b + $FIRST + panel * $STEP + th * g.weight[0] + tw * g.weight[1];
        for (long k = 0; at[0] >= 0 && at[1] >= 0 && k < g.size[2]; k++)
            sum += seen(a, n, image, at, k) * (double)w[k * g.weight[2] + j - panel];
    }
    return sum;
}

static void check(long n)
{
    const long rows = $M, elements = n * g.size[0] * g.size[1] * g.size[2];
    nc_real *a = numbers(elements, 1), *b = numbers(16 * 1024, 2), *y = room(rows * $N);
    nc_real *bias = numbers($N, 3);
    double *wanted = sums(rows * $N);
    const nc_real *const in[] = {a, b, bias};
    nc_real *const out[] = {y};
    for (long i = 0; i < rows * $N; i++)
        wanted[i] = cell(a, b, n, i / $N, i % $N);
    run($name, in, out, n, (rows + $R - 1) / $R * (($N + $P - 1) / $P));
    expect(y, wanted, rows * $N, n);
    free(a), free(b), free(y), free(bias), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 3 * NC_ROWS + 2; n++)
        check(n);
    return failures != 0;
}
