/* One Program, the same bits: what tcc runs over the native vocabulary equals what the system's
 * compiler makes of the same kernels, for random graphs of ops with their gradients. Only where the
 * machine has FMA. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "autodiff.h"
#include "harness.h"
#include "native.h"
#include "random_graph.h"

static void gradients_of_random_graphs(void **state)
{
    (void)state;
    for (unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : 1; seed <= 25; seed++) {
        Case *c = case_new();
        double error = case_check_gradient(c, random_graph(c, seed * 7919), "random graph");
        if (!(error < 2e-5))
            fail_msg("random graph %u: relative error %g", seed, error);
        case_free(c);
    }
}

static void outputs_of(unsigned seed, RunKind kind, double *out, int *count)
{
    Case *c = case_new();
    Node *y = random_graph(c, seed), *one = constant(c->graph, 1), *result[MAX_OPERANDS];
    Node *loss = reshape(c->graph, reduce(c->graph, OP_reduce_sum, y, 3), scalar_shape());
    backward(c->graph, &loss, &one, 1, c->operand, c->operands, result);
    graph_output(c->graph, "loss", loss, (Loc){0});
    double *outputs[MAX_OPERANDS + 1];
    int outputs_count = 1;
    outputs[0] = out;
    *count = 1;
    for (int i = 0; i < c->operands; i++) {
        if (!result[i])
            continue;
        graph_output(c->graph, "gradient", result[i], (Loc){0});
        outputs[outputs_count++] = out + *count;
        *count += (int)c->elements[i];
    }
    Runner runner = case_compile(c, kind);
    case_run(c, &runner, outputs);
    case_close(&runner);
    case_free(c);
}

static void tcc_and_cc_give_the_same_bits(void **state)
{
    (void)state;
    static double a[100000], b[100000];
    if (!strcmp(nc_native_select()->name, "sse2") || !strcmp(nc_native_select()->name, "generic")) {
        printf("SKIP: this machine has no FMA\n");
        skip();
    }
    for (unsigned seed = 1; seed <= 4; seed++) {
        int count_a, count_b;
        outputs_of(seed * 104729, RUN_TCC, a, &count_a);
        outputs_of(seed * 104729, RUN_CC, b, &count_b);
        assert_int_equal(count_a, count_b);
        for (int i = 0; i < count_a; i++) {
            if (memcmp(&a[i], &b[i], sizeof a[i]))
                fail_msg("graph %u: value %d: %.9g by tcc, %.9g by cc", seed, i, a[i], b[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_of_random_graphs),
                                       cmocka_unit_test(tcc_and_cc_give_the_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
