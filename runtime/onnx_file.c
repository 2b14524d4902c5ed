/* ONNX files: mapped here, read and written by the plugin. */
#include "onnx_file.h"

#include "data/file.h"

static const struct nc_onnx_plugin *plugin(const char *path, struct nc_error *err)
{
    return nc_plugin("onnx", "ONNX files need libprotobuf-c", path, err);
}

int nc_onnx_open(struct nc_onnx_model *out, const char *path, struct nc_error *err)
{
    const struct nc_onnx_plugin *onnx = plugin(path, err);
    struct nc_map map;
    if (!onnx || nc_file_map(&map, path, err) != 0)
        return -1;
    int result = onnx->read(out, map.data, map.bytes, path, err);
    nc_file_unmap(&map);
    return result;
}

void nc_onnx_close(struct nc_onnx_model *model)
{
    struct nc_error err;
    const struct nc_onnx_plugin *onnx = plugin("", &err);
    if (onnx && model->own)
        onnx->close(model);
}

int nc_onnx_write(const struct nc_onnx_model *model, const char *path, struct nc_error *err)
{
    const struct nc_onnx_plugin *onnx = plugin(path, err);
    return onnx ? onnx->write(model, path, err) : -1;
}

int nc_onnx_tensor_open(struct nc_onnx_tensor *out, void **own, const char *path,
                        struct nc_error *err)
{
    const struct nc_onnx_plugin *onnx = plugin(path, err);
    struct nc_map map;
    if (!onnx || nc_file_map(&map, path, err) != 0)
        return -1;
    int result = onnx->read_tensor(out, own, map.data, map.bytes, path, err);
    nc_file_unmap(&map);
    return result;
}

void nc_onnx_tensor_close(void *own)
{
    struct nc_error err;
    const struct nc_onnx_plugin *onnx = plugin("", &err);
    if (onnx && own)
        onnx->close_tensor(own);
}
