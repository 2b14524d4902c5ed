/* The csv reader on any bytes, with each separator. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every field, and the rows' own promises. */
static int64_t touch(struct nc_csv *csv, size_t size)
{
    struct nc_error err;
    double value;
    int64_t line = 0, rows = 0;
    nc_csv_rewind(csv);
    for (; nc_csv_next(csv, &err) > 0; rows++) {
        if (csv->line <= line || csv->row != rows || csv->columns < 1)
            abort();
        line = csv->line;
        for (int k = 0; k < csv->columns; k++) {
            const char *field = nc_csv_at(csv, k);
            if (strlen(field) > size || (nc_csv_missing(field) && nc_csv_number(field, &value)))
                abort();
        }
    }
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char separators[] = {0, ',', ';', '\t'};
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int i = 0; i < 4; i++) {
        struct nc_csv csv;
        struct nc_error err;
        if (nc_csv_open(&csv, path, separators[i], &err) != 0)
            continue;
        int64_t rows = touch(&csv, size);
        if (rows < 1 || touch(&csv, size) != rows)
            abort();
        nc_csv_close(&csv);
    }
    close(fd);
    return 0;
}
