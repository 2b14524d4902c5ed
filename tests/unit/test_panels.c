/* Weight gradients from copies in panels: they are used where layers are large, and a training step gives
 * the same bits as without them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "init.h"
#include "loaded.h"

enum { STEPS = 3 };

/* The first two layers are large enough; columns that do not fill a panel, and rows that do not. */
static const char network[] = "name: panels\n"
                              "input: [7, 29]\n"
                              "layers:\n"
                              "  - flatten\n"
                              "  - dense: {units: 139, activation: relu, name: one}\n"
                              "  - dense: {units: 100, activation: relu, name: two}\n"
                              "  - dense: {units: 10, activation: softmax, name: three}\n"
                              "train:\n"
                              "  loss: sparse_categorical_crossentropy\n"
                              "  optimizer: adam\n"
                              "  batch_size: 21\n";

static Loaded load(const char *numerics, BackendKind kind)
{
    const char *const sets[] = {numerics};
    return load_text(network, (CompileOptions){.sets = sets, .sets_count = 1, .uses = NC_TRAINS},
                     kind);
}

static int products_of_panels(const Loaded *l)
{
    int count = 0;
    const Entry *entry = l->program->train;
    for (int i = 0; i < entry->kernels_count; i++) {
        const Kernel *kernel = entry->kernels[i];
        count += kernel->nodes_count && kernel->nodes[0]->op == OP_panels_product;
    }
    return count;
}

/* The weights after some steps, the last one of a part of a batch */
static char *train(const Loaded *l)
{
    struct nc_session s;
    struct nc_error err;
    const struct nc_model *m = l->model;
    if (nc_session_open(&s, l->model, NC_TRAINS, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(nc_init_parameters(m, s.weights, s.state, 7, NULL, &err), 0);
    nc_bench_fill(&s);
    for (int i = 0; i <= m->metrics_count; i++)
        s.outputs[i] = (float *)s.values + i;
    for (int step = 0; step < STEPS; step++) {
        const struct nc_hyper hyper = {.learning_rate = 0.01f, .iteration = (float)step + 1};
        const struct nc_call call =
            nc_session_call(&s, &m->train, &hyper, step + 1 < STEPS ? m->batch : 4);
        m->train.run(&call);
    }
    char *weights = malloc(m->weights_bytes);
    assert_non_null(weights);
    memcpy(weights, s.weights, m->weights_bytes);
    nc_session_close(&s);
    return weights;
}

static void keeps_bits(void **unused)
{
    static const BackendKind kinds[] = {BACKEND_TCC, BACKEND_CC};
    (void)unused;
    const Loaded strict = load("numerics=strict", BACKEND_TCC);
    char *wanted = train(&strict);
    assert_int_equal(products_of_panels(&strict), 0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const Loaded fast = load("numerics=fast", kinds[i]);
        assert_int_equal(products_of_panels(&fast), 2);
        char *found = train(&fast);
        assert_memory_equal(found, wanted, strict.model->weights_bytes);
        free(found);
        unload(&fast);
    }
    free(wanted);
    unload(&strict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
