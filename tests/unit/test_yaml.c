/* The spec as a tree: files, syntax, limits, typed readings, paths, printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "spec/yaml.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

static Arena *arena;
static Diag *diag;
static char folder[] = "/tmp/netcc_test_yaml_XXXXXX";

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

static const Source *source_of(const char *text)
{
    Source *source = ARENA_NEW(arena, Source);
    *source = (Source){.name = "a.yaml", .text = text, .length = strlen(text)};
    return source;
}

static Yaml *parse(const char *text)
{
    return yaml_parse(arena, diag, source_of(text));
}

static Yaml *parse_well(const char *text)
{
    diag = diag_new(arena);
    Yaml *root = parse(text);
    if (!root)
        fail_msg("%s", diag->text.text);
    assert_int_equal(diag->errors, 0);
    return root;
}

/* The messages that parsing `text` ends in. */
static void assert_refused(const char *text, const char *messages)
{
    diag = diag_new(arena);
    assert_null(parse(text));
    assert_string_equal(diag->text.text, messages);
    assert_int_not_equal(diag->errors, 0);
}

static void assert_refused_with(const char *text, const char *part)
{
    diag = diag_new(arena);
    assert_null(parse(text));
    if (!strstr(diag->text.text, part))
        fail_msg("'%s' is not in '%s'", part, diag->text.text);
}

static void assert_first_line(const char *line)
{
    size_t length = strcspn(diag->text.text, "\n");
    assert_string_equal(arena_strndup(arena, diag->text.text, length), line);
    diag = diag_new(arena);
}

static void assert_loc(const Yaml *node, int line, int col)
{
    assert_int_equal(node->loc.line, line);
    assert_int_equal(node->loc.col, col);
}

static char *write_file(const char *name, const void *bytes, size_t length)
{
    char *path = arena_printf(arena, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
    return path;
}

static char *write_text(const char *name, const char *text)
{
    return write_file(name, text, strlen(text));
}

static void test_tree(void **state)
{
    (void)state;
    const Yaml *root = parse_well("name: mnist\nlayers:\n  - flatten\n  - dense: {units: 128}\n");
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->count, 2);
    assert_string_equal(root->pairs[0].key, "name");
    assert_string_equal(yaml_get(root, "name")->text, "mnist");
    assert_loc(yaml_get(root, "name"), 1, 7);
    assert_int_equal(root->pairs[1].loc.line, 2);
    const Yaml *layers = yaml_get(root, "layers");
    assert_int_equal(layers->kind, YAML_LIST);
    assert_int_equal(layers->count, 2);
    assert_loc(layers->items[0], 3, 5);
    const Yaml *dense = yaml_get(layers->items[1], "dense");
    assert_loc(dense, 4, 12);
    assert_string_equal(yaml_get(dense, "units")->text, "128");
    assert_null(yaml_get(root, "none"));
    assert_null(yaml_get(layers, "none"));
    assert_null(yaml_get(NULL, "none"));
}

static void test_columns_and_line_ends(void **state)
{
    (void)state;
    const Yaml *root = parse_well("h\xc3\xa9\xe2\x82\xac: x\r\nb: \xf0\x9f\x98\x80\r\n\r\nc: z");
    assert_loc(root->pairs[0].value, 1, 6);
    assert_string_equal(root->pairs[1].key, "b");
    assert_loc(root->pairs[1].value, 2, 4);
    assert_loc(root->pairs[2].value, 4, 4);
}

static void test_nulls(void **state)
{
    (void)state;
    const Yaml *root = parse_well("[~, null, '', \"null\", nul]");
    static const bool expected[] = {true, true, false, false, false};
    for (int i = 0; i < root->count; i++)
        assert_int_equal(yaml_is_null(root->items[i]), expected[i]);
    root = parse_well("a:\nb: |\n  text\nc: []\n");
    assert_true(yaml_is_null(root->pairs[0].value));
    assert_loc(root->pairs[0].value, 1, 3);
    assert_true(root->pairs[1].value->quoted);
    assert_string_equal(root->pairs[1].value->text, "text\n");
    assert_false(yaml_is_null(root->pairs[2].value));
}

static void test_aliases_share(void **state)
{
    (void)state;
    const Yaml *root = parse_well("a: &x {units: 3}\nb: *x\nc: &x [1]\nd: *x\n");
    assert_ptr_equal(yaml_get(root, "a"), yaml_get(root, "b"));
    assert_ptr_equal(yaml_get(root, "c"), yaml_get(root, "d"));
}

static void test_tags(void **state)
{
    (void)state;
    const Yaml *root = parse_well("a: !!str 5\nb: !!int \"5\"\nc: !!map {x: 1}\nd: !!seq [1]\n"
                                  "e: !!float 1.5\nf: !!bool true\ng: !!null ~\n");
    assert_true(yaml_get(root, "a")->quoted);
    assert_false(yaml_get(root, "b")->quoted);
    assert_refused("a: !!python/object x", "a.yaml:1:4: error: the tag '!!python/object' is not "
                                           "supported here\na: !!python/object x\n   ^\n");
    assert_refused_with("a: !mine x", "the tag '!mine' is not supported here");
    assert_refused_with("a: !!map [x]", "the tag '!!map' is not supported here");
    assert_refused_with("a: !!seq x", "the tag '!!seq' is not supported here");
    assert_refused_with("# x\n%TAG !a! tag:b\n---\na: 1\n",
                        "a.yaml:2:1: error: the directive '%TAG' is not supported");
    assert_refused_with("a: !!set {x}", "the tag '!!set' is not supported here");
}

static void test_keys(void **state)
{
    (void)state;
    assert_refused("a: 1\nb: 2\na: 3\n", "a.yaml:3:1: error: duplicate key 'a'\na: 3\n^\n"
                                         "a.yaml:1:1: note: it is first given here\na: 1\n^\n");
    assert_refused_with("a: 1\n'a': 3\n", "a.yaml:2:1: error: duplicate key 'a'");
    assert_refused_with("x: {b: 1, b: 2}", "a.yaml:1:11: error: duplicate key 'b'");
    assert_refused_with("[a]: 1", "a.yaml:1:1: error: a key must be a name, found a list");
    assert_refused_with("? {a: 1}\n: 2", "a.yaml:1:3: error: a key must be a name, found a map");
    assert_refused_with("?\n: 1", "a.yaml:1:2: error: a key is missing");
    assert_refused_with("a: &x {b: 1}\nc:\n  <<: *x\n",
                        "a.yaml:3:3: error: merge keys ('<<') are not supported");
    char *text = arena_alloc(arena, 300);
    memset(text, 'k', 280);
    assert_refused_with(strcat(text, ": 1"), "a key may have at most 250 bytes");
}

static void test_many_duplicates(void **state)
{
    (void)state;
    Str text = str_new(arena);
    for (int i = 0; i < 60000; i++)
        str_printf(&text, "k%d: 1\n", i);
    str_add(&text, "k7: 1\nk7: 2\n");
    assert_null(parse(text.text));
    assert_int_equal(diag->errors, 2);
    assert_non_null(strstr(diag->text.text, "a.yaml:60001:1: error: duplicate key 'k7'"));
    assert_non_null(strstr(diag->text.text, "a.yaml:8:1: note: it is first given here"));
}

static void test_documents(void **state)
{
    (void)state;
    assert_refused("", "a.yaml:1:1: error: the spec is empty\n\n^\n");
    assert_refused_with("# nothing\n\n", "error: the spec is empty");
    assert_refused_with("---\n...\n", "error: the spec is empty");
    assert_refused("a: 1\n---\nb: 2\n", "a.yaml:2:1: error: a second document is not allowed\n"
                                        "---\n^\n");
    parse_well("%YAML 1.2\n---\na: 1\n...\n");
    parse_well("--- {a: 1}");
}

static void test_syntax_errors(void **state)
{
    (void)state;
    assert_refused("a: [1, 2\n", "a.yaml:1:9: error: did not find expected ',' or ']'\n"
                                 "a: [1, 2\n        ^\n"
                                 "a.yaml:1:4: note: while parsing a flow sequence\n"
                                 "a: [1, 2\n   ^\n");
    assert_refused_with("a: b: c\n", "a.yaml:1:5: error: mapping values are not allowed");
    assert_refused_with("a: 1\n\tb: 2\n", "a.yaml:2:1: error: found a tab character");
    assert_refused_with("a: 'x\n", "error: found unexpected end of stream");
    assert_refused_with("a: x\nb: \x01y\n",
                        "a.yaml:2:4: error: control characters are not allowed\nb: ?y\n");
    assert_refused_with("a: \"\\0\"\n", "a.yaml:1:4: error: a text may not hold a NUL character");
    assert_refused_with("a: *x\n", "a.yaml:1:4: error: the alias '*x' has no anchor before it");
}

static char *repeat(const char *part, int times, const char *end)
{
    Str text = str_new(arena);
    for (int i = 0; i < times; i++)
        str_add(&text, part);
    str_add(&text, end);
    return text.text;
}

static void test_depth(void **state)
{
    (void)state;
    parse_well(arena_printf(arena, "%s%s", repeat("[", 64, ""), repeat("]", 64, "")));
    assert_refused_with(repeat("[", 65, ""), "error: the spec is nested deeper than 64 levels");
    assert_refused_with(repeat("[", 1000000, ""), "a.yaml:1:65: error: the spec is nested deeper");
    assert_refused_with(repeat("- ", 100000, "x"), "error: the spec is nested deeper");
    assert_refused_with(repeat("{a: ", 100000, ""), "error: the spec is nested deeper");
}

static void test_depth_counts_aliases(void **state)
{
    (void)state;
    Str text = str_new(arena);
    str_add(&text, "a: &a [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n"
                   "b: &b [[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]\n");
    parse_well(text.text);
    str_add(&text, "c: [[[[[[[[[[[[[[[[[[[[[[[*b]]]]]]]]]]]]]]]]]]]]]]]\n");
    assert_refused_with(text.text, "a.yaml:3:27: error: the spec is nested deeper than 64 levels");
}

static void test_alias_limits(void **state)
{
    (void)state;
    assert_refused("a: &x [1, *x]\n",
                   "a.yaml:1:11: error: the alias '*x' stands inside its own anchor\n"
                   "a: &x [1, *x]\n          ^\n");
    Str text = str_new(arena);
    str_add(&text, "l0: &l0 [lol]\n");
    for (int i = 1; i < 30; i++) {
        str_printf(&text, "l%d: &l%d [", i, i);
        for (int j = 0; j < 9; j++)
            str_printf(&text, "*l%d,", i - 1);
        str_add(&text, "]\n");
    }
    assert_refused_with(text.text, "error: the spec expands to more than 200000 nodes");
    assert_refused_with(repeat("- a\n", 200001, ""), "a.yaml:200000:3: error: the spec expands");
    text = str_new(arena);
    for (int i = 0; i <= 1000; i++)
        str_printf(&text, "- &a%d x\n", i);
    assert_refused_with(text.text, "a.yaml:1001:3: error: more than 1000 anchors");
}

static void test_source_read(void **state)
{
    (void)state;
    const char *path = write_text("bom.yaml", "\xef\xbb\xbf"
                                              "a: 1\n");
    const Source *source = source_read(arena, diag, path);
    assert_string_equal(source->text, "a: 1\n");
    assert_string_equal(source->name, path);
    assert_int_equal(source->length, 5);
    assert_loc(yaml_parse(arena, diag, source)->pairs[0].value, 1, 4);
    assert_int_equal(diag->errors, 0);
}

static void assert_unreadable(const char *path, const char *format)
{
    diag = diag_new(arena);
    assert_null(source_read(arena, diag, path));
    Str expected = str_new(arena);
    const char *mark = strchr(format, '@');
    str_addn(&expected, format, (size_t)(mark - format));
    str_printf(&expected, "%s%s", path, mark + 1);
    assert_string_equal(diag->text.text, expected.text);
}

static void test_source_faults(void **state)
{
    (void)state;
    assert_unreadable(arena_printf(arena, "%s/none.yaml", folder),
                      "netcc: error: cannot read '@': No such file or directory\n");
    assert_unreadable(folder, "netcc: error: cannot read '@': it is a directory\n");
    assert_unreadable(write_text("latin.yaml", "a: 1\nb: h\xe9llo\n"),
                      "@:2:5: error: not UTF-8 text (byte 0xe9)\nb: h?llo\n    ^\n");
    assert_unreadable(write_file("nul.yaml", "a: \0b", 5),
                      "@:1:4: error: a NUL byte is not allowed\na: ?b\n   ^\n");
    char *big = repeat("0123456789abcdef", 1 << 20, "x");
    assert_unreadable(write_text("big.yaml", big),
                      "netcc: error: cannot read '@': it is larger than 16 MB\n");
}

static void test_int(void **state)
{
    (void)state;
    int64_t value = -7;
    const Yaml *good = parse_well("[5, +3, -12, 007, 9223372036854775807, -9223372036854775808]");
    static const int64_t expected[] = {5, 3, -12, 7, INT64_MAX, INT64_MIN};
    for (int i = 0; i < good->count; i++) {
        assert_true(yaml_int(diag, good->items[i], "units", INT64_MIN, INT64_MAX, &value));
        assert_int_equal(value, expected[i]);
    }
    static const struct {
        const char *text, *found;
    } bad[] = {
        {"abc", "'abc'"},
        {"[1]", "a list"},
        {"{a: 1}", "a map"},
        {"2.5", "2.5"},
        {"0", "0"},
        {"2147483648", "2147483648"},
        {"99999999999999999999", "99999999999999999999"},
        {"'5'", "the text '5'"},
        {"''", "an empty text"},
        {"~", "~"},
        {"0x10", "'0x10'"},
        {"5 x", "'5 x'"},
        {"1_000", "'1_000'"},
        {"+", "'+'"},
    };
    value = -7;
    for (int i = 0; i < LENGTH(bad); i++) {
        const Yaml *root = parse_well(arena_printf(arena, "- %s", bad[i].text));
        assert_false(yaml_int(diag, root->items[0], "units", 1, 2147483647, &value));
        assert_int_equal(value, -7);
        assert_first_line(arena_printf(arena,
                                       "a.yaml:1:3: error: units: expected an integer from 1 to "
                                       "2147483647, found %s",
                                       bad[i].found));
    }
    const Yaml *root = parse_well("a:\n");
    yaml_int(diag, root->pairs[0].value, "a", 1, INT64_MAX, &value);
    assert_first_line("a.yaml:1:3: error: a: expected an integer of at least 1, found nothing");
    yaml_int(diag, root->pairs[0].value, "a", INT64_MIN, 4, &value);
    assert_first_line("a.yaml:1:3: error: a: expected an integer of at most 4, found nothing");
    yaml_int(diag, root->pairs[0].value, "a", INT64_MIN, INT64_MAX, &value);
    assert_first_line("a.yaml:1:3: error: a: expected an integer, found nothing");
}

static void test_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"5", 5},      {"-1.5", -1.5},       {"1e-3", 1e-3}, {".5", .5},     {"5.", 5},
        {"+3", 3},     {"1/255", 1.0 / 255}, {"1 / 4", .25}, {"-1/4", -.25}, {"1E+2", 100},
        {"1e-400", 0}, {"1.5/-.5", -3},      {"0", 0},
    };
    for (int i = 0; i < LENGTH(good); i++) {
        double value;
        const Yaml *root = parse_well(arena_printf(arena, "- %s", good[i].text));
        assert_true(yaml_number(diag, root->items[0], "rate", &value));
        assert_true(value == good[i].value);
    }
    static const char *const bad[][2] = {
        {"abc", "a number, found 'abc'"},
        {"0x10", "a number, found '0x10'"},
        {"1.5x", "a number, found '1.5x'"},
        {"1e", "a number, found '1e'"},
        {".", "a number, found '.'"},
        {".inf", "a number, found '.inf'"},
        {"nan", "a number, found 'nan'"},
        {"infinity", "a number, found 'infinity'"},
        {"1e999", "a finite number, found 1e999"},
        {"1/0", "a finite number, found 1/0"},
        {"0/0", "a finite number, found 0/0"},
        {"1/", "a number, found '1/'"},
        {"1/2/3", "a number, found '1/2/3'"},
        {"1_000", "a number, found '1_000'"},
        {"[]", "a number, found a list"},
        {"'1'", "a number, found the text '1'"},
        {"null", "a number, found null"},
    };
    for (int i = 0; i < LENGTH(bad); i++) {
        double value = -7;
        const Yaml *root = parse_well(arena_printf(arena, "- %s", bad[i][0]));
        assert_false(yaml_number(diag, root->items[0], "rate", &value));
        assert_true(value == -7);
        assert_first_line(arena_printf(arena, "a.yaml:1:3: error: rate: expected %s", bad[i][1]));
    }
}

static void test_bool(void **state)
{
    (void)state;
    const Yaml *root = parse_well("[true, false, True, False, yes, 'true', [true], 1, ]");
    for (int i = 0; i < 4; i++) {
        bool value;
        assert_true(yaml_bool(diag, root->items[i], "shuffle", &value));
        assert_int_equal(value, i % 2 == 0);
    }
    static const char *const found[] = {"'yes'", "'true'", "a list", "1"};
    for (int i = 0; i < LENGTH(found); i++) {
        bool value;
        const Yaml *item = root->items[i + 4];
        assert_false(yaml_bool(diag, item, "shuffle", &value));
        assert_first_line(arena_printf(arena,
                                       "a.yaml:1:%d: error: shuffle: expected true or false, "
                                       "found %s",
                                       item->loc.col, found[i]));
    }
}

static void test_string(void **state)
{
    (void)state;
    const Yaml *root = parse_well("[no, 5, '', ~, {a: 1}]");
    static const char *const good[] = {"no", "5", ""};
    const char *value;
    for (int i = 0; i < LENGTH(good); i++) {
        assert_true(yaml_string(diag, root->items[i], "name", &value));
        assert_string_equal(value, good[i]);
    }
    assert_false(yaml_string(diag, root->items[3], "name", &value));
    assert_first_line("a.yaml:1:13: error: name: expected text, found ~");
    assert_false(yaml_string(diag, root->items[4], "name", &value));
    assert_first_line("a.yaml:1:16: error: name: expected text, found a map");
}

static void test_ints(void **state)
{
    (void)state;
    int64_t value[2];
    int count;
    const Yaml *root = parse_well("[[3, 5], 7, [], [1, 2, 3], [1, x], {a: 1}, ~, x]");
    assert_true(yaml_ints(diag, root->items[0], "kernel_size", 1, 9, 2, value, &count));
    assert_int_equal(count, 2);
    assert_int_equal(value[1], 5);
    assert_true(yaml_ints(diag, root->items[1], "kernel_size", 1, 9, 2, value, &count));
    assert_int_equal(count, 1);
    assert_int_equal(value[0], 7);
    assert_true(yaml_ints(diag, root->items[2], "kernel_size", 1, 9, 2, value, &count));
    assert_int_equal(count, 0);
    static const char *const bad[] = {
        "17: error: kernel_size: expected at most 2 integers, found 3",
        "32: error: kernel_size: expected an integer from 1 to 9, found 'x'",
        "36: error: kernel_size: expected a list of integers, found a map",
        "44: error: kernel_size: expected a list of integers, found ~",
        "47: error: kernel_size: expected an integer from 1 to 9, found 'x'",
    };
    for (int i = 0; i < LENGTH(bad); i++) {
        assert_false(yaml_ints(diag, root->items[i + 3], "kernel_size", 1, 9, 2, value, &count));
        assert_first_line(arena_printf(arena, "a.yaml:1:%s", bad[i]));
    }
}

static void test_describe_cuts(void **state)
{
    (void)state;
    const Yaml *root = parse_well(repeat("\xc3\xa9", 100, ""));
    assert_string_equal(yaml_describe(arena, root),
                        arena_printf(arena, "'%s...'", repeat("\xc3\xa9", 60, "")));
}

static void test_path(void **state)
{
    (void)state;
    char *spec = arena_printf(arena, "%s/spec.yaml", folder);
    char *data = arena_printf(arena, "%s/data", folder);
    mkdir(data, 0700);
    char *near = write_text("near.idx", "x");
    char *far = write_text("data/far.idx", "x");
    const Yaml *root =
        parse_well(arena_printf(arena,
                                "near: near.idx\nfar: far.idx\nabsolute: %s\nnone: no.idx\n"
                                "list: [x]\nempty: ''\nlost: /no/such.idx\n",
                                far));
    setenv("NETCC_DATA", data, 1);
    assert_string_equal(yaml_path(arena, diag, yaml_get(root, "near"), spec), near);
    assert_string_equal(yaml_path(arena, diag, yaml_get(root, "far"), spec), far);
    assert_string_equal(yaml_path(arena, diag, yaml_get(root, "absolute"), spec), far);
    assert_int_equal(diag->errors, 0);
    assert_null(yaml_path(arena, diag, yaml_get(root, "none"), spec));
    assert_string_equal(diag->text.text,
                        arena_printf(arena,
                                     "a.yaml:4:7: error: cannot find 'no.idx'\n"
                                     "none: no.idx\n      ^\n"
                                     "note: sought as '%s/no.idx' and '%s/no.idx'\n",
                                     folder, data));
    unsetenv("NETCC_DATA");
    diag = diag_new(arena);
    assert_null(yaml_path(arena, diag, yaml_get(root, "far"), "spec.yaml"));
    assert_string_equal(diag->text.text, "a.yaml:2:6: error: cannot find 'far.idx'\n"
                                         "far: far.idx\n     ^\n"
                                         "note: sought as 'far.idx'; NETCC_DATA is not set\n");
    diag = diag_new(arena);
    assert_null(yaml_path(arena, diag, yaml_get(root, "list"), spec));
    assert_first_line("a.yaml:5:7: error: expected a file name, found a list");
    assert_null(yaml_path(arena, diag, yaml_get(root, "empty"), spec));
    assert_first_line("a.yaml:6:8: error: expected a file name, found an empty text");
    assert_null(yaml_path(arena, diag, yaml_get(root, "lost"), spec));
    assert_non_null(strstr(diag->text.text, "note: sought as '/no/such.idx'\n"));
}

static void assert_equal(const Yaml *a, const Yaml *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_string_equal(a->text, b->text);
    assert_int_equal(a->count, b->count);
    assert_int_equal(yaml_is_null(a), yaml_is_null(b));
    assert_string_equal(yaml_describe(arena, a), yaml_describe(arena, b));
    for (int i = 0; i < a->count; i++) {
        if (a->kind == YAML_LIST) {
            assert_equal(a->items[i], b->items[i]);
        } else {
            assert_string_equal(a->pairs[i].key, b->pairs[i].key);
            assert_equal(a->pairs[i].value, b->pairs[i].value);
        }
    }
}

static const char *print(const Yaml *root)
{
    Str out = str_new(arena);
    yaml_print(&out, root);
    return out.text;
}

static void test_print(void **state)
{
    (void)state;
    assert_string_equal(print(parse_well("name: mnist\ninput: [28, 28, 1]\nlayers: [flatten, "
                                         "{dense: {units: 5, name: 'a: b'}}, [[1], {}], []]\n"
                                         "train: {loss: ~, rate: 1/255, text: '5'}\nempty:\n")),
                        "name: mnist\n"
                        "input: [28, 28, 1]\n"
                        "layers:\n"
                        "  - flatten\n"
                        "  - dense:\n"
                        "      units: 5\n"
                        "      name: \"a: b\"\n"
                        "  - - [1]\n"
                        "    - {}\n"
                        "  - []\n"
                        "train:\n"
                        "  loss: ~\n"
                        "  rate: 1/255\n"
                        "  text: \"5\"\n"
                        "empty:\n");
}

static void test_print_round_trip(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a: |\n  two\n  lines\n\nb: \"tab\\t bell\\a esc\\e nel\\N ls\\L quote\\\" back\\\\\"\n",
        "- ' lead'\n- 'trail '\n- ''\n- '~'\n- 'null'\n- '- x'\n- '# x'\n- 'a #b'\n- a#b\n- "
        "\"-\"\n",
        "- a  b\n- ...\n- '---'\n- '... a'\n- h\xc3\xa9\n- \"\\U0001F600 \\uFEFF \\uFFFF\"\n- "
        "'%x'\n",
        "'... a': 1\n'--- b': 2\n'': 3\n'- c': 4\n'<<': 5\n'a: b': 6\n\"\\n\": 7\nnull: 8\n~: 9\n",
        "- - - a\n    - b: {c: [], d: {}, e: [[x], [~, 'y']]}\n-\n- {a: , b: c}\n- [[], {}]\n",
        "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]",
        "a: &x {b: [1, 2]}\nc: *x\n",
        "just text",
        "'5'",
        "{}",
    };
    for (int i = 0; i < LENGTH(texts); i++) {
        const Yaml *first = parse_well(texts[i]);
        const char *printed = print(first);
        const Yaml *second = parse_well(printed);
        assert_equal(first, second);
        assert_string_equal(print(second), printed);
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"bom.yaml", "latin.yaml",   "nul.yaml", "big.yaml",
                                        "near.idx", "data/far.idx", "data",     ""};
    char path[200];
    for (int i = 0; i < LENGTH(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tree),
        TEST(test_columns_and_line_ends),
        TEST(test_nulls),
        TEST(test_aliases_share),
        TEST(test_tags),
        TEST(test_keys),
        TEST(test_many_duplicates),
        TEST(test_documents),
        TEST(test_syntax_errors),
        TEST(test_depth),
        TEST(test_depth_counts_aliases),
        TEST(test_alias_limits),
        TEST(test_source_read),
        TEST(test_source_faults),
        TEST(test_int),
        TEST(test_number),
        TEST(test_bool),
        TEST(test_string),
        TEST(test_ints),
        TEST(test_describe_cuts),
        TEST(test_path),
        TEST(test_print),
        TEST(test_print_round_trip),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
