#include "work.h"

int64_t buffer_bytes(const Buffer *buffer)
{
    return buffer->elements * (int64_t)sizeof(float);
}

Work kernel_work(const Kernel *kernel)
{
    return (Work){kernel->flops, kernel->flops_fixed};
}

/* A kernel of products is called after its first node; what follows in its tile is not counted. */
static bool multiplies(const Kernel *kernel)
{
    return kernel->nodes_count && op_of(kernel->nodes[0])->multiplies;
}

static void add_work(Work *sum, Work work, double times)
{
    sum->row += times * work.row;
    sum->fixed += times * work.fixed;
}

Work kernel_products(const Kernel *kernel)
{
    Work stages = {0, 0};
    for (int i = 0; i < kernel->stages_count; i++)
        add_work(&stages, kernel_products(kernel->stages[i]), 1);
    if (kernel->stages_count)
        return stages;
    if (multiplies(kernel) && kernel->stands_for > 0)
        return (Work){kernel->stands_for, 0};
    return multiplies(kernel) ? kernel_work(kernel) : (Work){0, 0};
}

double kernel_nanoseconds(const Kernel *kernel, int64_t batch)
{
    static const double products = 32, others = 3; /* operations a nanosecond */
    double stages = 0;
    for (int i = 0; i < kernel->stages_count; i++)
        stages += kernel_nanoseconds(kernel->stages[i], batch);
    if (kernel->stages_count)
        return stages;
    Work work = kernel_work(kernel);
    return (work.row * (double)batch + work.fixed) / (multiplies(kernel) ? products : others);
}

double loop_times(const Kernel *loop)
{
    return loop->steps ? (double)loop->steps : 1;
}

static void add_products(Work *sum, Kernel *const *kernels, int count, double times)
{
    for (int i = 0; i < count; i++) {
        const Kernel *kernel = kernels[i];
        if (kernel->body_count)
            add_products(sum, kernel->body, kernel->body_count, times * loop_times(kernel));
        add_work(sum, kernel_products(kernel), times);
    }
}

Work entry_products(const Entry *entry)
{
    Work sum = {0, 0};
    add_products(&sum, entry->kernels, entry->kernels_count, 1);
    return sum;
}

static double ref_elements(BufferRef ref, double n)
{
    int64_t elements = ref.slice ? ref.slice : ref.buffer->elements;
    return (double)elements * (ref.buffer->batched ? n : 1);
}

double kernel_bytes(const Kernel *kernel, double n, size_t real_bytes)
{
    double elements = 0;
    for (int i = 0; i < kernel->in_count; i++)
        elements += ref_elements(kernel->in[i], n);
    for (int i = 0; i < kernel->out_count; i++)
        elements += ref_elements(kernel->out[i], n);
    return elements * (double)real_bytes;
}
