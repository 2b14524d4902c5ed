/* csv: a table of texts, separated by commas, semicolons or tabs (RFC 4180, read with some patience:
 * CRLF or CR or LF, a BOM, empty lines, blanks around fields). What the texts mean is up to others. */
#ifndef NC_CSV_H
#define NC_CSV_H

#include "data/array.h"

struct nc_csv {
    int64_t rows;
    int columns;
    char separator;
    const char **fields; /* [rows, columns], NUL-terminated, without quotes */
    int64_t *lines;      /* of each row in the file, from 1 */
    char *text;
};

/* separator 0: the most frequent of `, ; tab` in the first line. Every row must have as many fields
 * as the first. 0, or -1 with err, whose path is then `file:line`. */
int nc_csv_open(struct nc_csv *out, const char *path, char separator, struct nc_error *err);
void nc_csv_close(struct nc_csv *csv);

static inline const char *nc_csv_at(const struct nc_csv *csv, int64_t row, int column)
{
    return csv->fields[row * csv->columns + column];
}

/* Empty, NA, NaN, null or ?, in any case of letters. */
int nc_csv_missing(const char *field);
/* A finite decimal number, all of the field: 1 and *out, else 0. */
int nc_csv_number(const char *field, double *out);

#endif
