// Gradient of a 2-D convolution for its kernel; a unit of work is one kernel cell. Each output row
// adds a product of the input's pixels, transposed, with the output gradient's.
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
//:param $P 16            columns of a tile
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    const nc_real *x = args->in[0];
    const nc_real *dy = args->in[1];
    nc_real *dw = args->out[0];
    nc_real c[NC_ROWS * $P];
    for (long u = lo; u < hi; u++) {
        nc_real *dw_cell = dw + u * ($IC * $OC);
        for (long e = 0; e < $IC * $OC; e++)
            dw_cell[e] = 0;
        for (long line = 0; line < args->n * $OH; line++) {
            const long kw = u % $KW;
            const long ih = line % $OH * $SH + u / $KW * $DH - $PH;
            if (ih < 0 || ih >= $H)
                continue;
            const long shift = kw * $DW - $PW;
            const long from = shift < 0 ? (-shift + $SW - 1) / $SW : 0;
            const long last = $W - 1 - shift;
            const long to = last < 0 ? 0 : last / $SW + 1 < $OW ? last / $SW + 1 : $OW;
            const nc_real *x_row = x + (line / $OH * $H + ih) * ($W * $IC);
            const nc_real *dy_row = dy + line * ($OW * $OC);
            for (long i = 0; from < to && i < $IC; i += NC_ROWS) {
                const long rows = $IC - i < NC_ROWS ? $IC - i : NC_ROWS;
                for (long j = 0; j < $OC; j += $P) {
                    const long cols = $OC - j < $P ? $OC - j : $P;
                    nc_tile(c, $P, x_row + (from * $SW + shift) * $IC + i, 1, $SW * $IC,
                            dy_row + from * $OC + j, $OC, to - from, rows, $P);
                    for (long r = 0; r < rows; r++) {
                        nc_real *dw_row = dw_cell + (i + r) * $OC + j;
                        for (long e = 0; e < cols; e++)
                            dw_row[e] += c[r * $P + e];
                    }
                }
            }
        }
    }
}
