/* Every native table this machine can run, and random numbers for their functions. */
#ifndef NETCC_TEST_NATIVE_TABLES_H
#define NETCC_TEST_NATIVE_TABLES_H

#include "native.h"

extern const struct nc_native *tables[3];
extern int tables_count;

/* For cmocka's group setup */
int find_tables(void **unused);
void (*find_native(int table, const char *name))(void);
/* Has the table, like the one before it, fused multiply-adds, so that both give the same bits? */
int same_bits_as_before(int table);

long below(long most);                        /* random in [0, most) */
void fill(float *to, long count, int coarse); /* random in [-1, 1], or small whole numbers */

#endif
