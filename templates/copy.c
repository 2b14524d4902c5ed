// A copy between two strided boxes: four nested loops, the outermost cut into units of work.
//:param $name copied
//:param $uses_n 1
//:param $D0 n
//:param $D1 1
//:param $D2 24
//:param $D3 40
//:param $TO 0           where the box starts in the result
//:param $TO0 960
//:param $TO1 0
//:param $TO2 1
//:param $TO3 24
//:param $FROM 0         where the box starts in the operand
//:param $FROM0 960
//:param $FROM1 0
//:param $FROM2 40
//:param $FROM3 1
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    //: if $uses_n
    const long n = args->n;
    //: end
    const nc_real *x = args->in[0] + $FROM;
    nc_real *y = args->out[0] + $TO;
    for (long i = lo; i < hi && i < $D0; i++) {
        for (long j = 0; j < $D1; j++) {
            for (long k = 0; k < $D2; k++) {
                for (long l = 0; l < $D3; l++)
                    y[i * ($TO0) + j * ($TO1) + k * ($TO2) + l * ($TO3)] =
                        x[i * ($FROM0) + j * ($FROM1) + k * ($FROM2) + l * ($FROM3)];
            }
        }
    }
}
