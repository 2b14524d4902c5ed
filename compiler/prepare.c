/* prepare: what of predictions depends on weights alone, for once.
 *
 * Requires: a valid order of kernels, buffers without places. Moves kernels that read nothing but weights, or what
 * such kernels yield, into an entry of their own, which runs whenever the weights have changed. Those of its
 * results that others read lie in a block that stays, one behind the other; what it needs meanwhile is its
 * arena. Keeps: every value. */
#include <stdlib.h>

#include "passes.h"

/* By buffer id */
typedef struct {
    int *writers;
    bool *steady; /* nothing but weights decides what it holds */
    bool *read;   /* by a kernel that stays */
} Facts;

static void count_writers(const Kernel *kernel, int *writers)
{
    for (int i = 0; i < kernel->out_count; i++)
        writers[kernel->out[i].buffer->id]++;
    for (int i = 0; i < kernel->body_count; i++)
        count_writers(kernel->body[i], writers);
}

static void mark_read(const Kernel *kernel, bool *read)
{
    for (int i = 0; i < kernel->in_count; i++)
        read[kernel->in[i].buffer->id] = true;
    for (int i = 0; i < kernel->body_count; i++)
        mark_read(kernel->body[i], read);
}

/* Random numbers differ from call to call. */
static bool is_repeatable(const Kernel *kernel)
{
    for (int i = 0; i < kernel->nodes_count; i++) {
        if (plays(kernel->nodes[i], ROLE_RANDOM) || shape_has_batch(kernel->nodes[i]->shape))
            return false;
    }
    return !kernel->body_count;
}

static bool is_steady(const Facts *facts, const Kernel *kernel)
{
    for (int i = 0; i < kernel->in_count; i++) {
        const Buffer *b = kernel->in[i].buffer;
        if (!facts->steady[b->id])
            return false;
    }
    for (int i = 0; i < kernel->out_count; i++) {
        const Buffer *b = kernel->out[i].buffer;
        if (b->kind != BUFFER_ARENA || b->batched || facts->writers[b->id] > 1)
            return false;
    }
    return is_repeatable(kernel);
}

static Facts find_facts(const Entry *entry, Arena *arena)
{
    int count = entry->buffers_count + 1;
    Facts facts = {ARENA_ARRAY(arena, int, count), ARENA_ARRAY(arena, bool, count),
                   ARENA_ARRAY(arena, bool, count)};
    for (int i = 0; i < entry->kernels_count; i++)
        count_writers(entry->kernels[i], facts.writers);
    for (int i = 0; i < entry->buffers_count; i++) {
        const Buffer *b = entry->buffers[i];
        facts.steady[b->id] = b->kind == BUFFER_WEIGHTS && !facts.writers[b->id];
    }
    return facts;
}

/* Takes the steady kernels out of `from`, in order. */
static void move_kernels(Arena *arena, Facts *facts, Entry *from, Entry *to)
{
    int kept = 0;
    for (int i = 0; i < from->kernels_count; i++) {
        Kernel *kernel = from->kernels[i];
        if (is_steady(facts, kernel)) {
            ARENA_PUSH(arena, to->kernels, to->kernels_count, kernel);
            for (int k = 0; k < kernel->out_count; k++)
                facts->steady[kernel->out[k].buffer->id] = true;
        } else {
            from->kernels[kept++] = kernel;
            mark_read(kernel, facts->read);
        }
    }
    from->kernels_count = kept;
}

/* Returns the size of the block. */
static int64_t place_results(const Facts *facts, const Entry *prepare)
{
    int64_t end = 0;
    for (int i = 0; i < prepare->kernels_count; i++) {
        const Kernel *kernel = prepare->kernels[i];
        for (int k = 0; k < kernel->out_count; k++) {
            Buffer *b = kernel->out[k].buffer;
            if (!facts->read[b->id])
                continue;
            b->kind = BUFFER_PREPARED;
            b->offset = end;
            end += block_elements(b->elements);
        }
    }
    return end + BLOCK_SLACK;
}

static void refer(BufferRef *refs, int count, Buffer *const *buffers)
{
    for (int i = 0; i < count; i++)
        refs[i].buffer = buffers[refs[i].buffer->id];
}

/* An entry's buffers are its own: the planner tells them when they live. */
static void own_buffers(Arena *arena, const Entry *from, Entry *to)
{
    to->buffers = ARENA_ARRAY(arena, Buffer *, from->buffers_count);
    to->buffers_count = from->buffers_count;
    for (int i = 0; i < from->buffers_count; i++) {
        to->buffers[i] = ARENA_NEW(arena, Buffer);
        *to->buffers[i] = *from->buffers[i];
    }
    for (int i = 0; i < to->kernels_count; i++) {
        refer(to->kernels[i]->in, to->kernels[i]->in_count, to->buffers);
        refer(to->kernels[i]->out, to->kernels[i]->out_count, to->buffers);
    }
}

Entry *prepare(Entry *predict, int64_t *elements)
{
    Arena *arena = predict->graph->arena;
    Entry *entry = ARENA_NEW(arena, Entry);
    Facts facts = find_facts(predict, arena);
    entry->name = "prepare";
    entry->graph = predict->graph;
    move_kernels(arena, &facts, predict, entry);
    if (!entry->kernels_count)
        return NULL;
    *elements = place_results(&facts, entry);
    own_buffers(arena, predict, entry);
    return entry;
}

/* Every piece of the block is written once, before it is read. */
static void follow(const Kernel *kernel, int *written)
{
    for (int i = 0; i < kernel->in_count; i++) {
        const Buffer *b = kernel->in[i].buffer;
        if (b->kind == BUFFER_PREPARED && written[b->id] != 1)
            bug("prepare: buffer %d is read before it is prepared", b->id);
    }
    for (int i = 0; i < kernel->body_count; i++)
        follow(kernel->body[i], written);
    for (int i = 0; i < kernel->out_count; i++) {
        const Buffer *b = kernel->out[i].buffer;
        if (b->kind == BUFFER_PREPARED && written[b->id]++)
            bug("prepare: buffer %d is written twice", b->id);
    }
}

static void verify_places(const Entry *entry, int64_t elements)
{
    for (int i = 0; i < entry->buffers_count; i++) {
        const Buffer *a = entry->buffers[i];
        if (a->kind != BUFFER_PREPARED)
            continue;
        if (a->offset < 0 || a->offset + a->elements > elements)
            bug("prepare: buffer %d lies outside of its block", a->id);
        for (int k = 0; k < i; k++) {
            const Buffer *b = entry->buffers[k];
            if (b->kind == BUFFER_PREPARED && a->offset < b->offset + b->elements &&
                b->offset < a->offset + a->elements)
                bug("prepare: buffers %d and %d overlap", a->id, b->id);
        }
    }
}

void verify_prepared(const Entry *prepare, const Entry *predict, int64_t elements)
{
    int *written = calloc((size_t)predict->buffers_count + 1, sizeof *written);
    if (!written)
        bug("out of memory");
    for (int i = 0; i < prepare->kernels_count; i++)
        follow(prepare->kernels[i], written);
    for (int i = 0; i < predict->kernels_count; i++)
        follow(predict->kernels[i], written);
    free(written);
    verify_places(prepare, elements);
}
