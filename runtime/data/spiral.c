/* Points on the arms of a spiral: two features that no straight line parts. Sample i depends on the
 * seed and i alone; a point's angle and radius grow together along its arm, with noise on both
 * coordinates. Sines are summed by hand, so that every machine draws the same. */
#include "data/array.h"

#include <stdlib.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

/* splitmix64: a counter, well stirred. */
static uint64_t roll(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static double uniform(uint64_t *state)
{
    return (double)(roll(state) >> 11) * 0x1p-53;
}

/* Nearly normal, of deviation 1: the sum of twelve uniform numbers. */
static double normal(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform(state);
    return sum;
}

/* Of any angle from 0 to some turns, by its Taylor series around the nearest turn. */
static double sine(double angle)
{
    const double pi = 3.14159265358979323846;
    int turns = (int)(angle / (2 * pi));
    double x = angle - 2 * pi * turns - pi, term = x, sum = x;
    for (int k = 1; k < 14; k++) {
        term *= -x * x / (2 * k * (2 * k + 1));
        sum += term;
    }
    return -sum;
}

static void draw(float *point, int64_t arm, int64_t classes, double noise, uint64_t *dice)
{
    const double pi = 3.14159265358979323846;
    double along = 0.05 + 0.95 * uniform(dice);
    double angle = 2 * pi * ((double)arm / (double)classes + along);
    double x = along * sine(angle + pi / 2), y = along * sine(angle);
    point[0] = (float)(x + noise * 0.5 * normal(dice));
    point[1] = (float)(y + noise * 0.5 * normal(dice));
}

int nc_spiral_make(struct nc_array *points, struct nc_array *labels, const struct nc_spiral *how,
                   struct nc_error *err)
{
    float *x = calloc((size_t)how->count, 2 * sizeof *x);
    unsigned char *y = calloc((size_t)how->count, 1);
    *points = *labels = (struct nc_array){0};
    if (!x || !y) {
        free(x);
        free(y);
        return nc_fail(err, NULL, "out of memory for %lld points", (long long)how->count);
    }
    for (int64_t i = 0; i < how->count; i++) {
        uint64_t dice = (uint64_t)how->seed << 32 ^ (uint64_t)i * 0xd1342543de82ef95;
        dice = roll(&dice);
        y[i] = (unsigned char)(i % how->classes);
        draw(x + 2 * i, y[i], how->classes, how->noise, &dice);
    }
    *points = (struct nc_array){.dtype = NC_F32, .rank = 2, .row_elements = 2};
    points->shape[0] = how->count;
    points->shape[1] = 2;
    points->data = points->block = x;
    *labels = (struct nc_array){.dtype = NC_U8, .rank = 1, .row_elements = 1};
    labels->shape[0] = how->count;
    labels->data = labels->block = y;
    return 0;
}
