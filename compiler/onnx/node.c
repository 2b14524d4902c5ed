/* The node at hand: its faults, attributes, inputs and constants. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/onnx.h"

/* ---- faults ------------------------------------------------------------------------------------ */

static const char *node_text(const Onnx *onnx)
{
    const struct nc_onnx_node *node = onnx->node;
    const char *name = *node->name ? node->name : node->outputs_count ? node->outputs[0] : "";
    return arena_printf(onnx->arena, "node '%s' (%s)", name, node->op);
}

bool node_fault(Onnx *onnx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(onnx->arena, format, args);
    va_end(args);
    return import_error(onnx->import, "%s: %s", node_text(onnx), message);
}

bool batch_fault(Onnx *onnx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(onnx->arena, format, args);
    va_end(args);
    onnx->mixes = true;
    return import_error(onnx->import, "%s: %s", node_text(onnx), message);
}

/* ---- the node at hand -------------------------------------------------------------------------- */

const struct nc_onnx_attribute *find_attribute(const Onnx *onnx, const char *name)
{
    for (size_t i = 0; i < onnx->node->attributes_count; i++) {
        if (!strcmp(onnx->node->attributes[i].name, name))
            return &onnx->node->attributes[i];
    }
    return NULL;
}

int64_t attribute_int(const Onnx *onnx, const char *name, int64_t fallback)
{
    const struct nc_onnx_attribute *attribute = find_attribute(onnx, name);
    return attribute ? attribute->i : fallback;
}

/* The shortest decimal that is this float: 1e-5, not 9.99999975e-06. */
double shortest_decimal(float value)
{
    char text[40];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            return strtod(text, NULL);
    }
    return (double)value;
}

double attribute_float(const Onnx *onnx, const char *name, double fallback)
{
    const struct nc_onnx_attribute *attribute = find_attribute(onnx, name);
    return attribute ? shortest_decimal(attribute->f) : fallback;
}

const char *attribute_text(const Onnx *onnx, const char *name, const char *fallback)
{
    const struct nc_onnx_attribute *attribute = find_attribute(onnx, name);
    return attribute ? attribute->s : fallback;
}

const int64_t *attribute_ints(const Onnx *onnx, const char *name, int *count)
{
    static const int64_t none[1];
    const struct nc_onnx_attribute *attribute = find_attribute(onnx, name);
    *count =
        attribute ? (int)(attribute->ints_count < 1 << 20 ? attribute->ints_count : 1 << 20) : 0;
    return !attribute ? NULL : attribute->ints ? attribute->ints : none;
}

Value *node_input(Onnx *onnx, int k)
{
    const struct nc_onnx_node *node = onnx->node;
    return (size_t)k < node->inputs_count && *node->inputs[k] ? value_find(onnx, node->inputs[k])
                                                              : NULL;
}

static bool is_read(const Onnx *onnx, const char *name)
{
    const struct nc_onnx_model *model = onnx->model;
    for (size_t i = 0; i < model->outputs_count; i++) {
        if (!strcmp(model->outputs[i].name, name))
            return true;
    }
    for (size_t i = 0; i < model->nodes_count; i++) {
        for (size_t k = 0; k < model->nodes[i].inputs_count; k++) {
            if (!strcmp(model->nodes[i].inputs[k], name))
                return true;
        }
    }
    return false;
}

bool node_output_used(Onnx *onnx, int k)
{
    const struct nc_onnx_node *node = onnx->node;
    return (size_t)k < node->outputs_count && *node->outputs[k] && is_read(onnx, node->outputs[k]);
}

const int64_t *constant_ints(Onnx *onnx, int k, int *count, bool *ok)
{
    const Value *value = node_input(onnx, k);
    *ok = true;
    *count = 0;
    if (!value)
        return NULL;
    if (value->host && value->host->i && value->rank <= 1) {
        *count = (int)value->host->count;
        return value->host->i;
    }
    *ok = node_fault(onnx, "input %d is not a constant list of integers", k);
    return NULL;
}

const int64_t *ints_of(Onnx *onnx, const char *key, int k, int *count, bool *ok)
{
    const int64_t *list = attribute_ints(onnx, key, count);
    *ok = true;
    return list ? list : constant_ints(onnx, k, count, ok);
}

bool constant_number(Onnx *onnx, int k, double fallback, double *out)
{
    const Value *value = node_input(onnx, k);
    *out = fallback;
    if (!value)
        return true;
    if (!value->host || value->host->count != 1)
        return node_fault(onnx, "input %d is not a constant number", k);
    *out = host_at(value->host, 0);
    return true;
}

int node_axis(Onnx *onnx, int64_t axis, int rank)
{
    if (axis >= -rank && axis < rank)
        return (int)(axis < 0 ? axis + rank : axis);
    node_fault(onnx, "there is no axis %lld in a tensor of %d axes", (long long)axis, rank);
    return -1;
}
