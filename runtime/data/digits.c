/* Procedural digits: pen strokes of a few styles per digit, drawn by an unsteady hand.
 *
 * A glyph is strokes, a stroke a Catmull-Rom curve through points on a 100 x 100 grid; a point given
 * twice is a corner. Each sample jitters the points, slants, scales, turns and moves the glyph, and
 * inks every pixel by its distance from the pen's path. Sample i depends on the seed and i alone.
 *
 * Only + - * / and square roots of doubles are used, which IEEE 754 rounds alike everywhere as long
 * as the compiler fuses nothing (gcc does not under -std=c11). */
#include "data/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum {
    SIDE = 28,
    PIXELS = SIDE * SIDE,
    CLASSES = 10,
    MAX_POINTS = 13,
    MAX_STROKES = 2,
    MAX_STYLES = 3,
    SPLITS = 5 /* straight pieces between two points of a stroke */
};

struct stroke {
    int count;
    unsigned char at[MAX_POINTS][2];
};

struct style {
    int count;
    struct stroke strokes[MAX_STROKES];
};

/* clang-format off */
static const struct glyph {
    int count;
    struct style styles[MAX_STYLES];
} glyphs[CLASSES] = {
    /* 0 */ {2, {{1, {{9, {{50, 0}, {20, 12}, {8, 50}, {20, 88}, {50, 100}, {80, 88}, {92, 50},
                           {80, 12}, {50, 0}}}}},
                 {1, {{9, {{66, 6}, {38, 4}, {17, 38}, {22, 82}, {50, 99}, {77, 80}, {83, 40},
                           {68, 8}, {46, 4}}}}}}},
    /* 1 */ {3, {{1, {{2, {{50, 0}, {50, 100}}}}},
                 {1, {{4, {{28, 22}, {52, 0}, {52, 0}, {52, 100}}}}},
                 {2, {{4, {{30, 20}, {52, 0}, {52, 0}, {52, 100}}}, {2, {{26, 100}, {78, 100}}}}}}},
    /* 2 */ {2, {{1, {{9, {{15, 25}, {30, 5}, {60, 0}, {82, 20}, {75, 45}, {45, 72}, {12, 98},
                           {12, 98}, {88, 98}}}}},
                 {1, {{10, {{14, 22}, {40, 0}, {75, 10}, {78, 40}, {50, 75}, {20, 96}, {10, 86},
                            {30, 78}, {60, 93}, {94, 90}}}}}}},
    /* 3 */ {2, {{1, {{10, {{15, 10}, {50, 0}, {80, 15}, {75, 38}, {45, 48}, {45, 48}, {80, 58},
                            {88, 80}, {60, 100}, {12, 90}}}}},
                 {1, {{9, {{15, 2}, {82, 2}, {82, 2}, {45, 40}, {45, 40}, {80, 52}, {86, 78},
                           {55, 100}, {12, 88}}}}}}},
    /* 4 */ {2, {{2, {{4, {{22, 0}, {15, 55}, {15, 55}, {88, 55}}}, {2, {{70, 8}, {66, 100}}}}},
                 {1, {{6, {{68, 100}, {68, 0}, {68, 0}, {10, 66}, {10, 66}, {92, 66}}}}}}},
    /* 5 */ {2, {{1, {{10, {{82, 2}, {25, 2}, {25, 2}, {20, 45}, {20, 45}, {55, 38}, {84, 58},
                            {80, 85}, {50, 100}, {12, 90}}}}},
                 {2, {{8, {{28, 4}, {22, 46}, {22, 46}, {60, 40}, {84, 65}, {70, 92}, {40, 100},
                           {14, 90}}},
                      {2, {{28, 4}, {86, 0}}}}}}},
    /* 6 */ {2, {{1, {{9, {{72, 2}, {40, 15}, {16, 50}, {16, 80}, {45, 100}, {78, 88}, {80, 64},
                           {52, 52}, {20, 68}}}}},
                 {1, {{8, {{60, 0}, {28, 38}, {18, 76}, {45, 100}, {75, 85}, {70, 60}, {42, 56},
                           {20, 78}}}}}}},
    /* 7 */ {3, {{1, {{5, {{12, 4}, {86, 4}, {86, 4}, {56, 48}, {40, 100}}}}},
                 {2, {{5, {{12, 4}, {86, 4}, {86, 4}, {56, 48}, {42, 100}}},
                      {2, {{30, 52}, {78, 50}}}}},
                 {1, {{7, {{14, 20}, {14, 4}, {14, 4}, {84, 2}, {84, 2}, {58, 46}, {46, 100}}}}}}},
    /* 8 */ {2, {{1, {{13, {{50, 48}, {22, 30}, {28, 6}, {52, 0}, {76, 10}, {72, 32}, {50, 48},
                            {22, 66}, {18, 88}, {50, 100}, {82, 88}, {78, 66}, {50, 48}}}}},
                 {1, {{11, {{78, 15}, {50, 0}, {24, 15}, {32, 40}, {70, 62}, {78, 88}, {50, 100},
                            {22, 86}, {32, 60}, {66, 40}, {80, 15}}}}}}},
    /* 9 */ {2, {{1, {{10, {{80, 25}, {55, 2}, {25, 10}, {20, 38}, {48, 52}, {78, 35}, {80, 15},
                            {80, 15}, {76, 60}, {62, 100}}}}},
                 {1, {{10, {{76, 20}, {48, 0}, {20, 20}, {28, 48}, {60, 46}, {78, 20}, {78, 20},
                            {78, 70}, {50, 100}, {22, 92}}}}}}},
};
/* clang-format on */

/* splitmix64: a counter, well stirred. */
struct dice {
    uint64_t state;
};

static uint64_t roll(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static double between(struct dice *dice, double low, double high)
{
    return low + (high - low) * ((double)(roll(dice) >> 11) * 0x1p-53);
}

static struct dice start_dice(uint32_t seed, uint64_t stream)
{
    struct dice dice = {(uint64_t)seed << 32 ^ stream * 0xd1342543de82ef95};
    dice.state = roll(&dice);
    return dice;
}

/* How one sample is written: a linear map of the centred grid, a shift, and the pen. */
struct hand {
    double xx, xy, yx, yy; /* pixels per grid unit */
    double x, y;           /* the centre, pixels */
    double shake;          /* of the points, grid units */
    double radius;         /* of the pen, pixels */
    double ink;
    int noise;
};

static struct hand take_pen(struct dice *dice)
{
    double angle = between(dice, -0.22, 0.22), square = angle * angle;
    double sine = angle * (1 - square * (1 - square / 20) / 6);
    double cosine = 1 - square * (1 - square / 12) / 2;
    double wide = 0.155 * between(dice, 0.75, 1.15), high = 0.195 * between(dice, 0.8, 1.1);
    double slant = between(dice, -0.35, 0.15);
    struct hand hand = {
        .xx = wide * cosine,
        .xy = high * (slant * cosine - sine),
        .yx = wide * sine,
        .yy = high * (slant * sine + cosine),
        .x = SIDE / 2.0 - 0.5 + between(dice, -2.0, 2.0),
        .y = SIDE / 2.0 - 0.5 + between(dice, -1.5, 1.5),
        .shake = between(dice, 1.0, 6.5),
        .radius = between(dice, 0.55, 1.5),
        .ink = between(dice, 190, 255),
        .noise = (int)(roll(dice) % 40),
    };
    return hand;
}

struct point {
    double x, y;
};

static int is_corner(const struct stroke *stroke, int i)
{
    return i > 0 && memcmp(stroke->at[i], stroke->at[i - 1], 2) == 0;
}

static void place_points(const struct stroke *stroke, const struct hand *hand, struct dice *dice,
                         struct point out[MAX_POINTS])
{
    for (int i = 0; i < stroke->count; i++) {
        double x = stroke->at[i][0] - 50 + between(dice, -hand->shake, hand->shake);
        double y = stroke->at[i][1] - 50 + between(dice, -hand->shake, hand->shake);
        struct point placed = {hand->x + hand->xx * x + hand->xy * y,
                               hand->y + hand->yx * x + hand->yy * y};
        out[i] = is_corner(stroke, i) ? out[i - 1] : placed;
    }
}

/* Catmull-Rom from b to c, at t in 0..1. */
static double follow(double a, double b, double c, double d, double t)
{
    double curve = 2 * a - 5 * b + 4 * c - d, twist = 3 * (b - c) + d - a;
    return b + 0.5 * t * (c - a + t * (curve + t * twist));
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* Lowers the squared distances around a straight piece to those from it. */
static void draw_piece(double distance[PIXELS], struct point a, struct point b, double reach)
{
    double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
    double scale = square > 0 ? 1 / square : 0;
    int left = clamp((int)((a.x < b.x ? a.x : b.x) - reach), 0, SIDE);
    int right = clamp((int)((a.x > b.x ? a.x : b.x) + reach) + 1, 0, SIDE);
    int top = clamp((int)((a.y < b.y ? a.y : b.y) - reach), 0, SIDE);
    int bottom = clamp((int)((a.y > b.y ? a.y : b.y) + reach) + 1, 0, SIDE);
    for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
            double px = x - a.x, py = y - a.y, along = (px * dx + py * dy) * scale;
            along = along < 0 ? 0 : along > 1 ? 1 : along;
            double ex = px - along * dx, ey = py - along * dy, d = ex * ex + ey * ey;
            double *pixel = &distance[y * SIDE + x];
            *pixel = d < *pixel ? d : *pixel;
        }
    }
}

static void draw_stroke(double distance[PIXELS], const struct stroke *stroke,
                        const struct hand *hand, struct dice *dice)
{
    struct point p[MAX_POINTS];
    place_points(stroke, hand, dice, p);
    for (int i = 0; i + 1 < stroke->count; i++) {
        struct point before = p[i > 0 ? i - 1 : 0], here = p[i], next = p[i + 1];
        struct point after = p[i + 2 < stroke->count ? i + 2 : i + 1], last = here;
        if (is_corner(stroke, i + 1))
            continue;
        for (int split = 1; split <= SPLITS; split++) {
            double t = (double)split / SPLITS;
            struct point at = {follow(before.x, here.x, next.x, after.x, t),
                               follow(before.y, here.y, next.y, after.y, t)};
            draw_piece(distance, last, at, hand->radius + 1);
            last = at;
        }
    }
}

static void ink_pixels(const double square[PIXELS], const struct hand *hand, struct dice *dice,
                       unsigned char *out)
{
    double outside = (hand->radius + 0.5) * (hand->radius + 0.5);
    uint64_t grain = 0;
    for (int i = 0; i < PIXELS; i++, grain >>= 8) {
        if (i % 8 == 0)
            grain = roll(dice);
        double cover = square[i] < outside ? hand->radius + 0.5 - sqrt(square[i]) : 0;
        int value = (int)(hand->ink * (cover > 1 ? 1 : cover) + 0.5);
        out[i] =
            (unsigned char)clamp(value + ((int)(grain & 255) - 128) * hand->noise / 128, 0, 255);
    }
}

static void draw_digit(int digit, struct dice *dice, unsigned char *out)
{
    double distance[PIXELS];
    const struct glyph *glyph = &glyphs[digit];
    const struct style *style = &glyph->styles[roll(dice) % (uint64_t)glyph->count];
    struct hand hand = take_pen(dice);
    for (int i = 0; i < PIXELS; i++)
        distance[i] = 1e9;
    for (int i = 0; i < style->count; i++)
        draw_stroke(distance, &style->strokes[i], &hand, dice);
    ink_pixels(distance, &hand, dice, out);
}

/* Each run of ten samples has every digit once, shuffled. */
static void deal_labels(unsigned char *labels, int64_t count, uint32_t seed)
{
    struct dice dice = start_dice(seed, UINT64_MAX);
    unsigned char deck[CLASSES];
    for (int64_t i = 0; i < count; i++) {
        int top = (int)(i % CLASSES);
        for (int j = 0; top == 0 && j < CLASSES; j++)
            deck[j] = (unsigned char)j;
        int pick = top + (int)(roll(&dice) % (uint64_t)(CLASSES - top));
        labels[i] = deck[pick];
        deck[pick] = deck[top];
    }
}

static int reserve(struct nc_array *out, int64_t count, int64_t row_elements, struct nc_error *err)
{
    unsigned char *block = NULL;
    if (count <= INT64_MAX / row_elements)
        block = malloc((size_t)(count * row_elements));
    if (!block)
        return nc_fail(err, NULL, "out of memory for %lld digits", (long long)count);
    *out = (struct nc_array){.dtype = NC_U8, .rank = 1, .row_elements = row_elements};
    out->shape[0] = count;
    out->data = out->block = block;
    return 0;
}

int nc_digits_make(struct nc_array *images, struct nc_array *labels, int64_t count, uint32_t seed,
                   struct nc_error *err)
{
    *images = *labels = (struct nc_array){0};
    if (count < 1)
        return nc_fail(err, NULL, "the number of digits must be at least 1");
    if (reserve(images, count, PIXELS, err) != 0)
        return -1;
    if (reserve(labels, count, 1, err) != 0) {
        nc_array_close(images);
        return -1;
    }
    images->rank = 4;
    images->shape[1] = images->shape[2] = SIDE;
    images->shape[3] = 1;
    deal_labels(labels->block, count, seed);
    for (int64_t i = 0; i < count; i++) {
        struct dice dice = start_dice(seed, (uint64_t)i);
        draw_digit(labels->data[i], &dice, (unsigned char *)images->block + i * PIXELS);
    }
    return 0;
}
