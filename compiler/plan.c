/* plan memory: where each buffer lies in the entry's one block.
 *
 * Requires: the final order of kernels. Decides: offsets, so that no two buffers that live at once
 * overlap; largest first, each at the lowest place that is free for its whole life. Where that needs
 * more than what lives at once, the buffer that ends highest is placed earlier, and all once more; then the
 * same from other orders: in time, forwards and backwards.
 * Everything in a loop lives as long as the loop, but for what lies within a slice of the batch. */
#include <stdlib.h>
#include <string.h>

#include "group.h"
#include "passes.h"

enum {
    ROUNDS = 16,
    CLOSE = 64 /* a block within 1 / CLOSE of what lives at once is good enough */
};

int64_t block_elements(int64_t elements)
{
    return (elements + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

static void touch(Buffer *buffer, int position)
{
    if (buffer->first < 0)
        buffer->first = position;
    buffer->last = position;
}

static void touch_refs(const BufferRef *refs, int count, int position, bool of_slices)
{
    for (int i = 0; i < count; i++) {
        if ((refs[i].buffer->slice > 0) == of_slices)
            touch(refs[i].buffer, position);
    }
}

static void touch_kernel(const Kernel *kernel, int position, bool of_slices)
{
    touch_refs(kernel->in, kernel->in_count, position, of_slices);
    touch_refs(kernel->out, kernel->out_count, position, of_slices);
    for (int i = 0; i < kernel->body_count; i++)
        touch_kernel(kernel->body[i], position, of_slices);
}

/* Positions in time that a kernel takes: one, or one for each of a slice's kernels */
static int positions_of(const Kernel *kernel)
{
    return kernel->slice ? kernel->body_count : 1;
}

/* Everything in a loop lives as long as the loop, but for what lies within a slice. */
static int touch_entry(const Entry *entry)
{
    int position = 0;
    for (int i = 0; i < entry->kernels_count; i++) {
        const Kernel *kernel = entry->kernels[i];
        int count = positions_of(kernel);
        touch_kernel(kernel, position, false);
        for (int k = 0; kernel->slice && k < count; k++)
            touch_kernel(kernel->body[k], position + k, true);
        position += count;
        touch_kernel(kernel, position - 1, false);
    }
    return position;
}

/* A buffer as the planner moves it */
typedef struct {
    Buffer *buffer;
    int64_t size, offset;
} Piece;

static bool has_place(const Buffer *buffer)
{
    return buffer->kind == BUFFER_ARENA && buffer->first >= 0;
}

/* The entry's buffers in the block; returns how many. */
static int gather_pieces(const Entry *entry, int64_t batch, Piece *pieces)
{
    int count = 0;
    for (int i = 0; i < entry->buffers_count; i++) {
        Buffer *b = entry->buffers[i];
        int64_t size = b->elements * (b->slice ? b->slice : b->batched ? batch : 1);
        if (has_place(b))
            pieces[count++] = (Piece){b, block_elements(size), b->offset};
    }
    return count;
}

static bool overlap_in_time(const Piece *a, const Piece *b)
{
    return a->buffer->first <= b->buffer->last && b->buffer->first <= a->buffer->last;
}

/* The largest sum of pieces that live at once: no block is smaller. */
static int64_t most_alive(const Piece *pieces, int count, int64_t *change, int positions)
{
    int64_t alive = 0, most = 0;
    memset(change, 0, sizeof *change * (size_t)(positions + 1));
    for (int i = 0; i < count; i++) {
        change[pieces[i].buffer->first] += pieces[i].size;
        change[pieces[i].buffer->last + 1] -= pieces[i].size;
    }
    for (int i = 0; i < positions; i++) {
        alive += change[i];
        most = alive > most ? alive : most;
    }
    return most;
}

static int larger_first(const void *a, const void *b)
{
    const Piece *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->buffer->id - y->buffer->id;
}

/* The lowest offset at which `piece` meets none of the placed ones, which are sorted by offset. */
static int64_t lowest_place(const Piece *piece, const Piece *placed, int count)
{
    int64_t offset = 0;
    for (int i = 0; i < count; i++) {
        if (!overlap_in_time(piece, &placed[i]))
            continue;
        if (placed[i].offset >= offset + piece->size)
            break;
        int64_t end = placed[i].offset + placed[i].size;
        if (end > offset)
            offset = end;
    }
    return offset;
}

static void insert_by_offset(Piece *placed, int count, const Piece *piece)
{
    int at = count;
    for (; at > 0 && placed[at - 1].offset > piece->offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = *piece;
}

/* Places the pieces in their order; returns which one ends highest. */
static int place_all(Piece *pieces, Piece *placed, int count)
{
    int highest = 0;
    for (int i = 0; i < count; i++) {
        pieces[i].offset = lowest_place(&pieces[i], placed, i);
        insert_by_offset(placed, i, &pieces[i]);
        if (pieces[i].offset + pieces[i].size > pieces[highest].offset + pieces[highest].size)
            highest = i;
    }
    return highest;
}

static void keep_places(const Piece *pieces, int count)
{
    for (int i = 0; i < count; i++)
        pieces[i].buffer->offset = pieces[i].offset;
}

static void move_to_half(Piece *pieces, int from)
{
    Piece piece = pieces[from];
    int to = from / 2;
    memmove(&pieces[to + 1], &pieces[to], sizeof *pieces * (size_t)(from - to));
    pieces[to] = piece;
}

static int earlier_first(const void *a, const void *b)
{
    const Piece *x = a, *y = b;
    if (x->buffer->first != y->buffer->first)
        return x->buffer->first - y->buffer->first;
    return larger_first(a, b);
}

static int later_first(const void *a, const void *b)
{
    const Piece *x = a, *y = b;
    if (x->buffer->last != y->buffer->last)
        return y->buffer->last - x->buffer->last;
    return larger_first(a, b);
}

static void try_order(Piece *pieces, int count, int64_t enough, int64_t *best)
{
    for (int round = 0; round<ROUNDS && * best> enough; round++) {
        int highest = place_all(pieces, pieces + count, count);
        int64_t end = pieces[highest].offset + pieces[highest].size;
        if (end < *best) {
            *best = end;
            keep_places(pieces, count);
        }
        move_to_half(pieces, highest);
    }
}

/* Returns the size of the block. */
static int64_t place(Piece *pieces, int count, int64_t least)
{
    static int (*const orders[])(const void *, const void *) = {larger_first, earlier_first,
                                                                later_first};
    int64_t best = count ? INT64_MAX : 0;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        qsort(pieces, (size_t)count, sizeof *pieces, orders[i]);
        try_order(pieces, count, least + least / CLOSE, &best);
    }
    return best;
}

void plan(Entry *entry, int64_t batch)
{
    int positions = touch_entry(entry);
    Piece *pieces = malloc(2 * sizeof *pieces * (size_t)(entry->buffers_count + 1));
    int64_t *change = malloc(sizeof *change * (size_t)(positions + 1));
    if (!pieces || !change)
        bug("out of memory");
    int count = gather_pieces(entry, batch, pieces);
    int64_t least = most_alive(pieces, count, change, positions);
    entry->arena_elements = place(pieces, count, least) + BLOCK_SLACK;
    free(change);
    free(pieces);
}

/* Every value is written before it is read. */
static void verify_order(const Entry *entry, const Kernel *kernel, bool *written)
{
    for (int i = 0; i < kernel->in_count; i++) {
        const Buffer *b = kernel->in[i].buffer;
        if (b->kind == BUFFER_ARENA && !written[b->id])
            bug("%s: buffer %d is read before it is written", entry->name, b->id);
    }
    for (int i = 0; i < kernel->body_count; i++)
        verify_order(entry, kernel->body[i], written);
    for (int i = 0; i < kernel->out_count; i++)
        written[kernel->out[i].buffer->id] = true;
}

static bool is_state(const Buffer *b)
{
    return b->kind == BUFFER_WEIGHTS || b->kind == BUFFER_STATE || b->kind == BUFFER_MEMORY;
}

/* The loops around a kernel, the innermost first */
typedef struct Around Around;
struct Around {
    const Around *outer;
    const Node *loop;
};

/* The node that operand `k` of a kernel holds, outside of the loops around it; NULL: none is known. */
static const Node *operand(const Kernel *kernel, int k, const Around *around)
{
    const Chain *chain = kernel->chain;
    const Node *first = kernel->nodes_count ? kernel->nodes[0] : NULL, *node = NULL;
    for (int i = 0; chain && i < chain->loads_count; i++) {
        if (chain->loads[i].in == k)
            node = chain->loads[i].node;
    }
    if (!node && first && !kernel->stages_count && (!chain || chain->tile) && k < first->inputs)
        node = first->in[k];
    for (; node && around && plays(base_of(node), ROLE_PORT); around = around->outer)
        node = around->loop->in[attr(base_of(node), "index")->i];
    return node ? base_of(node) : NULL;
}

/* A state's old version is read by nobody once the next one lies in its place. */
static void verify_versions(const Entry *entry, const Kernel *kernel, const Around *around,
                            bool *written)
{
    const Around inside = {around, kernel->nodes_count ? kernel->nodes[0] : NULL};
    for (int i = 0; i < kernel->in_count; i++) {
        const Buffer *b = kernel->in[i].buffer;
        const Node *node = written[b->id] ? operand(kernel, i, around) : NULL;
        if (node && plays(node, ROLE_PARAM) && node_param(node)->id == b->index)
            bug("%s: %s is read after its next version is written", entry->name, b->field);
    }
    for (int i = 0; i < kernel->body_count; i++)
        verify_versions(entry, kernel->body[i], kernel->slice ? around : &inside, written);
    for (int i = 0; i < kernel->out_count; i++)
        written[kernel->out[i].buffer->id] = is_state(kernel->out[i].buffer);
}

static int lower_first(const void *a, const void *b)
{
    const Piece *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->buffer->id - y->buffer->id;
}

/* Upwards through the block: `below` are the pieces that reach the place in question. */
static void verify_places(const Entry *entry, Piece *pieces, const Piece **below, int count)
{
    int below_count = 0;
    qsort(pieces, (size_t)count, sizeof *pieces, lower_first);
    for (int i = 0; i < count; i++) {
        const Piece *piece = &pieces[i];
        int kept = 0;
        if (piece->offset < 0 || piece->offset + piece->size > entry->arena_elements)
            bug("%s: buffer %d lies outside the block", entry->name, piece->buffer->id);
        for (int k = 0; k < below_count; k++) {
            if (below[k]->offset + below[k]->size <= piece->offset)
                continue;
            if (overlap_in_time(piece, below[k]))
                bug("%s: buffers %d and %d overlap", entry->name, piece->buffer->id,
                    below[k]->buffer->id);
            below[kept++] = below[k];
        }
        below[kept] = piece;
        below_count = kept + 1;
    }
}

static void verify_values(const Entry *entry)
{
    bool *written = calloc(2 * ((size_t)entry->buffers_count + 1), sizeof *written);
    bool *states_written = written + entry->buffers_count + 1;
    if (!written)
        bug("out of memory");
    for (int i = 0; i < entry->kernels_count; i++) {
        verify_order(entry, entry->kernels[i], written);
        verify_versions(entry, entry->kernels[i], NULL, states_written);
    }
    free(written);
}

void verify_plan(const Entry *entry, int64_t batch)
{
    size_t most = (size_t)entry->buffers_count + 1;
    Piece *pieces = malloc(most * sizeof *pieces);
    const Piece **below = malloc(most * sizeof(Piece *));
    if (!pieces || !below)
        bug("out of memory");
    verify_values(entry);
    verify_places(entry, pieces, below, gather_pieces(entry, batch, pieces));
    free(below);
    free(pieces);
}

/* ---- text form ------------------------------------------------------------------------------- */

static void print_ref(Str *out, BufferRef ref)
{
    static const char *const kinds[] = {"arena", "weights", "state",  "memory", "prepared",
                                        "input", "target",  "output", "hyper"};
    const Buffer *b = ref.buffer;
    str_printf(out, " %s", kinds[b->kind]);
    if (b->kind == BUFFER_ARENA || b->kind == BUFFER_PREPARED)
        str_printf(out, "[%lld]#%d", (long long)b->offset, b->id);
    else if (b->field)
        str_printf(out, ".%s", b->field);
    else
        str_printf(out, ".%d", b->index);
    if (ref.slice)
        str_add(out, ref.reversed ? "[-t]" : "[t]");
}

static void print_kernel(Str *out, const Kernel *kernel, int depth)
{
    const char *what = kernel->steps ? "loop" : kernel->slice ? "slices of" : kernel->template;
    str_printf(out, "%*s%s", depth * 4, "", what);
    if (kernel->body_count)
        str_printf(out, " %lld", (long long)(kernel->steps + kernel->slice));
    for (int i = 0; i < kernel->nodes_count; i++)
        str_printf(out, " %%%d", kernel->nodes[i]->id);
    str_add(out, " :");
    for (int i = 0; i < kernel->in_count; i++)
        print_ref(out, kernel->in[i]);
    str_add(out, " ->");
    for (int i = 0; i < kernel->out_count; i++)
        print_ref(out, kernel->out[i]);
    if (kernel->nodes_count && kernel->nodes[0]->name)
        str_printf(out, "  # %s", kernel->nodes[0]->name);
    str_add(out, "\n");
    for (int i = 0; i < kernel->body_count; i++)
        print_kernel(out, kernel->body[i], depth + 1);
}

void entry_print(Str *out, const Entry *entry)
{
    str_printf(out, "%s: %d kernels, arena %lld elements\n", entry->name, entry->kernels_count,
               (long long)entry->arena_elements);
    for (int i = 0; i < entry->kernels_count; i++)
        print_kernel(out, entry->kernels[i], 1);
}
