/* Chain: element-wise work fused into one kernel, and how its operands are walked.
 *
 * The domain is a tensor's shape, split into rows and columns. A member is FULL (one value per
 * cell) or ROW (one per row: a reduction along the columns, or element-wise on such). A load is a
 * value from a buffer; how it is addressed follows from its shape broadcast against the domain. */
#ifndef NETCC_CHAIN_H
#define NETCC_CHAIN_H

#include "program.h"

typedef struct {
    const Node *node; /* as the member reads it: a view has its own shape */
    int in;           /* position in kernel->in */
    int in_place;     /* position in kernel->out of the store to the same memory, or -1 */
} Load;

typedef struct {
    const Node *node;
    int out; /* position in kernel->out */
} Store;

typedef struct Chain Chain;
struct Chain {
    Shape domain;
    const Layout *layout; /* of the domain's tensors */
    const Node **members; /* in the graph's order */
    int members_count;
    const Node *tile; /* the value that the kernel's own template leaves in c, or NULL */
    Load *loads;
    int loads_count;
    Store *stores;
    int stores_count;
};

bool is_row_reduction(const Node *node); /* along the last axis, short enough to keep a row */
bool is_row_shape(Shape shape, Shape domain);
bool chain_sums(const Chain *chain); /* does it sum tiles of its domain? */
bool chain_has(const Chain *chain, const Node *node);

typedef enum { ACCESS_FULL, ACCESS_COLUMN, ACCESS_ROW, ACCESS_SCALAR } Access;

/* How a domain is walked. Flat: one run of `total` cells, in chunks. Else rows of `columns` cells. */
typedef struct {
    bool flat;
    const char *total;         /* flat: C text */
    const char *columns;       /* C text; a literal where the chain keeps rows in arrays */
    int64_t columns_literal;   /* 0 where it depends on n */
    int64_t pieces;            /* random: rows per sample */
    int64_t unit;              /* rows of a unit of work; those of a tile where tiles are summed */
    const char *units;         /* how many of them */
    Access *access;            /* per load */
    const char **offset;       /* per load: start of row r, C text in r; "" where it is 0 */
    const char **store_offset; /* per store */
} Walk;

enum { FLAT_CHUNK = 4096, MAX_KEPT_COLUMNS = 4096, BLOCK = 256 };

Walk walk_chain(Arena *arena, const Chain *chain);
/* Can a value of `shape` be read in the tile of a kernel over `domain` (rows x last axis)? */
bool tile_access(Shape shape, Shape domain, Access *access);

/* express.c: the chain's part of a kernel's bindings. */
typedef struct {
    Lowering lowering;
    bool is_double;
} Style;
void express(TemplateRecord *bind, const Kernel *kernel, Style style);
char *literal_text(Arena *arena, double value, bool is_double);

#endif
