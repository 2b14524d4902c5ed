/* The ONNX importer: inputs, nodes in their order, outputs. */
#include <string.h>

#include "onnx/onnx.h"

/* ---- nodes ------------------------------------------------------------------------------------- */

static const OnnxOp *find_op(const char *name)
{
    static const OnnxOp *const tables[] = {onnx_elementwise_ops, onnx_window_ops, onnx_reshape_ops,
                                           onnx_slice_ops,       onnx_gather_ops, onnx_fold_ops,
                                           onnx_reduce_ops,      onnx_dense_ops};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (const OnnxOp *op = tables[i]; op->name; op++) {
            if (!strcmp(op->name, name))
                return op;
        }
    }
    return NULL;
}

static bool is_standard(const char *domain)
{
    return !*domain || !strcmp(domain, "ai.onnx");
}

static bool check_inputs(Onnx *onnx, const OnnxOp *op)
{
    const struct nc_onnx_node *node = onnx->node;
    int most = op->most > 0 ? op->most : op->most < 0 ? INT32_MAX : op->inputs;
    if (node->inputs_count > (size_t)most)
        return node_fault(onnx, "has %zu inputs; the operator takes %d", node->inputs_count, most);
    for (size_t i = 0; i < node->inputs_count; i++) {
        if (*node->inputs[i] && !value_find(onnx, node->inputs[i]))
            return node_fault(onnx, "input '%s' is no tensor of the graph before this node",
                              node->inputs[i]);
    }
    for (int i = 0; i < op->inputs; i++) {
        if (!node_input(onnx, i))
            return node_fault(onnx, "input %d is missing", i);
    }
    return true;
}

static bool check_outputs(Onnx *onnx)
{
    const struct nc_onnx_node *node = onnx->node;
    if (!node->outputs_count)
        return node_fault(onnx, "has no output");
    for (size_t i = 0; i < node->outputs_count; i++) {
        if (*node->outputs[i] && value_find(onnx, node->outputs[i]))
            return node_fault(onnx, "the tensor '%s' is made twice", node->outputs[i]);
    }
    return true;
}

static bool same_kind(const struct nc_onnx_node *a, const struct nc_onnx_node *b)
{
    return !strcmp(a->op, b->op) && !strcmp(a->domain, b->domain);
}

/* How many nodes are like this one; 0 where an earlier one was. */
static int count_kind(const struct nc_onnx_model *model, size_t at)
{
    int count = 0;
    for (size_t i = 0; i < model->nodes_count; i++) {
        if (!same_kind(&model->nodes[i], &model->nodes[at]))
            continue;
        if (i < at)
            return 0;
        count++;
    }
    return count;
}

static void unknown_op(Onnx *onnx, int count)
{
    const char *domain = onnx->node->domain;
    const char *more = count > 1 ? arena_printf(onnx->arena, "; %d nodes have it", count) : "";
    if (is_standard(domain))
        node_fault(onnx, "this operator is not in this build%s", more);
    else
        node_fault(onnx, "the operators of domain '%s' are not in this build%s", domain, more);
}

/* All that netcc does not know, each operator once. */
static bool check_ops(Onnx *onnx)
{
    enum { MOST = 20 };
    const struct nc_onnx_model *model = onnx->model;
    int unknown = 0;
    for (size_t i = 0; i < model->nodes_count && unknown < MOST; i++) {
        onnx->node = &model->nodes[i];
        if (is_standard(onnx->node->domain) && find_op(onnx->node->op))
            continue;
        int count = count_kind(model, i);
        if (count)
            unknown_op(onnx, count);
        unknown += count > 0;
    }
    return unknown == 0;
}

static bool import_node(Onnx *onnx, const struct nc_onnx_node *node)
{
    onnx->node = node;
    const OnnxOp *op = find_op(node->op);
    if (!check_inputs(onnx, op) || !check_outputs(onnx))
        return false;
    int folded = fold_node(onnx, op);
    return folded ? folded > 0 : op->build(onnx, op);
}

/* ---- constants, inputs, outputs ---------------------------------------------------------------- */

static bool bind(Onnx *onnx, const char *name, Value *value)
{
    if (!*name)
        return import_error(onnx->import, "a tensor without a name");
    if (value_find(onnx, name))
        return import_error(onnx->import, "two tensors are named '%s'", name);
    struct nc_onnx_node node = {.name = "", .op = "", .outputs_count = 1};
    char *const outputs[] = {arena_strdup(onnx->arena, name)};
    node.outputs = outputs;
    onnx->node = &node;
    set_output(onnx, 0, value);
    onnx->node = NULL;
    return true;
}

static bool add_constants(Onnx *onnx)
{
    for (size_t i = 0; i < onnx->model->initializers_count; i++) {
        const struct nc_onnx_tensor *tensor = &onnx->model->initializers[i];
        Host *host = host_read(onnx, tensor);
        if (!host || !bind(onnx, tensor->name, host_value(onnx, host)))
            return false;
    }
    return true;
}

static bool is_wanted(const Onnx *onnx, const struct nc_onnx_value *input)
{
    return !value_find(onnx, input->name);
}

static bool check_input(Onnx *onnx, const struct nc_onnx_value *input)
{
    Import *import = onnx->import;
    if (!input->type)
        return import_error(import, "input '%s' is not a tensor", input->name);
    if (input->type == NC_ONNX_STRING || !strcmp(type_name(input->type), "an unknown type"))
        return import_error(import, "input '%s' is of %s, which netcc does not have", input->name,
                            type_name(input->type));
    if (!input->has_shape)
        return import_error(import, "input '%s' has no shape", input->name);
    if (input->rank >= MAX_RANK)
        return import_error(import, "input '%s' has %zu axes; at most %d are supported",
                            input->name, input->rank, MAX_RANK - 1);
    for (size_t i = 0; i < input->rank; i++) {
        int64_t size = input->dims[i].size;
        if ((size < 0 && i) || size == 0 || size > INT32_MAX)
            return import_error(import, "input '%s': the size of axis %zu (%s%s) is not fixed",
                                input->name, i, size < 0 && *input->dims[i].name ? "" : "unknown",
                                input->dims[i].name);
    }
    return true;
}

/* How the axes of a port lie, for who has data in ONNX's order: "[0, 2, 3, 1]", n for a batch that
 * ONNX does not have and 1 for other axes of ours alone. */
static void note_order(Onnx *onnx, const char *kind, const char *name, int axes, const int *order)
{
    Import *import = onnx->import;
    Str text = str_new(onnx->arena);
    for (int i = 0; i < axes; i++) {
        str_add(&text, i ? ", " : "[");
        if (order[i] >= 0)
            str_printf(&text, "%d", order[i]);
        else
            str_add(&text, i ? "-" : "n");
    }
    str_add(&text, "]");
    int texts = 2 * import->metadata_count++;
    ARENA_PUSH(onnx->arena, import->metadata, texts,
               arena_printf(onnx->arena, "onnx_%s %s", kind, name));
    ARENA_PUSH(onnx->arena, import->metadata, texts, text.text);
}

/* An image that convolutions read lies channels last from the start. */
static bool feeds_image(const Onnx *onnx, const char *name)
{
    static const char *const kinds[] = {"Conv",
                                        "MaxPool",
                                        "AveragePool",
                                        "LRN",
                                        "ConvTranspose",
                                        "BatchNormalization",
                                        "GlobalAveragePool",
                                        NULL};
    bool image = false;
    for (size_t i = 0; i < onnx->model->nodes_count; i++) {
        const struct nc_onnx_node *node = &onnx->model->nodes[i];
        if (!node->inputs_count || strcmp(node->inputs[0], name) != 0)
            continue;
        bool known = false;
        for (int k = 0; kinds[k]; k++)
            known |= !strcmp(kinds[k], node->op);
        if (!known)
            return false;
        image = true;
    }
    return image;
}

static bool add_input(Onnx *onnx, const struct nc_onnx_value *input, bool alone)
{
    int64_t dims[MAX_RANK], extents[MAX_RANK];
    int order[MAX_RANK], axes = plain_order(onnx, (int)input->rank, order);
    if (axes > MAX_RANK)
        return import_error(onnx->import, "input '%s' has too many axes", input->name);
    for (size_t i = 0; i < input->rank; i++)
        dims[i] = input->dims[i].size < 0 ? 1 : input->dims[i].size;
    Value *value = layer_value(onnx, "", input->type, (int)input->rank, dims, axes, order);
    if (onnx->batched && (input->rank == 4 || input->rank == 3) && feeds_image(onnx, input->name)) {
        value->axes = image_order(onnx, value, value->order);
    }
    value->layer = import_name(onnx->import, alone ? "input" : input->name);
    onnx->any = onnx->any ? onnx->any : value->layer;
    int count = our_extents(dims, value->axes, value->order, extents);
    import_input(onnx->import, value->layer, count, extents);
    note_order(onnx, "input", input->name, value->axes, value->order);
    if (input->rank == 4 && value->order[1] == 2)
        import_note(onnx->import, "input '%s' is [n, %lld, %lld, %lld]: channels last",
                    value->layer, (long long)extents[0], (long long)extents[1],
                    (long long)extents[2]);
    if (!is_float_type(input->type))
        import_note(onnx->import, "input '%s' holds %s numbers as float32", value->layer,
                    type_name(input->type));
    return bind(onnx, input->name, value);
}

static bool add_inputs(Onnx *onnx)
{
    const struct nc_onnx_model *model = onnx->model;
    int count = 0;
    for (size_t i = 0; i < model->inputs_count; i++)
        count += is_wanted(onnx, &model->inputs[i]);
    if (!count)
        return import_error(onnx->import, "the graph has no input");
    for (size_t i = 0; i < model->inputs_count; i++) {
        if (is_wanted(onnx, &model->inputs[i]) && (!check_input(onnx, &model->inputs[i]) ||
                                                   !add_input(onnx, &model->inputs[i], count == 1)))
            return false;
    }
    return true;
}

/* The size of axis 0 that all inputs share, or 0. */
static int64_t common_batch(const struct nc_onnx_model *model)
{
    int64_t batch = 0;
    for (size_t i = 0; i < model->inputs_count; i++) {
        const struct nc_onnx_value *input = &model->inputs[i];
        bool constant = false;
        for (size_t k = 0; k < model->initializers_count; k++)
            constant |= !strcmp(model->initializers[k].name, input->name);
        if (constant)
            continue;
        if (!input->rank)
            return 0;
        int64_t size = input->dims[0].size < 0 ? 1 : input->dims[0].size;
        if (batch && size != batch)
            return 0;
        batch = size;
    }
    return batch;
}

/* An output is a layer of ours of its own, in the order that it has. */
static Value *output_value(Onnx *onnx, Value *value)
{
    int order[MAX_RANK];
    if (value->host || value->flat)
        return arranged(onnx, value, plain_order(onnx, value->rank, order), order);
    return value;
}

static bool is_input(const Onnx *onnx, const char *layer)
{
    for (int i = 0; i < onnx->import->inputs->count; i++) {
        if (!strcmp(onnx->import->inputs->pairs[i].key, layer))
            return true;
    }
    return false;
}

/* What is an input, or another output already, gets a layer that leaves it as it is. */
static const char *own_layer(Onnx *onnx, const char *const *names, int count, const char *layer)
{
    bool taken = is_input(onnx, layer);
    for (int i = 0; i < count; i++)
        taken |= !strcmp(names[i], layer);
    if (!taken)
        return layer;
    const char *name = import_name(onnx->import, "output");
    Yaml *attributes = import_layer(onnx->import, "activation", name, &layer, 1);
    put_text(onnx, attributes, "activation", "linear");
    return name;
}

static bool add_outputs(Onnx *onnx)
{
    const struct nc_onnx_model *model = onnx->model;
    const char **names = ARENA_ARRAY(onnx->arena, const char *, model->outputs_count + 1);
    int count = 0;
    if (!model->outputs_count)
        return import_error(onnx->import, "the graph has no output");
    for (size_t i = 0; i < model->outputs_count; i++) {
        static const struct nc_onnx_node end = {.name = "", .op = "output"};
        Value *value = value_find(onnx, model->outputs[i].name);
        if (!value)
            return import_error(onnx->import, "output '%s' is no tensor of the graph",
                                model->outputs[i].name);
        onnx->node = &end;
        value = output_value(onnx, value);
        if (!value)
            return false;
        names[count] = own_layer(onnx, names, count, value->layer);
        count++;
        note_order(onnx, "output", model->outputs[i].name, value->axes, value->order);
    }
    import_outputs(onnx->import, names, count);
    return true;
}

/* ---- what nothing reads ------------------------------------------------------------------------ */

static bool names_layer(const Yaml *from, const char *name)
{
    if (!from)
        return false;
    if (from->kind == YAML_SCALAR)
        return !strcmp(from->text, name);
    for (int i = 0; i < from->count; i++) {
        if (!strcmp(from->items[i]->text, name))
            return true;
    }
    return false;
}

static void drop_tensors(Import *import, const char *layer)
{
    size_t length = strlen(layer);
    int kept = 0;
    for (int i = 0; i < import->tensors_count; i++) {
        ImportTensor *tensor = import->tensors[i];
        if (strncmp(tensor->name, layer, length) != 0 || tensor->name[length] != '/')
            import->tensors[kept++] = tensor;
    }
    import->tensors_count = kept;
}

/* Nodes that no output needs: netcc refuses layers that nothing reads. From the last to the first,
 * so that what only they read goes as well. */
static void drop_unread(Onnx *onnx)
{
    Import *import = onnx->import;
    Yaml *list = import->layers;
    for (int i = list->count - 1; i >= 0; i--) {
        const Yaml *layer = list->items[i]->pairs[0].value;
        const char *name = yaml_get(layer, "name")->text;
        bool read = names_layer(import->outputs, name);
        for (int k = i + 1; k < list->count && !read; k++)
            read = names_layer(yaml_get(list->items[k]->pairs[0].value, "from"), name);
        if (read)
            continue;
        memmove(&list->items[i], &list->items[i + 1],
                sizeof *list->items * (size_t)(list->count - i - 1));
        list->count--;
        drop_tensors(import, name);
        import_note(import, "'%s' has no part in the outputs and is left out", name);
    }
}

/* `from` is left out where it names the layer before. */
static void drop_from(Onnx *onnx)
{
    Yaml *list = onnx->import->layers, *inputs = onnx->import->inputs;
    const char *before = inputs->count == 1 ? inputs->pairs[0].key : NULL;
    for (int i = 0; i < list->count; i++) {
        Yaml *layer = list->items[i]->pairs[0].value;
        for (int k = 0; k < layer->count; k++) {
            const YamlPair *pair = &layer->pairs[k];
            if (strcmp(pair->key, "from") != 0 || pair->value->kind != YAML_SCALAR || !before ||
                strcmp(pair->value->text, before) != 0)
                continue;
            memmove(&layer->pairs[k], &layer->pairs[k + 1],
                    sizeof *layer->pairs * (size_t)(layer->count - k - 1));
            layer->count--;
        }
        before = yaml_get(layer, "name")->text;
    }
}

/* ---- the whole --------------------------------------------------------------------------------- */

static bool read_opset(Onnx *onnx)
{
    const struct nc_onnx_model *model = onnx->model;
    onnx->opset = 0;
    for (size_t i = 0; i < model->opsets_count; i++) {
        if (is_standard(model->opsets[i].domain))
            onnx->opset = model->opsets[i].version;
    }
    if (!onnx->opset) {
        onnx->opset = 1;
        import_note(onnx->import, "the file does not say which operator set it uses: taken as 1");
    }
    if (onnx->opset < 0)
        return import_error(onnx->import, "operator set %lld", (long long)onnx->opset);
    if (model->sparse_count)
        return import_error(onnx->import, "sparse initializers are not in this build");
    if (model->functions_count)
        return import_error(onnx->import, "functions of a model's own are not in this build");
    return true;
}

static bool import_graph(Onnx *onnx)
{
    const struct nc_onnx_model *model = onnx->model;
    size_t names = model->initializers_count + model->inputs_count;
    for (size_t i = 0; i < model->nodes_count; i++)
        names += model->nodes[i].outputs_count;
    for (onnx->capacity = 64; onnx->capacity < 2 * names;)
        onnx->capacity *= 2;
    onnx->table = ARENA_ARRAY(onnx->arena, Value *, onnx->capacity);
    import_begin(onnx->import, *model->graph_name ? model->graph_name : "model");
    if (!read_opset(onnx) || !check_ops(onnx) || !add_constants(onnx) || !add_inputs(onnx))
        return false;
    for (size_t i = 0; i < model->nodes_count; i++) {
        if (!import_node(onnx, &model->nodes[i]))
            return false;
    }
    if (!add_outputs(onnx))
        return false;
    drop_unread(onnx);
    drop_from(onnx);
    return true;
}

static const char *folder_of(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_strndup(arena, path, (size_t)(slash + 1 - path)) : "";
}

/* One attempt, with messages of its own. */
static bool attempt(Import *import, const Import *fresh, Onnx *onnx, bool batched)
{
    *import = *fresh;
    import->diag = diag_new(fresh->arena);
    onnx->batched = batched;
    onnx->mixes = false;
    onnx->any = NULL;
    onnx->node = NULL;
    return import_graph(onnx);
}

static bool read_graph(Import *import, const struct nc_onnx_model *model)
{
    Import fresh = *import;
    Onnx onnx = {.import = import,
                 .arena = import->arena,
                 .model = model,
                 .folder = folder_of(import->arena, import->path),
                 .batch = common_batch(model)};
    bool good = onnx.batch && attempt(import, &fresh, &onnx, true);
    Diag *said = import->diag;
    bool mixes = onnx.batch && onnx.mixes;
    if (!good && (!onnx.batch || mixes)) {
        good = attempt(import, &fresh, &onnx, false);
        if (good)
            import_note(import, "the whole graph is one sample: %s",
                        onnx.batch ? "its nodes mix the samples of a batch"
                                   : "its inputs share no batch axis");
    }
    if (good || !mixes)
        said = import->diag;
    Diag *alone = import->diag;
    import->diag = fresh.diag;
    if (good)
        return true;
    str_add(&import->diag->text, said->text.text);
    import->diag->errors += said->errors;
    if (mixes)
        diag_note(import->diag, (Loc){0}, "and the whole graph as one sample: %.*s",
                  (int)strcspn(alone->text.text, "\n"), alone->text.text);
    return false;
}

static void close_model(void *model)
{
    nc_onnx_close(model);
}

/* The tensors' values stay where the file was unpacked. */
static bool read_onnx(Import *import)
{
    struct nc_onnx_model *model = ARENA_NEW(import->arena, struct nc_onnx_model);
    struct nc_error err;
    if (nc_onnx_open(model, import->path, &err) != 0)
        return import_fault(import, &err);
    import->held = model;
    import->release = close_model;
    return read_graph(import, model);
}

/* By name, or by its first field: the version of the format. */
static bool recognises(const struct nc_file_head *head)
{
    return nc_head_ends(head, ".onnx") ||
           (head->count > 2 && head->bytes[0] == 0x08 && head->bytes[1] < 32 &&
            (head->bytes[2] == 0x12 || head->bytes[2] == 0x3a));
}

const Importer import_onnx = {"ONNX", recognises, read_onnx};
