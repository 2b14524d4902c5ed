/* What a classifier does, to look at: a confusion matrix, and samples drawn as text with the class
 * each was taken for. */
#include "cli/results.h"

#include <stdio.h>

enum { SCREEN = 80, MOST_CLASSES = 20 };

/* A picture classifier's samples and its answers */
typedef struct {
    const Samples *samples;
    int64_t rows, classes, height, width;
    const float *probability; /* [rows, classes] */
    float *pixel;             /* [height, width] of one sample */
} Gallery;

static bool is_gallery(const struct nc_model *model)
{
    const struct nc_port *in = &model->inputs[0];
    bool flat = in->rank == 2 || (in->rank == 3 && in->shape[2] == 1);
    return model->inputs_count == 1 && model->targets_count == 1 &&
           model->predict.outputs_count == 1 && flat && in->shape[1] < SCREEN &&
           sparse_classes(model, 0) > 1;
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
        printf("\n%13lld ", (long long)r);
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
    nc_array_gather(&g->samples->inputs[0], &index, 1, g->pixel, sizeof *g->pixel);
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

static void print_caption(const Gallery *g, int64_t row)
{
    char text[64];
    int64_t label = label_at(g, row), guess = guess_at(g, row);
    snprintf(text, sizeof text, "%lld, taken for %lld (%.0f%%)%s", (long long)label,
             (long long)guess, 100 * (double)g->probability[row * g->classes + guess],
             label == guess ? "" : " !");
    printf("%-*s", (int)g->width, text);
}

static void print_pictures(const Gallery *g, int64_t first, int64_t count)
{
    putchar('\n');
    for (int64_t y = 0; y < g->height; y += 2) {
        for (int64_t i = 0; i < count; i++) {
            print_line(g, first + i, y);
            fputs(i + 1 < count ? "  " : "\n", stdout);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        print_caption(g, first + i);
        fputs(i + 1 < count ? "  " : "\n", stdout);
    }
}

void show_results(Job *job, const Samples *test, int64_t count)
{
    Results results;
    if (!is_gallery(job->nc) ||
        !results_new(job, &job->nc->predict, test->samples.count, &results)) {
        diag_note(job->diag, (Loc){0}, "--show draws classifiers of pictures with one channel");
        return;
    }
    nc_predict(&job->session, &test->samples, results.pointers);
    const struct nc_port *in = &job->nc->inputs[0];
    Gallery g = {test,
                 test->samples.count,
                 sparse_classes(job->nc, 0),
                 in->shape[0],
                 in->shape[1],
                 results.pointers[0],
                 ARENA_ARRAY(job->arena, float, in->elements)};
    if (g.classes <= MOST_CLASSES)
        print_confusion(job->arena, &g);
    int64_t across = (SCREEN + 2) / (g.width + 2);
    count = count < g.rows ? count : g.rows;
    for (int64_t i = 0; i < count; i += across)
        print_pictures(&g, i, count - i < across ? count - i : across);
    putchar('\n');
}
