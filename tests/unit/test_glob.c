/* Patterns over names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/glob.h"

static void matches_names(void **state)
{
    (void)state;
    assert_true(glob_match("stage4*", "stage4_conv"));
    assert_true(glob_match("*", ""));
    assert_true(glob_match("*/bias", "a/b/bias"));
    assert_true(glob_match("a?c*e", "abcddee"));
    assert_true(glob_match("**a**", "banana"));
    assert_false(glob_match("stage4", "stage4_conv"));
    assert_false(glob_match("stage4*", "stage"));
    assert_false(glob_match("a?", "a"));
    assert_false(glob_match("", "a"));
    assert_false(glob_match("[ab]", "a"));
}

static void matches_what_stands_before_a_slash(void **state)
{
    (void)state;
    assert_true(glob_match_path("stage4", "stage4/conv/kernel"));
    assert_true(glob_match_path("stage4/conv", "stage4/conv/kernel"));
    assert_true(glob_match_path("*conv", "stage4/conv/kernel"));
    assert_true(glob_match_path("stage4/conv/kernel", "stage4/conv/kernel"));
    assert_false(glob_match_path("conv", "stage4/conv/kernel"));
    assert_false(glob_match_path("stage", "stage4/conv/kernel"));
}

/* A matcher that tries everything would not come back. */
static void takes_bounded_time(void **state)
{
    char text[2001], pattern[2001];
    (void)state;
    memset(text, 'a', 2000);
    text[2000] = '\0';
    for (int i = 0; i < 999; i++)
        memcpy(pattern + 2 * i, "*a", 2);
    strcpy(pattern + 1998, "b");
    assert_false(glob_match(pattern, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matches_names),
                                       cmocka_unit_test(matches_what_stands_before_a_slash),
                                       cmocka_unit_test(takes_bounded_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
