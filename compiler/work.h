/* work: what a Program will do, counted before it runs. */
#ifndef NETCC_WORK_H
#define NETCC_WORK_H

#include "program.h"

/* Operations of a call: times its rows, and besides. */
typedef struct {
    double row, fixed;
} Work;

/* All operations of a kernel, once; only those of products: two for each multiply-add of the network as it is
 * defined, however few the kernel takes. */
Work kernel_work(const Kernel *kernel);
Work kernel_products(const Kernel *kernel);
/* How often a loop does its body's work: a loop over slices does it once, cut in pieces. */
double loop_times(const Kernel *loop);
/* The products of a whole entry, loops included. */
Work entry_products(const Entry *entry);
int64_t buffer_bytes(const Buffer *buffer); /* of one row, where it is batched */
/* Bytes read and written by a kernel for n rows, once: the sizes of its buffers. */
double kernel_bytes(const Kernel *kernel, double n, size_t real_bytes);

/* About how long a kernel takes on one core for so many rows: to decide what is worth threads, for
 * every machine alike. */
double kernel_nanoseconds(const Kernel *kernel, int64_t batch);

#endif
