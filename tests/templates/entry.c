// An entry: its checks, a loop over time, a call on threads and a serial one, a part.
#include "check.h"

static const struct nc_hyper *hyper;
static const struct nc_env *env;
static long calls, parts;

static void kernel(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    if (!job) {
        parts++;
        return;
    }
    for (long i = lo; i < hi; i++)
        args->out[0][i] = args->in[0][i] + (nc_real)calls;
    calls++;
}

int entry(const struct nc_call *call);
#include TEMPLATE

int main(void)
{
    enum { N = 5 };
    nc_real *x = numbers(N, 1), *y = room(N);
    const void *const inputs[] = {x};
    void *const outputs[] = {y};
    struct nc_call call = {0, 0, 0, 0, inputs, 0, outputs, 0, N, 0, 0};
    double wanted[N];
    failures += entry(&call) != 0 || calls != 2 * $c$steps || parts != $c$steps;
    for (int i = 0; i < N; i++)
        wanted[i] = (double)x[i] + 2 * $c$steps - 1;
    expect(y, wanted, N, N);
    call.n = -1;
    failures += entry(&call) != -1 || calls != 2 * $c$steps;
    free(x), free(y);
    return failures != 0;
}
