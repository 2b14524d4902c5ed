/* Models of specs given as text, for tests: each test has an arena of its own. */
#ifndef NETCC_TEST_BUILT_H
#define NETCC_TEST_BUILT_H

#include "model.h"

extern Arena *arena;
extern const char built_mnist[]; /* a spec: flatten, dense, dropout, dense */
int built_setup(void **state);
int built_teardown(void **state);
/* All graphs, lowered to primitives; the test fails where the spec is refused. */
Model *build_text(const char *text);
/* x is y within tolerance * (1 + |y|). */
void assert_close(double x, double y, double tolerance, const char *what);

#endif
