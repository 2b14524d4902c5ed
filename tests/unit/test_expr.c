/* Expressions: what they build, checked by their folded value or their printed graph, and the
 * messages for what is wrong with them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expr.h"
#include "ops/op.h"

static Arena *arena;
static Graph *graph;
static Scope scope;
static Diag *diag;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    graph = graph_new(arena);
    diag = diag_new(arena);
    scope = (Scope){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static Node *built(const char *text)
{
    Node *node = expr_build(graph, NULL, (Loc){0}, text, &scope);
    assert_non_null(node);
    return node;
}

static void assert_value(const char *text, double expected)
{
    double value;
    if (!is_constant(built(text), &value))
        fail_msg("%s is not constant", text);
    if (!(fabs(value - expected) < 1e-12))
        fail_msg("%s is %.17g, not %.17g", text, value, expected);
}

static void precedence(void **state)
{
    (void)state;
    assert_value("1 + 2 * 3", 7);
    assert_value("2 * 3 + 1", 7);
    assert_value("(1 + 2) * 3", 9);
    assert_value("8 - 3 - 2", 3);
    assert_value("8 / 4 / 2", 1);
    assert_value("8 / 4 * 2", 4);
    assert_value("2 - -3", 5);
    assert_value("--2", 2);
    assert_value("---2 * 2", -4);
    assert_value("-2 * -3 + 1", 7);
    assert_value("1 + 2 < 2 * 2", 1);
    assert_value("1 + 2 <= 2 + 0.5", 0);
    assert_value("3 > 2 + 2", 0);
    assert_value("4 >= 2 + 2", 1);
    assert_value("2 * 2 == 4", 1);
    assert_value("(1 < 2) + (2 < 1)", 1);
}

static void numbers_and_space(void **state)
{
    (void)state;
    assert_value("1e-3", 1e-3);
    assert_value(".5", 0.5);
    assert_value("2.5e2", 250);
    assert_value("  1\n +\t2 ", 3);
    assert_value("1+2", 3);
}

static void functions(void **state)
{
    (void)state;
    assert_value("exp(0)", 1);
    assert_value("max(2, 3) - min(2, 3)", 1);
    assert_value("where(1 < 2, 10, 20)", 10);
    assert_value("fma(2, 3, 4)", 10);
    assert_value("pow(2, 3 + 2)", 32);
    assert_value("max(max(1, 5), (2))", 5);
    assert_value("-exp(0) * 2", -2);
}

static void assignments(void **state)
{
    (void)state;
    assert_value("a = 2; b = a * 3; a + b", 8);
    assert_value("m = 1; m' = m + 1; m'' = m' * 10; m + m' + m''", 23);
    assert_value("a = 2; a = a + 1; a * a", 9);
    assert_value("a = 1 < 2; a + 1", 2);
    assert_value("z = 4; z == 4", 1);
    assert_value("z == 4", 1);
    assert_value("last = 5;", 5);
    assert_non_null(scope_get(&scope, "m''"));
    assert_null(scope_get(&scope, "m'''"));
    assert_null(scope_get(&scope, "mm"));
}

static void parameters(void **state)
{
    (void)state;
    scope_set(arena, &scope, "$filters", constant(graph, 64));
    scope_set(arena, &scope, "$_2", constant(graph, 0.5));
    assert_value("4 * $filters", 256);
    assert_value("$filters*$_2 + 1", 33);
    assert_value("-$filters == -64", 1);
}

/* The graph of an expression over x [n, 3], as text. */
static void assert_graph(const char *text, const char *expected)
{
    Graph *aside = graph_new(arena);
    Scope names = {0};
    AttrValue values[3] = {{.s = "input"}, {.i = 0}, {.count = 2, .list = (int64_t[]){BATCH, 3}}};
    scope_set(arena, &names, "x", node_new(aside, OP_input, 0, NULL, values));
    assert_non_null(expr_build(aside, NULL, (Loc){0}, text, &names));
    Str out = str_new(arena);
    graph_print(&out, aside);
    const char *rest = strchr(out.text, '\n') + 1;
    assert_string_equal(rest, expected);
}

static void graphs(void **state)
{
    (void)state;
    assert_graph("exp(x) * x", "%1 = exp %0 : [n, 3]\n%2 = mul %1 %0 : [n, 3]\n");
    assert_graph("x > 1 + 1", "%1 = const value=1 shape=[] : []\n"
                              "%2 = const value=1 shape=[] : []\n"
                              "%3 = const value=2 shape=[] : []\n"
                              "%4 = lt %3 %0 : [n, 3]\n");
    assert_graph("reduce_sum(x)", "%1 = reduce_sum %0 axes=[1] : [n, 1]\n");
    assert_graph("sigmoid(x)", "%1 = sigmoid %0 : [n, 3]\n");
    assert_graph("index(x) == x", "%1 = iota size=3 : [3]\n%2 = eq %1 %0 : [n, 3]\n");
}

static void attributes_are_names(void **state)
{
    (void)state;
    static const AttrDef defs[] = {{"alpha", ATTR_NUMBER, "1", "", 0, 0, NULL},
                                   {"size", ATTR_INT, "1", "", 0, 0, NULL},
                                   {"on", ATTR_BOOL, "1", "", 0, 0, NULL},
                                   {.type = ATTR_END}};
    AttrValue values[] = {{.f = 0.5}, {.i = 7}, {.i = 1}};
    scope_attrs(graph, &scope, defs, values);
    assert_value("alpha * size + on", 4.5);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static const char spec[] = "layers:\n  - activation: x\n";

static void assert_error(const char *text, const char *message)
{
    Source source = {.name = "a.yaml", .text = spec, .length = strlen(spec)};
    Diag *errors = diag_new(arena);
    Scope names = {0};
    int64_t three[] = {3}, four[] = {4};
    scope_set(arena, &names, "x", constant_of(graph, 1, shape_of(1, three)));
    scope_set(arena, &names, "y", constant_of(graph, 1, shape_of(1, four)));
    scope_set(arena, &names, "s", constant(graph, 1));
    Node *node = expr_build(graph, errors, (Loc){&source, 2, 17}, text, &names);
    assert_null(node);
    assert_int_equal(errors->errors, 1);
    char *expected = arena_printf(arena,
                                  "a.yaml:2:17: error: in the expression '%s': %s\n"
                                  "  - activation: x\n"
                                  "                ^\n",
                                  text, message);
    assert_string_equal(errors->text.text, expected);
}

static void faults_of_names(void **state)
{
    (void)state;
    assert_error("1 + b", "unknown name 'b'");
    assert_error("x'", "unknown name 'x''");
    assert_error("a = 1; a'", "unknown name 'a''");
    assert_error("2 * $", "unexpected '$'");
    assert_error("$2", "unexpected '$'");
    assert_error("$none", "unknown name '$none'");
    assert_error("reduce_sum(2)", "reduce_sum of a scalar");
    assert_error("expo(x)", "unknown function 'expo'");
    assert_error("matmul(x, x)", "unknown function 'matmul'");
    assert_error("param(x)", "unknown function 'param'");
}

static void faults_of_arguments(void **state)
{
    (void)state;
    assert_error("exp(x, x)", "wrong number of arguments to 'exp'");
    assert_error("max(x)", "wrong number of arguments to 'max'");
    assert_error("fma(1, 2, 3, 4)", "too many arguments to 'fma'");
    assert_error("max(x, y)", "arguments of 'max' do not broadcast");
    assert_error("x + y", "operands of 'add' do not broadcast");
    assert_error("index(s)", "index of a scalar");
}

static void faults_of_syntax(void **state)
{
    (void)state;
    assert_error("", "unexpected 'end'");
    assert_error("1 +", "unexpected 'end'");
    assert_error("(1 + 2", "expected ')'");
    assert_error("exp(1", "expected ')' after the arguments of 'exp'");
    assert_error("exp()", "unexpected ')'");
    assert_error("1 2", "unexpected '2'");
    assert_error("1 < 2 < 3", "unexpected '< 3'");
    assert_error("a = ; 1", "unexpected ';'");
    assert_error("* 2", "unexpected '*'");
    assert_error("2 $", "unexpected '$'");
    assert_error("; 1", "unexpected ';'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precedence),
        cmocka_unit_test(numbers_and_space),
        cmocka_unit_test(functions),
        cmocka_unit_test(assignments),
        cmocka_unit_test(parameters),
        cmocka_unit_test(graphs),
        cmocka_unit_test(attributes_are_names),
        cmocka_unit_test(faults_of_names),
        cmocka_unit_test(faults_of_arguments),
        cmocka_unit_test(faults_of_syntax),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
