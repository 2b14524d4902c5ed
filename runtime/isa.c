/* isa.c: which of the precompiled tables this machine runs. */
#include "native.h"
#include "cpu.h"
#include "primitives.h"

#include <stdlib.h>
#include <string.h>

const void *nc_native_address(const struct nc_native_symbol *symbol)
{
    const void *address;
    memcpy(&address, &symbol->function, sizeof address);
    return address;
}

/* Best first; the last one always runs. */
static const struct nc_native *const tables[] = {
#if defined(__x86_64__)
    &nc_native_avx512, &nc_native_avx2, &nc_native_sse2
#else
    &nc_native_generic
#endif
};

/* The first supported table, of that name unless it is NULL. */
static const struct nc_native *find(const char *name)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if ((!name || strcmp(tables[i]->name, name) == 0) && nc_cpu_has(tables[i]->name))
            return tables[i];
    }
    return NULL;
}

const struct nc_native *nc_native_find(const char *name)
{
    return name ? find(name) : NULL;
}

int nc_isa_valid(const char *name)
{
    return nc_native_find(name) != NULL;
}

const struct nc_native *nc_native_select(void)
{
    const struct nc_native *chosen = nc_native_find(getenv("NETCC_ISA"));
    return chosen ? chosen : find(NULL);
}

#define ARGUMENTS_1 "const nc_real *a"
#define ARGUMENTS_2 ARGUMENTS_1 ", const nc_real *b"
#define ARGUMENTS_3 ARGUMENTS_2 ", const nc_real *c"
#define PROTOTYPE(name, arity) "void nc_v_" #name "(nc_real *d, " ARGUMENTS_##arity ", long n);\n"

#define PAIR_TYPE "typedef void nc_pair(nc_real *d, " ARGUMENTS_3 ", long n);\n"
#define PAIR(first, second) "nc_pair nc_v_" #first "_" #second ";\n"

const char *nc_native_prototypes(void)
{
    return NC_PRIMITIVES(PROTOTYPE) PAIR_TYPE NC_PAIRS(PAIR);
}

int nc_native_has(const char *name)
{
    const struct nc_native *table = nc_native_select();
    for (int i = 0; i < table->count; i++) {
        if (strcmp(table->symbols[i].name, name) == 0)
            return 1;
    }
    return 0;
}
