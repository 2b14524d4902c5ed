/* Keras: an architecture in JSON, with the weights of a small network beside it where the first byte
 * is a brace; else an HDF5 file or an archive, which libhdf5 reads in a process of its own. Anything
 * must end in a message or in a model. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "import/import.h"
#include "safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const Importer import_keras;

static char path[64], weights[64];

static void drop(void)
{
    remove(path);
    remove(weights);
}

/* Some weights, which few architectures want: finding that out is part of it. */
static void begin(void)
{
    static const float values[12] = {0};
    const struct nc_named tensors[] = {{"dense/kernel", 2, {4, 3}, values},
                                       {"dense/bias", 1, {3}, values}};
    struct nc_error err;
    snprintf(path, sizeof path, "/tmp/fuzz_keras_%ld", (long)getpid());
    snprintf(weights, sizeof weights, "/tmp/fuzz_keras_%ld.safetensors", (long)getpid());
    atexit(drop);
    if (nc_safetensors_write(weights, tensors, 2, NULL, 0, &err) != 0)
        abort();
}

static void write_input(const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size)
        abort();
    fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (!*path)
        begin();
    write_input(data, size);
    Arena *arena = arena_new();
    Import import = {.arena = arena,
                     .diag = diag_new(arena),
                     .path = path,
                     .weights = *data == '{' ? weights : NULL};
    bool good = import_keras.read(&import) && import_check(&import);
    if (!good && !import.diag->errors)
        __builtin_trap();
    nc_weight_file_close(&import.file);
    arena_free(arena);
    return 0;
}
