// 2-D convolution; a unit of work is one output row. Each kernel cell adds a product of the input
// row's pixels with its [IC, OC] matrix.
//:param $name convolution
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
//:param $P 16            columns of a tile
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    const nc_real *x = args->in[0];
    const nc_real *w = args->in[1];
    nc_real *y = args->out[0];
    nc_real c[NC_ROWS * $P];
    for (long u = lo; u < hi; u++) {
        nc_real *y_row = y + u * ($OW * $OC);
        for (long e = 0; e < $OW * $OC; e++)
            y_row[e] = 0;
        for (long kernel_cell = 0; kernel_cell < $KH * $KW; kernel_cell++) {
            const long kw = kernel_cell % $KW;
            const long ih = u % $OH * $SH + kernel_cell / $KW * $DH - $PH;
            if (ih < 0 || ih >= $H)
                continue;
            const nc_real *x_row = x + (u / $OH * $H + ih) * ($W * $IC);
            const nc_real *w_cell = w + kernel_cell * ($IC * $OC);
            const long shift = kw * $DW - $PW;
            const long from = shift < 0 ? (-shift + $SW - 1) / $SW : 0;
            const long last = $W - 1 - shift;
            const long to = last < 0 ? 0 : last / $SW + 1 < $OW ? last / $SW + 1 : $OW;
            for (long i = from; i < to; i += NC_ROWS) {
                const long rows = to - i < NC_ROWS ? to - i : NC_ROWS;
                for (long j = 0; j < $OC; j += $P) {
                    const long cols = $OC - j < $P ? $OC - j : $P;
                    nc_tile(c, $P, x_row + (i * $SW + shift) * $IC, $SW * $IC, 1, w_cell + j, $OC,
                            $IC, rows, $P);
                    for (long r = 0; r < rows; r++) {
                        nc_real *y_cell = y_row + (i + r) * $OC + j;
                        for (long e = 0; e < cols; e++)
                            y_cell[e] += c[r * $P + e];
                    }
                }
            }
        }
    }
}
