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

bool read_border(LayerBuild *build, const char *key, Border *out)
{
    const AttrValue *pad = layer_attr(build, key);
    const int64_t *list = pad->list;
    if (pad->count != 1 && pad->count != 2 && pad->count != 4)
        return diag_error(build->diag, pad->loc, "%s: expected 1, 2 or 4 integers, found %d", key,
                          pad->count);
    for (int i = 0; i < 2; i++) {
        out->before[i] = pad->count == 4 ? list[2 * i] : list[pad->count == 2 ? i : 0];
        out->after[i] = pad->count == 4 ? list[2 * i + 1] : out->before[i];
    }
    return true;
}

static int64_t window_span(const Window *w, int axis)
{
    return (w->kernel[axis] - 1) * w->dilation[axis] + 1;
}

static bool does_not_fit(LayerBuild *build, const Window *w)
{
    Shape x = build->in[0]->shape;
    input_fault(build, "a window of %lld x %lld does not fit into %lld x %lld",
                (long long)window_span(w, 0), (long long)window_span(w, 1), (long long)x.dim[1],
                (long long)x.dim[2]);
    return false;
}

/* Keras's 'same' puts the odd cell at the end. */
static void place_same(Window *w, int axis, int64_t size)
{
    w->extent[axis] = (size - 1) / w->strides[axis] + 1;
    int64_t cells = (w->extent[axis] - 1) * w->strides[axis] + window_span(w, axis) - size;
    w->before[axis] = cells > 0 ? cells / 2 : 0;
}

bool place_window(LayerBuild *build, Window *w)
{
    bool same = layer_attr(build, "padding")->i == 1;
    Border border = {0};
    const AttrValue *pad = layer_attr(build, "pad");
    if (pad->count && !read_border(build, "pad", &border))
        return false;
    if (pad->count && same)
        return diag_error(build->diag, pad->loc, "give either pad or padding: same, not both");
    for (int i = 0; i < 2; i++) {
        int64_t size = build->in[0]->shape.dim[i + 1], span = window_span(w, i);
        int64_t room = size + border.before[i] + border.after[i];
        if (same) {
            place_same(w, i, size);
            continue;
        }
        if (span > room)
            return does_not_fit(build, w);
        w->extent[i] = (room - span) / w->strides[i] + 1;
        w->before[i] = border.before[i];
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
