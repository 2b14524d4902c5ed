/* The template `tile`: what products and convolutions share. */
#ifndef NETCC_OPS_TILE_H
#define NETCC_OPS_TILE_H

#include "program.h"

/* A result of `all` rows (C text) and `columns` columns, in tiles of `rows` (C text) x `width`; the op
 * adds the call that computes a tile to the list `products`. */
void bind_tile(KernelBuild *build, const char *all, const char *rows, int64_t columns,
               int64_t width);
void bind_item(KernelBuild *build, const char *list, const char *name, const char *text);

#endif
