// Parts one after another along an axis: $OUTER rows of $ROW cells.
//:param $name joined
//:param $uses_n 1
//:param $OUTER n
//:param $ROW 40
//:param $parts 1
//:param $p$index 0
//:param $p$start 0
//:param $p$length 40
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    //: if $uses_n
    const long n = args->n;
    //: end
    nc_real *y = args->out[0];
    for (long r = lo; r < hi && r < $OUTER; r++) {
        //: for p in $parts
        for (long e = 0; e < $p$length; e++)
            y[r * ($ROW) + $p$start + e] = args->in[$p$index][r * ($p$length) + e];
        //: end
    }
}
