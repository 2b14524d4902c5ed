// A matrix of $ROWS x $COLS in panels of $P columns, copied to row-major.
//:param $name unpacked
//:param $ROWS 24
//:param $COLS 40
//:param $P 32
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    const nc_real *x = args->in[0];
    nc_real *y = args->out[0];
    for (long j = 0; lo < hi && j < $COLS; j += $P) {
        const long cols = $COLS - j < $P ? $COLS - j : $P;
        for (long i = 0; i < $ROWS; i++)
            nc_v_copy(y + i * $COLS + j, x + j * $ROWS + i * $P, cols);
    }
}
