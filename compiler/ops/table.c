/* The table of ops, from the list that the Makefile collects. */
#include "ops/op.h"

#define X(ident) extern OP(ident);
#include "op_list.h"
#undef X

const Op *const op_table[OP_COUNT] = {
#define X(ident) [OP_##ident] = &op_##ident,
#include "op_list.h"
#undef X
};

OpKind op_kind(const Op *op)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (op_table[i] == op)
            return (OpKind)i;
    }
    bug("op %s is not in the table", op->name);
}
