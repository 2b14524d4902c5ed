/* Program: what is emitted, decided to the last detail.
 *
 * An entry (prepare, predict, train, eval, grad) is a list of kernels over buffers. A kernel is a template
 * with its bindings; equal (template, bindings) share one C function. A buffer is a piece of the
 * weights, the state, the memory, what is prepared from weights, the caller's arrays, or the entry's one arena block. */
#ifndef NETCC_PROGRAM_H
#define NETCC_PROGRAM_H

#include "graph/graph.h"
#include "ops/op.h"
#include "template.h"

typedef enum {
    BUFFER_ARENA,
    BUFFER_WEIGHTS,
    BUFFER_STATE,
    BUFFER_MEMORY,
    BUFFER_PREPARED,
    BUFFER_INPUT,
    BUFFER_TARGET,
    BUFFER_OUTPUT,
    BUFFER_HYPER
} BufferKind;

typedef struct Buffer Buffer;
struct Buffer {
    BufferKind kind;
    int id;
    int index;         /* input, target, output: which; hyper: field */
    const char *field; /* hyper */
    int64_t elements;  /* for n = 1 where batched */
    bool batched;
    int64_t slice;    /* arena: it holds so many rows at most, those of a slice; 0: all */
    int first, last;  /* arena: positions of the first writer and the last reader */
    int64_t offset;   /* elements from the start of its block */
    const Node *node; /* the tensor it holds, for dumps */
};

/* A buffer as a kernel sees it: inside a scan, the slice of step t (or of step T - 1 - t). */
typedef struct {
    Buffer *buffer;
    int64_t slice; /* elements per row and step; 0: the whole buffer */
    bool reversed;
} BufferRef;

/* What lies in a block begins at a line of the cache; a tile may read a little behind its operand. */
enum { BLOCK_ALIGN = NC_ALIGN / 4, BLOCK_SLACK = 32 }; /* elements */
int64_t block_elements(int64_t elements);              /* with what is left of the last line */

/* How a kernel whose units are tiles of an image goes along its lines: pixels of a tile (0: it does not), tiles
 * that share them, and what a line of the result sees of its first input: `size` lines, the first of which is
 * `before` above `stride` times its own number. */
typedef struct {
    int64_t pixels, panels, size, stride, before;
} Lines;

typedef struct Kernel Kernel;
struct Kernel {
    const char *template; /* NULL for a loop, over `steps` in time or over slices of the batch: */
    TemplateRecord *bind;
    const char *name; /* of the C function; equal kernels share it */
    BufferRef *in, *out;
    int in_count, out_count;
    const char *units;         /* C text: how many units of work, in terms of n */
    double flops, flops_fixed; /* per row; independent of n */
    double stands_for;         /* of products: what the direct way takes per row, or 0 */
    Node **nodes;              /* what it computes, for comments and dumps */
    int nodes_count;
    struct Chain *chain; /* fused element-wise part, or NULL */
    Lines lines;
    Kernel **stages; /* of the template `bands`: the kernels that its list of that name calls */
    int stages_count;
    Kernel **body;
    int body_count;
    int64_t steps;
    int64_t slice; /* rows of a slice at most */
};

typedef struct {
    const char *name; /* "predict" ... */
    const Graph *graph;
    Kernel **kernels;
    int kernels_count;
    Buffer **buffers;
    int buffers_count;
    int64_t arena_elements; /* for the maximum batch */
} Entry;

/* How a C unit is written: for the system's compiler (loops it vectorises), for tcc (block calls),
 * or plain C99 in double. */
typedef enum { LOWER_INFIX, LOWER_BLOCK } Lowering;

/* A kernel under construction, as a record's bind sees it. */
struct KernelBuild {
    Arena *arena;
    Kernel *kernel;
    const Layout *const *layouts; /* by node id; NULL: row-major */
    int64_t batch;                /* the maximum */
};
void bind_template(KernelBuild *build, const char *template);
void bind_int(KernelBuild *build, const char *name, int64_t value);
void bind_text(KernelBuild *build, const char *name, const char *text);

/* "n * 28", "28" or "n": the number of elements of dims [from, to) of a shape as C text. */
const char *extent_text(Arena *arena, Shape shape, int from, int to);
int64_t extent(Shape shape, int from, int to, int64_t batch); /* with n = batch */

#endif
