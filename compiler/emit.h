/* What the two users of the emitter share: whole units for the drivers (emit.c) and products for
 * embedders (emit_product.c). */
#ifndef NETCC_EMIT_H
#define NETCC_EMIT_H

#include "chain.h"
#include "compile.h"

enum { EMIT_BUCKETS = 1024 };

/* One local variable of an entry function. */
typedef struct {
    const char *type, *name, *value;
    bool certain; /* used, whatever the calls name */
} Local;

/* How an entry function looks from outside. */
typedef struct {
    const char *signature;
    const Local *locals; /* what its calls may name; those they do not name are left out */
    int locals_count;
    const char *const *conditions; /* NULL-terminated: it returns -1 where one holds, 0 at its end;
                                      NULL: it returns nothing */
    const char *const *parameters; /* NULL-terminated or NULL: those unused are cast to void */
} EntryForm;

typedef struct {
    Arena *arena;
    const Program *program;
    Style style;
    bool timed;        /* kernel calls are told to the env, see templates/unit.c */
    const char *entry; /* that is emitted, in this form, with so many calls and parts so far */
    const EntryForm *form;
    long calls;
    int parts;
    Str functions; /* text of the kernels, each once */
    struct EmittedKernel *buckets[EMIT_BUCKETS], *by_name[EMIT_BUCKETS];
} Emitter;

Emitter *emitter_new(Arena *arena, const Program *program, Style style);

/* Emits the entry's kernels into emitter->functions and yields the entry function's text. */
char *emit_entry(Emitter *emitter, const Entry *entry, const EntryForm *form);

/* The text that stands before the kernels: vocabulary and shared structs. */
char *emit_prelude(Arena *arena, EmitTarget target, bool timed);

#endif
