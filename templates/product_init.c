// Sets a block of the caller's, the optimizer's state or the memory, to its beginning.
//:param $function init
//:param $block state
//:param $elements 64
//:param $slots 1
//:param $s$offset 16
//:param $s$elements 24
//:param $s$value 0.1f
//: begin
int $function(void *$block)
{
    float *values = (float *)$block;
    if (!$block)
        return -1;
    for (long i = 0; i < $elements; i++)
        values[i] = 0;
    //: for s in $slots
    for (long i = 0; i < $s$elements; i++)
        values[$s$offset + i] = $s$value;
    //: end
    return 0;
}
