// Sums $R rows of $C columns, in ascending order; a unit of work is 64 columns.
//:param $name column_sums
//:param $uses_n 1
//:param $R n            rows
//:param $C 40           columns
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    //: if $uses_n
    const long n = args->n;
    //: end
    const nc_real *x = args->in[0];
    nc_real *y = args->out[0];
    const long strips = ($C + 63) / 64;
    for (long u = lo; u < hi; u++) {
        const long outer = u / strips, first = u % strips * 64;
        const long cols = $C - first < 64 ? $C - first : 64;
        nc_column_sum(y + outer * ($C) + first, x + outer * ($R) * ($C) + first, $C, $R, cols);
    }
}
