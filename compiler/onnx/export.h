/* export: the predict graph of a model, with its weights, as an ONNX file. */
#ifndef NETCC_ONNX_EXPORT_H
#define NETCC_ONNX_EXPORT_H

#include "data/array.h"
#include "model.h"

/* `predict`: the model's graph as it was before any pass; `weights`: parameters in canonical layout,
 * by name. False after an error. */
bool onnx_export(Arena *arena, Diag *diag, const Model *model, const Graph *predict,
                 const struct nc_named *weights, int count, const char *path);

#endif
