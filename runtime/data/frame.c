/* Framing: a picture is resized by a separable triangle filter and its centre cut out, of which only
 * what lies in the frame is computed. A source line is resized along x, and then added, with its
 * weight, to the lines of the result that it is a part of. */
#include "data/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Which pixels of the source make one of the result, along one side. */
struct tap {
    int first, count;
    const float *weights;
};

struct taps {
    struct tap *tap; /* one for each pixel of the frame */
    float *weights;
};

/* One side of the picture: its size, resized, and the part that the frame takes. */
struct side {
    int in, resized, start, out;
};

/* Half of an odd rest goes to the even neighbour, as torchvision's centre crop rounds it. */
static int centre(int rest)
{
    int half = rest / 2;
    return rest % 2 && half % 2 ? half + 1 : half;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* The weights of one pixel, whose sum is 1; how many they are. */
static int fill_tap(const struct side *s, int at, double scale, double reach, struct tap *tap,
                    float *weights)
{
    double middle = (at + s->start + 0.5) * scale, sum = 0;
    int first = (int)fmax(middle - reach + 0.5, 0), last = (int)fmin(middle + reach + 0.5, s->in);
    if (last <= first) {
        first = first < s->in ? first : s->in - 1;
        last = first + 1;
    }
    for (int i = first; i < last; i++)
        sum += triangle((i + 0.5 - middle) / reach);
    for (int i = first; i < last; i++)
        weights[i - first] = sum > 0 ? (float)(triangle((i + 0.5 - middle) / reach) / sum) : 1;
    *tap = (struct tap){first, last - first, weights};
    return last - first;
}

static int make_taps(const struct side *s, int antialias, struct taps *out)
{
    double scale = (double)s->in / s->resized, reach = antialias && scale > 1 ? scale : 1;
    size_t most = (size_t)(2 * reach) + 3, used = 0;
    out->tap = malloc((size_t)s->out * sizeof *out->tap);
    out->weights = malloc((size_t)s->out * most * sizeof *out->weights);
    if (!out->tap || !out->weights)
        return -1;
    for (int i = 0; i < s->out; i++)
        used += (size_t)fill_tap(s, i, scale, reach, &out->tap[i], out->weights + used);
    return 0;
}

static void free_taps(struct taps *taps)
{
    free(taps->tap);
    free(taps->weights);
}

/* One source line, resized along x. */
static void resize_line(const unsigned char *in, int channels, const struct taps *taps, int width,
                        float *out)
{
    for (int x = 0; x < width; x++) {
        const struct tap *t = &taps->tap[x];
        const unsigned char *from = in + (size_t)t->first * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            float sum = 0;
            for (int i = 0; i < t->count; i++)
                sum += t->weights[i] * (float)from[i * channels + c];
            out[x * channels + c] = sum;
        }
    }
}

struct framing {
    const struct nc_image *image;
    const struct nc_frame *frame;
    struct taps x, y;
    float *line, *sums; /* a resized line; all lines of the frame */
};

/* Adds the line at y to the lines it is a part of, which follow one another. */
static void add_line(const struct framing *f, int y, int *from)
{
    int elements = f->frame->width * f->frame->channels;
    while (*from < f->frame->height && f->y.tap[*from].first + f->y.tap[*from].count <= y)
        ++*from;
    for (int to = *from; to < f->frame->height && f->y.tap[to].first <= y; to++) {
        const struct tap *t = &f->y.tap[to];
        if (y >= t->first + t->count)
            continue;
        float weight = t->weights[y - t->first], *sum = f->sums + (size_t)to * (size_t)elements;
        for (int i = 0; i < elements; i++)
            sum[i] += weight * f->line[i];
    }
}

static void resize(const struct framing *f, unsigned char *row)
{
    const struct nc_image *image = f->image;
    size_t in_bytes = (size_t)image->width * (size_t)image->channels;
    size_t elements = (size_t)f->frame->height * (size_t)f->frame->width * (size_t)image->channels;
    const struct tap *last = &f->y.tap[f->frame->height - 1];
    int from = 0;
    for (int y = f->y.tap[0].first; y < last->first + last->count; y++) {
        resize_line(image->pixels + (size_t)y * in_bytes, image->channels, &f->x, f->frame->width,
                    f->line);
        add_line(f, y, &from);
    }
    for (size_t i = 0; i < elements; i++)
        row[i] = (unsigned char)fminf(fmaxf(f->sums[i] + 0.5F, 0), 255);
}

static int resize_into(struct framing *f, const struct side *x, const struct side *y,
                       unsigned char *row)
{
    size_t elements = (size_t)f->frame->width * (size_t)f->frame->channels;
    f->line = malloc(elements * sizeof *f->line);
    f->sums = calloc((size_t)f->frame->height * elements, sizeof *f->sums);
    int result = -1;
    if (make_taps(x, f->frame->antialias, &f->x) == 0 &&
        make_taps(y, f->frame->antialias, &f->y) == 0 && f->line && f->sums) {
        resize(f, row);
        result = 0;
    }
    free_taps(&f->x);
    free_taps(&f->y);
    free(f->line);
    free(f->sums);
    return result;
}

static void copy_centre(const struct nc_image *image, const struct side *x, const struct side *y,
                        unsigned char *row)
{
    size_t pixel = (size_t)image->channels, bytes = (size_t)x->out * pixel;
    for (int i = 0; i < y->out; i++)
        memcpy(row + (size_t)i * bytes,
               image->pixels + ((size_t)(y->start + i) * (size_t)x->in + (size_t)x->start) * pixel,
               bytes);
}

/* The short side becomes `size`, the other is cut off to a whole number. */
static int scaled_side(int side, int short_side, int size)
{
    return side == short_side ? size : (int)((int64_t)size * side / short_side);
}

static void measure(const struct nc_image *image, const struct nc_frame *frame, struct side *x,
                    struct side *y)
{
    int shorter = image->width < image->height ? image->width : image->height;
    *x = (struct side){image->width, image->width, 0, frame->width};
    *y = (struct side){image->height, image->height, 0, frame->height};
    if (frame->resize_width) {
        x->resized = frame->resize_width;
        y->resized = frame->resize_height;
    } else if (frame->resize_height) {
        x->resized = scaled_side(image->width, shorter, frame->resize_height);
        y->resized = scaled_side(image->height, shorter, frame->resize_height);
    }
    x->start = centre(x->resized - x->out);
    y->start = centre(y->resized - y->out);
}

static void swap_red_blue(unsigned char *row, int pixels)
{
    for (int i = 0; i < pixels; i++) {
        unsigned char red = row[3 * i];
        row[3 * i] = row[3 * i + 2];
        row[3 * i + 2] = red;
    }
}

int nc_image_frame(const struct nc_image *image, const struct nc_frame *frame, unsigned char *row,
                   const char *path, struct nc_error *err)
{
    struct framing f = {.image = image, .frame = frame};
    struct side x, y;
    measure(image, frame, &x, &y);
    if (x.resized < x.out || y.resized < y.out)
        return nc_fail(err, path, "the picture is %d x %d%s, smaller than the %d x %d wanted",
                       y.resized, x.resized, frame->resize_height ? " when resized" : "", y.out,
                       x.out);
    if (x.resized == x.in && y.resized == y.in)
        copy_centre(image, &x, &y, row);
    else if (resize_into(&f, &x, &y, row) != 0)
        return nc_fail(err, path, "out of memory");
    if (frame->bgr && frame->channels == 3)
        swap_red_blue(row, frame->width * frame->height);
    return 0;
}
