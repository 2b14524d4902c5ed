/* probe: what the end-to-end tests need to look into files.
 *
 *   probe json FILE                  every line is one JSON object of DESIGN section 8
 *   probe get FILE EVENT FIELD       the field in each such event, a line each
 *   probe slice IDX NPY COUNT        the first COUNT rows of an idx file as a uint8 npy
 *   probe accuracy PREDICTED LABELS  share of rows whose largest value is at the label (npy files)
 *   probe spoil IDX                  zeros for all data of an uncompressed idx file */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/array.h"

static void stop(const char *path, const char *message)
{
    fprintf(stderr, "probe: %s: %s\n", path, message);
    exit(1);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        stop(path, "cannot be opened");
    return file;
}

/* ---- JSON lines -------------------------------------------------------------------------------- */

/* What each event must have; ! marks texts, the others are numbers. */
static const char *const fields_of[][9] = {
    {"epoch", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds",
     "samples_per_second", NULL},
    {"eval", "loss", "accuracy", NULL},
    {"grad", "loss", NULL},
    {"done", "!weights", NULL},
};

static const char *event_of(const json_t *line)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    return event ? event : "";
}

static void check_event(const char *path, const json_t *line)
{
    for (size_t i = 0; i < sizeof fields_of / sizeof *fields_of; i++) {
        if (strcmp(fields_of[i][0], event_of(line)))
            continue;
        for (const char *const *field = fields_of[i] + 1; *field; field++) {
            const json_t *value = json_object_get(line, **field == '!' ? *field + 1 : *field);
            if (**field == '!' ? !json_is_string(value) : !json_is_number(value))
                stop(path, *field);
        }
        return;
    }
    stop(path, "an unknown event");
}

typedef void visit_line(const char *path, const json_t *line, char **args);

static void each_line(const char *path, visit_line *visit, char **args)
{
    char text[4096];
    int lines = 0;
    FILE *file = open_file(path, "r");
    for (; fgets(text, sizeof text, file); lines++) {
        json_error_t error;
        json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(line) || text[strlen(text) - 1] != '\n')
            stop(path, error.text);
        visit(path, line, args);
        json_decref(line);
    }
    fclose(file);
    if (!lines)
        stop(path, "empty");
}

static void visit_check(const char *path, const json_t *line, char **args)
{
    (void)args;
    check_event(path, line);
}

static void visit_get(const char *path, const json_t *line, char **args)
{
    const json_t *value = json_object_get(line, args[1]);
    (void)path;
    if (strcmp(event_of(line), args[0]))
        return;
    if (json_is_string(value))
        puts(json_string_value(value));
    else
        printf("%.12g\n", json_number_value(value));
}

/* ---- arrays ------------------------------------------------------------------------------------ */

static void slice(const char *from, const char *to, long count)
{
    struct nc_array array;
    struct nc_error err;
    char shape[200] = "", header[300];
    if (nc_idx_open(&array, from, &err) != 0)
        stop(from, err.message);
    for (int i = 1; i < array.rank; i++)
        sprintf(shape + strlen(shape), " %lld,", (long long)array.shape[i]);
    snprintf(header, sizeof header,
             "{'descr': '|u1', 'fortran_order': False, 'shape': (%ld,%s%s), }", count, shape,
             array.rank > 1 ? " 1" : ""); /* images get their channel */
    FILE *file = open_file(to, "wb");
    fwrite("\x93NUMPY\1\0\xf6\0", 1, 10, file);
    fprintf(file, "%-245s\n", header);
    fwrite(array.data, (size_t)array.row_elements, (size_t)count, file);
    if (fclose(file) != 0)
        stop(to, "cannot be written");
    nc_array_close(&array);
}

static float *read_rows(const char *path, struct nc_array *array)
{
    struct nc_error err;
    if (nc_npy_open(array, path, &err) != 0)
        stop(path, err.message);
    long rows = (long)array->shape[0];
    uint32_t *index = calloc((size_t)rows + 1, sizeof *index);
    float *values = calloc((size_t)rows * (size_t)array->row_elements + 1, sizeof *values);
    if (!index || !values)
        stop(path, "out of memory");
    for (long i = 0; i < rows; i++)
        index[i] = (uint32_t)i;
    nc_array_gather(array, index, rows, values, sizeof(float));
    free(index);
    return values;
}

static void print_accuracy(const char *predicted, const char *labels)
{
    struct nc_array p, y;
    float *values = read_rows(predicted, &p), *classes = read_rows(labels, &y);
    long right = 0;
    if (p.shape[0] != y.shape[0])
        stop(predicted, "another number of rows than the labels");
    for (int64_t i = 0; i < p.shape[0]; i++) {
        int64_t best = 0;
        for (int64_t k = 1; k < p.row_elements; k++) {
            if (values[i * p.row_elements + k] > values[i * p.row_elements + best])
                best = k;
        }
        right += best == (int64_t)classes[i];
    }
    printf("%.6f\n", (double)right / (double)p.shape[0]);
    free(values);
    free(classes);
    nc_array_close(&p);
    nc_array_close(&y);
}

static void spoil(const char *path)
{
    unsigned char header[4];
    FILE *file = open_file(path, "r+b");
    if (fread(header, 1, 4, file) != 4 || fseek(file, 0, SEEK_END) != 0)
        stop(path, "cannot be read");
    long end = ftell(file), start = 4 + 4L * header[3];
    fseek(file, start, SEEK_SET);
    for (long i = start; i < end; i++)
        fputc(0, file);
    if (fclose(file) != 0)
        stop(path, "cannot be written");
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "json"))
        each_line(argv[2], visit_check, NULL);
    else if (argc == 5 && !strcmp(argv[1], "get"))
        each_line(argv[2], visit_get, argv + 3);
    else if (argc == 5 && !strcmp(argv[1], "slice"))
        slice(argv[2], argv[3], atol(argv[4]));
    else if (argc == 4 && !strcmp(argv[1], "accuracy"))
        print_accuracy(argv[2], argv[3]);
    else if (argc == 3 && !strcmp(argv[1], "spoil"))
        spoil(argv[2]);
    else
        stop("usage", "see the top of probe.c");
    return 0;
}
