/* What fuse.c and fuse_scan.c share: a graph on its way to kernels. */
#ifndef NETCC_FUSE_H
#define NETCC_FUSE_H

#include "group.h"

typedef struct {
    Arena *arena;
    Entry *entry;
    const Graph *graph;
    Grouping *grouping;
    const Layout **layouts;
    int64_t batch;
    BufferRef *place;  /* by node id (bases only): where its value is */
    Users *users;      /* by node id (bases only) */
    Buffer **states;   /* by parameter id: its buffer; shared with the bodies of scans */
    Kernel ***kernels; /* the list under construction */
    int *kernels_count;
} Fusion;

Buffer *new_buffer(Fusion *f, BufferKind kind, const Node *node);
/* Where the value of a node's base is; leaves get their buffer at the first question. */
BufferRef place_of(Fusion *f, const Node *node);

Kernel *new_kernel(Fusion *f, const char *template);
void append_kernel(Fusion *f, Kernel *kernel);
void add_node(Fusion *f, Kernel *kernel, const Node *node);
/* A kernel that copies the value of a node's base from one place to another. */
void build_copy(Fusion *f, const Node *node, BufferRef from, BufferRef to);

/* The kernels of all groups, appended in order. */
void fuse_graph(Fusion *f);
/* fuse_scan.c: a scan as a loop of kernels. */
void build_scan(Fusion *f, const Group *group);

#endif
