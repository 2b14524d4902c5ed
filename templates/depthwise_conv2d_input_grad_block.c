// Gradient of a depthwise 2-D convolution for its input; a unit of work is one sample. For tcc.
//:param $name depthwise_input_gradient
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
    const nc_real *dy = args->in[0];
    const nc_real *w = args->in[1];
    nc_real *dx = args->out[0];
    nc_real dy_m[$C], w_m[$C];
    for (long sample = lo; sample < hi; sample++) {
        nc_real *image = dx + sample * ($H * $W * $C);
        nc_v_fill(image, 0, $H * $W * $C);
        for (long u = 0; u < $OH * $OW * $KH * $KW; u++) {
            const long pixel = u / ($KH * $KW), cell = u % ($KH * $KW);
            const long ih = pixel / $OW * $SH + cell / $KW * $DH - $PH;
            const long iw = pixel % $OW * $SW + cell % $KW * $DW - $PW;
            if (ih < 0 || ih >= $H || iw < 0 || iw >= $W)
                continue;
            const nc_real *dy_cell = dy + (sample * ($OH * $OW) + pixel) * ($C * $M);
            const nc_real *w_cell = w + cell * ($C * $M);
            nc_real *dx_cell = image + (ih * $W + iw) * $C;
            for (long m = 0; m < $M; m++) {
                for (long e = 0; e < $C; e++) {
                    dy_m[e] = dy_cell[e * $M + m];
                    w_m[e] = w_cell[e * $M + m];
                }
                nc_v_fma(dx_cell, dy_m, w_m, dx_cell, $C);
            }
        }
    }
}
