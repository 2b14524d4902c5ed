/* Graph: a node is one tensor. All shapes are known but the batch, which is a run-time size.
 *
 * Nodes stand in topological order; passes build a new graph or append to one, they never reorder
 * in place. A node's attributes are typed by its op's record (ops/op.h). */
#ifndef NETCC_GRAPH_H
#define NETCC_GRAPH_H

#include <stdint.h>

#include "base/diag.h"
#include "netcc.h"
#include "op_enum.h"

enum { MAX_RANK = NC_MAX_RANK };
#define BATCH (-1) /* a dimension whose extent is the run-time n; at most one in a shape */

typedef struct {
    int rank;
    int64_t dim[MAX_RANK];
} Shape;

typedef struct Op Op;
typedef struct Node Node;
typedef struct Graph Graph;
typedef struct Param Param;
typedef struct AttrValue AttrValue;

struct AttrValue {
    int64_t i;       /* int, bool, position of a choice */
    double f;        /* number */
    const char *s;   /* choice, string */
    int64_t *list;   /* ints */
    int count;       /* of list, or of args */
    const Op *op;    /* activation: its op, and its arguments: */
    AttrValue *args; /* shapes: one each, its name in s */
    const void *ptr; /* internal: a Param, a Graph */
    Loc loc;         /* of the value in the spec; no source for a default */
};

struct Node {
    OpKind op;
    int id; /* position in the graph */
    int inputs;
    Node **in;
    AttrValue *attr; /* by the record's order; NULL where it has none */
    Shape shape;
    const char *name; /* the layer it came from, or NULL */
    Loc loc;          /* of that layer in the spec */
};

typedef struct {
    const char *name;
    Node *node;
    Loc loc;
} Output;

/* A node whose gradient a phase wants: a parameter that it trains, or an input. */
typedef struct {
    const char *name;
    Node *node;
    Loc loc;
} Wanted;

/* One phase of a training step: what it minimises, over what, and how. */
typedef struct {
    Node *loss;
    Wanted *wanted;
    int wanted_count;
    const struct OptimizerUse *optimizer; /* NULL: the gradients become outputs */
} Phase;

struct Graph {
    Arena *arena;
    Node **nodes;
    int count;
    Output *outputs;
    int outputs_count;
    Node **updates; /* op `update`: the next version of a state */
    int updates_count;
    Phase *phases;
    int phases_count;
    const char *layer; /* name and Loc that new nodes take */
    Loc loc;
};

/* A trained weight, a moving statistic, a slot of the optimizer, or the memory of a stateful layer,
 * which alone has the batch as its first axis: row i is for row i of a call. Shared by all graphs of a
 * model; a graph reads it with a `param` node and sets its next version with an `update` node. */
typedef struct Layout Layout;
struct Param {
    const char *name;
    int id; /* position in the model's table */
    enum nc_role role;
    Shape shape;
    struct nc_init init;
    bool trainable;
    double rate;      /* factor of the learning rate */
    bool frozen;      /* no training step changes it */
    int64_t image[3]; /* of a dense kernel whose rows are a flattened image: [h, w, c]; else 0 */
    int64_t since;    /* the first epoch that trains it; 0: none */
    const Layout *layout;
    int64_t offset; /* elements from the start of its block */
    Loc loc;
};

Graph *graph_new(Arena *arena);

/* Appends a node; its shape comes from the record's rule. Elementwise nodes of constants fold. */
Node *node_new(Graph *graph, OpKind op, int inputs, Node *const *in, const AttrValue *attr);
Node *node1(Graph *graph, OpKind op, Node *a);
Node *node2(Graph *graph, OpKind op, Node *a, Node *b);
Node *node3(Graph *graph, OpKind op, Node *a, Node *b, Node *c);

Node *constant(Graph *graph, double value); /* shape [] */
Node *constant_of(Graph *graph, double value, Shape shape);
bool is_constant(const Node *node, double *value); /* of any shape */
Node *read_param(Graph *graph, const Param *param);
Node *update_param(Graph *graph, const Param *param, Node *value);
const Param *node_param(const Node *node);         /* of param and update nodes, else NULL */
Node *read_hyper(Graph *graph, const char *field); /* see OP(hyper) */
Node *reshape(Graph *graph, Node *x, Shape shape);
Node *reduce(Graph *graph, OpKind op, Node *x, unsigned axes); /* bit k: axis k; keeps dims as 1 */
Node *transpose(Graph *graph, Node *x, const int *perm);
/* Rows of a tile of an image [n, H, W, C], up to IMAGE_CELLS: whole lines, by fours if it can be, or equal
 * parts of a longer one; where it can be, a divisor of H * W. */
enum { IMAGE_CELLS = 256 };
int64_t image_rows(Shape image);
Node *matrix_transpose(Graph *graph, Node *x); /* the last two axes swapped */
void graph_output(Graph *graph, const char *name, Node *node, Loc loc);
/* A new graph that has what `rewrite` says in place of each node, whose inputs are `in` there; NULL: the
 * same node. Bodies of loops likewise. */
typedef Node *Rewrite(Graph *graph, const Node *node, Node *const *in, const void *context);
Graph *graph_rewrite(const Graph *old, Rewrite *rewrite, const void *context);

/* Shapes. The batch dimension counts as an opaque extent that equals only itself. */
Shape shape_of(int rank, const int64_t *dims);
Shape scalar_shape(void);
bool shape_equal(Shape a, Shape b);
bool shape_broadcast(Shape a, Shape b, Shape *out); /* numpy's rule */
int64_t shape_row(Shape shape);                     /* product of all dims but the batch */
int shape_batch_axis(Shape shape);                  /* or -1 */
bool shape_has_batch(Shape shape);
char *shape_text(Arena *arena, Shape shape); /* "[n, 28, 28]" */

/* Text form: one node a line. */
void graph_print(Str *out, const Graph *graph);
/* The same but for the spec's lines: what two specs have in common. */
void graph_print_without_places(Str *out, const Graph *graph);

/* Checks every invariant of a graph and ends in bug() naming the pass where one is broken. */
void graph_verify(const Graph *graph, const char *after);

#endif
