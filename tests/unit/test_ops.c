/* The records of ops. Every op's gradient against central differences in double: an op that can be
 * differentiated and has no sample, or a wrong rule, fails here. And what passes rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

static Shape read_shape(const Yaml *dims)
{
    Shape shape = {.rank = dims->count};
    for (int i = 0; i < dims->count; i++)
        shape.dim[i] = !strcmp(dims->items[i]->text, "n") ? BATCH : atoi(dims->items[i]->text);
    return shape;
}

static double read_number(const Yaml *sample, const char *key, double fallback)
{
    const Yaml *value = yaml_get(sample, key);
    return value ? atof(value->text) : fallback;
}

static AttrValue *read_attrs(Arena *arena, const Op *op, const Yaml *sample)
{
    int count = attr_count(op->attrs);
    if (!count)
        return NULL;
    AttrValue *defaults = op->class == OP_COMPOSITE ? op_defaults(arena, op) : NULL;
    AttrValue *values = ARENA_ARRAY(arena, AttrValue, count);
    for (int i = 0; i < count; i++) {
        const Yaml *value = yaml_get(sample, op->attrs[i].key);
        if (!value && defaults) {
            values[i] = defaults[i];
            continue;
        }
        assert_non_null(value);
        if (value->kind == YAML_LIST) {
            Shape dims = read_shape(value);
            values[i].count = dims.rank;
            values[i].list = ARENA_ARRAY(arena, int64_t, MAX_RANK);
            memcpy(values[i].list, dims.dim, sizeof dims.dim);
        } else {
            values[i].i = atoi(value->text);
            values[i].f = atof(value->text);
        }
    }
    return values;
}

static const char *default_sample(const Op *op)
{
    static const char *const by_arity[] = {"", "{in: [[n, 6]]}", "{in: [[n, 6], [n, 6]]}",
                                           "{in: [[n, 6], [n, 6], [n, 6]]}"};
    return by_arity[op->arity];
}

static void make_operands(Case *c, const Yaml *sample)
{
    const Yaml *in = yaml_get(sample, "in");
    int64_t labels = (int64_t)read_number(sample, "labels", 0);
    for (int i = 0; i < in->count; i++) {
        case_operand(c, read_shape(in->items[i]), read_number(sample, "low", -2),
                     read_number(sample, "high", 2), 7 + 31 * (unsigned)i);
        for (int64_t k = 0; labels && i == in->count - 1 && k < c->elements[i]; k++)
            c->value[i][k] = (double)(k % labels);
    }
}

static void test_gradient(const Op *op)
{
    Case *c = case_new();
    const char *text = op->sample;
    if (!text && (op->class == OP_PRIMITIVE || op->class == OP_COMPOSITE))
        text = default_sample(op);
    if (!text)
        fail_msg("op %s has no sample for its gradient test", op->name);
    const Source *source = source_option(c->arena, "sample", text);
    const Yaml *sample = yaml_parse(c->arena, c->diag, source);
    assert_non_null(sample);
    make_operands(c, sample);
    Node *y = apply_op(c->graph, op, c->operand, c->operands, read_attrs(c->arena, op, sample));
    double error = case_check_gradient(c, y, op->name);
    if (!(error < 1e-6))
        fail_msg("op %s: relative error %g", op->name, error);
    case_free(c);
}

static void every_op(void **state)
{
    (void)state;
    int checked = 0;
    for (int i = 0; i < OP_COUNT; i++) {
        const Op *op = op_table[i];
        bool elsewhere = i == OP_scan || i == OP_pick; /* through layers, in test_scan */
        if (op->not_differentiable || elsewhere)
            continue;
        test_gradient(op);
        checked++;
    }
    printf("%d of %d ops checked by differences\n", checked, OP_COUNT);
    assert_true(checked > 40);
}

/* Passes know a leaf or a view by its role alone: each has one, and its class is the role's. */
static void leaves_and_views_play_roles(void **state)
{
    static const OpClass classes[] = {
        [ROLE_CONSTANT] = OP_LEAF, [ROLE_PARAM] = OP_LEAF,     [ROLE_PORT] = OP_LEAF,
        [ROLE_HYPER] = OP_LEAF,    [ROLE_POSITIONS] = OP_LEAF, [ROLE_RANDOM] = OP_LEAF,
        [ROLE_ALIAS] = OP_VIEW,    [ROLE_RESULT] = OP_VIEW,    [ROLE_LOOP] = OP_KERNEL};
    (void)state;
    for (int i = 0; i < OP_COUNT; i++) {
        const Op *op = op_table[i];
        bool needs_role = op->class == OP_LEAF || op->class == OP_VIEW;
        if (needs_role && op->role == ROLE_NONE)
            fail_msg("%s has no role", op->name);
        if (op->role != ROLE_NONE && op->class != classes[op->role])
            fail_msg("%s plays the role of another class", op->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_op),
                                       cmocka_unit_test(leaves_and_views_play_roles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
