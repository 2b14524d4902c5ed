// x[$ROWS][$COLS] in panels of $P columns, the last one filled with zeros. A unit of work is a panel.
//:param $name copied
//:param $uses_n 1
//:param $ROWS n*3
//:param $COLS 40
//:param $P 32
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    //: if $uses_n
    const long n = args->n;
    //: end
    const nc_real *x = args->in[0];
    nc_real *y = args->out[0];
    for (long u = lo; u < hi; u++) {
        const long j = u * $P, cols = $COLS - j < $P ? $COLS - j : $P;
        nc_panel_copy(y + j * ($ROWS), $P, x + j, $COLS, $ROWS, cols);
    }
}
