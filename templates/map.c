// An element-wise chain over one run of cells in chunks, or over rows of cells; reductions of a row
// may stand between its stages. For compilers that vectorise.
//:param $name chain
//:param $uses_n 1       whether a size depends on the batch
//:param $operands 1     pointers read
//:param $o$name x
//:param $o$index 0
//:param $results 1      pointers written
//:param $y$name y
//:param $y$index 0
//:param $scalars 1      numbers read once
//:param $v$name x_0
//:param $v$value x[0]
//:param $arrays 1       rows that are kept between stages
//:param $t$name t0
//:param $t$size 32
//:param $flat 1         one run of $total cells in chunks of $CHUNK
//:param $total {n * 32}
//:param $CHUNK 32
//:param $FROM lo        the first row
//:param $TO hi          behind the last
//:param $starts 1       sums that start anew
//:param $z$new r<0
//:param $z$call nc_v_fill(y,0,0)
//:param $row_pointers 1 where a row (or chunk) starts
//:param $p$type {const nc_real}
//:param $p$name x_r
//:param $p$value {x + first}
//:param $columns len    cells of a row
//:param $stages 1
//:param $stage$scalars 1  row values known before the stage
//:param $s$name t1
//:param $s$value x_r[0]
//:param $stage$calls 1  block functions
//:param $c$call nc_v_copy(t0,x_r,len)
//:param $stage$statements 1
//:param $a$target y[first+e]
//:param $a$value x_r[e]*2+0*t0[e]+0*t1+0*x_0
//:param $row_stores 1   row values written
//:param $w$target y[first]
//:param $w$value x_r[0]*2
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    //: if $uses_n
    const long n = args->n;
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
    for (long r = $FROM; r < $TO; r++) {
        //: for z in $starts
        if ($z$new)
            $z$call;
        //: end
        //: if $flat
        const long first = r * $CHUNK;
        const long len = $total - first < $CHUNK ? $total - first : $CHUNK;
        //: end
        //: for p in $row_pointers
        $p$type *NC_RESTRICT $p$name = $p$value;
        //: end
        //: for stage in $stages
        //: for s in $stage$scalars
        const nc_real $s$name = $s$value;
        //: end
        //: for c in $stage$calls
        $c$call;
        //: end
        //: if $stage$statements
        for (long e = 0; e < $columns; e++) {
            //: for a in $stage$statements
            $a$target = $a$value;
            //: end
        }
        //: end
        //: end
        //: for w in $row_stores
        $w$target = $w$value;
        //: end
    }
}
