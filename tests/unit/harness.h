/* Runs a hand-made graph: a one-graph model whose inputs and parameters are filled with numbers,
 * compiled as a program and executed, in double or float, by tcc or cc. */
#ifndef NETCC_TEST_HARNESS_H
#define NETCC_TEST_HARNESS_H

#include "compile.h"
#include "driver/driver.h"
#include "ops/op.h"
#include "passes.h"

enum { ROWS = 3, MAX_OPERANDS = 8 };

/* Tensors that a graph starts from: those with a batch axis are inputs, the others parameters. */
typedef struct {
    Arena *arena;
    Diag *diag;
    Model *model;
    Graph *graph;
    Node *operand[MAX_OPERANDS];
    double *value[MAX_OPERANDS]; /* row-major, ROWS rows */
    int64_t elements[MAX_OPERANDS];
    int operands;
} Case;

Case *case_new(void);
void case_free(Case *c);
Node *case_operand(Case *c, Shape shape, double low, double high, unsigned seed);
double case_random(unsigned *state); /* in [0, 1) */

/* Runs the model's grad graph; out[i] gets output i (as double), row-major. */
typedef enum { RUN_DOUBLE, RUN_TCC, RUN_CC } RunKind;
typedef struct {
    Backend *backend;
    struct nc_model *model;
    const Program *program;
} Runner;
Runner case_compile(Case *c, RunKind kind);
void case_run(const Case *c, const Runner *runner, double **out);
void case_close(Runner *runner);

/* Adds loss = sum(y * weights) with an operand of weights, and the gradients of all operands, as
 * outputs; compiles, and compares with central differences. Returns the largest relative error. */
double case_check_gradient(Case *c, Node *y, const char *label);

#endif
