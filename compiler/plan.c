/* plan memory: where each buffer lies in the entry's one block.
 *
 * Requires: the final order of kernels. Decides: offsets, so that no two buffers that live at once
 * overlap; largest first, each at the lowest place that is free for its whole life. Everything in a
 * loop lives as long as the loop. */
#include <stdlib.h>

#include "group.h"
#include "passes.h"

enum { ALIGN = NC_ALIGN / 4, SLACK = 32 }; /* elements; a tile may read SLACK behind its operand */

static void touch(Buffer *buffer, int position)
{
    if (buffer->first < 0)
        buffer->first = position;
    buffer->last = position;
}

static void touch_kernel(const Kernel *kernel, int position)
{
    for (int i = 0; i < kernel->in_count; i++)
        touch(kernel->in[i].buffer, position);
    for (int i = 0; i < kernel->out_count; i++)
        touch(kernel->out[i].buffer, position);
    for (int i = 0; i < kernel->body_count; i++)
        touch_kernel(kernel->body[i], position);
}

static int64_t size_of(const Buffer *buffer, int64_t batch)
{
    int64_t size = buffer->elements * (buffer->batched ? batch : 1);
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static bool overlap_in_time(const Buffer *a, const Buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static int64_t sort_batch(const Buffer *buffer)
{
    return buffer->elements * (buffer->batched ? 1024 : 1);
}

static int larger_first(const void *a, const void *b)
{
    const Buffer *x = *(Buffer *const *)a, *y = *(Buffer *const *)b;
    if (sort_batch(x) != sort_batch(y))
        return sort_batch(x) < sort_batch(y) ? 1 : -1;
    return x->id - y->id;
}

/* The lowest offset at which `buffer` meets none of the placed ones, which are sorted by offset. */
static int64_t lowest_place(const Buffer *buffer, Buffer *const *placed, int count, int64_t batch)
{
    int64_t offset = 0, size = size_of(buffer, batch);
    for (int i = 0; i < count; i++) {
        if (!overlap_in_time(buffer, placed[i]))
            continue;
        if (placed[i]->offset >= offset + size)
            break;
        int64_t end = placed[i]->offset + size_of(placed[i], batch);
        if (end > offset)
            offset = end;
    }
    return offset;
}

static void insert_by_offset(Buffer **placed, int count, Buffer *buffer)
{
    int at = count;
    for (; at > 0 && placed[at - 1]->offset > buffer->offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = buffer;
}

void plan(Entry *entry, int64_t batch)
{
    for (int i = 0; i < entry->kernels_count; i++)
        touch_kernel(entry->kernels[i], i);
    Buffer **order = malloc(2 * sizeof *order * (size_t)(entry->buffers_count + 1));
    if (!order)
        bug("out of memory");
    Buffer **placed = order + entry->buffers_count;
    int count = 0;
    for (int i = 0; i < entry->buffers_count; i++) {
        if (entry->buffers[i]->kind == BUFFER_ARENA && entry->buffers[i]->first >= 0)
            order[count++] = entry->buffers[i];
    }
    qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int i = 0; i < count; i++) {
        order[i]->offset = lowest_place(order[i], placed, i, batch);
        insert_by_offset(placed, i, order[i]);
        int64_t end = order[i]->offset + size_of(order[i], batch);
        if (end > entry->arena_elements)
            entry->arena_elements = end;
    }
    entry->arena_elements += SLACK;
    free(order);
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
    if (!node && first && (!chain || chain->tile) && k < first->inputs)
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
        verify_versions(entry, kernel->body[i], &inside, written);
    for (int i = 0; i < kernel->out_count; i++)
        written[kernel->out[i].buffer->id] = is_state(kernel->out[i].buffer);
}

void verify_plan(const Entry *entry, int64_t batch)
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
    for (int i = 0; i < entry->buffers_count; i++) {
        const Buffer *a = entry->buffers[i];
        if (a->kind != BUFFER_ARENA || a->first < 0)
            continue;
        if (a->offset < 0 || a->offset + size_of(a, batch) > entry->arena_elements)
            bug("%s: buffer %d lies outside the block", entry->name, a->id);
        for (int k = 0; k < i; k++) {
            const Buffer *b = entry->buffers[k];
            if (b->kind == BUFFER_ARENA && b->first >= 0 && overlap_in_time(a, b) &&
                a->offset < b->offset + size_of(b, batch) &&
                b->offset < a->offset + size_of(a, batch))
                bug("%s: buffers %d and %d overlap", entry->name, a->id, b->id);
        }
    }
}

/* ---- text form ------------------------------------------------------------------------------- */

static void print_ref(Str *out, BufferRef ref)
{
    static const char *const kinds[] = {"arena", "weights", "state",  "memory",
                                        "input", "target",  "output", "hyper"};
    const Buffer *b = ref.buffer;
    str_printf(out, " %s", kinds[b->kind]);
    if (b->kind == BUFFER_ARENA)
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
    str_printf(out, "%*s%s", depth * 4, "", kernel->steps ? "loop" : kernel->template);
    if (kernel->steps)
        str_printf(out, " %lld", (long long)kernel->steps);
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
