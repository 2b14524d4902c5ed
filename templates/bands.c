// Kernels over a few lines of images at a time: what a stage computes of a band, the next one reads while a cache
// has it. What only they touch lies in rings of lines. A unit of work is a stretch of an image's bands.
//:param $name bands
//:param $BANDS 6        of an image
//:param $STRETCH 3      of a unit
//:param $RING 3000      elements of the rings that a call works with
//:param $RINGS 1        which output they are
//:param $ahead 1        a stage is ahead of the bands
//:param $stages 1
//:param $s$k 0          its number
//:param $s$step 2       lines of a band
//:param $s$above 0      where what begins with a band begins
//:param $s$ahead 1      it is ahead of the bands,
//:param $s$lead 1       by so many lines
//:param $s$height 12    lines of an image
//:param $s$from {(image * 12 + done0) * 2}
//:param $s$to {(image * 12 + end0) * 2}
//:param $s$in {args->in[0]}
//:param $s$out {ring0, args->out[0]}
//:param $s$function part
//:param $s$comment conv2d
//:param $rings 1
//:param $r$number 0
//:param $r$k 0          of this stage
//:param $r$offset 0     where it begins
//:param $r$line 40      elements of a line
//:param $r$height 12
//:param $r$step 2
//:param $r$above 0
//:param $r$kept 1       the next band reads its last lines, too
//: begin
static void $name(const void *job, long lo, long hi)
{
    const struct nc_args *args = (const struct nc_args *)job;
    nc_real *rings = args->out[$RINGS] + lo * $RING;
    for (long at = lo * $STRETCH; at < hi * $STRETCH; at++) {
        const long image = at / $BANDS, band = at % $BANDS;
        //: if $ahead
        const int fresh = band == 0 || at == lo * $STRETCH;
        //: end
        //: for s in $stages
        const long start$s$k = nc_line(band, $s$step, $s$above, $s$height);
        //: if $s$ahead
        const long done$s$k = fresh ? start$s$k : nc_line(band, $s$step, $s$lead, $s$height);
        //: end
        const long end$s$k = nc_line(band + 1, $s$step, $s$lead, $s$height);
        //: end
        //: for r in $rings
        nc_real *ring$r$number = rings + $r$offset - (image * $r$height + start$r$k) * $r$line;
        //: end
        //: for r in $rings
        //: if $r$kept
        nc_keep_lines(rings + $r$offset, nc_line(band - 1, $r$step, $r$above, $r$height),
                      start$r$k, done$r$k, $r$line);
        //: end
        //: end
        //: for s in $stages
        {
            /* $s$comment */
            const nc_real *const in[] = {$s$in};
            nc_real *const out[] = {$s$out};
            const struct nc_args stage = {in, out, args->hyper, args->n, args->first};
            const long from = $s$from, to = $s$to;
            $s$function(&stage, from, to);
        }
        //: end
    }
}
