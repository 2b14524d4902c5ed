// Depthwise 2-D convolution: each channel with its own windows. A unit of work is one output row.
//:param $name depthwise
//:param $H 6             input height
//:param $W 5             input width
//:param $C 3             channels
//:param $M 2             results of each channel
//:param $OH 3            output height
//:param $OW 3            output width
//:param $KH 3            kernel height
//:param $KW 2            kernel width
//:param $SH 2            strides
//:param $SW 1
//:param $PH 1            padding before
//:param $PW 0
//:param $DH 1            dilation
//:param $DW 2
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    const nc_real *x = args->in[0];
    const nc_real *w = args->in[1];
    nc_real *y = args->out[0];
    for (long u = lo; u < hi; u++) {
        const nc_real *image = x + u / $OH * ($H * $W * $C);
        for (long ow = 0; ow < $OW; ow++) {
            nc_real *y_cell = y + (u * $OW + ow) * ($C * $M);
            nc_v_fill(y_cell, 0, $C * $M);
            for (long cell = 0; cell < $KH * $KW; cell++) {
                const long ih = u % $OH * $SH + cell / $KW * $DH - $PH;
                const long iw = ow * $SW + cell % $KW * $DW - $PW;
                if (ih < 0 || ih >= $H || iw < 0 || iw >= $W)
                    continue;
                const nc_real *x_cell = image + (ih * $W + iw) * $C;
                const nc_real *w_cell = w + cell * ($C * $M);
                for (long e = 0; e < $C * $M; e++)
                    y_cell[e] = nc_fma(x_cell[e / $M], w_cell[e], y_cell[e]);
            }
        }
    }
}
