/* Results: arrays that a command computes, and the files they go to. */
#include "cli/results.h"

#include <errno.h>
#include <string.h>

#include "progress.h"

bool results_new(Job *job, const struct nc_entry *entry, int64_t rows, Results *out)
{
    size_t real = job->nc->real_bytes;
    out->count = entry->outputs_count;
    out->arrays = ARENA_ARRAY(job->arena, struct nc_named, out->count + 1);
    out->pointers = ARENA_ARRAY(job->arena, void *, out->count + 1);
    for (int i = 0; i < out->count; i++) {
        const struct nc_port *port = &entry->outputs[i];
        struct nc_named *array = &out->arrays[i];
        size_t elements = (size_t)port->elements * (size_t)(port->batched ? rows : 1);
        if (port->batched && port->rank == NC_MAX_RANK)
            return diag_error(job->diag, (Loc){0}, "'%s' has too many axes", port->name);
        out->pointers[i] = arena_alloc(job->arena, elements * real + 1);
        *array = (struct nc_named){
            .name = port->name, .rank = port->rank + port->batched, .data = out->pointers[i]};
        array->shape[0] = rows;
        memcpy(array->shape + port->batched, port->shape, (size_t)port->rank * sizeof(int64_t));
    }
    return true;
}

/* ---- classes ----------------------------------------------------------------------------------- */

const ClassNames *results_classes(const Job *job, int k)
{
    const Model *model = job->model;
    for (int i = 0; model->classes && i < model->targets_count; i++) {
        if (!strcmp(model->targets[i].name, model->outputs[k].name) && model->classes[i].names)
            return &model->classes[i];
    }
    return NULL;
}

const char *class_name(const ClassNames *classes, const float *row, int64_t units)
{
    int64_t best = 0;
    for (int64_t i = 1; i < units; i++)
        best = row[i] > row[best] ? i : best;
    if (units == 1)
        best = (double)row[0] > classes->threshold;
    return best < classes->count ? classes->names[best] : "?";
}

int64_t results_units(const struct nc_named *array)
{
    int64_t elements = 1;
    for (int i = 1; i < array->rank; i++)
        elements *= array->shape[i];
    return elements;
}

/* A class for every row, where the output has a single row of units. */
static const ClassNames *row_classes(const Job *job, const Results *results, int k)
{
    return results->arrays[k].rank <= 2 ? results_classes(job, k) : NULL;
}

/* ---- text -------------------------------------------------------------------------------------- */

static void print_rows(const struct nc_named *array, FILE *out)
{
    int64_t rows = array->shape[0], n = results_units(array);
    fputs("[", out);
    for (int64_t i = 0; i < rows * n; i++) {
        fputs(i % n ? "," : i ? "],[" : "[", out);
        nc_json_number(out, (double)array->data[i]);
    }
    fputs(rows ? "]]" : "]", out);
}

static void print_classes(const Job *job, const Results *results, FILE *out)
{
    bool any = false;
    for (int k = 0; k < results->count; k++) {
        const struct nc_named *array = &results->arrays[k];
        const ClassNames *classes = row_classes(job, results, k);
        int64_t n = results_units(array);
        if (!classes)
            continue;
        fputs(any ? "," : ",\"classes\":{", out);
        nc_json_text(out, array->name);
        for (int64_t row = 0; row < array->shape[0]; row++) {
            fputs(row ? "," : ":[", out);
            nc_json_text(out, class_name(classes, array->data + row * n, n));
        }
        fputs("]", out);
        any = true;
    }
    if (any)
        fputs("}", out);
}

void results_print_json(const Job *job, const Results *results, FILE *out)
{
    fputs("\"outputs\":", out);
    for (int k = 0; k < results->count; k++) {
        fputs(k ? "," : "{", out);
        nc_json_text(out, results->arrays[k].name);
        fputs(":", out);
        print_rows(&results->arrays[k], out);
    }
    fputs("}", out);
    print_classes(job, results, out);
}

/* A csv field; quoted where it must be. */
static void print_field(const char *text, bool first, FILE *out)
{
    if (!first)
        fputc(',', out);
    if (!text[strcspn(text, ",;\"\r\n")]) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++)
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, out);
    fputc('"', out);
}

/* One column for every value, named after its class, its output, or output and position; then the
 * class. */
static void print_csv_header(const Job *job, const Results *results, FILE *out)
{
    bool first = true;
    for (int k = 0; k < results->count; k++) {
        const struct nc_named *array = &results->arrays[k];
        const ClassNames *classes = row_classes(job, results, k);
        int64_t n = results_units(array);
        for (int64_t i = 0; i < n; i++, first = false) {
            const char *suffix = classes && classes->count == n
                                     ? classes->names[i]
                                     : arena_printf(job->arena, "%lld", (long long)i);
            const char *name = arena_printf(job->arena, "%s_%s", array->name, suffix);
            print_field(n == 1 ? array->name : name, first, out);
        }
        if (classes)
            print_field(arena_printf(job->arena, "%s_class", array->name), false, out);
    }
    fputs("\n", out);
}

static void print_csv(const Job *job, const Results *results, FILE *out)
{
    print_csv_header(job, results, out);
    for (int64_t row = 0; row < results->arrays[0].shape[0]; row++) {
        for (int k = 0; k < results->count; k++) {
            const struct nc_named *array = &results->arrays[k];
            const ClassNames *classes = row_classes(job, results, k);
            int64_t n = results_units(array);
            for (int64_t i = 0; i < n; i++)
                fprintf(out, k || i ? ",%.9g" : "%.9g", (double)array->data[row * n + i]);
            if (classes)
                print_field(class_name(classes, array->data + row * n, n), false, out);
        }
        fputs("\n", out);
    }
}

static void print_json(const Job *job, const Results *results, FILE *out)
{
    fputs("{", out);
    results_print_json(job, results, out);
    fputs("}\n", out);
}

/* ---- files ------------------------------------------------------------------------------------- */

static bool write_text(Job *job, const Results *results, const char *path, bool csv)
{
    FILE *file = fopen(path, "w");
    if (file)
        (csv ? print_csv : print_json)(job, results, file);
    bool good = file && !ferror(file);
    if (file && fclose(file) != 0)
        good = false;
    return good ||
           diag_error(job->diag, (Loc){0}, "%s: cannot be written: %s", path, strerror(errno));
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && !strcmp(text + a - b, end);
}

bool results_write(Job *job, const Results *results, const char *path)
{
    struct nc_error err;
    if (ends_with(path, ".npz"))
        return nc_npz_write(path, results->arrays, results->count, &err) == 0 ||
               job_fault(job, &err);
    if (ends_with(path, ".csv") || ends_with(path, ".json"))
        return write_text(job, results, path, ends_with(path, ".csv"));
    if (!ends_with(path, ".npy"))
        return diag_error(job->diag, (Loc){0}, "%s: only npy, npz, csv and json files are written",
                          path);
    if (results->count != 1)
        return diag_error(job->diag, (Loc){0}, "%s: %d arrays do not fit into an npy; use npz",
                          path, results->count);
    return nc_npy_write(path, &results->arrays[0], &err) == 0 || job_fault(job, &err);
}
