// Gradient of a depthwise convolution for its kernel; a unit of work is one kernel cell, to which each
// line of each image adds.
//:param $name kernel_gradient
//:param $H 6             input height
//:param $W 5             input width
//:param $C 3             channels
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
    if (args->first == 0)
        nc_v_fill(dw + lo * $C, 0, (hi - lo) * $C);
    for (long line = 0; line < args->n * $OH; line++) {
        for (long cell = lo; cell < hi; cell++) {
            const long left = cell % $KW * $DW - $PW;
            const long ih = line % $OH * $SH + cell / $KW * $DH - $PH;
            const long from = left < 0 ? (-left + $SW - 1) / $SW : 0;
            const long end = left >= $W ? 0 : ($W - 1 - left) / $SW + 1;
            const long to = end < $OW ? end : $OW;
            if (ih >= 0 && ih < $H && from < to)
                nc_depthwise_line(dw + cell * $C,
                                  x + ((line / $OH * $H + ih) * $W + from * $SW + left) * $C,
                                  $SW * $C, dy + (line * $OW + from) * $C, $C, to - from, $C);
        }
    }
}
