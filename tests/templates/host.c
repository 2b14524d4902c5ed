/* Compiles a check with libtcc over the native vocabulary, as the in-memory driver does, and runs
 * its main(): `host FILE INCLUDE...`. Any message of tcc is a failure. Without arguments it prints the
 * prototypes of the natives that vocab.h does not declare. */
#include <libtcc.h>
#include <stdio.h>

#include "native.h"

static int messages;

static void on_message(void *opaque, const char *text)
{
    (void)opaque;
    fprintf(stderr, "%s\n", text);
    messages++;
}

static void add_natives(TCCState *tcc, const struct nc_native *native)
{
    char rows[16];
    snprintf(rows, sizeof rows, "%d", native->rows);
    tcc_define_symbol(tcc, "NC_ROWS", rows);
    for (int i = 0; i < native->count; i++)
        tcc_add_symbol(tcc, native->symbols[i].name, nc_native_address(&native->symbols[i]));
}

static int compile_and_run(int argc, char **argv)
{
    TCCState *tcc = tcc_new();
    tcc_set_error_func(tcc, NULL, on_message);
    tcc_set_options(tcc, "-Wall");
    tcc_set_output_type(tcc, TCC_OUTPUT_MEMORY);
    for (int i = 2; i < argc; i++)
        tcc_add_include_path(tcc, argv[i]);
    add_natives(tcc, nc_native_select());
    tcc_add_library(tcc, "m");
    if (tcc_add_file(tcc, argv[1]) != 0 || messages)
        return 2;
    int result = tcc_run(tcc, argc - 1, argv + 1);
    tcc_delete(tcc);
    return messages ? 2 : result;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return compile_and_run(argc, argv);
    puts(nc_native_prototypes());
    return 0;
}
