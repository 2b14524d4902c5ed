#include "layers/window.h"

bool read_pair(LayerBuild *build, const char *key, int64_t *out)
{
    const AttrValue *value = layer_attr(build, key);
    if (value->count != 1 && value->count != 2)
        return diag_error(build->diag, value->loc, "%s: expected 1 or 2 integers, found %d", key,
                          value->count);
    out[0] = value->list[0];
    out[1] = value->list[value->count - 1];
    return true;
}

/* Keras's 'same' puts the odd cell at the end. */
bool place_window(LayerBuild *build, Window *w)
{
    bool same = layer_attr(build, "padding")->i == 1;
    Shape x = build->in[0]->shape;
    for (int i = 0; i < 2; i++) {
        int64_t size = x.dim[i + 1], span = (w->kernel[i] - 1) * w->dilation[i] + 1;
        if (!same && span > size) {
            input_fault(build, "a window of %lld x %lld does not fit into %lld x %lld",
                        (long long)((w->kernel[0] - 1) * w->dilation[0] + 1),
                        (long long)((w->kernel[1] - 1) * w->dilation[1] + 1), (long long)x.dim[1],
                        (long long)x.dim[2]);
            return false;
        }
        w->extent[i] = same ? (size - 1) / w->strides[i] + 1 : (size - span) / w->strides[i] + 1;
        int64_t padding = (w->extent[i] - 1) * w->strides[i] + span - size;
        w->before[i] = same && padding > 0 ? padding / 2 : 0;
    }
    return true;
}

bool is_image(LayerBuild *build)
{
    Shape x = build->in[0]->shape;
    if (x.rank == 4)
        return true;
    input_fault(build, "expected [n, height, width, channels], found %s",
                shape_text(build->arena, x));
    return false;
}

AttrValue pair_value(int64_t *pair)
{
    return (AttrValue){.list = pair, .count = 2};
}
