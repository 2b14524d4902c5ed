// The mean of each window; a unit of work is one output row.
//:param $name pooling
//:param $H 5             input height
//:param $W 6             input width
//:param $C 3             channels
//:param $OH 3            output height
//:param $OW 5            output width
//:param $KH 3            window height
//:param $KW 2            window width
//:param $SH 2            strides
//:param $SW 1
//:param $PH 1            padding before
//:param $PW 0
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    const nc_real *x = args->in[0];
    nc_real *y = args->out[0];
    for (long u = lo; u < hi; u++) {
        const nc_real *image = x + u / $OH * ($H * $W * $C);
        for (long ow = 0; ow < $OW; ow++) {
            nc_real *y_cell = y + (u * $OW + ow) * $C;
            long count = 0;
            for (long cell = 0; cell < $KH * $KW; cell++) {
                const long ih = u % $OH * $SH + cell / $KW - $PH;
                const long iw = ow * $SW + cell % $KW - $PW;
                if (ih < 0 || ih >= $H || iw < 0 || iw >= $W)
                    continue;
                const nc_real *x_cell = image + (ih * $W + iw) * $C;
                if (!count++) {
                    nc_v_copy(y_cell, x_cell, $C);
                    continue;
                }
                for (long e = 0; e < $C; e++)
                    y_cell[e] += x_cell[e];
            }
            for (long e = 0; e < $C; e++)
                y_cell[e] = y_cell[e] / (nc_real)count;
        }
    }
}
