/* Memory of the plugin onnx.so. */
#include "onnx_memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Blocks that are freed together, at most `left` bytes of them. */
struct nc_onnx_memory {
    struct block *blocks;
    size_t left;
};

struct block {
    struct block *next;
    size_t bytes;
    max_align_t data[];
};

void *nc_onnx_take(void *context, size_t bytes)
{
    struct nc_onnx_memory *memory = context;
    if (bytes > memory->left)
        return NULL;
    struct block *block = malloc(sizeof *block + bytes + 1);
    if (!block)
        return NULL;
    memory->left -= bytes;
    *block = (struct block){memory->blocks, bytes};
    memory->blocks = block;
    return block->data;
}

void nc_onnx_release(struct nc_onnx_memory *memory)
{
    for (struct block *block = memory->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(memory);
}

struct nc_onnx_memory *nc_onnx_memory_new(size_t file_bytes, const char *path, struct nc_error *err)
{
    struct nc_onnx_memory *memory = malloc(sizeof *memory);
    if (!memory) {
        nc_fail(err, path, "out of memory");
        return NULL;
    }
    *memory = (struct nc_onnx_memory){NULL, ((size_t)64 << 20) + 16 * file_bytes};
    return memory;
}

void *nc_onnx_list(struct nc_onnx_memory *memory, size_t count, size_t bytes)
{
    void *list = count > SIZE_MAX / 2 / bytes ? NULL : nc_onnx_take(memory, count * bytes);
    if (list)
        memset(list, 0, count * bytes);
    return list;
}
