/* The template expander: what each control line does, and that a template at odds with its bindings
 * ends in bug() with its name and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "template.h"

static Arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* What the tests bind: M = 3, name = sum, none = "", zero = 0, and lists: items {x: a b, y: 1 2},
 * empty, and rows of two items that hold a list each. */
static TemplateRecord *bindings(void)
{
    TemplateRecord *record = template_record(arena);
    template_int(record, "M", 3);
    template_int(record, "zero", 0);
    template_text(record, "name", "sum");
    template_text(record, "none", "");
    template_list(record, "empty");
    template_list(record, "items");
    template_list(record, "rows");
    for (int i = 0; i < 2; i++) {
        TemplateRecord *item = template_item(record, "items");
        template_text(item, "x", i ? "b" : "a");
        template_int(item, "y", i + 1);
        TemplateRecord *row = template_item(record, "rows");
        template_list(row, "cells");
        for (int k = 0; k <= i; k++)
            template_int(template_item(row, "cells"), "v", 10 * i + k);
    }
    return record;
}

/* Every binding is mentioned here, so that a test's template need not. */
static const char params[] = "//:param $M 1\n//:param $zero 1\n//:param $name n\n"
                             "//:param $none n\n//:param $empty 1\n//:param $items 1\n"
                             "//:param $rows 1\n";

/* Stands in for bindings() where a test sets it; its template is the body alone. */
static TemplateRecord *pending;

static char *expansion(const char *body)
{
    Str out = str_new(arena);
    char *source = arena_printf(arena, "%s%s", pending ? "" : params, body);
    template_expand(&out, "t", source, pending ? pending : bindings());
    return out.text;
}

static void assert_expands(const char *body, const char *expected)
{
    assert_string_equal(expansion(body), expected);
}

static void holes(void **state)
{
    (void)state;
    assert_expands("", "");
    assert_expands("int $name[$M] = {$none};\n", "int sum[3] = {};\n");
    assert_expands("$M", "3");
    assert_expands("$name$M\n", "sum3\n");
    assert_expands("$name.$M($name)\n", "sum.3(sum)\n");
    assert_expands("cost $ 5, 5$\n", "cost $ 5, 5$\n");
    assert_expands("// $name: a comment\n", "// sum: a comment\n");
}

static void numbers_count(void **state)
{
    (void)state;
    assert_expands("//: for i in $M\na[$i]\n//: end\n", "a[0]\na[1]\na[2]\n");
    assert_expands("//: for i in $zero\na[$i]\n//: end\n", "");
    assert_expands("    //: for long_name in $M\n$long_name,\n    //: end\n", "0,\n1,\n2,\n");
    assert_expands("//: for i in $M\n//: end\nx\n", "x\n");
}

static void lists_give_fields(void **state)
{
    (void)state;
    assert_expands("//: for i in $items\n$i$x = $i$y;\n//: end\n", "a = 1;\nb = 2;\n");
    assert_expands("//: for i in $empty\n$i$x\n//: end\n-\n", "-\n");
}

static void lists_nest(void **state)
{
    (void)state;
    assert_expands("//: for r in $rows\n{\n//: for c in $r$cells\n$c$v,\n//: end\n}\n//: end\n",
                   "{\n0,\n}\n{\n10,\n11,\n}\n");
    assert_expands("//: for i in $M\n//: for k in $items\n$i$k$x $name\n//: end\n//: end\n",
                   "0a sum\n0b sum\n1a sum\n1b sum\n2a sum\n2b sum\n");
    assert_expands("//: for i in $M\n//: for i in $items\n$i$x\n//: end\n//: end\n",
                   "a\nb\na\nb\na\nb\n");
}

static void conditions(void **state)
{
    (void)state;
    assert_expands("//: if $M\nyes\n//: end\n", "yes\n");
    assert_expands("//: if $zero\nyes\n//: end\n", "");
    assert_expands("//: if $name\nyes\n//: end\n", "yes\n");
    assert_expands("//: if $none\nyes\n//: end\n", "");
    assert_expands("//: if $items\nyes\n//: end\n", "yes\n");
    assert_expands("//: if $empty\nyes\n//: end\n", "");
    assert_expands("//: for r in $rows\n//: if $r$cells\nx\n//: end\n//: end\n", "x\nx\n");
    assert_expands("//: if $zero\n//: if $M\na\n//: end\nb\n//: end\nc\n", "c\n");
    assert_expands("//: if $zero\n$unbound\n//: end\n", "");
}

static void text_before_begin_is_dropped(void **state)
{
    (void)state;
    assert_expands("// what $this is\n//: begin\nint $name;\n", "int sum;\n");
}

static void defaults_make_c(void **state)
{
    (void)state;
    assert_string_equal(template_with_defaults(arena, "//:param $M 8 rows\n"
                                                      "//:param $v$x {a + b} a sum\n"
                                                      "//:param $s\n"
                                                      "//: for i in $M\n"
                                                      "int y[$M];\n"
                                                      "//: end"),
                        "#define $M 8\n#define $v$x a + b\n#define $s \n//: for i in $M\n"
                        "int y[$M];\n//: end");
}

static void records_compare(void **state)
{
    (void)state;
    TemplateRecord *a = bindings(), *b = bindings();
    assert_true(template_equal(a, b));
    template_int(template_item(b, "rows"), "v", 1);
    assert_false(template_equal(a, b));
    TemplateRecord *c = template_record(arena), *d = template_record(arena);
    template_int(c, "M", 1);
    template_text(d, "M", "1");
    assert_false(template_equal(c, d));
    assert_int_equal(template_get_int(c, "M"), 1);
}

/* ---- faults: each runs in a child, which must end with exit code 3 ---------------------------- */

static void expand_and_exit(const char *body, int to)
{
    dup2(to, STDERR_FILENO);
    expansion(body);
    _exit(0);
}

static void assert_bug(const char *body, const char *message)
{
    char text[1000];
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (!child)
        expand_and_exit(body, ends[1]);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 3)
        fail_msg("exit code %d of the template\n%s", WEXITSTATUS(status), body);
    if (!strstr(text, message))
        fail_msg("'%s' is not in '%s'", message, text);
}

static void unbound_is_a_bug(void **state)
{
    (void)state;
    assert_bug("x\n$K\n", "template t:9: $K is not bound");
    assert_bug("//: for i in $K\n//: end\n", "t:8: $K is not bound");
    assert_bug("//: if $K\n//: end\n", "t:8: $K is not bound");
    assert_bug("//: for i in $M\n//: end\n$i\n", "t:10: $i is not bound");
    assert_bug("$nam\n", "t:8: $nam is not bound");
}

static void wrong_use_is_a_bug(void **state)
{
    (void)state;
    assert_bug("$items\n", "t:8: a list is not text");
    assert_bug("//: for i in $items\n$i\n//: end\n", "t:9: $i needs a field");
    assert_bug("//: for i in $items\n$i$z\n//: end\n", "t:9: no field $i$z");
    assert_bug("//: for i in $name\n//: end\n", "t:8: for over a text");
}

static void broken_blocks_are_bugs(void **state)
{
    (void)state;
    assert_bug("//: for i in $M\nx\n", "a block has no end");
    assert_bug("//: if $M\n//: if $M\n//: end\n", "a block has no end");
    assert_bug("//: end\n", "t:8: unknown control line");
    assert_bug("//: while $M\n//: end\n", "t:8: unknown control line");
    assert_bug("//: for i in M\n//: end\n", "for NAME in $LIST");
    assert_bug("//: if M\n//: end\n", "if $FLAG");
}

/* A binding that the template neither declares nor has a hole for. */
static void unused_is_a_bug(void **state)
{
    (void)state;
    TemplateRecord *record = template_record(arena);
    Str out = str_new(arena);
    template_int(record, "M", 3);
    template_int(record, "K", 4);
    template_expand(&out, "t", "//:param $K 1\n//: begin\n$M\n", record);
    assert_string_equal(out.text, "3\n");
    pending = record;
    assert_bug("//:param $K 1\n//: begin\nM $K\n", "template t does not use $M");
    pending = NULL;
}

/* ---- the templates themselves ---------------------------------------------------------------- */

static bool declares(const char *source, const char *name, size_t length)
{
    const char *line = source;
    for (; (line = strstr(line, "//:param $")); line++) {
        const char *hole = line + strlen("//:param $");
        if (!strncmp(hole, name, length) && (hole[length] == ' ' || hole[length] == '\n'))
            return true;
    }
    return false;
}

static bool loop_variable(const char *source, const char *name, size_t length)
{
    char *text = arena_printf(arena, "for %.*s in", (int)length, name);
    return strstr(source, text) != NULL;
}

/* Every hole of the body has a default, so that the template is C as it stands. */
static void every_hole_has_a_default(void **state)
{
    (void)state;
    static const char *const names[] = {
        "concatenate",    "conv2d_kernel_grad", "copy", "entry",      "map",       "map_block",
        "reduce_columns", "reduce_rows",        "tile", "tile_block", "transpose", "unit",
        "unpack"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *source = template_source(arena, names[i]);
        for (const char *p = strstr(source, "//: begin"); (p = strchr(p, '$')); p++) {
            size_t length = strspn(p + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
                                          "0123456789");
            if (p[length + 1] == '$' && loop_variable(source, p + 1, length))
                length += 1 + strspn(p + length + 2, "abcdefghijklmnopqrstuvwxyz_0123456789");
            if (!declares(source, p + 1, length))
                fail_msg("templates/%s.c: $%.*s has no default", names[i], (int)length, p + 1);
            p += length;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holes),
        cmocka_unit_test(numbers_count),
        cmocka_unit_test(lists_give_fields),
        cmocka_unit_test(lists_nest),
        cmocka_unit_test(conditions),
        cmocka_unit_test(text_before_begin_is_dropped),
        cmocka_unit_test(defaults_make_c),
        cmocka_unit_test(records_compare),
        cmocka_unit_test(unbound_is_a_bug),
        cmocka_unit_test(wrong_use_is_a_bug),
        cmocka_unit_test(broken_blocks_are_bugs),
        cmocka_unit_test(unused_is_a_bug),
        cmocka_unit_test(every_hole_has_a_default),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
