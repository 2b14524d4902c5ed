/* simplify: what merges, what stays apart, which identities vanish; and that a second run changes
 * nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "autodiff.h"
#include "random_graph.h"

static Case *c;
static Graph *graph;

static int setup(void **state)
{
    (void)state;
    c = case_new();
    graph = c->graph;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    case_free(c);
    return 0;
}

static Node *input(int64_t columns)
{
    return case_operand(c, shape_of(2, (int64_t[]){BATCH, columns}), -1, 1, 1);
}

static char *text_of(const Graph *g)
{
    Str out = str_new(c->arena);
    graph_print(&out, g);
    return out.text;
}

static int count_ops(const Graph *g, OpKind op)
{
    int count = 0;
    for (int i = 0; i < g->count; i++)
        count += g->nodes[i]->op == op;
    return count;
}

/* The graph after simplify, with `y` as its output; it must be valid and stay as it is. */
static Graph *simplified(Node *y)
{
    graph_output(graph, "y", y, (Loc){0});
    Graph *once = simplify(graph);
    graph_verify(once, "simplify");
    assert_string_equal(text_of(once), text_of(simplify(once)));
    assert_int_equal(once->outputs_count, graph->outputs_count);
    return once;
}

/* The ops that are left behind the input, as text. */
static void assert_simplifies(Node *y, const char *expected)
{
    Graph *g = simplified(y);
    Str out = str_new(c->arena);
    for (int i = 0; i < g->count; i++) {
        if (g->nodes[i]->op != OP_input)
            str_printf(&out, "%s ", op_of(g->nodes[i])->name);
    }
    str_printf(&out, "-> %%%d %s", g->outputs[0].node->id,
               shape_text(c->arena, g->outputs[0].node->shape));
    assert_string_equal(out.text, expected);
}

/* ---- merging --------------------------------------------------------------------------------- */

static void equal_nodes_merge(void **state)
{
    (void)state;
    Node *x = input(4);
    Node *a = node1(graph, OP_exp, node1(graph, OP_tanh, x));
    Node *b = node1(graph, OP_exp, node1(graph, OP_tanh, x));
    assert_simplifies(node2(graph, OP_add, a, b), "tanh exp add -> %3 [n, 4]");
}

static void other_nodes_do_not_merge(void **state)
{
    (void)state;
    Node *x = input(4);
    Node *a = node2(graph, OP_sub, node1(graph, OP_exp, x), x);
    Node *b = node2(graph, OP_sub, x, node1(graph, OP_exp, x));
    Node *first = reduce(graph, OP_reduce_sum, a, 1), *second = reduce(graph, OP_reduce_sum, b, 2);
    assert_simplifies(node2(graph, OP_add, first, second),
                      "exp sub sub reduce_sum reduce_sum add -> %6 [n, 4]");
}

static void constants_merge_by_value_and_shape(void **state)
{
    (void)state;
    Node *x = input(4);
    Node *a = node2(graph, OP_mul, x, constant(graph, 3));
    Node *b = node2(graph, OP_max, a, constant(graph, 3));
    Node *d = node2(graph, OP_min, b, constant_of(graph, 3, shape_of(1, (int64_t[]){4})));
    Graph *g = simplified(d);
    assert_int_equal(count_ops(g, OP_const), 2);
}

static void zeros_of_both_signs_stay_apart(void **state)
{
    (void)state;
    Node *x = input(4);
    Node *a = node2(graph, OP_div, x, constant(graph, 0.0));
    Node *b = node2(graph, OP_div, x, constant(graph, -0.0));
    Graph *g = simplified(node2(graph, OP_max, a, b));
    assert_int_equal(count_ops(g, OP_div), 2);
}

static Node *uniform(int stream)
{
    AttrValue values[2] = {{.i = stream}, {.count = 2, .list = (int64_t[]){BATCH, 4}}};
    AttrValue *kept = ARENA_ARRAY(c->arena, AttrValue, 2);
    memcpy(kept, values, sizeof values);
    kept[1].list = ARENA_ARRAY(c->arena, int64_t, 2);
    kept[1].list[0] = BATCH, kept[1].list[1] = 4;
    return node_new(graph, OP_uniform, 0, NULL, kept);
}

static void random_nodes_stay_apart(void **state)
{
    (void)state;
    Graph *g = simplified(node2(graph, OP_sub, uniform(1), uniform(1)));
    assert_int_equal(count_ops(g, OP_uniform), 2);
}

static void params_merge_updates_stay(void **state)
{
    (void)state;
    Node *w = case_operand(c, shape_of(1, (int64_t[]){4}), -1, 1, 1);
    const Param *param = node_param(w);
    Node *again = read_param(graph, param);
    Node *next = node2(graph, OP_sub, again, node2(graph, OP_mul, w, w));
    update_param(graph, param, next);
    Graph *g = simplified(w);
    assert_int_equal(count_ops(g, OP_param), 1);
    assert_int_equal(g->updates_count, 1);
    assert_ptr_equal(g->updates[0]->in[0]->in[0], g->outputs[0].node);
}

static void merged_nodes_keep_the_first_name(void **state)
{
    (void)state;
    Node *x = input(4);
    graph->layer = "first";
    Node *a = node1(graph, OP_exp, x);
    graph->layer = "second";
    Node *b = node1(graph, OP_exp, x);
    Graph *g = simplified(node2(graph, OP_add, a, b));
    assert_string_equal(g->nodes[1]->name, "first");
    assert_string_equal(g->nodes[2]->name, "second");
}

/* ---- identities ------------------------------------------------------------------------------ */

static void identities_of_sums(void **state)
{
    (void)state;
    Node *x = input(4), *zero = constant(graph, 0);
    Node *y = node2(graph, OP_sub, node2(graph, OP_add, zero, node2(graph, OP_add, x, zero)), zero);
    assert_simplifies(y, "-> %0 [n, 4]");
}

static void identities_of_products(void **state)
{
    (void)state;
    Node *x = input(4), *one = constant(graph, 1);
    Node *y = node2(graph, OP_div, node2(graph, OP_mul, one, node2(graph, OP_mul, x, one)), one);
    assert_simplifies(y, "-> %0 [n, 4]");
}

static void zero_times_anything(void **state)
{
    (void)state;
    Node *x = input(4);
    assert_simplifies(node2(graph, OP_mul, node1(graph, OP_exp, x), constant(graph, 0)),
                      "const -> %1 [n, 4]");
}

static void double_negation(void **state)
{
    (void)state;
    Node *x = input(4);
    assert_simplifies(node1(graph, OP_neg, node1(graph, OP_neg, node1(graph, OP_neg, x))),
                      "neg -> %1 [n, 4]");
}

static void switched_off_terms(void **state)
{
    (void)state;
    Node *x = input(4), *infinite = constant(graph, INFINITY);
    Node *below = node2(graph, OP_lt, x, infinite);
    Node *y = node3(graph, OP_where, below, node2(graph, OP_min, x, infinite), uniform(3));
    assert_simplifies(y, "-> %0 [n, 4]");
}

static void reshapes_join(void **state)
{
    (void)state;
    Node *x = input(12);
    Node *a = reshape(graph, x, shape_of(3, (int64_t[]){BATCH, 3, 4}));
    Node *b = reshape(graph, a, shape_of(3, (int64_t[]){BATCH, 4, 3}));
    graph_output(graph, "joined", b, (Loc){0});
    Node *back = reshape(graph, b, x->shape);
    Graph *g = simplified(back);
    assert_int_equal(count_ops(g, OP_reshape), 1);
    assert_int_equal(g->outputs[1].node->op, OP_input);
}

static void identities_keep_shapes(void **state)
{
    (void)state;
    Node *row = case_operand(c, shape_of(1, (int64_t[]){4}), -1, 1, 1);
    Node *zeros = constant_of(graph, 0, shape_of(2, (int64_t[]){3, 4}));
    Graph *g = simplified(node2(graph, OP_add, row, zeros));
    assert_int_equal(g->outputs[0].node->op, OP_add);
    assert_int_equal(g->outputs[0].node->shape.rank, 2);
}

/* ---- dead code ------------------------------------------------------------------------------- */

static void dead_code_goes_inputs_stay(void **state)
{
    (void)state;
    Node *x = input(4), *unused = input(5);
    node1(graph, OP_exp, node1(graph, OP_tanh, unused));
    uniform(1);
    assert_simplifies(node1(graph, OP_sin, x), "sin -> %2 [n, 4]");
}

static void everything_is_needed(const Graph *g)
{
    bool *used = ARENA_ARRAY(c->arena, bool, g->count + 1);
    for (int i = 0; i < g->outputs_count; i++)
        used[g->outputs[i].node->id] = true;
    for (int i = g->count - 1; i >= 0; i--) {
        const Node *node = g->nodes[i];
        assert_true(used[i] || node->op == OP_input || node->op == OP_update);
        for (int k = 0; k < node->inputs; k++)
            used[node->in[k]->id] = true;
    }
}

static void random_graphs_with_gradients(void **state)
{
    for (unsigned seed = 1; seed <= 100; seed++) {
        teardown(state), setup(state);
        Node *loss = reduce(graph, OP_reduce_sum, random_graph(c, seed * 7919), 1);
        Node *one = constant(graph, 1), *result[MAX_OPERANDS];
        loss = reshape(graph, loss, scalar_shape());
        backward(graph, &loss, &one, 1, c->operand, c->operands, result);
        for (int i = 0; i < c->operands; i++) {
            if (result[i])
                graph_output(graph, "gradient", result[i], (Loc){0});
        }
        graph = expand(graph);
        graph_output(graph, "first", graph->outputs[0].node, (Loc){0});
        everything_is_needed(simplified(graph->outputs[0].node));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(equal_nodes_merge),
        TEST(other_nodes_do_not_merge),
        TEST(constants_merge_by_value_and_shape),
        TEST(zeros_of_both_signs_stay_apart),
        TEST(random_nodes_stay_apart),
        TEST(params_merge_updates_stay),
        TEST(merged_nodes_keep_the_first_name),
        TEST(identities_of_sums),
        TEST(identities_of_products),
        TEST(zero_times_anything),
        TEST(double_negation),
        TEST(switched_off_terms),
        TEST(reshapes_join),
        TEST(identities_keep_shapes),
        TEST(dead_code_goes_inputs_stay),
        TEST(random_graphs_with_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
