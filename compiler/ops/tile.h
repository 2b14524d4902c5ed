/* The template `tile`: what products, convolutions and pooling share. */
#ifndef NETCC_OPS_TILE_H
#define NETCC_OPS_TILE_H

#include "program.h"

/* A result of `all` rows (C text) and `columns` columns, in tiles of `rows` (C text) x `width`, from
 * the kernel's inputs a, b, d; the op binds the call that computes a tile by bind_product. Tiles follow
 * each other along the columns, or along the rows. */
typedef struct {
    const char *all, *rows;
    int64_t columns, width;
    int64_t pixels; /* `rows` of tiles that go along the lines of an image, or 0 */
    bool rows_first;
} TileShape;
void bind_tile(KernelBuild *build, const Node *node, const TileShape *tile);
void bind_product(KernelBuild *build, const char *call);
/* A struct that the call is told by its name */
void bind_constant(KernelBuild *build, const char *type, const char *name, const char *value);
/* How many columns a tile has: its width, or `cols` where the last is narrower */
const char *columns_text(const KernelBuild *build, const TileShape *tile);

/* The product of rows with panels: rows of a are a_row apart, its k a_k; the panel of column j of b begins
 * j * b_step in, its k are b_ld apart. */
void bind_panel_product(KernelBuild *build, int64_t a_row, int64_t a_k, int64_t b_step,
                        int64_t b_ld, const char *k, int64_t width);

enum { TILE_CELLS = 96 }; /* rows of a tile of 32 columns that stays in the first cache */
/* The same of a product that sums over k: if that is long, a panel stays where it is for more rows. */
int64_t product_cells(int64_t k);

/* Does the kernel sum what its tiles compute? Such tiles are those of image_rows(). */
bool sums_tiles(const Kernel *kernel);
/* An image result in tiles of image_rows() */
TileShape image_tile(KernelBuild *build, Shape y, int64_t width);
/* The same in equal parts of whole lines, or of one line, of some `cells` rows, unless sums want others */
TileShape lines_tile(KernelBuild *build, Shape y, int64_t width, int64_t cells);

/* A window as struct nc_window of the vocabulary has it. `weight` is 0 where there are none. */
typedef struct {
    int64_t size[3], extent[2], kernel[2], stride[2], before[2], dilation[2], spread[2], weight[3];
    int64_t run;
} WindowShape;
/* What an output of y sees of x; and what a pixel of x sees of dy, walking the window back. */
WindowShape window_of(Shape x, Shape y, const int64_t *kernel, const int64_t *stride,
                      const int64_t *before, const int64_t *dilation);
WindowShape window_back(const WindowShape *forward, int64_t channels);
/* Takes the cells of a line of the kernel as one, where they are side by side and mostly inside, or few. */
void window_join_line(WindowShape *window);
void bind_window(KernelBuild *build, const WindowShape *window);

#endif
