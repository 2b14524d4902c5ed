/* Arena, Str and Diag: what the rest of the compiler stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/str.h"
#include "spelling.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

static int setup(void **state)
{
    *state = arena_new();
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static Source make_source(const char *text)
{
    return (Source){.name = "a.yaml", .text = text, .length = strlen(text)};
}

static void test_alloc_zeroed_and_aligned(void **state)
{
    Arena *arena = *state;
    static const size_t sizes[] = {0, 1, 7, 16, 17, 1000, 16384, 16385, 70000, 3000000};
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < LENGTH(sizes); i++) {
            unsigned char *memory = arena_alloc(arena, sizes[i]);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % 16, 0);
            for (size_t at = 0; at < sizes[i]; at += 61)
                assert_int_equal(memory[at], 0);
            memset(memory, 0xab, sizes[i]);
        }
    }
}

static void test_allocations_do_not_overlap(void **state)
{
    Arena *arena = *state;
    int *numbers[5000];
    for (int i = 0; i < LENGTH(numbers); i++) {
        size_t count = i % 500 == 499 ? 20000 : 1 + (size_t)(i % 40);
        numbers[i] = ARENA_ARRAY(arena, int, count);
        numbers[i][0] = numbers[i][count - 1] = i;
    }
    for (int i = 0; i < LENGTH(numbers); i++)
        assert_int_equal(numbers[i][0], i);
}

static void test_push_keeps_items(void **state)
{
    int *items = NULL, count = 0;
    for (int i = 0; i < 1000; i++)
        ARENA_PUSH(*state, items, count, i * i);
    assert_int_equal(count, 1000);
    for (int i = 0; i < count; i++)
        assert_int_equal(items[i], i * i);
}

static void test_copies_of_text(void **state)
{
    assert_string_equal(arena_strdup(*state, "relu"), "relu");
    assert_string_equal(arena_strndup(*state, "relu", 2), "re");
    assert_string_equal(arena_strndup(*state, NULL, 0), "");
    assert_string_equal(arena_printf(*state, "%s_%d", "dense", 1), "dense_1");
}

static void test_str(void **state)
{
    Str str = str_new(*state);
    assert_string_equal(str.text, "");
    for (int i = 0; i < 300; i++)
        str_printf(&str, "%03d", i);
    str_add(&str, "");
    str_addn(&str, "xyz", 2);
    assert_int_equal(str.length, 902);
    assert_int_equal(strlen(str.text), 902);
    assert_string_equal(str.text + 894, "298299xy");
    str_addn(&str, str.text, str.length);
    assert_int_equal(str.length, 1804);
    assert_memory_equal(str.text, str.text + 902, 902);
}

static void test_nearest_spelling(void **state)
{
    (void)state;
    static const char *const layers[] = {"dense", "dropout", "conv2d", "batch_normalization",
                                         "mse",   "mae"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"densse", "dense"},
        {"dnese", "dense"},
        {"Dense", "dense"},
        {"Conv2D", "conv2d"},
        {"BatchNormalization", "batch_normalization"},
        {"batch_norm", NULL},
        {"batchnormalisation", "batch_normalization"},
        {"mea", "mae"},
        {"xyzzy", NULL},
        {"", NULL},
        {"q", NULL},
        {"qq", NULL},
    };
    for (int i = 0; i < LENGTH(cases); i++) {
        const char *found = nc_nearest_spelling(cases[i].word, layers, LENGTH(layers));
        if (cases[i].nearest)
            assert_string_equal(found, cases[i].nearest);
        else
            assert_null(found);
    }
    char longest[200];
    memset(longest, 'd', sizeof longest);
    longest[199] = '\0';
    assert_null(nc_nearest_spelling(longest, layers, LENGTH(layers)));
    assert_null(nc_nearest_spelling("dense", NULL, 0));
}

static void test_utf8(void **state)
{
    (void)state;
    uint32_t rune;
    assert_int_equal(utf8_decode("a", 1, &rune), 1);
    assert_int_equal(rune, 'a');
    assert_int_equal(utf8_decode("\xc3\xa9", 2, &rune), 2);
    assert_int_equal(rune, 0xe9);
    assert_int_equal(utf8_decode("\xf0\x9f\x98\x80", 4, &rune), 4);
    assert_int_equal(rune, 0x1f600);
    static const char *const bad[] = {"\xc3",         "\xc0\x80",         "\x80",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80",
                                      "\xff",         "\xf0\x9f\x98"};
    for (int i = 0; i < LENGTH(bad); i++)
        assert_int_equal(utf8_decode(bad[i], strlen(bad[i]), &rune), 0);
    assert_int_equal(utf8_decode("", 0, &rune), 0);
}

static void test_error_with_line_and_caret(void **state)
{
    Diag *diag = diag_new(*state);
    Source source = make_source("name: x\nlayers:\n\t- densse\n");
    assert_false(diag_error(diag, (Loc){&source, 3, 4}, "no %s", "layer"));
    diag_note(diag, (Loc){&source, 1, 1}, "see here");
    diag_note(diag, (Loc){0}, "see there");
    assert_string_equal(diag->text.text, "a.yaml:3:4: error: no layer\n"
                                         "\t- densse\n"
                                         "\t  ^\n"
                                         "a.yaml:1:1: note: see here\n"
                                         "name: x\n"
                                         "^\n"
                                         "note: see there\n");
    assert_int_equal(diag->errors, 1);
}

static void test_error_without_line(void **state)
{
    Diag *diag = diag_new(*state);
    Source option = {.name = "--set a=b", .text = "b", .length = 1, .is_option = true};
    diag_error(diag, (Loc){0}, "no spec");
    diag_error(diag, (Loc){&option, 1, 1}, "bad");
    assert_string_equal(diag->text.text, "netcc: error: no spec\n--set a=b: error: bad\n");
}

static void test_columns_are_characters(void **state)
{
    Diag *diag = diag_new(*state);
    Source source = make_source("h\xc3\xa9\xe2\x82\xac: x\r\nb: y");
    diag_error(diag, (Loc){&source, 1, 6}, "bad");
    diag_error(diag, source_loc(&source, 10), "bad");
    assert_string_equal(diag->text.text, "a.yaml:1:6: error: bad\n"
                                         "h\xc3\xa9\xe2\x82\xac: x\n"
                                         "     ^\n"
                                         "a.yaml:2:1: error: bad\n"
                                         "b: y\n"
                                         "^\n");
}

static void test_echo_is_clean(void **state)
{
    Diag *diag = diag_new(*state);
    Source source = make_source("a\x1b[31m\xff\xe2\x80\xae z");
    diag_error(diag, (Loc){&source, 1, 9}, "'%s'", "\x1b]\n\t\xc2\x9b\xfe\xc3\xa9");
    assert_string_equal(diag->text.text, "a.yaml:1:9: error: '?]????\xc3\xa9'\n"
                                         "a?[31m?? z\n"
                                         "        ^\n");
}

static void test_long_line_is_cut(void **state)
{
    Diag *diag = diag_new(*state);
    char text[1001] = {0};
    memset(text, 'x', 1000);
    text[499] = '!';
    Source source = make_source(text);
    diag_error(diag, (Loc){&source, 1, 500}, "bad");
    char *line = strchr(diag->text.text, '\n') + 1;
    char *caret_line = strchr(line, '\n') + 1;
    size_t column = (size_t)(strchr(caret_line, '^') - caret_line);
    assert_int_equal(line[column], '!');
    assert_memory_equal(line, "...xxx", 6);
    assert_memory_equal(caret_line - 7, "xxx...\n", 7);
    assert_true(caret_line - line < 180);
}

static void test_caret_past_the_end(void **state)
{
    Diag *diag = diag_new(*state);
    Source source = make_source("ab\n");
    diag_error(diag, (Loc){&source, 1, 99}, "x");
    diag_error(diag, (Loc){&source, 7, 3}, "y");
    assert_string_equal(diag->text.text, "a.yaml:1:99: error: x\nab\n  ^\n"
                                         "a.yaml:7:3: error: y\n\n^\n");
}

static int count_text(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

static void test_too_many_errors(void **state)
{
    Diag *diag = diag_new(*state);
    for (int i = 0; i < 200; i++) {
        diag_error(diag, (Loc){0}, "bad");
        diag_note(diag, (Loc){0}, "because");
    }
    assert_int_equal(diag->errors, 200);
    assert_int_equal(count_text(diag->text.text, "error: bad\n"), 50);
    assert_int_equal(count_text(diag->text.text, "note: because\n"), 50);
    assert_int_equal(count_text(diag->text.text, "too many errors\n"), 1);
}

static void test_report_is_bounded(void **state)
{
    Diag *diag = diag_new(*state);
    char *text = arena_alloc(*state, 100001);
    memset(text, 'x', 100000);
    diag_error(diag, (Loc){0}, "%s", text);
    assert_in_range(diag->text.length, 1000, 3000);
    for (int i = 0; i < 100; i++)
        diag_note(diag, (Loc){0}, "%s", text);
    assert_true(diag->text.length <= 64 << 10);
    assert_int_equal(count_text(diag->text.text, "too many errors\n"), 1);
}

static void test_unknown(void **state)
{
    static const char *const layers[] = {"dense", "dropout"};
    Diag *diag = diag_new(*state);
    assert_false(diag_unknown(diag, (Loc){0}, "layer", "densse", layers, 2));
    assert_false(diag_unknown(diag, (Loc){0}, "layer", "foobar", layers, 2));
    assert_false(diag_unknown(diag, (Loc){0}, "layer", "foobar", NULL, 0));
    assert_string_equal(diag->text.text,
                        "netcc: error: unknown layer 'densse'; did you mean 'dense'?\n"
                        "netcc: error: unknown layer 'foobar'\n"
                        "note: expected one of: dense, dropout\n"
                        "netcc: error: unknown layer 'foobar'\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alloc_zeroed_and_aligned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_allocations_do_not_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_push_keeps_items, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies_of_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_str, setup, teardown),
        cmocka_unit_test(test_nearest_spelling),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test_setup_teardown(test_error_with_line_and_caret, setup, teardown),
        cmocka_unit_test_setup_teardown(test_error_without_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_columns_are_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_echo_is_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_line_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caret_past_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_report_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
