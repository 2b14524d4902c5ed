/* Repeated stages of a list of layers as uses of a block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "import/import.h"

static Arena *arena;

/* The list with its blocks, as YAML */
static const char *fold(const char *text)
{
    Yaml *blocks, *spec = yaml_new_map(arena);
    Yaml *flat = yaml_parse(arena, diag_new(arena), source_given(arena, "layers", text));
    assert_non_null(flat);
    Yaml *layers = import_blocks(arena, flat, &blocks);
    if (layers == flat)
        return "flat";
    yaml_put(arena, spec, "blocks", blocks);
    yaml_put(arena, spec, "layers", layers);
    Str out = str_new(arena);
    yaml_print_short(&out, spec);
    return out.text;
}

#define STRETCH(C1, C2, ADD, BEFORE, UNITS, MORE)                                                  \
    "- dense: {name: fc_" C1 ", units: " UNITS MORE "}\n"                                          \
    "- relu: {name: act_" ADD "}\n"                                                                \
    "- dense: {name: fc_" C2 ", units: " UNITS "}\n"                                               \
    "- add: {name: sum_" ADD "_out, from: [" BEFORE ", fc_" C2 "]}\n"

static void stages_become_uses(void **state)
{
    (void)state;
    assert_string_equal(
        fold("- flatten: {name: flat}\n" /* clang-format off */
             STRETCH("3", "4", "2", "flat", "8", "")
             STRETCH("5", "6", "3", "sum_2_out", "8", "")
             STRETCH("7", "8", "4", "sum_3_out", "16", ", use_bias: false")
             STRETCH("9", "10", "5", "sum_4_out", "8", "")
             STRETCH("11", "12", "6", "sum_5_out", "8", "")
             STRETCH("13", "14", "7", "sum_6_out", "8", "") /* clang-format on */
             "- dense: {name: last, units: 2}\n"),
        "blocks:\n"
        "  stage_1:\n"
        "    prefix: false\n"
        "    parameters:\n"
        "      number:\n"
        "      units:\n"
        "      use_bias: true\n"
        "      n: \"$number + $index\"\n"
        "      n_2: \"2 * $n - 1\"\n"
        "      n_3: \"2 * $n\"\n"
        "    layers:\n"
        "      - dense: {name: fc_$n_2, units: $units, use_bias: $use_bias}\n"
        "      - relu: {name: act_$n}\n"
        "      - dense: {name: fc_$n_3, units: $units}\n"
        "      - add: {name: \"sum_$(n)_out\", from: [input, fc_$n_3]}\n"
        "layers:\n"
        "  - flatten: {name: flat}\n"
        "  - stage_1: {number: 2, units: 8, repeat: 2}\n"
        "  - stage_1: {number: 4, units: 16, use_bias: false}\n"
        "  - stage_1: {number: 5, units: 8, repeat: 3}\n"
        "  - dense: {name: last, units: 2}\n");
}

/* Four stretches whose last layer's text is given */
static const char *fold_four(const char *const last[4])
{
    Str text = str_new(arena);
    for (int i = 0; i < 4; i++)
        str_printf(&text,
                   "- dense: {name: fc_%d, units: 8}\n- relu: {name: act_%d}\n"
                   "- elu: {name: elu_%d}\n- softmax: {name: soft_%d}\n%s",
                   i, i, i, i, last[i]);
    return fold(text.text);
}

static void others_stay_flat(void **state)
{
    (void)state;
    /* as it should be */
    assert_string_not_equal(
        fold_four((const char *[]){"- relu: {name: r_1}\n", "- relu: {name: r_2}\n",
                                   "- relu: {name: r_3}\n", "- relu: {name: r_4}\n"}),
        "flat");
    /* names that do not count */
    assert_string_equal(fold_four((const char *[]){"- relu: {name: a}\n", "- relu: {name: b}\n",
                                                   "- relu: {name: c}\n", "- relu: {name: d}\n"}),
                        "flat");
    /* a leading zero */
    assert_string_equal(
        fold_four((const char *[]){"- relu: {name: r_01}\n", "- relu: {name: r_02}\n",
                                   "- relu: {name: r_03}\n", "- relu: {name: r_04}\n"}),
        "flat");
    /* a connection to elsewhere */
    assert_string_equal(fold_four((const char *[]){"- add: {name: r_1, from: [fc_0, act_0]}\n",
                                                   "- add: {name: r_2, from: [fc_0, act_1]}\n",
                                                   "- add: {name: r_3, from: [fc_0, act_2]}\n",
                                                   "- add: {name: r_4, from: [fc_0, act_3]}\n"}),
                        "flat");
    /* an attribute without a default that one lacks */
    assert_string_equal(
        fold_four((const char *[]){"- dense: {name: r_1, units: 3}\n", "- dense: {name: r_2}\n",
                                   "- dense: {name: r_3, units: 3}\n", "- dense: {name: r_4}\n"}),
        "flat");
}

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stages_become_uses),
                                       cmocka_unit_test(others_stay_flat)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
