/* `--set path=value` on every form a spec can have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spec/yaml.h"

static const char spec[] = "layers:\n"
                           "  - flatten\n"
                           "  - dense: {units: 128, activation: relu}\n"
                           "  - dropout: 0.2\n"
                           "train:\n"
                           "  optimizer: adam\n"
                           "  metrics: [accuracy]\n"
                           "  epochs: 5\n"
                           "data:\n"
                           "none: []\n";

static Arena *arena;
static Diag *diag;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    diag = diag_new(arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static Yaml *parse(const char *text)
{
    Source *source = ARENA_NEW(arena, Source);
    *source = (Source){.name = "a.yaml", .text = text, .length = strlen(text)};
    Yaml *root = yaml_parse(arena, diag, source);
    assert_non_null(root);
    return root;
}

static const char *print(const Yaml *root)
{
    Str out = str_new(arena);
    yaml_print(&out, root);
    return out.text;
}

static const Yaml *walk(const Yaml *root, const char *path)
{
    char *steps = arena_strdup(arena, path), *rest = NULL;
    for (char *step = strtok_r(steps, ".", &rest); step; step = strtok_r(NULL, ".", &rest)) {
        root = root->kind == YAML_LIST ? root->items[atoi(step)] : yaml_get(root, step);
        assert_non_null(root);
    }
    return root;
}

/* After the assignment, what stands at `path` prints as `expected`. */
static void assert_set(const char *assignment, const char *path, const char *expected)
{
    Yaml *root = parse(spec);
    if (!yaml_set(arena, diag, root, assignment))
        fail_msg("%s", diag->text.text);
    assert_int_equal(diag->errors, 0);
    assert_string_equal(print(walk(root, path)), expected);
}

static void assert_refused(const char *assignment, const char *message)
{
    diag = diag_new(arena);
    assert_false(yaml_set(arena, diag, parse(spec), assignment));
    assert_string_equal(diag->text.text,
                        arena_printf(arena, "--set %s: error: %s\n", assignment, message));
    assert_int_equal(diag->errors, 1);
}

static void test_replace(void **state)
{
    (void)state;
    assert_set("train.epochs=9", "train.epochs", "9\n");
    assert_set("layers.1.dense.units=64", "layers.1.dense", "units: 64\nactivation: relu\n");
    assert_set("layers.0=softmax", "layers.0", "softmax\n");
    assert_set("layers.1={dense: {units: 3}}", "layers.1.dense.units", "3\n");
    assert_set("train.metrics.0=mae", "train.metrics", "[mae]\n");
    assert_set("train.metrics=[a, b]", "train.metrics", "[a, b]\n");
    assert_set("layers.2.dropout=0.5", "layers.2", "dropout: 0.5\n");
    assert_set("train.name=a=b", "train.name", "\"a=b\"\n");
    assert_set("train.name='5'", "train.name", "\"5\"\n");
}

static void test_add(void **state)
{
    (void)state;
    assert_set("name=mnist", "name", "mnist\n");
    assert_set("train.batch_size=32", "train.batch_size", "32\n");
    assert_set("train.seed=1", "train.epochs", "5\n");
    assert_set("train.note=", "train", "optimizer: adam\nmetrics: [accuracy]\nepochs: 5\nnote:\n");
}

static void test_shorthand(void **state)
{
    (void)state;
    assert_set("train.optimizer.adam.learning_rate=0.1", "train.optimizer",
               "adam:\n  learning_rate: 0.1\n");
    assert_set("train.optimizer.adam={beta_1: 0.5}", "train.optimizer", "adam:\n  beta_1: 0.5\n");
    assert_set("layers.0.flatten.name=f", "layers.0", "flatten:\n  name: f\n");
    assert_set("data.scale=1/255", "data", "scale: 1/255\n");
}

static void test_new_nodes_point_into_the_option(void **state)
{
    (void)state;
    Yaml *root = parse(spec);
    assert_true(yaml_set(arena, diag, root, "train.epochs=many"));
    int64_t epochs;
    assert_false(yaml_int(diag, walk(root, "train.epochs"), "epochs", 1, 9, &epochs));
    assert_string_equal(diag->text.text, "--set train.epochs=many: error: epochs: expected an "
                                         "integer from 1 to 9, found 'many'\n");
    assert_true(yaml_set(arena, diag, root, "train.epoch=1"));
    const Yaml *train = walk(root, "train");
    assert_true(train->pairs[train->count - 1].loc.source->is_option);
    assert_string_equal(train->pairs[train->count - 1].loc.source->name, "--set train.epoch=1");
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused("train.epochs", "expected PATH=VALUE");
    assert_refused("=5", "expected PATH=VALUE");
    assert_refused("", "expected PATH=VALUE");
    assert_refused("train..epochs=1", "the path 'train..epochs' has an empty step");
    assert_refused(".train=1", "the path '.train' has an empty step");
    assert_refused("train.=1", "the path 'train.' has an empty step");
    assert_refused("tarin.epochs=1", "unknown key 'tarin'; did you mean 'train'?");
    assert_refused("layers.3=x", "layers: expected an index from 0 to 2, found '3'");
    assert_refused("layers.dense.units=1", "layers: expected an index from 0 to 2, found 'dense'");
    assert_refused("layers.-1=x", "layers: expected an index from 0 to 2, found '-1'");
    assert_refused("layers.99999999999=x",
                   "layers: expected an index from 0 to 2, found '99999999999'");
    assert_refused("none.0=x", "none: the list is empty");
    assert_refused("layers.2.dropout.rate=1", "layers.2.dropout is 0.2, there is no 'rate' in it");
    assert_refused("train.optimizer.sgd.learning_rate=1",
                   "train.optimizer is 'adam', there is no 'sgd' in it");
    assert_refused("train.epochs=[1", "did not find expected ',' or ']'\n"
                                      "--set train.epochs=[1: note: while parsing a flow sequence");
    assert_refused("train.epochs=# x", "the value is empty");
}

static void test_bad_bytes(void **state)
{
    (void)state;
    assert_false(yaml_set(arena, diag, parse(spec), "train.epochs=\xff"));
    assert_string_equal(diag->text.text,
                        "--set train.epochs=?: error: invalid leading UTF-8 octet\n");
    assert_false(yaml_set(arena, diag, parse(spec), "tr\xff=5"));
    assert_non_null(strstr(diag->text.text, "--set tr?=5: error: the path is not UTF-8 text\n"));
}

static void test_unknown_key_lists_keys(void **state)
{
    (void)state;
    assert_false(yaml_set(arena, diag, parse(spec), "zzzzzz.epochs=1"));
    assert_string_equal(diag->text.text, "--set zzzzzz.epochs=1: error: unknown key 'zzzzzz'\n"
                                         "note: expected one of: layers, train, data, none\n");
}

static void test_aliases_are_not_changed(void **state)
{
    (void)state;
    Yaml *root = parse("a: &x {b: {c: 1}, d: [1, 2, 3]}\ne: *x\nf: [*x]\n");
    assert_true(yaml_set(arena, diag, root, "e.b.c=2"));
    assert_true(yaml_set(arena, diag, root, "f.0.d.1=9"));
    assert_true(yaml_set(arena, diag, root, "f.0.g=0"));
    assert_true(yaml_set(arena, diag, root, "e.h=0"));
    assert_string_equal(print(root), "a:\n  b:\n    c: 1\n  d: [1, 2, 3]\n"
                                     "e:\n  b:\n    c: 2\n  d: [1, 2, 3]\n  h: 0\n"
                                     "f:\n  - b:\n      c: 1\n    d: [1, 9, 3]\n    g: 0\n");
}

static void test_many_sets(void **state)
{
    (void)state;
    Yaml *root = parse(spec);
    for (int i = 0; i < 100; i++)
        assert_true(yaml_set(arena, diag, root, arena_printf(arena, "train.key%d=%d", i, i)));
    assert_int_equal(walk(root, "train")->count, 103);
    for (int i = 0; i < 100; i++)
        assert_int_equal(atoi(walk(root, arena_printf(arena, "train.key%d", i))->text), i);
}

static void test_long_path(void **state)
{
    (void)state;
    Str path = str_new(arena);
    for (int i = 0; i < 65; i++)
        str_add(&path, i ? ".a" : "a");
    assert_refused(arena_printf(arena, "%s=1", path.text), "the path has more than 64 steps");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_replace),
        TEST(test_add),
        TEST(test_shorthand),
        TEST(test_new_nodes_point_into_the_option),
        TEST(test_refused),
        TEST(test_bad_bytes),
        TEST(test_unknown_key_lists_keys),
        TEST(test_aliases_are_not_changed),
        TEST(test_many_sets),
        TEST(test_long_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
