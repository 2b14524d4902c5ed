/* ONNX: a file read by the plugin's code, imported, and built. Anything must end in a message or in
 * a model. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "import/import.h"
#include "onnx_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const Importer import_onnx;

static char path[64];

static void drop(void)
{
    remove(path);
}

static void write_input(const uint8_t *data, size_t size)
{
    if (!*path) {
        snprintf(path, sizeof path, "/tmp/fuzz_onnx_%ld.onnx", (long)getpid());
        atexit(drop);
    }
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size)
        abort();
    fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    write_input(data, size);
    Arena *arena = arena_new();
    Import import = {.arena = arena, .diag = diag_new(arena), .path = path};
    bool good = import_onnx.read(&import) && import_check(&import);
    if (!good && !import.diag->errors)
        __builtin_trap();
    if (import.release)
        import.release(import.held);
    arena_free(arena);
    return 0;
}
