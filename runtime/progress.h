/* progress: what a run tells its user. A bar on a terminal, plain lines in a pipe, or one JSON
 * object a line. */
#ifndef NC_PROGRESS_H
#define NC_PROGRESS_H

#include <stdio.h>

#include "train.h"

struct nc_report {
    const struct nc_model *model;
    int json;
    int quiet;    /* nothing before the end */
    int terminal; /* draw a bar */
    int drawn;    /* a bar is on the screen */
    double drawn_at;
};

void nc_report_open(struct nc_report *report, const struct nc_model *model, int json, int quiet);
void nc_report_step(struct nc_report *report, const struct nc_progress *progress);
/* `validation`: the loss and the metrics on other samples, or NULL. */
void nc_report_epoch(struct nc_report *report, const struct nc_progress *progress,
                     const double *validation);
/* What a frozen trunk gives has been computed for every sample. */
struct nc_features {
    int layers;
    int64_t samples, bytes;
    const char *file; /* the folder where it is kept; NULL: in memory */
    int found;        /* it was there already */
    double seconds;
};
void nc_report_features(struct nc_report *report, const struct nc_features *features);
/* More parameters train from an epoch on. */
void nc_report_unfreeze(struct nc_report *report, int64_t epoch, int64_t trained, int64_t all);
void nc_report_eval(struct nc_report *report, const double *values);
void nc_report_done(struct nc_report *report, const char *weights);
/* Takes the bar away, before something else is printed. */
void nc_report_clear(struct nc_report *report);

/* {"event":"epoch",...} and the end of the line */
void nc_json_epoch(FILE *out, const struct nc_model *model, const struct nc_progress *progress,
                   const double *validation);
double nc_samples_per_second(const struct nc_progress *progress);

/* JSON texts and numbers; what is not finite becomes null. */
void nc_json_text(FILE *out, const char *text);
void nc_json_number(FILE *out, double value);

#endif
