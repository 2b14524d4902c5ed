// Gradient of a depthwise 2-D convolution for its kernel; a unit of work is one kernel cell. For tcc.
//:param $name depthwise_kernel_gradient
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
    const nc_real *dy = args->in[1];
    nc_real *dw = args->out[0];
    nc_real wide[$C * $M];
    for (long cell = lo; cell < hi && cell < $KH * $KW; cell++) {
        nc_real *dw_cell = dw + cell * ($C * $M);
        nc_v_fill(dw_cell, 0, $C * $M);
        for (long pixel = 0; pixel < args->n * ($OH * $OW); pixel++) {
            const long ih = pixel / $OW % $OH * $SH + cell / $KW * $DH - $PH;
            const long iw = pixel % $OW * $SW + cell % $KW * $DW - $PW;
            if (ih < 0 || ih >= $H || iw < 0 || iw >= $W)
                continue;
            const nc_real *dy_cell = dy + pixel * ($C * $M);
            const nc_real *x_cell = x + ((pixel / ($OH * $OW) * $H + ih) * $W + iw) * $C;
            for (long e = 0; e < $C * $M; e++)
                wide[e] = x_cell[e / $M];
            nc_v_fma(dw_cell, wide, dy_cell, dw_cell, $C * $M);
        }
    }
}
