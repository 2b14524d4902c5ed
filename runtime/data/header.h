/* header: the first row of a csv, which may name its columns. */
#ifndef NC_HEADER_H
#define NC_HEADER_H

#include "data/csv.h"

struct nc_header {
    int columns;
    int64_t line;
    int names; /* the row names the columns; else it is data */
    /* private */
    char *text;
    size_t *starts;
    int *slots; /* by the hash of a name: its first position, plus 1 */
};

/* Reads the first row; the csv must be freshly opened. 0, or -1 with err. To be closed. */
int nc_header_open(struct nc_header *header, struct nc_csv *csv, struct nc_error *err);
void nc_header_close(struct nc_header *header);
/* Does it look like names: texts only, or a text above numbers? -1 with err. */
int nc_header_guess(const struct nc_header *header, struct nc_csv *csv, struct nc_error *err);
/* Goes to before the first row of data, of which there must be one. */
int nc_header_skip(const struct nc_header *header, struct nc_csv *csv, struct nc_error *err);
/* Where a column of that name stands, or -1. */
int nc_header_find(const struct nc_header *header, const char *name);

static inline const char *nc_header_at(const struct nc_header *header, int column)
{
    return header->text + header->starts[column];
}

#endif
