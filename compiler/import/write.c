/* The end of an import: the spec as text, a model built of that text, the tensors held against its
 * parameters, two files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#include "compile.h"
#include "data/file.h"
#include "import/import.h"
#include "safetensors.h"
#include "weights.h"

static bool is_single_input(const Import *import)
{
    return import->inputs && import->inputs->count == 1 &&
           !strcmp(import->inputs->pairs[0].key, "input");
}

/* name, input, layers, outputs; then what the importer added. */
static const char *spec_text(Import *import, Yaml *blocks, Yaml *layers)
{
    Arena *arena = import->arena;
    Yaml *spec = yaml_new_map(arena);
    Str text = str_new(arena);
    yaml_put(arena, spec, "name", yaml_get(import->spec, "name"));
    if (is_single_input(import))
        yaml_put(arena, spec, "input", import->inputs->pairs[0].value);
    else
        yaml_put(arena, spec, "inputs", import->inputs ? import->inputs : yaml_new_map(arena));
    if (blocks)
        yaml_put(arena, spec, "blocks", blocks);
    yaml_put(arena, spec, "layers", layers);
    if (import->outputs)
        yaml_put(arena, spec, "outputs", import->outputs);
    for (int i = 0; i < import->spec->count; i++)
        yaml_put(arena, spec, import->spec->pairs[i].key, import->spec->pairs[i].value);
    yaml_print_short(&text, spec);
    return text.text;
}

/* ---- checks ------------------------------------------------------------------------------------ */

static const ImportTensor *find_tensor(const Import *import, const char *name)
{
    for (int i = 0; i < import->tensors_count; i++) {
        if (!strcmp(import->tensors[i]->name, name))
            return import->tensors[i];
    }
    return NULL;
}

static bool check_tensor(Import *import, const ImportTensor *t, const Param *param)
{
    char have[NC_SHAPE_TEXT];
    const char *place = t->place ? t->place : t->name;
    if (!param)
        return import_error(import, "%s: the network has no parameter %s", place, t->name);
    bool same = param->shape.rank == t->rank;
    for (int i = 0; same && i < t->rank; i++)
        same = param->shape.dim[i] == t->shape[i];
    if (same)
        return true;
    return import_error(import, "%s: %s takes %s, the file has %s", place, t->name,
                        shape_text(import->arena, param->shape),
                        nc_shape_text(t->rank, t->shape, have));
}

static bool check_tensors(Import *import, const Model *model)
{
    bool good = true;
    for (int i = 0; i < import->tensors_count; i++) {
        const ImportTensor *t = import->tensors[i];
        good = check_tensor(import, t, model_find(model, t->name)) && good;
    }
    for (int i = 0; i < model->params_count; i++) {
        const Param *param = model->params[i];
        if (param->role != NC_ROLE_SLOT && !find_tensor(import, param->name))
            good = import_error(import, "has no values for %s %s", param->name,
                                shape_text(import->arena, param->shape));
    }
    return good;
}

/* The model that the text makes, or NULL after errors. */
static const Model *build_text(Import *import, Diag *diag, const char *text)
{
    CompileOptions options = {.spec_path =
                                  arena_printf(import->arena, "%s, as spec.yaml", import->path),
                              .spec_text = text};
    return read_model(import->arena, diag, &options);
}

/* ---- files ------------------------------------------------------------------------------------- */

static int fill_from_file(const ImportTensor *t, float *out, struct nc_error *err)
{
    const struct nc_weight *w = &t->file->weights[t->index];
    bool as_it_lies = !t->flipped;
    for (int i = 0; i < t->rank; i++)
        as_it_lies = as_it_lies && t->perm[i] == i;
    if (as_it_lies)
        return nc_weight_read(t->file, t->index, out, err);
    float *values = malloc((size_t)t->elements * sizeof *values + 1);
    int result = values ? nc_weight_read(t->file, t->index, values, err)
                        : nc_fail(err, t->file->path, "out of memory");
    if (result == 0)
        import_permute(values, w->rank, w->shape, t->perm, t->flipped, out);
    free(values);
    return result;
}

static int fill(void *context, int i, float *out, struct nc_error *err)
{
    const Import *import = context;
    const ImportTensor *t = import->tensors[i];
    return t->file ? fill_from_file(t, out, err) : t->fill(t, out, err);
}

static int write_weights(Import *import, const char *path, struct nc_error *err)
{
    struct nc_named *list = ARENA_ARRAY(import->arena, struct nc_named, import->tensors_count + 1);
    for (int i = 0; i < import->tensors_count; i++) {
        const ImportTensor *t = import->tensors[i];
        list[i] = (struct nc_named){.name = t->name, .rank = t->rank, .data = t->values};
        memcpy(list[i].shape, t->shape, sizeof t->shape);
    }
    return nc_safetensors_write_filled(path, list, import->tensors_count, import->metadata,
                                       import->metadata_count, fill, import, err);
}

static int write_text(const char *path, const char *name, const char *text, struct nc_error *err)
{
    FILE *file = fopen(name, "w");
    bool good = file && fputs(text, file) >= 0;
    if (file && fclose(file) != 0)
        good = false;
    return good ? 0 : nc_fail(err, path, "cannot be written: %s", strerror(errno));
}

/* The spec appears when the weights are there. */
static int write_files(Import *import, const char *text, const char *folder, struct nc_error *err)
{
    const char *spec = arena_printf(import->arena, "%s/spec.yaml", folder);
    const char *weights = arena_printf(import->arena, "%s/weights.safetensors", folder);
    char *temporary = nc_file_temporary(spec, err);
    if (!temporary)
        return -1;
    int result = write_text(spec, temporary, text, err);
    if (result == 0)
        result = write_weights(import, weights, err);
    return nc_file_publish(temporary, spec, result, err);
}

/* ---- blocks ------------------------------------------------------------------------------------ */

static bool same_graph(Arena *arena, const Graph *a, const Graph *b)
{
    Str x = str_new(arena), y = str_new(arena);
    if (!a || !b)
        return a == b;
    graph_print_without_places(&x, a);
    graph_print_without_places(&y, b);
    return !strcmp(x.text, y.text);
}

static bool same_params(const Model *a, const Model *b)
{
    bool same = a->params_count == b->params_count;
    for (int i = 0; same && i < a->params_count; i++) {
        const Param *x = a->params[i], *y = b->params[i];
        same = !strcmp(x->name, y->name) && x->role == y->role && x->init.kind == y->init.kind &&
               x->init.a == y->init.a && x->init.b == y->init.b;
    }
    return same;
}

/* Stages as blocks, where these make the same network to the name. */
static void take_blocks(Import *import)
{
    Yaml *blocks, *layers = import_blocks(import->arena, import->layers, &blocks);
    if (layers == import->layers)
        return;
    const char *text = spec_text(import, blocks, layers);
    const Model *flat = import->model, *model = build_text(import, diag_new(import->arena), text);
    if (!model || !same_params(flat, model) ||
        !same_graph(import->arena, flat->predict, model->predict) ||
        !same_graph(import->arena, flat->train, model->train))
        return;
    import->text = text;
    import->model = model;
}

bool import_build(Import *import)
{
    import->text = spec_text(import, NULL, import->layers);
    import->model = build_text(import, import->diag, import->text);
    if (import->model && !import->flat)
        take_blocks(import);
    return import->model != NULL;
}

bool import_check(Import *import)
{
    return (import->model || import_build(import)) && check_tensors(import, import->model);
}

bool import_write(Import *import, const char *folder)
{
    struct nc_error err;
    if (write_files(import, import->text, folder, &err) == 0)
        return true;
    return import_fault(import, &err);
}
