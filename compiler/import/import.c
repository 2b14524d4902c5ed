/* What importers share: messages, names, the spec's tree, tensors. */
#include "import/import.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "build.h"

/* ---- messages ---------------------------------------------------------------------------------- */

bool import_error(Import *import, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(import->arena, format, args);
    va_end(args);
    return diag_error(import->diag, (Loc){0}, "%s: %s", import->path, message);
}

bool import_fault(Import *import, const struct nc_error *err)
{
    return diag_error(import->diag, (Loc){0}, "%s: %s", err->path[0] ? err->path : import->path,
                      err->message);
}

void import_note(Import *import, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *note = arena_vprintf(import->arena, format, args);
    va_end(args);
    ARENA_PUSH(import->arena, import->notes, import->notes_count, note);
}

const Importer *import_find(Import *import)
{
    struct nc_file_head head;
    struct nc_error err;
    if (nc_file_head_read(&head, import->path, &err) != 0) {
        import_fault(import, &err);
        return NULL;
    }
    for (int i = 0; importers[i]; i++) {
        if (importers[i]->recognises(&head))
            return importers[i];
    }
    import_error(import, "is of no format that netcc imports");
    return NULL;
}

/* ---- names ------------------------------------------------------------------------------------- */

static bool is_taken(const Import *import, const char *name)
{
    for (int i = 0; i < import->names_count; i++) {
        if (!strcmp(import->names[i], name))
            return true;
    }
    return false;
}

/* Letters, digits and _, at most as many as leave room for a number. */
static char *as_identifier(Arena *arena, const char *theirs)
{
    enum { LONGEST = 90 };
    char *name = arena_printf(arena, "%s%.*s", isdigit((unsigned char)*theirs) ? "_" : "", LONGEST,
                              *theirs ? theirs : "layer");
    for (char *c = name; *c; c++) {
        if (!isalnum((unsigned char)*c))
            *c = '_';
    }
    return is_name(name) ? name : arena_printf(arena, "%s_", name);
}

const char *import_name(Import *import, const char *theirs)
{
    const char *base = as_identifier(import->arena, theirs), *name = base;
    for (int i = 2; is_taken(import, name); i++)
        name = arena_printf(import->arena, "%s_%d", base, i);
    ARENA_PUSH(import->arena, import->names, import->names_count, name);
    return name;
}

/* ---- the spec ---------------------------------------------------------------------------------- */

void import_begin(Import *import, const char *name)
{
    Arena *arena = import->arena;
    import->name = as_identifier(arena, name);
    import->spec = yaml_new_map(arena);
    import->layers = yaml_new_list(arena);
    yaml_put(arena, import->spec, "name", yaml_new_text(arena, import->name));
}

void import_input(Import *import, const char *name, int rank, const int64_t *shape)
{
    Arena *arena = import->arena;
    if (!import->inputs)
        import->inputs = yaml_new_map(arena);
    yaml_put(arena, import->inputs, name, yaml_new_ints(arena, shape, rank));
}

static Yaml *name_or_list(Arena *arena, const char *const *names, int count)
{
    if (count == 1)
        return yaml_new_text(arena, names[0]);
    Yaml *list = yaml_new_list(arena);
    for (int i = 0; i < count; i++)
        yaml_push(arena, list, yaml_new_text(arena, names[i]));
    return list;
}

Yaml *import_layer(Import *import, const char *kind, const char *name, const char *const *from,
                   int from_count)
{
    Arena *arena = import->arena;
    Yaml *attributes = yaml_new_map(arena), *item = yaml_new_map(arena);
    yaml_put(arena, attributes, "name", yaml_new_text(arena, name));
    if (from)
        yaml_put(arena, attributes, "from", name_or_list(arena, from, from_count));
    yaml_put(arena, item, kind, attributes);
    yaml_push(arena, import->layers, item);
    return attributes;
}

void import_outputs(Import *import, const char *const *names, int count)
{
    Yaml *list = yaml_new_list(import->arena);
    for (int i = 0; i < count; i++)
        yaml_push(import->arena, list, yaml_new_text(import->arena, names[i]));
    import->outputs = list;
}

/* ---- tensors ----------------------------------------------------------------------------------- */

ImportTensor *import_tensor(Import *import, const char *layer, const char *suffix, int rank,
                            const int64_t *shape)
{
    ImportTensor *tensor = ARENA_NEW(import->arena, ImportTensor);
    tensor->name = arena_printf(import->arena, "%s/%s", layer, suffix);
    tensor->rank = rank;
    tensor->elements = 1;
    for (int i = 0; i < rank; i++) {
        tensor->shape[i] = shape[i];
        tensor->elements *= shape[i];
        tensor->perm[i] = i;
    }
    ARENA_PUSH(import->arena, import->tensors, import->tensors_count, tensor);
    return tensor;
}

ImportTensor *import_from_file(Import *import, const char *layer, const char *suffix,
                               const struct nc_weight_file *file, int index, const int *perm)
{
    const struct nc_weight *w = &file->weights[index];
    int64_t shape[NC_MAX_RANK];
    for (int i = 0; i < w->rank; i++)
        shape[i] = w->shape[perm ? perm[i] : i];
    ImportTensor *tensor = import_tensor(import, layer, suffix, w->rank, shape);
    tensor->file = file;
    tensor->index = index;
    tensor->place = w->place ? w->place : w->name;
    for (int i = 0; i < w->rank; i++)
        tensor->perm[i] = perm ? perm[i] : i;
    return tensor;
}

void import_permute(const float *x, int rank, const int64_t *shape, const int *perm,
                    unsigned flipped, float *y)
{
    int64_t stride[NC_MAX_RANK], step[NC_MAX_RANK], extent[NC_MAX_RANK], at[NC_MAX_RANK] = {0};
    int64_t total = 1, offset = 0;
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = total;
        total *= shape[i];
    }
    for (int i = 0; i < rank; i++) {
        bool back = flipped >> i & 1;
        extent[i] = shape[perm[i]];
        step[i] = back ? -stride[perm[i]] : stride[perm[i]];
        offset += back ? (extent[i] - 1) * stride[perm[i]] : 0;
    }
    for (int64_t e = 0; e < total; e++) {
        y[e] = x[offset];
        for (int i = rank - 1; i >= 0; i--) {
            offset += step[i];
            if (++at[i] < extent[i])
                break;
            offset -= extent[i] * step[i];
            at[i] = 0;
        }
    }
}
