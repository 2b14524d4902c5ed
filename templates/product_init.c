// Sets optimizer state to its beginning.
//:param $name_train_init init
//:param $elements 64
//:param $slots 1
//:param $s$offset 16
//:param $s$elements 24
//:param $s$value 0.1f
//: begin
int $name_train_init(void *state)
{
    float *values = (float *)state;
    if (!state)
        return -1;
    for (long i = 0; i < $elements; i++)
        values[i] = 0;
    //: for s in $slots
    for (long i = 0; i < $s$elements; i++)
        values[$s$offset + i] = $s$value;
    //: end
    return 0;
}
