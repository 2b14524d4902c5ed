/* The one block of an entry: how large it is beside the most that lives in it at once, over the
 * networks of examples/ and bench/; and that the planner's verifier sees an overlap. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "compile.h"
#include "passes.h"

enum {
    LINE = NC_ALIGN / 4, /* elements: buffers begin and end at lines */
    BEHIND = 32          /* a tile may read so many behind its operand */
};

static int64_t size_of(const Buffer *buffer, int64_t batch)
{
    int64_t size = buffer->elements * (buffer->slice ? buffer->slice : buffer->batched ? batch : 1);
    return (size + LINE - 1) / LINE * LINE;
}

static bool in_block(const Buffer *buffer)
{
    return buffer->kind == BUFFER_ARENA && buffer->first >= 0;
}

static int last_position(const Entry *entry)
{
    int last = 0;
    for (int k = 0; k < entry->buffers_count; k++)
        last = entry->buffers[k]->last > last ? entry->buffers[k]->last : last;
    return last;
}

static int64_t most_alive(const Entry *entry, int64_t batch)
{
    int64_t most = 0;
    for (int i = 0; i <= last_position(entry); i++) {
        int64_t alive = 0;
        for (int k = 0; k < entry->buffers_count; k++) {
            const Buffer *b = entry->buffers[k];
            if (in_block(b) && b->first <= i && i <= b->last)
                alive += size_of(b, batch);
        }
        most = alive > most ? alive : most;
    }
    return most;
}

static Program *compiled(Arena *arena, const char *path)
{
    static const char *const trained[] = {
        "train={loss: sparse_categorical_crossentropy, optimizer: adam, batch_size: 8}"};
    const CompileOptions options = {
        .spec_path = path, .sets = trained, .sets_count = strstr(path, "/zoo/") ? 1 : 0};
    Diag *diag = diag_new(arena);
    Model *model = read_model(arena, diag, &options);
    if (!model)
        fail_msg("%s", diag->text.text);
    return compile_model(model, &options);
}

/* ---- its size ---------------------------------------------------------------------------------- */

static void check_size(const char *path, const Entry *entry, int64_t batch)
{
    int64_t least = most_alive(entry, batch), block = entry->arena_elements - BEHIND;
    if (block < least || block > least + least / 10)
        fail_msg("%s, %s: a block of %lld elements, of which %lld live at once", path, entry->name,
                 (long long)block, (long long)least);
}

/* The networks of examples/table have as many inputs as their tables have columns. */
static bool wants_data(const char *path)
{
    return strstr(path, "examples/table/") != NULL;
}

static void blocks_hold_little_more_than_what_lives(void **state)
{
    (void)state;
    glob_t found;
    int networks = 0;
    assert_int_equal(glob("bench/specs/*.yaml", 0, NULL, &found), 0);
    assert_int_equal(glob("examples/*/*.yaml", GLOB_APPEND, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        if (wants_data(path))
            continue;
        Arena *arena = arena_new();
        const Program *program = compiled(arena, path);
        check_size(path, program->predict, program->batch);
        check_size(path, program->train, program->batch);
        check_size(path, program->eval, program->batch);
        check_size(path, program->grad, program->batch);
        arena_free(arena);
        networks++;
    }
    globfree(&found);
    assert_true(networks > 30);
}

/* ---- its verifier ------------------------------------------------------------------------------ */

static bool meet(const Buffer *a, const Buffer *b, int64_t batch)
{
    return a->first <= b->last && b->first <= a->last &&
           a->offset < b->offset + size_of(b, batch) && b->offset < a->offset + size_of(a, batch);
}

static bool meets_another(const Entry *entry, const Buffer *buffer, int64_t batch)
{
    for (int i = 0; i < entry->buffers_count; i++) {
        const Buffer *b = entry->buffers[i];
        if (b != buffer && in_block(b) && meet(buffer, b, batch))
            return true;
    }
    return false;
}

/* In a process of its own: a bug ends it. */
static bool verifies(const Entry *entry, int64_t batch)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        verify_plan(entry, batch);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Every buffer to the place of every fifth other one */
static void overlaps_are_found(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    const Program *program = compiled(arena, "bench/specs/kcnn.yaml");
    const Entry *entry = program->grad;
    int bad = 0, good = 0;
    assert_true(verifies(entry, program->batch));
    for (int i = 0; i < entry->buffers_count; i++) {
        Buffer *b = entry->buffers[i];
        int64_t offset = b->offset;
        for (int k = i % 5; in_block(b) && k < entry->buffers_count; k += 5) {
            b->offset = in_block(entry->buffers[k]) ? entry->buffers[k]->offset : offset;
            bool inside = b->offset + size_of(b, program->batch) <= entry->arena_elements;
            bool fits = inside && !meets_another(entry, b, program->batch);
            assert_int_equal(verifies(entry, program->batch), fits);
            *(fits ? &good : &bad) += 1;
        }
        b->offset = offset;
    }
    assert_true(bad > 20 && good > 20);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_hold_little_more_than_what_lives),
        cmocka_unit_test(overlaps_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
