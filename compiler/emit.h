/* What the two users of the emitter share: whole units for the drivers (emit.c) and products for
 * embedders (emit_product.c). */
#ifndef NETCC_EMIT_H
#define NETCC_EMIT_H

#include "chain.h"
#include "compile.h"

typedef struct {
    Arena *arena;
    const Program *program;
    Style style;
    Str functions; /* text of the kernels, each once */
    struct EmittedKernel *buckets[1024];
    int count;
} Emitter;

Emitter *emitter_new(Arena *arena, const Program *program, Style style);

/* One local variable of an entry function. */
typedef struct {
    const char *type, *name, *value;
} Local;

/* Emits the entry's kernels into emitter->functions and yields the entry function's text.
 * `conditions` (NULL-terminated, or NULL) make it return -1, and then it returns 0 at its end. */
char *emit_entry(Emitter *emitter, const Entry *entry, const char *signature,
                 const char *const *conditions, const Local *locals, int locals_count);

/* The text that stands before the kernels: vocabulary and shared structs. */
char *emit_prelude(Arena *arena, EmitTarget target);

#endif
