/* table: what the columns of a training csv hold, and csv files read by that.
 *
 * A model that was trained from a csv has one number a column as its raw input: a value, or the
 * position of a category among the sorted ones; NaN where a value is missing. The model itself fills
 * in what is missing and expands positions into 0 and 1. The compiler learns the table from the training file; it travels in the weights' metadata. */
#ifndef NC_TABLE_H
#define NC_TABLE_H

#include "data/csv.h"

enum { NC_MOST_CATEGORIES = 1000, NC_MOST_COLUMNS = 1 << 20 };

struct nc_column {
    const char *name;    /* in the header, else its position from 0 */
    int at;              /* in the training file */
    int category;        /* a text, or one of a target's classes */
    const char **values; /* sorted: numbers by value, else by bytes; NULL: none or too many */
    int values_count;
    int by_value;       /* they are numbers */
    const char *output; /* target: of the model; NULL: the only one */
    /* Known to who learnt it from the training file */
    int64_t missing;    /* values that are not there */
    int whole;          /* all values are whole numbers */
    const void *origin; /* target: where it was named */
};

struct nc_table {
    int header;
    int columns; /* of the training file */
    int plain;   /* there was none: numbers, of which none may be missing */
    struct nc_column *features, *targets;
    int features_count, targets_count;
};

/* One array of floats: features [rows, columns], or the targets of one output. */
struct nc_table_part {
    const struct nc_column *columns;
    int count;
    int optional; /* the file may lack the columns: then `array` stays empty */
    struct nc_array array;
};

/* A csv file, and what is known of its form: 0 is automatic. */
struct nc_table_file {
    const char *path;
    char separator;
    int header; /* 1: yes, -1: no */
};

/* Reads the parts' columns: by name, else as in the training file, else side by side where the file
 * has just the features. 0, or -1 with err, whose path is then `file:line`; parts that were read
 * before are to be closed. */
int nc_table_read(const struct nc_table *table, const struct nc_table_file *file,
                  struct nc_table_part *parts, int parts_count, struct nc_error *err);

/* Zeroed memory that lives as long as what is put into it. */
typedef void *nc_table_memory(void *context, size_t bytes);
/* From the JSON of the metadata: 0, or -1 where that is no table. */
int nc_table_parse(struct nc_table *out, const char *json, nc_table_memory *memory, void *context);

#endif
