// The transpose of a matrix of $ROWS x $COLS, from panels of $FROM_P columns into panels of $TO_P; a
// row-major matrix is one panel.
//:param $name transposed
//:param $ROWS 24
//:param $COLS 40
//:param $FROM_P 40
//:param $TO_P 24
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    const nc_real *x = args->in[0];
    nc_real *y = args->out[0];
    for (long j = 0; lo < hi && j < $COLS; j += $FROM_P) {
        const long cols = $COLS - j < $FROM_P ? $COLS - j : $FROM_P;
        for (long i = 0; i < $ROWS; i += $TO_P) {
            const long rows = $ROWS - i < $TO_P ? $ROWS - i : $TO_P;
            nc_transpose(y + i * $COLS + j * $TO_P, $TO_P, x + j * $ROWS + i * $FROM_P, $FROM_P,
                         rows, cols);
        }
    }
}
