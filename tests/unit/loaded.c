#include "loaded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

Loaded compile_text(const char *text, CompileOptions options)
{
    Loaded l = {.arena = arena_new()};
    options.spec_path = "a.yaml";
    options.spec_text = text;
    l.diag = diag_new(l.arena);
    Model *model = read_model(l.arena, l.diag, &options);
    if (!model)
        fail_msg("%s", l.diag->text.text);
    l.program = compile_model(model, &options);
    l.model = describe(l.arena, l.program, sizeof(float));
    return l;
}

Loaded load_text(const char *text, CompileOptions options, BackendKind kind)
{
    Loaded l = compile_text(text, options);
    const LoadRequest request = {l.arena, l.diag, l.program, l.model, emit_unit};
    l.backend = backend_open(&request, kind);
    if (!l.backend)
        fail_msg("%s", l.diag->text.text);
    return l;
}

void unload(const Loaded *l)
{
    if (l->backend)
        backend_close(l->backend);
    arena_free(l->arena);
}
