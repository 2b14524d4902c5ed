/* Expressions: the small language in which records (and specs) say what an op computes.
 *
 *     program   = { name "=" sum ";" } sum
 *     compare   = sum [ ("<" | "<=" | ">" | ">=" | "==") sum ]
 *     sum       = product { ("+" | "-") product }
 *     product   = unary { ("*" | "/") unary }
 *     unary     = "-" unary | number | name | name "(" compare { "," compare } ")" | "(" compare ")"
 *
 * Functions are ops. A program yields the last expression, and every name it set stays in scope.
 * Names may end in primes (m' is the next m) and begin with $ (a block's parameter). */
#ifndef NETCC_EXPR_H
#define NETCC_EXPR_H

#include "graph/graph.h"

typedef struct {
    const char *name;
    Node *node;
} Binding;

typedef struct {
    Binding *items;
    int count;
} Scope;

void scope_set(Arena *arena, Scope *scope, const char *name, Node *node);
Node *scope_get(const Scope *scope, const char *name); /* or NULL */

/* Adds an attribute list as constants under their keys. */
void scope_attrs(Graph *graph, Scope *scope, const void *attr_defs, const AttrValue *values);

/* Builds `text` in `graph`. A fault of the text is an error at `loc` (NULL source: a record's text,
 * so it is our bug). Returns NULL after an error. */
Node *expr_build(Graph *graph, Diag *diag, Loc loc, const char *text, Scope *scope);

#endif
