#include "native_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

const struct nc_native *tables[3];
int tables_count;
static unsigned seed = 1;

int find_tables(void **unused)
{
    static const char *const names[] = {"sse2", "avx2", "avx512"};
    (void)unused;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct nc_native *table = nc_native_find(names[i]);
        if (table)
            tables[tables_count++] = table;
    }
    if (!tables_count)
        tables[tables_count++] = nc_native_select();
    return 0;
}

void (*find_native(int table, const char *name))(void)
{
    for (int i = 0; i < tables[table]->count; i++) {
        if (!strcmp(tables[table]->symbols[i].name, name))
            return tables[table]->symbols[i].function;
    }
    fail_msg("no native %s", name);
    return NULL;
}

int same_bits_as_before(int table)
{
    return table > 0 && strcmp(tables[table]->name, "sse2") != 0 &&
           strcmp(tables[table - 1]->name, "sse2") != 0;
}

long below(long most)
{
    seed = seed * 1664525u + 1013904223u;
    return (long)(seed >> 8) % most;
}

void fill(float *to, long count, int coarse)
{
    for (long i = 0; i < count; i++)
        to[i] = coarse ? (float)below(5) : (float)below(2001) / 1000 - 1;
}
