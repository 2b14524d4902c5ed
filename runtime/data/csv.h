/* csv: a table of texts, separated by commas, semicolons or tabs (RFC 4180, read with some patience:
 * CRLF or CR or LF, a BOM, empty lines, blanks around fields). What the texts mean is up to others.
 * The file is mapped and read row after row, as often as is asked: it may be larger than memory. */
#ifndef NC_CSV_H
#define NC_CSV_H

#include "data/file.h"

struct nc_csv {
    int columns;
    char separator;
    int64_t row;  /* at hand, from 0; -1: none yet */
    int64_t line; /* of the file where it begins, from 1 */
    /* private */
    char *text;     /* its fields, NUL-terminated, without quotes */
    size_t *starts; /* [columns] of each field in text */
    size_t text_bytes, text_room, starts_room;
    struct nc_map map;
    const char *first, *at, *end; /* of the mapping */
    int64_t first_line, next_line;
    const char *path;
};

/* separator 0: the most frequent of `, ; tab` in the first line. The path must outlive csv. 0, or -1
 * with err, whose path is then `file:line`. */
int nc_csv_open(struct nc_csv *csv, const char *path, char separator, struct nc_error *err);
/* The next row: 1, or 0 where there is none, or -1 with err. Every row must have as many fields as
 * the first. */
int nc_csv_next(struct nc_csv *csv, struct nc_error *err);
/* Back to before the first row. */
void nc_csv_rewind(struct nc_csv *csv);
void nc_csv_close(struct nc_csv *csv);

/* A field of the row at hand, until the next one is. */
static inline const char *nc_csv_at(const struct nc_csv *csv, int column)
{
    return csv->text + csv->starts[column];
}

/* Empty, NA, NaN, null or ?, in any case of letters. */
int nc_csv_missing(const char *field);
/* A finite decimal number, all of the field: 1 and *out, else 0. */
int nc_csv_number(const char *field, double *out);

#endif
