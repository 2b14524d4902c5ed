/* What a run tells its user, on stdout. */
#include "progress.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 24 };
#define REDRAW_SECONDS 0.1

void nc_json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

void nc_json_number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "%.9g", value);
    else
        fputs("null", out);
}

void nc_report_open(struct nc_report *r, const struct nc_model *model, int json, int quiet)
{
    *r = (struct nc_report){.model = model, .json = json, .quiet = quiet};
    r->terminal = !json && !quiet && isatty(STDOUT_FILENO);
}

static const char *value_name(const struct nc_model *model, int i)
{
    return i == 0 ? "loss" : model->metrics[i - 1];
}

/* ,"val_loss":0.25,... */
static void json_values(FILE *out, const struct nc_model *model, const char *prefix,
                        const double *values)
{
    for (int i = 0; i <= model->metrics_count; i++) {
        fprintf(out, ",\"%s%s\":", prefix, value_name(model, i));
        nc_json_number(out, values[i]);
    }
}

static void plain_values(const struct nc_report *r, const char *prefix, const double *values)
{
    for (int i = 0; i <= r->model->metrics_count; i++)
        printf("  %s%s %.4f", prefix, value_name(r->model, i), values[i]);
}

void nc_report_clear(struct nc_report *r)
{
    if (r->drawn)
        fputs("\r\033[K", stdout);
    r->drawn = 0;
}

static void print_span(double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        printf("%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        printf("%ld:%02ld", s / 60, s % 60);
}

void nc_report_step(struct nc_report *r, const struct nc_progress *p)
{
    if (!r->terminal)
        return;
    double now = nc_seconds(), done = (double)p->samples / (double)p->count;
    if (now - r->drawn_at < REDRAW_SECONDS)
        return;
    r->drawn_at = now;
    nc_report_clear(r);
    int full = (int)(done * BAR);
    printf("epoch %lld/%lld [", (long long)p->epoch, (long long)p->epochs);
    for (int i = 0; i < BAR; i++)
        fputc(i < full ? '=' : i == full ? '>' : ' ', stdout);
    printf("] %lld/%lld  eta ", (long long)p->step, (long long)p->steps);
    print_span(p->seconds * (1 / done - 1));
    plain_values(r, "", p->values);
    fflush(stdout);
    r->drawn = 1;
}

double nc_samples_per_second(const struct nc_progress *p)
{
    return p->seconds > 0 ? (double)p->samples / p->seconds : 0;
}

void nc_json_epoch(FILE *out, const struct nc_model *model, const struct nc_progress *p,
                   const double *validation)
{
    fprintf(out, "{\"event\":\"epoch\",\"epoch\":%lld", (long long)p->epoch);
    json_values(out, model, "", p->values);
    if (validation)
        json_values(out, model, "val_", validation);
    fprintf(out, ",\"seconds\":%.6g,\"samples_per_second\":%.6g}\n", p->seconds,
            nc_samples_per_second(p));
}

void nc_report_epoch(struct nc_report *r, const struct nc_progress *p, const double *validation)
{
    if (r->quiet)
        return;
    nc_report_clear(r);
    if (r->json) {
        nc_json_epoch(stdout, r->model, p, validation);
    } else {
        printf("epoch %lld/%lld", (long long)p->epoch, (long long)p->epochs);
        plain_values(r, "", p->values);
        if (validation)
            plain_values(r, "val_", validation);
        printf("  %.2f s  %.0f samples/s\n", p->seconds, nc_samples_per_second(p));
    }
    fflush(stdout);
}

static void print_size(double bytes)
{
    if (bytes < 1e6)
        printf("%.1f KB", bytes / 1e3);
    else
        printf("%.1f MB", bytes / 1e6);
}

void nc_report_features(struct nc_report *r, const struct nc_features *f)
{
    if (r->json) {
        printf("{\"event\":\"features\",\"layers\":%d,\"samples\":%lld,\"bytes\":%lld,\"kept\":",
               f->layers, (long long)f->samples, (long long)f->bytes);
        nc_json_text(stdout, f->file ? f->file : "memory");
        printf(",\"found\":%s,\"seconds\":", f->found ? "true" : "false");
        nc_json_number(stdout, f->seconds);
        puts("}");
    } else if (!r->quiet) {
        printf("features of %d frozen layers for %lld samples %s %s, ", f->layers,
               (long long)f->samples, f->found ? "found in" : "kept in",
               f->file ? f->file : "memory");
        print_size((double)f->bytes);
        printf("  %.2f s; epochs run what comes after\n", f->seconds);
    }
    fflush(stdout);
}

void nc_report_unfreeze(struct nc_report *r, int64_t epoch, int64_t trained, int64_t all)
{
    if (r->json)
        printf("{\"event\":\"unfreeze\",\"epoch\":%lld,\"trainable\":%lld,\"parameters\":%lld}\n",
               (long long)epoch, (long long)trained, (long long)all);
    else if (!r->quiet)
        printf("from epoch %lld on %lld of %lld parameters train\n", (long long)epoch,
               (long long)trained, (long long)all);
    fflush(stdout);
}

void nc_report_eval(struct nc_report *r, const double *values)
{
    nc_report_clear(r);
    if (r->json) {
        fputs("{\"event\":\"eval\"", stdout);
        json_values(stdout, r->model, "", values);
        fputs("}\n", stdout);
    } else {
        fputs("test", stdout);
        plain_values(r, "", values);
        fputs("\n", stdout);
    }
    fflush(stdout);
}

void nc_report_done(struct nc_report *r, const char *weights)
{
    nc_report_clear(r);
    if (r->json) {
        fputs("{\"event\":\"done\",\"weights\":", stdout);
        nc_json_text(stdout, weights);
        fputs("}\n", stdout);
    } else {
        printf("weights in %s\n", weights);
    }
    fflush(stdout);
}
