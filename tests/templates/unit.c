// nc_run: serial without threads or with one unit, else on the caller's threads.
#include "check.h"

static long covered, on_threads;

static void task(const void *job, long lo, long hi)
{
    covered += (hi - lo) * ((const struct nc_args *)job)->n;
}

static void parallel(void *context, nc_task *work, const void *job, long units)
{
    *(long *)context += 1;
    for (long u = units; u-- > 0;)
        work(job, u, u + 1);
}

int main(void)
{
    struct nc_env env = {&on_threads, parallel}, serial = {0, 0};
    const struct nc_args args = {0, 0, 0, 10, 0};
    nc_run(0, task, &args, 5);
    nc_run(&serial, task, &args, 5);
    failures += covered != 100 || on_threads != 0;
    nc_run(&env, task, &args, 1);
    failures += covered != 110 || on_threads != 0;
    nc_run(&env, task, &args, 7);
    failures += covered != 180 || on_threads != 1;
    return failures != 0;
}
