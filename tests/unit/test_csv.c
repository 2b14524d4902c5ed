/* csv: what RFC 4180 allows and what files have besides is read; what cannot be meant is refused with
 * its line. Tables: header, types, values, positions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/csv.h"
#include "table.h"

static char path[] = "/tmp/test_csv_XXXXXX";
static struct nc_csv csv;
static struct nc_error err;

static void put(const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *text)
{
    put(text, strlen(text));
}

/* The table as text: fields in brackets, rows on lines. */
static const char *table_of(const char *text, char separator)
{
    static char out[1000];
    size_t length = 0;
    put_text(text);
    if (nc_csv_open(&csv, path, separator, &err) != 0)
        return err.message;
    int more = 0;
    for (int pass = 0; pass < 2; pass++) {
        nc_csv_rewind(&csv);
        for (length = 0; (more = nc_csv_next(&csv, &err)) > 0;) {
            for (int k = 0; k < csv.columns; k++)
                length +=
                    (size_t)snprintf(out + length, sizeof out - length, "[%s]", nc_csv_at(&csv, k));
            length +=
                (size_t)snprintf(out + length, sizeof out - length, "@%lld ", (long long)csv.line);
        }
    }
    nc_csv_close(&csv);
    return more < 0 ? err.message : out;
}

#define READS(text, want) assert_string_equal(table_of(text, 0), want)

static void test_forms(void **state)
{
    (void)state;
    READS("a,b\n1,2\n", "[a][b]@1 [1][2]@2 ");
    READS("a,b\r\n1,2", "[a][b]@1 [1][2]@2 ");
    READS("a,b\r1,2\r", "[a][b]@1 [1][2]@2 ");
    READS("\xef\xbb\xbf"
          "a,b\n",
          "[a][b]@1 ");
    READS("\n\na , b\n\n \n1,\t2\n\n", "[a][b]@3 [1][2]@6 ");
    READS("a,\n,\n", "[a][]@1 [][]@2 ");
    READS("one\ntwo\n", "[one]@1 [two]@2 ");
}

static void test_quotes(void **state)
{
    (void)state;
    READS("\"a,b\",\"say \"\"hi\"\"\"\n", "[a,b][say \"hi\"]@1 ");
    READS("\"two\nlines\",1\nx,2\n", "[two\nlines][1]@1 [x][2]@3 ");
    READS("\"\",\" a \" ,b\"c\n", "[][ a ][b\"c]@1 ");
    READS("\"a\r\nb\",1\r\nx,2", "[a\r\nb][1]@1 [x][2]@3 ");
}

static void test_separators(void **state)
{
    (void)state;
    READS("a;b;c,d\n1;2;3,5\n", "[a][b][c,d]@1 [1][2][3,5]@2 ");
    READS("a\tb\n\t2\n", "[a][b]@1 [][2]@2 ");
    READS("\"a;b;c\",d\n", "[a;b;c][d]@1 ");
    assert_string_equal(table_of("a;b,c\n", ','), "[a;b][c]@1 ");
    assert_string_equal(table_of("a b\tc\n", '\t'), "[a b][c]@1 ");
}

static void refused(const char *text, size_t size, const char *words, const char *line)
{
    put(text, size);
    int more = nc_csv_open(&csv, path, 0, &err) == 0;
    while (more > 0)
        more = nc_csv_next(&csv, &err);
    assert_int_equal(more, csv.columns ? -1 : 0);
    nc_csv_close(&csv);
    if (!strstr(err.message, words))
        fail_msg("the message '%s' lacks '%s'", err.message, words);
    assert_string_equal(err.path + strlen(path), line);
}
#define REFUSED(text, words, line) refused(text, sizeof text - 1, words, line)

static void test_refused(void **state)
{
    (void)state;
    REFUSED("a,b\n1,2,3\n", "3 fields, but the first row has 2", ":2");
    REFUSED("a,b\n\n1\n", "1 field, but the first row has 2", ":3");
    REFUSED("a,b\n1,\"2\n3,4\n", "no end", ":2");
    REFUSED("a,\"b\"c\n", "closing quote", ":1");
    REFUSED("a,b\n1,\0\n", "zero byte", ":2");
    REFUSED("\xff\xfe"
            "a\0",
            "UTF-16", ":1");
    REFUSED("\n\n", "no rows", "");
    REFUSED("", "empty", "");
}

static void test_values(void **state)
{
    static const char *const missing[] = {"", "NA", "na", "NaN", "null", "NULL", "?"};
    static const char *const numbers[] = {"0", "-1.5", "+2", ".5", "5.", "1e3", "1E-3", "007"};
    static const char *const texts[] = {"1 2", "0x10", "inf",   "nan", "1e",
                                        "--1", "1,5",  "1e999", "e"};
    double value;
    (void)state;
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        assert_true(nc_csv_missing(missing[i]));
    assert_false(nc_csv_missing("none"));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_true(nc_csv_number(numbers[i], &value));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(nc_csv_number(texts[i], &value));
    assert_true(nc_csv_number("-2.5e2", &value) && value == -250);
}

/* ---- tables ------------------------------------------------------------------------------------ */

typedef struct {
    Arena *arena;
    Diag *diag;
    TableSource source;
    Table *table;
} Learnt;

static Learnt learn(const char *text, const char *target)
{
    Learnt l = {.arena = arena_new()};
    Yaml *value = ARENA_NEW(l.arena, Yaml);
    *value = (Yaml){.kind = YAML_SCALAR, .text = target};
    l.diag = diag_new(l.arena);
    l.source = (TableSource){.path = path, .target = value};
    put_text(text);
    l.table = table_learn(l.arena, l.diag, &l.source);
    return l;
}

static void test_header(void **state)
{
    static const struct {
        const char *text;
        bool header;
    } cases[] = {{"a,b\n1,2\n", true},         {"1,2\n3,4\n", false}, {"5,red\n6,blue\n", false},
                 {"n,colour\n6,blue\n", true}, {"a,1\n?,2\n", false}, {"x,y\nred,blue\n", true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Learnt l = learn(cases[i].text, "1");
        assert_non_null(l.table);
        assert_int_equal(l.table->header, cases[i].header);
        arena_free(l.arena);
    }
}

static void test_columns(void **state)
{
    Learnt l = learn("n,colour,y\n1,red,10\n,blue,9\n4,red,9\n", "y");
    (void)state;
    assert_int_equal(l.table->features_count, 2);
    assert_int_equal(l.table->features[0].missing, 1);
    assert_true(l.table->features[1].category);
    assert_string_equal(l.table->features[1].values[0], "blue");
    assert_string_equal(l.table->targets[0].values[0], "9"); /* by value, not by text */
    assert_string_equal(l.table->targets[0].values[1], "10");
    arena_free(l.arena);
}

static void test_reading(void **state)
{
    Learnt l = learn("n,colour,y\n1,red,10\n,blue,9\n4,red,9\n", "y");
    TablePart part = {.columns = l.table->features, .count = 2};
    (void)state;
    put_text("colour,extra,n\nred,x,NA\n,y,7\n");
    assert_true(table_read(l.diag, l.table, &l.source, &part, 1));
    assert_int_equal(part.array.shape[0], 2);
    const float *got = (const float *)part.array.block;
    assert_true(isnan(got[0]) && got[1] == 1);
    assert_true(got[2] == 7 && isnan(got[3]));
    nc_array_close(&part.array);
    put_text("2,blue,9\n");
    assert_true(table_read(l.diag, l.table, &l.source, &part, 1));
    got = (const float *)part.array.block;
    assert_true(got[0] == 2 && got[1] == 0);
    nc_array_close(&part.array);
    put_text("n,colour\n2,pink\n");
    assert_false(table_read(l.diag, l.table, &l.source, &part, 1));
    nc_array_close(&part.array);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_separators), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_values),     cmocka_unit_test(test_header),
        cmocka_unit_test(test_columns),    cmocka_unit_test(test_reading),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 2;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
