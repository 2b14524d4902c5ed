/* What the checks of the templates share. A check includes this, then its template as TEMPLATE
 * with the defaults turned into macros, and compares what the kernel writes with plain loops. */
#ifndef CHECK_H
#define CHECK_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "vocab.h"
#if defined(__TINYC__) && !defined(NC_SCALAR)
#include "natives.h"
#endif

#include "template_unit.c"

enum { SLACK = 32 }; /* cells that a tile may read behind its operand */
static int failures;

/* `count` numbers in [-1, 1), and SLACK more that must not matter. */
static inline nc_real *numbers(long count, unsigned seed)
{
    nc_real *x = (nc_real *)malloc((unsigned long)(count + SLACK) * sizeof *x);
    for (long i = 0; i < count + SLACK; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (nc_real)(seed >> 8) / (nc_real)8388608 - 1;
    }
    return x;
}

/* Room for results, whose last SLACK cells must stay as they are. */
static inline nc_real *room(long count)
{
    nc_real *x = (nc_real *)malloc((unsigned long)(count + SLACK) * sizeof *x);
    for (long i = 0; i < count + SLACK; i++)
        x[i] = 12345;
    return x;
}

static inline double *sums(long count)
{
    double *x = (double *)malloc((unsigned long)(count + 1) * sizeof *x);
    for (long i = 0; i < count; i++)
        x[i] = 0;
    return x;
}

/* All units of a kernel in three pieces, not in order. */
static inline void run(nc_task *task, const nc_real *const *in, nc_real *const *out, long n,
                       long units)
{
    const struct nc_hyper hyper = {0, 0, 1, 0, 0};
    struct nc_args args = {in, out, &hyper, 0, 0};
    args.n = n;
    const long third = units / 3;
    task(&args, third, 2 * third);
    task(&args, 2 * third, units);
    task(&args, 0, third);
}

static inline void expect(const nc_real *got, const double *wanted, long count, long n)
{
    for (long i = 0; i < count && failures < 5; i++) {
        if (!(fabs((double)got[i] - wanted[i]) <= 1e-5 * (1 + fabs(wanted[i])))) {
            fprintf(stderr, "n = %ld: cell %ld is %.9g, not %.9g\n", n, i, (double)got[i],
                    wanted[i]);
            failures++;
        }
    }
    for (long i = count; i < count + SLACK && failures < 5; i++) {
        if (got[i] != 12345) {
            fprintf(stderr, "n = %ld: cell %ld behind the end is written\n", n, i - count);
            failures++;
        }
    }
}
#endif
