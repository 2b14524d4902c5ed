// A product, a convolution, a pooling: c in tiles of $R rows and $P columns, then an element-wise chain on
// each tile. A unit of work is one tile.
//:param $name product
//:param $uses_n 1       whether a size depends on the batch
//:param $M n*9           rows
//:param $N 40            columns
//:param $R NC_ROWS      rows of a tile
//:param $P 32            columns of a tile
//:param $ROW u/((40+$P-1)/$P)
//:param $COLUMN u%((40+$P-1)/$P)*$P
//:param $constants 1     what its call is told, such as the window of a convolution
//:param $w$type nc_window
//:param $w$name window
//:param $w$value {{6, 5, 2}, {3, 3}, {3, 2}, {2, 1}, {1, 0}, {1, 2}, {1, 1}, {160, 80, 40}, 2}
//:param $factors 1       what its call reads besides a
//:param $g$name b
//:param $g$index 1
//:param $products 1      what leaves the tile in c; i is its first row, j its first column
//:param $k$call (void)next,nc_window_tile(c,a,b+j,&window,i,rows,$P)
//:param $ahead 1        memory that the chain will touch, fetched meanwhile
//:param $h$value {{a, 0, 0}, rows}
//:param $operands 1     further pointers read
//:param $o$name bias
//:param $o$index 2
//:param $results 1      pointers written
//:param $y$name y
//:param $y$index 0
//:param $scalars 1      numbers read once
//:param $v$name bias_0
//:param $v$value bias[0]
//:param $arrays 1       temporaries
//:param $t$name t0
//:param $t$size 32
//:param $ragged 1       the last panel is narrower
//:param $pad 1          and its padding must be zero
//:param $RUNS rows      the chain runs once a row, or once over the whole tile
//:param $LEN cols       cells of a run
//:param $STRIDE $P        and from its first one to the next's
//:param $starts 1       sums of the tile that start
//:param $z$call nc_v_fill(y,0,0)
//:param $row_pointers 1
//:param $p$type nc_real
//:param $p$name y_r
//:param $p$value {y + (i + r) * 40 + j}
//:param $calls 1
//:param $f$call nc_v_fill(t0,bias_0,32)
//:param $statements 1
//:param $s$target y_r[e]
//:param $s$value c_r[e]+0*t0[e]
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    //: if $uses_n
    const long n = args->n;
    //: end
    const nc_real *NC_RESTRICT a = args->in[0];
    //: for g in $factors
    const nc_real *NC_RESTRICT $g$name = args->in[$g$index];
    //: end
    //: for o in $operands
    const nc_real *NC_RESTRICT $o$name = args->in[$o$index];
    //: end
    //: for y in $results
    nc_real *NC_RESTRICT $y$name = args->out[$y$index];
    //: end
    //: for v in $scalars
    const nc_real $v$name = $v$value;
    //: end
    //: for t in $arrays
    nc_real $t$name[$t$size];
    //: end
    //: for w in $constants
    static const struct $w$type $w$name = {$w$value};
    //: end
    nc_real c[$R * $P];
    for (long u = lo; u < hi; u++) {
        const long i = $ROW * $R, j = $COLUMN;
        const long rows = $M - i < $R ? $M - i : $R;
        //: if $ragged
        const long cols = $N - j < $P ? $N - j : $P;
        //: end
        //: for h in $ahead
        const struct nc_next next = {$h$value};
        //: end
        //: for k in $products
        $k$call;
        //: end
        //: if $pad
        for (long r = 0; r < rows; r++) {
            for (long e = cols; e < $P; e++)
                c[r * $P + e] = 0;
        }
        //: end
        //: for z in $starts
        $z$call;
        //: end
        for (long r = 0; r < $RUNS; r++) {
            const nc_real *c_r = c + r * $STRIDE;
            //: for p in $row_pointers
            $p$type *NC_RESTRICT $p$name = $p$value;
            //: end
            //: for f in $calls
            $f$call;
            //: end
            for (long e = 0; e < $LEN; e++) {
                //: for s in $statements
                $s$target = $s$value;
                //: end
            }
        }
    }
}
