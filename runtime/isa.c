/* isa.c: which of the precompiled tables this machine runs. */
#include "native.h"
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
#if defined(__x86_64__)
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd");
}

static const struct {
    const struct nc_native *table;
    int (*supported)(void); /* NULL: always */
} tables[] = {
    {&nc_native_avx512, has_avx512}, {&nc_native_avx2, has_avx2}, {&nc_native_sse2, NULL}};
#else
static const struct {
    const struct nc_native *table;
    int (*supported)(void);
} tables[] = {{&nc_native_generic, NULL}};
#endif

/* The first supported table, of that name unless it is NULL. */
static const struct nc_native *find(const char *name)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        int named = !name || strcmp(tables[i].table->name, name) == 0;
        if (named && (!tables[i].supported || tables[i].supported()))
            return tables[i].table;
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

const char *nc_native_prototypes(void)
{
    return NC_PRIMITIVES(PROTOTYPE);
}
