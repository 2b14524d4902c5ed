/* Private to the plugin onnx.so: the memory of one message, and what writes one. */
#ifndef NC_ONNX_MEMORY_H
#define NC_ONNX_MEMORY_H

#include "onnx_file.h"

struct nc_onnx_memory;
/* What a file of so many bytes may take; NULL after an error. */
struct nc_onnx_memory *nc_onnx_memory_new(size_t file_bytes, const char *path,
                                          struct nc_error *err);
void nc_onnx_release(struct nc_onnx_memory *memory);
/* NULL where that is more than there is left. `memory` is a nc_onnx_memory: protobuf-c's allocator. */
void *nc_onnx_take(void *memory, size_t bytes);
void *nc_onnx_list(struct nc_onnx_memory *memory, size_t count, size_t bytes); /* zeroed */

/* onnx_write.c */
int nc_onnx_write_model(const struct nc_onnx_model *model, const char *path, struct nc_error *err);

#endif
