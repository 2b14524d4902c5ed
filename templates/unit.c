// What kernels and entries share. The structs are those of netcc.h.
//:param $own_abi 1     netcc.h is not included
//:param $timed 1       entries say which kernel begins
//: begin
#ifdef __cplusplus
#define NC_RESTRICT __restrict__
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L
#define NC_RESTRICT restrict
#else
#define NC_RESTRICT
#endif

/* One kernel call: pointers read, pointers written, n rows, of which the first is row `first` of the batch. */
struct nc_args {
    const nc_real *const *in;
    nc_real *const *out;
    const struct nc_hyper *hyper;
    long n, first;
};

typedef void nc_task(const void *job, long lo, long hi);
//: if $own_abi

struct nc_env {
    void *context;
    void (*parallel)(void *context, nc_task *task, const void *job, long units);
};

struct nc_call {
    void *weights;
    void *prepared;
    void *state;
    void *memory;
    const void *const *inputs;
    const void *const *targets;
    void *const *outputs;
    const struct nc_hyper *hyper;
    long n;
    void *arena;
    const struct nc_env *env;
};
//: end

/* Runs a kernel over all its units of work, on the caller's threads where there are any. */
NC_STATIC void nc_run(const struct nc_env *env, nc_task *task, const struct nc_args *args,
                      long units)
{
    if (env && env->parallel && units > 1)
        env->parallel(env->context, task, args, units);
    else
        task(args, 0, units);
}
//: if $timed

/* The env of a timed unit: begin() is told before each kernel call which one it is, and -1 at the
 * entry's end. */
struct nc_timer {
    struct nc_env env;
    void (*begin)(const struct nc_timer *timer, long call);
};
NC_STATIC void nc_begin(const struct nc_env *env, long call)
{
    const struct nc_timer *timer = (const struct nc_timer *)env;
    if (timer)
        timer->begin(timer, call);
}
//: end
