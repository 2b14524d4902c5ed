// Gradient of a 2-D convolution for its kernel; a unit of work is a tile of one kernel cell's [IC, OC]
// matrix. Each block of images adds a product of the pixels that the cell sees, transposed, with the
// output gradient's.
//:param $name kernel_gradient
//:param $H 6             input height
//:param $W 5             input width
//:param $IC 2            input channels
//:param $OH 3            output height
//:param $OW 3            output width
//:param $OC 3            output channels
//:param $KH 3            kernel height
//:param $KW 2            kernel width
//:param $SH 2            strides
//:param $SW 1
//:param $PH 1            padding before
//:param $PW 0
//:param $DH 1            dilation
//:param $DW 2
//:param $BLOCK 2         images of a product: as many as stay in the cache
//:param $P 16            columns of a tile
//:param $WIDE cols       cells written of a tile's row
//:param $STEP 1          column j of the result begins j * $STEP in
//:param $LD 3            from one row of the result to the next
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    const nc_real *x = args->in[0];
    const nc_real *dy = args->in[1];
    nc_real *dw = args->out[0];
    static const struct nc_strides x_step = {1, $SW * $IC, $SH * $W * $IC, $H * $W * $IC};
    static const struct nc_strides dy_step = {0, $OC, $OW * $OC, $OH * $OW * $OC};
    const long tiles = ($IC + NC_ROWS - 1) / NC_ROWS, height = ($IC + tiles - 1) / tiles;
    nc_real c[NC_ROWS * $P];
    for (long image = 0; image < args->n; image += $BLOCK) {
        const long images = args->n - image < $BLOCK ? args->n - image : $BLOCK;
        for (long u = lo; u < hi; u++) {
            const long cell = u / tiles % ($KH * $KW), j = u / (tiles * $KH * $KW) * $P;
            const long i = u % tiles * height, cols = $OC - j < $P ? $OC - j : $P;
            const long rows = $IC - i < height ? $IC - i : height;
            const long top = cell / $KW * $DH - $PH, left = cell % $KW * $DW - $PW;
            const long oh = top < 0 ? (-top + $SH - 1) / $SH : 0;
            const long ow = left < 0 ? (-left + $SW - 1) / $SW : 0;
            const long bottom = top >= $H ? 0 : ($H - 1 - top) / $SH + 1;
            const long right = left >= $W ? 0 : ($W - 1 - left) / $SW + 1;
            const struct nc_extents extents = {(right < $OW ? right : $OW) - ow,
                                               (bottom < $OH ? bottom : $OH) - oh, images};
            nc_tile_sum(c, $P, 0,
                        x + ((image * $H + oh * $SH + top) * $W + ow * $SW + left) * $IC + i,
                        &x_step, dy + ((image * $OH + oh) * $OW + ow) * $OC + j, &dy_step, &extents,
                        rows, $P);
            for (long r = 0; r < rows; r++) {
                nc_real *row = dw + j * $STEP + (cell * $IC + i + r) * $LD;
                if (args->first + image > 0)
                    nc_v_accumulate(row, c + r * $P, cols);
                else
                    nc_v_copy(row, c + r * $P, cols);
                nc_v_fill(row + cols, 0, $WIDE - cols);
            }
        }
    }
}
