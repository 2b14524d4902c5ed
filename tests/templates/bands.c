// A stage that writes lines to a ring; what is seen of the ring in each band goes to the result.
// variant: STRETCH=1
// variant: STRETCH=6 RING=120
// variant: RING=160 s$above=-1 r$above=-1
// variant: RING=160 s$above=-1 r$above=-1 STRETCH=2 r$offset=7 BEHIND=7
// variant: BANDS=3 STRETCH=1 RING=320 s$step=4 r$step=4 s$above=-2 r$above=-2 s$lead=2
// variant: BANDS=12 STRETCH=4 RING=200 s$step=1 r$step=1 s$above=-2 r$above=-2 s$lead=2
// variant: BANDS=4 STRETCH=4 RING=280 s$step=3 r$step=3 s$lead=4 s$height=15 r$height=15 s$from=(image*15+done0)*2 s$to=(image*15+end0)*2
// variant: BANDS=4 STRETCH=2 RING=200 s$step=4 r$step=4 s$above=-1 r$above=-1 s$lead=0
// variant: ahead=0 s$ahead=0 r$kept=0 s$lead=0 s$from=(image*12+start0)*2
#include "check.h"

/* The names of stage 0 and of ring 0 */
#define start0 start$s$k
#define done0 done$s$k
#define end0 end$s$k
#define ring0 ring$r$number
#define start$r$k start$s$k
#define done$r$k done$s$k
#define part(args, lo, hi) compute(args, lo, hi, image, band)
static void compute(const struct nc_args *args, long lo, long hi, long image, long band);
#include TEMPLATE

#ifndef $BEHIND
#define $BEHIND 0 /* cells in front of the ring */
#endif
#define LINE $r$line
#define UNIT (LINE / 2)
#define LINES ($BANDS * $s$step) /* of a result */

/* Line `at` of a result: the sum of those lines of an image that it sees */
static nc_real seen(const nc_real *image, long at, long e)
{
    nc_real sum = 0;
    for (long line = at + $s$above; line <= at + $s$lead; line++)
        sum += line >= 0 && line < $s$height ? image[line * LINE + e] : 0;
    return sum;
}

static void compute(const struct nc_args *args, long lo, long hi, long image, long band)
{
    const nc_real *ring = args->out[0] + image * $s$height * LINE;
    nc_real *y = args->out[1] + image * LINES * LINE;
    for (long i = lo * UNIT; i < hi * UNIT; i++)
        args->out[0][i] = 2 * args->in[0][i];
    for (long i = band * $s$step * LINE; i < (band + 1) * $s$step * LINE; i++)
        y[i] = seen(ring, i / LINE, i % LINE);
}

static void check(long n)
{
    const long units = n * ($BANDS / $STRETCH), count = n * LINES * LINE;
    nc_real *x = numbers(n * $s$height * LINE, 1), *y = room(count);
    nc_real *rings = room(units * $RING + $BEHIND);
    double *wanted = sums(count);
    const nc_real *const in[] = {x};
    nc_real *const out[] = {y, rings};
    for (long i = 0; i < count; i++)
        wanted[i] =
            2 * (double)seen(x + i / (LINES * LINE) * $s$height * LINE, i / LINE % LINES, i % LINE);
    run($name, in, out, n, units);
    expect(y, wanted, count, n);
    /* a call has rings of its own */
    failures += rings[units / 3 * $RING + $r$offset] == 12345;
    for (long i = 0; i < SLACK; i++)
        failures += rings[units * $RING + $BEHIND + i] != 12345;
    free(x), free(y), free(rings), free(wanted);
}

int main(void)
{
    for (long n = 1; n < 5; n++)
        check(n);
    return failures != 0;
}
