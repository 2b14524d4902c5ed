// A step of a convolution by Winograd's transforms: the products of each cell.
// variant: GEOMETRY={7,6,3},{7,6},{1,1},{4,3},2,2,5,1,16,{5,16},0
// variant: GEOMETRY={9,6,20},{8,6},{1,1},{2,2},2,4,40,2,32,{32,5760},0
#include "check.h"

#include TEMPLATE

static void check(long n)
{
    static const struct nc_winograd g = {$GEOMETRY};
    const long cells = (g.tile + 2) * (g.tile + 2), groups = n * (g.tiles[0] / g.lines);
    const long rows = g.lines * g.tiles[1], block = (rows + 47) / rows;
    const long ld = (g.size[2] + 15) / 16 * 16, filters = g.panels * g.width;
    const long from = rows * ld + 16, to = rows * filters + 16;
    nc_real *v = numbers(groups * cells * from, 1), *u = numbers(cells * g.size[2] * filters, 2);
    nc_real *y = room(groups * cells * to);
    double *wanted = sums(groups * cells * to);
    const nc_real *const in[] = {v, u};
    nc_real *const out[] = {y};
    for (long i = 0; i < groups * cells * to; i++)
        wanted[i] = 12345;
    for (long i = 0; i < groups * cells * rows * filters; i++) {
        const long at = i / (rows * filters), r = i / filters % rows, f = i % filters;
        const nc_real *b =
            u + (at % cells * g.panels + f / g.width) * g.size[2] * g.width + f % g.width;
        double sum = 0;
        for (long k = 0; k < g.size[2]; k++)
            sum += (double)v[at * from + r * ld + k] * (double)b[k * g.width];
        wanted[at * to + r * filters + f] = sum;
    }
    run($name, in, out, n, (groups + block - 1) / block * cells);
    expect(y, wanted, groups * cells * to, n);
    free(v), free(u), free(y), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 4; n++)
        check(n);
    return failures != 0;
}
