// An entry point: its kernels in order.
//:param $glue 1       nothing but calls, many of them
//:param $signature {int entry(const struct nc_call *call)}
//:param $checks 1       conditions refused with -1
//:param $k$condition call->n<0
//:param $unused 1       parameters that nothing names
//:param $u$name call
//:param $locals 1       what the calls below name
//:param $l$declaration {const long n}
//:param $l$value call->n
//:param $calls 1
//:param $c$begin 1      a loop over time starts here
//:param $c$steps 2
//:param $c$slice 1      a loop over slices of $c$rows rows starts here
//:param $c$rows 1000
//:param $c$call 1       a kernel call
//:param $c$first 0      the first row of the slice
//:param $c$comment copies
//:param $c$in {(const nc_real *)call->inputs[0]}
//:param $c$out {(nc_real *)call->outputs[0]}
//:param $c$threads 1    worth cutting over threads
//:param $c$serial 1
//:param $c$function kernel
//:param $c$units n
//:param $c$timed 1      it is told that the call begins
//:param $c$number 0     which call it is
//:param $c$part 1       a call of a function of kernels
//:param $c$arguments {0, 0, 0}
//:param $c$slice_end 1  a loop over slices ends here
//:param $c$end 1        a loop over time ends here
//:param $timed 1        its end is told
//:param $result 1       it returns 0
//: begin
//: if $glue
NC_GLUE
//: end
$signature
{
    //: for k in $checks
    if ($k$condition)
        return -1;
    //: end
    //: for u in $unused
    (void)$u$name;
    //: end
    //: for l in $locals
    $l$declaration = $l$value;
    //: end
    //: for c in $calls
    //: if $c$begin
    for (long t = 0; t < $c$steps; t++) {
    //: end
    //: if $c$slice
    for (long first = 0, all = n; first < all; first += $c$rows) {
        const long n = all - first < $c$rows ? all - first : $c$rows;
    //: end
    //: if $c$call
    //: if $c$timed
    nc_begin(env, $c$number);
    //: end
    {
        /* $c$comment */
        const nc_real *const in[] = {$c$in};
        nc_real *const out[] = {$c$out};
        const struct nc_args args = {in, out, hyper, n, $c$first};
        //: if $c$threads
        nc_run(env, $c$function, &args, $c$units);
        //: end
        //: if $c$serial
        $c$function(&args, 0, $c$units);
        //: end
    }
    //: end
    //: if $c$part
    $c$function($c$arguments);
    //: end
    //: if $c$slice_end
    }
    //: end
    //: if $c$end
    }
    //: end
    //: end
    //: if $timed
    nc_begin(env, -1);
    //: end
    //: if $result
    return 0;
    //: end
}
