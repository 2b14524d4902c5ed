/* Networks given as text, compiled and loaded as a run does it, each in an arena of its own. */
#ifndef NETCC_TEST_LOADED_H
#define NETCC_TEST_LOADED_H

#include "compile.h"
#include "driver/driver.h"

typedef struct {
    Arena *arena;
    Diag *diag;
    const Program *program;
    struct nc_model *model;
    Backend *backend; /* NULL: compiled only */
} Loaded;

/* The text is the spec of these options; the test fails where it is refused. */
Loaded compile_text(const char *text, CompileOptions options);
Loaded load_text(const char *text, CompileOptions options, BackendKind kind);
void unload(const Loaded *l);

#endif
