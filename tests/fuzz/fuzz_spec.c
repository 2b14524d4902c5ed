/* A whole spec: parse, build, all passes, and both lowerings of the emitter. Anything a user writes
 * must end in a message or in a program, never in bug(). */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compile.h"
#include "passes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compile_all(Arena *arena, Model *model)
{
    CompileOptions options = {.batch = 0};
    const Program *program = compile_model(model, &options);
    emit_unit(arena, program, EMIT_JIT_TCC);
    emit_unit(arena, program, EMIT_JIT_CC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Source source = {.name = "fuzz.yaml", .text = arena_strndup(arena, (const char *)data, size)};
    source.length = strlen(source.text);
    Model model = {.arena = arena, .diag = diag, .spec_path = "fuzz.yaml"};
    model.spec = yaml_parse(arena, diag, &source);
    if (model.spec && build(&model) && !diag->errors)
        compile_all(arena, &model);
    else if (!diag->errors)
        __builtin_trap();
    arena_free(arena);
    return 0;
}
