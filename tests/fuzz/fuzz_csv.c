/* The csv reader on any bytes, with each separator. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every field, and the table's own promises. */
static void touch(struct nc_csv *csv, size_t size)
{
    double value;
    if (csv->rows < 1 || csv->columns < 1)
        abort();
    for (int64_t row = 0; row < csv->rows; row++) {
        if (csv->lines[row] < 1 || (row && csv->lines[row] <= csv->lines[row - 1]))
            abort();
        for (int k = 0; k < csv->columns; k++) {
            const char *field = nc_csv_at(csv, row, k);
            if (strlen(field) > size || (nc_csv_missing(field) && nc_csv_number(field, &value)))
                abort();
        }
    }
    nc_csv_close(csv);
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
        if (nc_csv_open(&csv, path, separators[i], &err) == 0)
            touch(&csv, size);
    }
    close(fd);
    return 0;
}
