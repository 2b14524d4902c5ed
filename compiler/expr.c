/* The expression parser builds nodes as it reads: recursive descent, one function a level. */
#include "expr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op.h"

typedef struct {
    Graph *graph;
    Diag *diag;
    Loc loc;
    const char *text;
    const char *at;
    Scope *scope;
    int depth; /* of parentheses */
    bool failed;
} Parser;

enum { DEEPEST = 100 };

void scope_set(Arena *arena, Scope *scope, const char *name, Node *node)
{
    for (int i = 0; i < scope->count; i++) {
        if (!strcmp(scope->items[i].name, name)) {
            scope->items[i].node = node;
            return;
        }
    }
    Binding binding = {name, node};
    ARENA_PUSH(arena, scope->items, scope->count, binding);
}

Node *scope_get(const Scope *scope, const char *name)
{
    for (int i = 0; i < scope->count; i++) {
        if (!strcmp(scope->items[i].name, name))
            return scope->items[i].node;
    }
    return NULL;
}

void scope_attrs(Graph *graph, Scope *scope, const void *attr_defs, const AttrValue *values)
{
    const AttrDef *defs = attr_defs;
    for (int i = 0; defs && defs[i].type != ATTR_END; i++) {
        if (defs[i].type == ATTR_NUMBER)
            scope_set(graph->arena, scope, defs[i].key, constant(graph, values[i].f));
        else if (defs[i].type == ATTR_INT || defs[i].type == ATTR_BOOL)
            scope_set(graph->arena, scope, defs[i].key, constant(graph, (double)values[i].i));
    }
}

__attribute__((format(printf, 2, 3))) static Node *fail(Parser *p, const char *format, ...)
{
    if (!p->failed) {
        va_list args;
        va_start(args, format);
        char *message = arena_vprintf(p->graph->arena, format, args);
        va_end(args);
        if (p->loc.source)
            diag_error(p->diag, p->loc, "in the expression '%s': %s", p->text, message);
        else
            bug("in the expression '%s': %s", p->text, message);
    }
    p->failed = true;
    return constant(p->graph, 0);
}

static void skip_space(Parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool accept(Parser *p, const char *token)
{
    skip_space(p);
    if (strncmp(p->at, token, strlen(token)))
        return false;
    p->at += strlen(token);
    return true;
}

static char *read_name(Parser *p)
{
    skip_space(p);
    const char *start = p->at, *first = start + (*start == '$');
    if (!isalpha((unsigned char)*first) && *first != '_')
        return NULL;
    p->at = first;
    while (isalnum((unsigned char)*p->at) || *p->at == '_')
        p->at++;
    while (*p->at == '\'')
        p->at++;
    return arena_strndup(p->graph->arena, start, (size_t)(p->at - start));
}

static Node *compare(Parser *p);

/* index(x): 0, 1, 2, ... along the last axis of x. */
static Node *index_of(Parser *p, const Node *x)
{
    if (!x->shape.rank)
        return fail(p, "%s of a scalar", "index");
    AttrValue size = {.i = x->shape.dim[x->shape.rank - 1]};
    return node_new(p->graph, OP_iota, 0, NULL, &size);
}

static Node *apply(Parser *p, const char *name, Node **args, int count)
{
    if (!strcmp(name, "index") && count == 1)
        return index_of(p, args[0]);
    const Op *op = op_find(name);
    if (!op || (op->class != OP_PRIMITIVE && op->class != OP_COMPOSITE && !op->reducer))
        return fail(p, "unknown function '%s'", name);
    if (count != op->arity)
        return fail(p, "wrong number of arguments to '%s'", name);
    Shape shape = args[0]->shape;
    for (int i = 1; i < count; i++) {
        if (!shape_broadcast(shape, args[i]->shape, &shape))
            return fail(p, "arguments of '%s' do not broadcast", name);
    }
    if (op->reducer && !shape.rank)
        return fail(p, "%s of a scalar", name);
    if (op->reducer)
        return reduce(p->graph, op_kind(op), args[0], 1u << (shape.rank - 1));
    return node_new(p->graph, op_kind(op), count, args, op_defaults(p->graph->arena, op));
}

static Node *call(Parser *p, const char *name)
{
    Node *args[3];
    int count = 0;
    do {
        if (count == 3)
            return fail(p, "too many arguments to '%s'", name);
        args[count++] = compare(p);
    } while (!p->failed && accept(p, ","));
    if (p->failed)
        return args[0];
    if (!accept(p, ")"))
        return fail(p, "expected ')' after the arguments of '%s'", name);
    return apply(p, name, args, count);
}

static Node *atom(Parser *p)
{
    skip_space(p);
    if (isdigit((unsigned char)*p->at) || *p->at == '.') {
        char *end;
        double value = strtod(p->at, &end);
        p->at = end;
        return constant(p->graph, value);
    }
    if (accept(p, "(")) {
        Node *inner = compare(p);
        return accept(p, ")") ? inner : fail(p, "expected '%s'", ")");
    }
    const char *start = p->at;
    char *name = read_name(p);
    if (!name)
        return fail(p, "unexpected '%s'",
                    *start ? arena_strndup(p->graph->arena, start, 1) : "end");
    if (accept(p, "("))
        return call(p, name);
    Node *node = scope_get(p->scope, name);
    return node ? node : fail(p, "unknown name '%s'", name);
}

static Node *unary(Parser *p)
{
    int negative = 0;
    while (accept(p, "-"))
        negative ^= 1;
    Node *x = atom(p);
    return negative ? node1(p->graph, OP_neg, x) : x;
}

static Node *binary(Parser *p, OpKind op, Node *a, Node *b)
{
    Shape shape;
    if (!shape_broadcast(a->shape, b->shape, &shape))
        return fail(p, "operands of '%s' do not broadcast", op_table[op]->name);
    return node2(p->graph, op, a, b);
}

static Node *product(Parser *p)
{
    Node *x = unary(p);
    while (!p->failed) {
        if (accept(p, "*"))
            x = binary(p, OP_mul, x, unary(p));
        else if (accept(p, "/"))
            x = binary(p, OP_div, x, unary(p));
        else
            break;
    }
    return x;
}

static Node *sum(Parser *p)
{
    Node *x = product(p);
    while (!p->failed) {
        if (accept(p, "+"))
            x = binary(p, OP_add, x, product(p));
        else if (accept(p, "-"))
            x = binary(p, OP_sub, x, product(p));
        else
            break;
    }
    return x;
}

static Node *comparison(Parser *p)
{
    Node *x = sum(p);
    if (p->failed)
        return x;
    if (accept(p, "<="))
        return binary(p, OP_le, x, sum(p));
    if (accept(p, ">="))
        return binary(p, OP_le, sum(p), x);
    if (accept(p, "<"))
        return binary(p, OP_lt, x, sum(p));
    if (accept(p, ">"))
        return binary(p, OP_lt, sum(p), x);
    if (accept(p, "=="))
        return binary(p, OP_eq, x, sum(p));
    return x;
}

static Node *compare(Parser *p)
{
    if (p->depth == DEEPEST)
        return fail(p, "more than %d parentheses inside one another", DEEPEST);
    p->depth++;
    Node *x = comparison(p);
    p->depth--;
    return x;
}

/* `name = sum ;` sets a name; anything else is the result. */
static bool assignment(Parser *p, Node **last)
{
    const char *start = p->at;
    char *name = read_name(p);
    skip_space(p);
    if (!name || *p->at != '=' || p->at[1] == '=') {
        p->at = start;
        return false;
    }
    p->at++;
    Node *value = compare(p);
    if (!p->failed)
        scope_set(p->graph->arena, p->scope, name, value);
    *last = value;
    return true;
}

Node *expr_build(Graph *graph, Diag *diag, Loc loc, const char *text, Scope *scope)
{
    Parser p = {graph, diag, loc, text, text, scope, 0, false};
    Node *last = NULL;
    for (;;) {
        if (!assignment(&p, &last))
            last = compare(&p);
        if (p.failed || !accept(&p, ";"))
            break;
        skip_space(&p);
        if (!*p.at)
            break;
    }
    skip_space(&p);
    if (!p.failed && *p.at)
        fail(&p, "unexpected '%s'", p.at);
    return p.failed ? NULL : last;
}
