/* log: the epochs of a run, a line each, as log.csv and as log.jsonl in its folder. */
#ifndef NC_LOG_H
#define NC_LOG_H

#include "train.h"

/* Lines of epochs before `epoch` stay, those after it go: a run goes on from there. */
int nc_log_cut(const char *folder, int64_t epoch, struct nc_error *err);
/* `validation`: the loss and the metrics on other samples, or NULL. */
int nc_log_epoch(const char *folder, const struct nc_model *model,
                 const struct nc_progress *progress, const double *validation,
                 struct nc_error *err);

#endif
