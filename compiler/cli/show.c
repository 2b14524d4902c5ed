/* What a classifier does, to look at: a confusion matrix, and samples drawn as text with the class
 * each was taken for. */
#include "cli/results.h"
#include "fit.h"

#include <stdio.h>
#include <string.h>

enum { SCREEN = 80, MOST_CLASSES = 20 };

/* A picture classifier's samples and its answers */
typedef struct {
    const Samples *samples;
    int64_t rows, classes, height, width;
    const float *probability; /* [rows, classes] */
    float *pixel;             /* [height, width] of one sample */
    const ClassNames *names;  /* or NULL */
} Gallery;

static bool is_classifier(const struct nc_model *model)
{
    return model->targets_count == 1 && model->predict.outputs_count == 1 &&
           nc_sparse_classes(model, 0) > 1;
}

static bool shows_pictures(const struct nc_model *model)
{
    const struct nc_port *in = &model->inputs[0];
    bool flat = in->rank == 2 || (in->rank == 3 && in->shape[2] == 1);
    return model->inputs_count == 1 && flat && in->shape[1] < SCREEN;
}

/* "3" or its name */
static const char *label_name(Arena *arena, const Gallery *g, int64_t label)
{
    return g->names && label < g->names->count ? g->names->names[label]
                                               : arena_printf(arena, "%lld", (long long)label);
}

static int64_t label_at(const Gallery *g, int64_t row)
{
    float label;
    const uint32_t index = (uint32_t)row;
    nc_array_gather(&g->samples->targets[0], &index, 1, &label, sizeof label);
    return (int64_t)label;
}

static int64_t guess_at(const Gallery *g, int64_t row)
{
    const float *p = g->probability + row * g->classes;
    int64_t best = 0;
    for (int64_t i = 1; i < g->classes; i++)
        best = p[i] > p[best] ? i : best;
    return best;
}

static void print_confusion(Arena *arena, const Gallery *g)
{
    int64_t *counts = ARENA_ARRAY(arena, int64_t, g->classes * g->classes);
    for (int64_t i = 0; i < g->rows; i++)
        counts[label_at(g, i) * g->classes + guess_at(g, i)]++;
    printf("\ntrue\\taken for");
    for (int64_t c = 0; c < g->classes; c++)
        printf(c ? " %5lld" : "  %5lld", (long long)c);
    for (int64_t r = 0; r < g->classes; r++) {
        const char *name = g->names ? label_name(arena, g, r) : "";
        printf("\n%-10.10s %2lld ", name, (long long)r);
        for (int64_t c = 0; c < g->classes; c++) {
            int64_t n = counts[r * g->classes + c];
            if (n)
                printf(" %5lld", (long long)n);
            else
                printf("     .");
        }
    }
    printf("\n");
}

/* Pictures side by side, each character two pixels high. */
static void read_picture(const Gallery *g, int64_t row, float *low, float *high)
{
    const uint32_t index = (uint32_t)row;
    struct nc_error err;
    const struct nc_array *input = &g->samples->inputs[0];
    if (nc_array_read(input, &index, 1, g->pixel, sizeof *g->pixel, NULL, &err) != 0)
        memset(g->pixel, 0, (size_t)input->row_elements * sizeof *g->pixel);
    *low = *high = g->pixel[0];
    for (int64_t i = 1; i < g->height * g->width; i++) {
        *low = g->pixel[i] < *low ? g->pixel[i] : *low;
        *high = g->pixel[i] > *high ? g->pixel[i] : *high;
    }
}

static void print_line(const Gallery *g, int64_t row, int64_t y)
{
    static const char shades[] = " .:-=+*#%@";
    float low, high;
    read_picture(g, row, &low, &high);
    for (int64_t x = 0; x < g->width; x++) {
        const float *p = g->pixel + y * g->width + x;
        float value = y + 1 < g->height ? 0.5F * (p[0] + p[g->width]) : p[0];
        float part = high > low ? (value - low) / (high - low) : 0;
        putchar(shades[(int)(part * 9.999F)]);
    }
}

static void print_caption(Arena *arena, const Gallery *g, int64_t row)
{
    char text[64];
    int64_t label = label_at(g, row), guess = guess_at(g, row);
    snprintf(text, sizeof text, "%.16s, taken for %.16s (%.0f%%)%s", label_name(arena, g, label),
             label_name(arena, g, guess), 100 * (double)g->probability[row * g->classes + guess],
             label == guess ? "" : " !");
    printf("%-*s", (int)g->width, text);
}

static void print_pictures(Arena *arena, const Gallery *g, int64_t first, int64_t count)
{
    putchar('\n');
    for (int64_t y = 0; y < g->height; y += 2) {
        for (int64_t i = 0; i < count; i++) {
            print_line(g, first + i, y);
            fputs(i + 1 < count ? "  " : "\n", stdout);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        print_caption(arena, g, first + i);
        fputs(i + 1 < count ? "  " : "\n", stdout);
    }
}

static void print_gallery(Arena *arena, Gallery *g, const struct nc_port *in, int64_t count)
{
    g->height = in->shape[0];
    g->width = in->shape[1];
    g->pixel = ARENA_ARRAY(arena, float, in->elements);
    int64_t across = (SCREEN + 2) / (g->width + 2);
    for (int64_t i = 0; i < count; i += across)
        print_pictures(arena, g, i, count - i < across ? count - i : across);
}

static void print_lines(Arena *arena, const Gallery *g, int64_t count)
{
    putchar('\n');
    for (int64_t i = 0; i < count; i++) {
        print_caption(arena, g, i);
        putchar('\n');
    }
}

void show_results(Job *job, const Samples *test, int64_t count)
{
    Results results;
    struct nc_error err;
    if (!is_classifier(job->nc) ||
        !results_new(job, &job->nc->predict, test->samples.count, &results)) {
        diag_note(job->diag, (Loc){0}, "--show is for classifiers with one output");
        return;
    }
    if (nc_predict(&job->session, &test->samples, results.pointers, &err) != 0) {
        diag_note(job->diag, (Loc){0}, "--show: %s: %s", err.path, err.message);
        return;
    }
    Gallery g = {.samples = test,
                 .rows = test->samples.count,
                 .classes = nc_sparse_classes(job->nc, 0),
                 .probability = results.pointers[0],
                 .names = results_classes(job, 0)};
    count = count < g.rows ? count : g.rows;
    if (g.classes <= MOST_CLASSES)
        print_confusion(job->arena, &g);
    if (shows_pictures(job->nc))
        print_gallery(job->arena, &g, &job->nc->inputs[0], count);
    else
        print_lines(job->arena, &g, count);
    putchar('\n');
}
