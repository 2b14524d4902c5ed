/* Layout: how a tensor lies in memory, as data.
 *
 * An ordered list of levels from the outermost inwards; the index along an axis is the sum over its
 * levels of position * factor. [K, N] in panels of 32 columns is (axis 1, N/32, 32), (axis 0, K, 1),
 * (axis 1, 32, 1). NULL stands for row-major. Cells beyond an axis' extent are padding, which writers
 * keep zero. */
#ifndef NETCC_LAYOUT_H
#define NETCC_LAYOUT_H

#include "graph/graph.h"

struct Layout {
    int levels;
    struct nc_layout_level level[2 * MAX_RANK];
};

/* Panels of `width` columns of a [.., K, N] matrix, all leading axes being rows. */
const Layout *layout_panels(Arena *arena, Shape shape, int64_t width);
int64_t layout_panel_width(const Layout *layout, Shape shape); /* row-major: N */
int64_t layout_elements(const Layout *layout, Shape shape);    /* padding included */
int64_t layout_offset(const Layout *layout, Shape shape, const int64_t *index);
bool layout_equal(const Layout *a, const Layout *b);
void layout_print(Str *out, const Layout *layout);

/* The default width for N columns on any ISA; and that of a matrix which few rows meet: wide, for
 * products of single rows run along the columns. */
int64_t layout_default_width(int64_t columns);
int64_t layout_row_width(int64_t columns);

#endif
