// Each row of $R cells becomes one.
//:param $name reduce
//:param $uses_n 1
//:param $R {n * 24}     cells of a row
//:param $function nc_sum
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    //: if $uses_n
    const long n = args->n;
    //: end
    const nc_real *x = args->in[0];
    nc_real *y = args->out[0];
    for (long r = lo; r < hi; r++)
        y[r] = $function(x + r * ($R), $R);
}
