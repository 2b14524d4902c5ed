/* A window that slides over height and width: what convolutions and pooling share. */
#ifndef NETCC_WINDOW_H
#define NETCC_WINDOW_H

#include "layers/layer.h"

/* Height and width of everything. */
typedef struct {
    int64_t kernel[2], strides[2], dilation[2];
    int64_t before[2]; /* padding */
    int64_t extent[2]; /* of the result */
} Window;

/* Reads an attribute of one or two integers; one stands for both. */
bool read_pair(LayerBuild *build, const char *key, int64_t *out);
/* Reads an attribute of 1, 2 or 4 integers: cells around an image. */
typedef struct {
    int64_t before[2], after[2];
} Border;
bool read_border(LayerBuild *build, const char *key, Border *out);
/* Sets the padding and the result's extent from the window and the attributes `padding` and `pad`. */
bool place_window(LayerBuild *build, Window *window);
/* Is the input [n, height, width, channels]? */
bool is_image(LayerBuild *build);
AttrValue pair_value(int64_t *pair);

#define ATTR_PADDING                                                                               \
    {                                                                                              \
        "padding", ATTR_CHOICE, "valid", "same: cells around, so that stride 1 keeps the size", 0, \
            0, "valid|same"                                                                        \
    }
#define ATTR_PAD                                                                                   \
    {                                                                                              \
        "pad", ATTR_INTS, "[]",                                                                    \
            "cells around instead of padding: one number, [height, width], or [top, bottom, "      \
            "left, right]",                                                                        \
            0, INT32_MAX, NULL                                                                     \
    }

#endif
