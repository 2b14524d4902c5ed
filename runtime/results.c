#include "results.h"

#include "data/file.h"
#include "progress.h"

#include <errno.h>
#include <string.h>

/* ---- values and classes ------------------------------------------------------------------------ */

static int64_t units_of(const struct nc_named *array)
{
    int64_t elements = 1;
    for (int i = 1; i < array->rank; i++)
        elements *= array->shape[i];
    return elements;
}

const char *nc_class_name(const struct nc_class_names *classes, const float *row, int64_t units)
{
    int64_t best = 0;
    for (int64_t i = 1; i < units; i++)
        best = row[i] > row[best] ? i : best;
    if (units == 1)
        best = (double)row[0] > classes->threshold;
    return best < classes->count ? classes->names[best] : "?";
}

/* The class of each row has a name where the output has a single row of units. */
static const struct nc_class_names *row_classes(const struct nc_results *r, int k)
{
    return r->classes && r->arrays[k].rank <= 2 ? r->classes[k] : NULL;
}

/* ---- lines ------------------------------------------------------------------------------------- */

static void print_row(const struct nc_results *r, int64_t row, FILE *out)
{
    for (int k = 0; k < r->count; k++) {
        const struct nc_named *array = &r->arrays[k];
        const struct nc_class_names *classes = row_classes(r, k);
        int64_t n = units_of(array);
        for (int64_t i = 0; i < n; i++)
            fprintf(out, k || i ? " %.9g" : "%.9g", (double)array->data[row * n + i]);
        if (classes)
            fprintf(out, " %s", nc_class_name(classes, array->data + row * n, n));
    }
    putc('\n', out);
}

void nc_results_print(const struct nc_results *r, FILE *out)
{
    for (int64_t row = 0; row < r->rows; row++) {
        if (r->files && r->rows > 1)
            fprintf(out, "%s: ", r->files[row]);
        print_row(r, row, out);
    }
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static void json_rows(const struct nc_named *array, FILE *out)
{
    int64_t rows = array->shape[0], n = units_of(array);
    fputs("[", out);
    for (int64_t i = 0; i < rows * n; i++) {
        fputs(i % n ? "," : i ? "],[" : "[", out);
        nc_json_number(out, (double)array->data[i]);
    }
    fputs(rows ? "]]" : "]", out);
}

static void json_files(const struct nc_results *r, FILE *out)
{
    for (int64_t row = 0; r->files && row < r->rows; row++) {
        fputs(row ? "," : "\"files\":[", out);
        nc_json_text(out, r->files[row]);
    }
    if (r->files)
        fputs("],", out);
}

static void json_classes(const struct nc_results *r, FILE *out)
{
    int any = 0;
    for (int k = 0; k < r->count; k++) {
        const struct nc_named *array = &r->arrays[k];
        const struct nc_class_names *classes = row_classes(r, k);
        int64_t n = units_of(array);
        if (!classes)
            continue;
        fputs(any ? "," : ",\"classes\":{", out);
        nc_json_text(out, array->name);
        for (int64_t row = 0; row < r->rows; row++) {
            fputs(row ? "," : ":[", out);
            nc_json_text(out, nc_class_name(classes, array->data + row * n, n));
        }
        fputs("]", out);
        any = 1;
    }
    if (any)
        fputs("}", out);
}

/* What stands between the braces of the object */
static void json_members(const struct nc_results *r, FILE *out)
{
    json_files(r, out);
    fputs("\"outputs\":", out);
    for (int k = 0; k < r->count; k++) {
        fputs(k ? "," : "{", out);
        nc_json_text(out, r->arrays[k].name);
        fputs(":", out);
        json_rows(&r->arrays[k], out);
    }
    fputs("}", out);
    json_classes(r, out);
}

void nc_results_json(const struct nc_results *r, FILE *out)
{
    fputs("{\"event\":\"predict\",", out);
    json_members(r, out);
    fputs("}\n", out);
}

/* ---- csv --------------------------------------------------------------------------------------- */

static int needs_quotes(const char *text)
{
    return text[strcspn(text, ",;\"\r\n")] != '\0';
}

static void csv_text(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
}

/* One field of three texts in a row, in quotes where it must be. */
static void csv_field(const char *a, const char *b, const char *c, int first, FILE *out)
{
    const char *quote = needs_quotes(a) || needs_quotes(b) || needs_quotes(c) ? "\"" : "";
    fprintf(out, "%s%s", first ? "" : ",", quote);
    csv_text(a, out);
    csv_text(b, out);
    csv_text(c, out);
    fputs(quote, out);
}

/* Of one output: a column for every value, named after the output and its class or position, then
 * one for the class. */
static void csv_output_header(const struct nc_results *r, int k, int first, FILE *out)
{
    const struct nc_named *array = &r->arrays[k];
    const struct nc_class_names *classes = row_classes(r, k);
    int64_t n = units_of(array);
    for (int64_t i = 0; i < n; i++) {
        char position[24];
        snprintf(position, sizeof position, "%lld", (long long)i);
        const char *suffix = classes && classes->count == n ? classes->names[i] : position;
        csv_field(array->name, n > 1 ? "_" : "", n > 1 ? suffix : "", first && !i, out);
    }
    if (classes)
        csv_field(array->name, "_class", "", 0, out);
}

static void csv_row(const struct nc_results *r, int64_t row, FILE *out)
{
    if (r->files)
        csv_field(r->files[row], "", "", 1, out);
    for (int k = 0; k < r->count; k++) {
        const struct nc_named *array = &r->arrays[k];
        const struct nc_class_names *classes = row_classes(r, k);
        int64_t n = units_of(array);
        for (int64_t i = 0; i < n; i++)
            fprintf(out, r->files || k || i ? ",%.9g" : "%.9g", (double)array->data[row * n + i]);
        if (classes)
            csv_field(nc_class_name(classes, array->data + row * n, n), "", "", 0, out);
    }
    putc('\n', out);
}

static void csv(const struct nc_results *r, FILE *out)
{
    fputs(r->files ? "file" : "", out);
    for (int k = 0; k < r->count; k++)
        csv_output_header(r, k, !r->files && !k, out);
    putc('\n', out);
    for (int64_t row = 0; row < r->rows; row++)
        csv_row(r, row, out);
}

/* ---- files ------------------------------------------------------------------------------------- */

static void json(const struct nc_results *r, FILE *out)
{
    fputs("{", out);
    json_members(r, out);
    fputs("}\n", out);
}

typedef void write_text(const struct nc_results *results, FILE *out);

static int write_to(const struct nc_results *r, write_text *write, const char *name,
                    const char *path, struct nc_error *err)
{
    FILE *file = fopen(name, "w");
    if (file)
        write(r, file);
    int bad = !file || ferror(file);
    if (file && fclose(file) != 0)
        bad = 1;
    return bad ? nc_fail(err, path, "cannot be written: %s", strerror(errno)) : 0;
}

static int write_as(const struct nc_results *r, write_text *write, const char *path,
                    struct nc_error *err)
{
    char *temporary = nc_file_temporary(path, err);
    if (!temporary)
        return -1;
    return nc_file_publish(temporary, path, write_to(r, write, temporary, path, err), err);
}

static int ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

int nc_results_write(const struct nc_results *r, const char *path, struct nc_error *err)
{
    if (ends_with(path, ".npz"))
        return nc_npz_write(path, r->arrays, r->count, err);
    if (ends_with(path, ".csv"))
        return write_as(r, csv, path, err);
    if (ends_with(path, ".json"))
        return write_as(r, json, path, err);
    if (!ends_with(path, ".npy"))
        return nc_fail(err, path, "only npy, npz, csv and json files are written");
    if (r->count != 1)
        return nc_fail(err, path, "%d arrays do not fit into an npy; use npz", r->count);
    return nc_npy_write(path, &r->arrays[0], err);
}
