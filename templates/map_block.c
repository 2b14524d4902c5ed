// An element-wise chain as calls of block functions on runs of $RUN cells, for tcc.
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
//:param $arrays 1       temporaries
//:param $t$name t0
//:param $t$size 32
//:param $fills 1        blocks filled once
//:param $f$call nc_v_fill(t0,x_0,32)
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
//:param $columns (total-first<32?total-first:32)
//:param $RUN 32
//:param $calls 1
//:param $c$call nc_v_add(y+first+e,x_r+e,x_r+e,len)
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    //: if $uses_n
    const long n = args->n;
    //: end
    //: for o in $operands
    const nc_real *$o$name = args->in[$o$index];
    //: end
    //: for y in $results
    nc_real *$y$name = args->out[$y$index];
    //: end
    //: for v in $scalars
    const nc_real $v$name = $v$value;
    //: end
    //: for t in $arrays
    nc_real $t$name[$t$size];
    //: end
    //: for f in $fills
    $f$call;
    //: end
    for (long r = $FROM; r < $TO; r++) {
        //: for z in $starts
        if ($z$new)
            $z$call;
        //: end
        //: if $flat
        const long first = r * $CHUNK, total = $total;
        //: end
        //: for p in $row_pointers
        $p$type *$p$name = $p$value;
        //: end
        for (long e = 0; e < $columns; e += $RUN) {
            const long len = $columns - e < $RUN ? $columns - e : $RUN;
            //: for c in $calls
            $c$call;
            //: end
        }
    }
}
