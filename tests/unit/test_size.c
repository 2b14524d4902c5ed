/* The emitted C stays compact: no more kernel functions than an entry has distinct (op, shape) pairs,
 * and no function of more than 64 KB of machine code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "chain.h"
#include "compile.h"
#include "driver/driver.h"
#include "ops/op.h"
#include "train.h"

enum { LARGEST = 64 * 1024 };

static Program *training(Arena *arena, const char *path)
{
    const CompileOptions options = {.spec_path = path, .uses = NC_TRAINS};
    Diag *diag = diag_new(arena);
    Model *model = read_model(arena, diag, &options);
    if (!model)
        fail_msg("%s", diag->text.text);
    return compile_model(model, &options);
}

/* ---- functions --------------------------------------------------------------------------------- */

static int count_functions(const char *unit)
{
    static const char head[] = "(const void *job, long lo, long hi)\n{";
    int count = 0;
    for (const char *p = unit; (p = strstr(p, head)); p++)
        count++;
    return count;
}

static int count_kernels(Kernel *const *kernels, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += kernels[i]->body_count ? count_kernels(kernels[i]->body, kernels[i]->body_count) : 1;
    return sum;
}

static void add_attributes(Str *text, const Node *node)
{
    for (int i = 0; i < attr_count(op_of(node)->attrs); i++) {
        for (int k = 0; k < node->attr[i].count && node->attr[i].list; k++)
            str_printf(text, " %lld", (long long)node->attr[i].list[k]);
    }
}

/* The ops of a kernel, each with its sizes and the shapes (of constants the values) that it reads and yields, and how
 * many tensors it leaves in memory */
static const char *pair_text(Arena *arena, const Kernel *kernel)
{
    Str text = str_new(arena);
    double value;
    str_printf(&text, "%d from %d %s\n", kernel->out_count, kernel->in_count,
               kernel->chain ? shape_text(arena, kernel->chain->domain) : "");
    for (int i = 0; i < kernel->nodes_count; i++) {
        const Node *node = kernel->nodes[i];
        str_printf(&text, "%s %s", op_of(node)->name, shape_text(arena, node->shape));
        for (int k = 0; k < node->inputs; k++) {
            if (is_constant(node->in[k], &value))
                str_printf(&text, " %.9g", value);
            else
                str_printf(&text, " %s", shape_text(arena, node->in[k]->shape));
        }
        add_attributes(&text, node);
        str_add(&text, "\n");
    }
    return text.text;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_pairs(Arena *arena, Kernel *const *kernels, int count, const char ***texts,
                      int *texts_count)
{
    for (int i = 0; i < count; i++) {
        if (kernels[i]->body_count)
            add_pairs(arena, kernels[i]->body, kernels[i]->body_count, texts, texts_count);
        else
            ARENA_PUSH(arena, *texts, *texts_count, pair_text(arena, kernels[i]));
    }
}

static int count_pairs(Arena *arena, const Entry *entry)
{
    const char **texts = NULL;
    int distinct = 0, count = 0;
    add_pairs(arena, entry->kernels, entry->kernels_count, &texts, &count);
    qsort(texts, (size_t)count, sizeof *texts, by_text);
    for (int i = 0; i < count; i++)
        distinct += i == 0 || strcmp(texts[i], texts[i - 1]) != 0;
    return distinct;
}

static void check_functions(const char *path)
{
    Arena *arena = arena_new();
    const Program *program = training(arena, path);
    int functions = count_functions(emit_unit(arena, program, EMIT_JIT_CC));
    int pairs = count_pairs(arena, program->train);
    int kernels = count_kernels(program->train->kernels, program->train->kernels_count);
    if (functions < 10 || functions > pairs || pairs >= kernels)
        fail_msg("%s: %d kernels, %d pairs, %d functions", path, kernels, pairs, functions);
    arena_free(arena);
}

static void equal_kernels_share_a_function(void **state)
{
    (void)state;
    check_functions("bench/specs/resnet20.yaml");
    check_functions("bench/specs/resnet50.yaml");
    check_functions("bench/specs/mbv2.yaml");
}

/* ---- machine code ------------------------------------------------------------------------------ */

static void write_unit(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_object(Arena *arena, const char *source, const char *object)
{
    Compiler compiler;
    const char *why;
    Str command = str_new(arena);
    if (!compiler_find(arena, &compiler, &why))
        fail_msg("%s", why);
    for (int i = 0; compiler.command[i]; i++)
        str_printf(&command, "'%s' ", compiler.command[i]);
    str_printf(&command, "-o %s %s -lm", object, source);
    assert_int_equal(system(command.text), 0);
}

/* The most bytes of one function, which `name` gets. */
static long largest_function(Arena *arena, const char *object, char name[128])
{
    FILE *symbols = popen(arena_printf(arena, "nm -S -t d %s", object), "r");
    long largest = 0, bytes;
    char line[512], type, symbol[128];
    assert_non_null(symbols);
    while (fgets(line, sizeof line, symbols)) {
        if (sscanf(line, "%*d %ld %c %127s", &bytes, &type, symbol) != 3 || bytes <= largest ||
            (type != 't' && type != 'T'))
            continue;
        largest = bytes;
        strcpy(name, symbol);
    }
    assert_int_equal(pclose(symbols), 0);
    return largest;
}

static void check_machine_code(const char *path)
{
    Arena *arena = arena_new();
    char folder[] = "/tmp/netcc-size-XXXXXX", name[128] = "";
    assert_non_null(mkdtemp(folder));
    const char *source = arena_printf(arena, "%s/unit.c", folder);
    const char *object = arena_printf(arena, "%s/unit.so", folder);
    write_unit(source, emit_unit(arena, training(arena, path), EMIT_JIT_CC));
    make_object(arena, source, object);
    long largest = largest_function(arena, object, name);
    remove(source);
    remove(object);
    rmdir(folder);
    if (largest < 100 || largest > LARGEST)
        fail_msg("%s: %s has %ld bytes", path, name, largest);
    arena_free(arena);
}

/* A network whose entry is one function, and one whose entry is cut into parts */
static void functions_are_small(void **state)
{
    (void)state;
    check_machine_code("bench/specs/vgg.yaml");
    check_machine_code("bench/specs/resnet20.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_kernels_share_a_function),
        cmocka_unit_test(functions_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
