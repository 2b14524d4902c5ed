// The transposes of $STACK matrices of $ROWS x $COLS, from panels of $FROM_P columns into panels of
// $TO_P; a row-major matrix is one panel. A unit of work is a panel.
//:param $name transposed
//:param $uses_n 1
//:param $STACK n
//:param $ROWS 24
//:param $COLS 40
//:param $FROM_P 40
//:param $TO_P 24
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
        const long matrix = u % ($STACK), j = u / ($STACK) * $FROM_P;
        const long cols = $COLS - j < $FROM_P ? $COLS - j : $FROM_P;
        const nc_real *from = x + (j * ($STACK) + matrix * $FROM_P) * $ROWS;
        for (long i = 0; i < $ROWS; i += $TO_P) {
            const long rows = $ROWS - i < $TO_P ? $ROWS - i : $TO_P;
            nc_transpose(y + i * ($STACK) * $COLS + (matrix * $COLS + j) * $TO_P, $TO_P,
                         from + i * $FROM_P, $FROM_P, rows, cols);
        }
    }
}
