/* Lines are appended and the file is closed again, so that a kill costs at most the line being
 * written; such a piece of a line is cut off when the run goes on. */
#include "log.h"

#include "progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static const char *path_of(char path[PATH_BYTES], const char *folder, const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    return path;
}

/* The epoch of a line; 0 for the header, -1 for none. */
static long long epoch_of(const char *line)
{
    long long epoch = -1;
    if (strncmp(line, "epoch,", 6) == 0)
        return 0;
    if (sscanf(line, "{\"event\":\"epoch\",\"epoch\":%lld", &epoch) == 1 ||
        sscanf(line, "%lld,", &epoch) == 1)
        return epoch;
    return -1;
}

/* How many bytes the whole lines before an epoch take. */
static off_t bytes_before(FILE *file, int64_t epoch)
{
    off_t bytes = 0;
    char *line = NULL;
    size_t room = 0;
    for (ssize_t n; (n = getline(&line, &room, file)) > 0; bytes += n) {
        long long of = epoch_of(line);
        if (line[n - 1] != '\n' || of < 0 || of >= epoch)
            break;
    }
    free(line);
    return bytes;
}

static int cut(const char *path, int64_t epoch, struct nc_error *err)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return errno == ENOENT ? 0 : nc_fail(err, path, "cannot be read: %s", strerror(errno));
    off_t keep = epoch > 1 ? bytes_before(file, epoch) : 0;
    fclose(file);
    return truncate(path, keep) == 0 ? 0
                                     : nc_fail(err, path, "cannot be written: %s", strerror(errno));
}

int nc_log_cut(const char *folder, int64_t epoch, struct nc_error *err)
{
    char path[PATH_BYTES];
    if (cut(path_of(path, folder, "log.csv"), epoch, err) != 0)
        return -1;
    return cut(path_of(path, folder, "log.jsonl"), epoch, err);
}

static void csv_names(FILE *file, const struct nc_model *model, const char *prefix)
{
    for (int i = 0; i <= model->metrics_count; i++)
        fprintf(file, ",%s%s", prefix, i ? model->metrics[i - 1] : "loss");
}

static void csv_values(FILE *file, const struct nc_model *model, const double *values)
{
    for (int i = 0; i <= model->metrics_count; i++)
        fprintf(file, ",%.9g", values[i]);
}

static void write_csv(FILE *file, const struct nc_model *model, const struct nc_progress *p,
                      const double *validation)
{
    if (ftell(file) == 0) {
        fputs("epoch", file);
        csv_names(file, model, "");
        if (validation)
            csv_names(file, model, "val_");
        fputs(",seconds,samples_per_second\n", file);
    }
    fprintf(file, "%lld", (long long)p->epoch);
    csv_values(file, model, p->values);
    if (validation)
        csv_values(file, model, validation);
    fprintf(file, ",%.6g,%.6g\n", p->seconds, nc_samples_per_second(p));
}

typedef void write_line(FILE *file, const struct nc_model *model, const struct nc_progress *p,
                        const double *validation);

static int append(const char *path, write_line *write, const struct nc_model *model,
                  const struct nc_progress *p, const double *validation, struct nc_error *err)
{
    FILE *file = fopen(path, "a");
    int bad = !file || fseek(file, 0, SEEK_END) != 0;
    if (!bad)
        write(file, model, p, validation);
    if (file)
        bad |= ferror(file) | (fclose(file) != 0);
    return bad ? nc_fail(err, path, "cannot be written: %s", strerror(errno)) : 0;
}

int nc_log_epoch(const char *folder, const struct nc_model *model, const struct nc_progress *p,
                 const double *validation, struct nc_error *err)
{
    char path[PATH_BYTES];
    path_of(path, folder, "log.csv");
    if (append(path, write_csv, model, p, validation, err) != 0)
        return -1;
    path_of(path, folder, "log.jsonl");
    return append(path, nc_json_epoch, model, p, validation, err);
}
