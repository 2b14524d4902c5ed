/* schedule: when each kernel runs.
 *
 * Requires: kernels in a valid order. Keeps: every dependence, and which value of a state is read.
 * Moves: a kernel whose results are first read late runs right before that reader, so that its
 * buffers live shorter. */
#include <string.h>

#include "passes.h"

static bool touches(const Kernel *kernel, const Buffer *buffer, bool writes_only)
{
    for (int i = 0; i < kernel->out_count; i++) {
        if (kernel->out[i].buffer == buffer)
            return true;
    }
    for (int i = 0; !writes_only && i < kernel->in_count; i++) {
        if (kernel->in[i].buffer == buffer)
            return true;
    }
    for (int i = 0; i < kernel->body_count; i++) {
        if (touches(kernel->body[i], buffer, writes_only))
            return true;
    }
    return false;
}

/* Must `later` stay behind `kernel`? */
static bool depends(const Kernel *kernel, const Kernel *later)
{
    for (int i = 0; i < kernel->out_count; i++) {
        if (touches(later, kernel->out[i].buffer, false))
            return true;
    }
    for (int i = 0; i < kernel->in_count; i++) {
        if (touches(later, kernel->in[i].buffer, true))
            return true;
    }
    return false;
}

static bool movable(const Kernel *kernel)
{
    if (kernel->body_count)
        return false;
    for (int i = 0; i < kernel->out_count; i++) {
        if (kernel->out[i].buffer->kind != BUFFER_ARENA)
            return false;
    }
    return true;
}

void schedule(Entry *entry)
{
    for (int i = entry->kernels_count - 2; i >= 0; i--) {
        Kernel *kernel = entry->kernels[i];
        int to = i;
        while (movable(kernel) && to + 1 < entry->kernels_count &&
               !depends(kernel, entry->kernels[to + 1]))
            to++;
        if (to == i || to + 1 == entry->kernels_count)
            continue;
        memmove(&entry->kernels[i], &entry->kernels[i + 1], sizeof(Kernel *) * (size_t)(to - i));
        entry->kernels[to] = kernel;
    }
}
