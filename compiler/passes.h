/* The passes between the graph and the program. Each one's contract stands in its file. */
#ifndef NETCC_PASSES_H
#define NETCC_PASSES_H

#include "graph/graph.h"
#include "program.h"

/* differentiate.c: gradients and updates from a graph's phases. */
struct Model;
void differentiate(struct Model *model, Graph *graph);

/* expand.c: one composite node as an expression over simpler ops, in the same graph. */
Node *expand_node(Graph *graph, const Op *op, Node *const *in, int inputs, const AttrValue *attrs,
                  const char *text, Node *y, Node *g);
/* Appends op(in...) to graph, expanding composites that have no derivative of their own. */
Node *apply_op(Graph *graph, const Op *op, Node *const *in, int inputs, const AttrValue *attrs);

/* Each yields a new graph. */
Graph *expand(const Graph *graph);
/* Composites that `keep` wants stay. */
Graph *expand_but(const Graph *graph, bool (*keep)(const Node *node));
Graph *simplify(const Graph *graph);
/* `inference`: no parameter changes while the graph is in use. */
Graph *fold(const Graph *graph, bool inference);

/* select.c: for calls of `rows` rows. */
Graph *select_algorithms(const Graph *graph, int64_t rows);

/* layout.c: a layout for every node, by id; NULL entries are row-major. */
const Layout **lay_out(const Graph *graph, Arena *arena);
/* The layout of parameters, from all graphs that use them, for `batch` rows at most. */
void lay_out_params(Arena *arena, Param *const *params, Graph *const *graphs, int graphs_count,
                    int64_t batch);

/* prepare.c: the entry that computes once what predict needs of the weights alone, in a block of so many
 * elements; NULL: it needs nothing such. */
Entry *prepare(Entry *predict, int64_t *elements);
void verify_prepared(const Entry *prepare, const Entry *predict, int64_t elements);

/* fuse.c, schedule.c, band.c, slice.c, plan.c: the graph's groups of nodes as kernels over buffers, in order, runs
 * of them over bands of lines, some in loops over slices of the batch, and the place of every buffer in the arena
 * block. */
Entry *fuse(Arena *arena, const char *name, const Graph *graph, int params_count, int64_t batch);
void schedule(Entry *entry);
/* `cache`: bytes that a band's lines may take; 0: the default */
void band(Entry *entry, int64_t batch, int64_t cache);
/* `cache`: bytes of a slice that may be alive at once; 0: the default */
void slice(Entry *entry, int64_t batch, int64_t cache);
void plan(Entry *entry, int64_t batch);
void verify_plan(const Entry *entry, int64_t batch);
void entry_print(Str *out, const Entry *entry);

/* scan (ops/scan.c) */
Node *scan_new(Graph *graph, Graph *body, int64_t steps, bool reverse, int carries, int slices,
               Node *const *in, int inputs);
Node *scan_pick(Graph *graph, Node *scan, int index);
Node *scan_slice_input(Graph *body, int index, Shape shape);
/* The body's node for input `index` of the scan, or NULL where nothing reads it. */
Node *scan_input(const Graph *body, int index);

#endif
