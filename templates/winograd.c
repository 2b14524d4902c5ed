// A step of a convolution by Winograd's transforms (vocab/winograd.h): one call a unit of work.
//:param $name transformed
//:param $uses_n 1       whether the call depends on the batch
//:param $factors 1      what it reads besides a
//:param $g$name b
//:param $g$index 1
//:param $GEOMETRY {{7, 6, 3}, {7, 6}, {1, 1}, {2, 2}, 1, 4, 5, 1, 16, {5, 16}, 0}
//:param $CALL nc_winograd_product(y,a,b,&geometry,n,u)
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    //: if $uses_n
    const long n = args->n;
    //: end
    const nc_real *a = args->in[0];
    //: for g in $factors
    const nc_real *$g$name = args->in[$g$index];
    //: end
    nc_real *y = args->out[0];
    static const struct nc_winograd geometry = {$GEOMETRY};
    for (long u = lo; u < hi; u++)
        $CALL;
}
