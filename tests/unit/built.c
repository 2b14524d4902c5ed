#include "built.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "passes.h"

Arena *arena;

const char built_mnist[] = "name: mnist\n"
                           "input: [4, 4, 1]\n"
                           "layers:\n"
                           "  - flatten\n"
                           "  - dense: {units: 6, activation: relu}\n"
                           "  - dropout: 0.2\n"
                           "  - dense: {units: 3, activation: softmax, name: digit}\n"
                           "train: {loss: sparse_categorical_crossentropy, metrics: [accuracy]}\n"
                           "data: {scale: 1/255}\n";

int built_setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

int built_teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static Graph *lowered(Graph *graph)
{
    if (!graph)
        return NULL;
    graph_verify(graph, "build");
    Graph *expanded = expand(graph);
    graph_verify(expanded, "expand");
    Graph *simple = simplify(expanded);
    graph_verify(simple, "simplify");
    return simple;
}

Model *build_text(const char *text)
{
    Diag *diag = diag_new(arena);
    Source *source = ARENA_NEW(arena, Source);
    *source = (Source){.name = "a.yaml", .text = text, .length = strlen(text)};
    Model *model = ARENA_NEW(arena, Model);
    *model = (Model){.arena = arena, .diag = diag, .spec_path = "a.yaml"};
    model->spec = yaml_parse(arena, diag, source);
    if (!model->spec || !build(model))
        fail_msg("%s", diag->text.text);
    assert_int_equal(diag->errors, 0);
    if (model->train) {
        differentiate(model, model->train);
        differentiate(model, model->grad);
    }
    model->predict = lowered(model->predict);
    model->train = lowered(model->train);
    model->eval = lowered(model->eval);
    model->grad = lowered(model->grad);
    return model;
}

void assert_close(double x, double y, double tolerance, const char *what)
{
    if (!(fabs(x - y) <= tolerance * (1 + fabs(y))))
        fail_msg("%s: %.12g, expected %.12g", what, x, y);
}
