/* What express.c and its two lowerings share. */
#ifndef NETCC_EXPRESS_H
#define NETCC_EXPRESS_H

#include "chain.h"

/* A member, or a load, as the text of a kernel writes it. */
typedef struct {
    const Node *node;
    bool row;     /* one value per row */
    bool kept;    /* infix: in an array of one row */
    int stage;    /* infix: of its loop; a row value: the stage before which it is known */
    int uses;     /* by members and stores */
    int last_use; /* position of the last member that reads it; members_count: a store */
    const char *name;
    const char *text; /* how a reader writes it */
    int prec;         /* infix: of text; 1 sum, 2 product, 3 sign, 9 atom */
    bool array;       /* load: text walks memory, else it is one number */
    int temp;         /* block: its temporary, or -1 */
} Value;

typedef struct {
    Arena *arena;
    const Kernel *kernel;
    const Chain *chain;
    Style style;
    TemplateRecord *bind;
    Walk walk;
    bool in_tile;
    bool contiguous; /* in a tile: the operands lie in panels, so the tile is one run */
    Value *values;   /* members, in order */
    Value *loads;    /* loads, in order */
    const char **load_names, **store_names;
    int stages;
} Express;

Value *member_value(const Express *x, const Node *node); /* NULL where it is no member */
int load_index(const Express *x, const Node *node);      /* -1 where it is none */
bool is_in_place(const Express *x, int load);
void express_array(Express *x, const char *name, const char *size);
void express_call(TemplateRecord *record, const char *list, const char *call);
char *uniform_call(const Express *x, const Node *node, const char *target, const char *len);
const char *row_array_size(const Express *x);

void express_infix(Express *x);
void express_block(Express *x);

#endif
