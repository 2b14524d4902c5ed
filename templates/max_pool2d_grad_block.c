// Gradient of max pooling: the first that holds a window's largest takes all of it. A unit of
// work is one sample. For tcc.
//:param $name pooling_gradient
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
    const nc_real *dy = args->in[0];
    const nc_real *x = args->in[1];
    const nc_real *y = args->in[2];
    nc_real *dx = args->out[0];
    nc_real open[$C], hit[$C];
    for (long sample = lo; sample < hi; sample++) {
        const long image = sample * ($H * $W * $C);
        nc_v_fill(dx + image, 0, $H * $W * $C);
        for (long u = 0; u < $OH * $OW; u++) {
            const long at = (sample * ($OH * $OW) + u) * $C;
            nc_v_fill(open, 1, $C);
            for (long cell = 0; cell < $KH * $KW; cell++) {
                const long ih = u / $OW * $SH + cell / $KW - $PH;
                const long iw = u % $OW * $SW + cell % $KW - $PW;
                if (ih < 0 || ih >= $H || iw < 0 || iw >= $W)
                    continue;
                const long from = image + (ih * $W + iw) * $C;
                nc_v_eq(hit, x + from, y + at, $C);
                nc_v_mul(hit, hit, open, $C);
                nc_v_sub(open, open, hit, $C);
                nc_v_mul(hit, hit, dy + at, $C);
                nc_v_add(dx + from, dx + from, hit, $C);
            }
        }
    }
}
