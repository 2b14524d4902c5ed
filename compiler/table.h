/* Table: what the columns of a training csv hold, and csv files read by that.
 *
 * Types come from the training file: a column is numeric if all its values are numbers, else it
 * holds categories. The model's raw input has one number a column: a value, or the position of a
 * category among the sorted ones; the graph expands positions into 0 and 1 (build_graph.c). The
 * table travels in the weights' metadata, so that later commands need no training file. */
#ifndef NETCC_TABLE_H
#define NETCC_TABLE_H

#include "data/array.h"
#include "spec/yaml.h"

enum { MOST_CATEGORIES = 1000 };

typedef struct {
    const char *name;    /* in the header, else its position from 0 */
    int at;              /* in the training file */
    bool category;       /* a text, or one of a target's classes */
    const char **values; /* sorted: numbers by value, else by bytes; NULL: none or too many */
    int values_count;
    double mean;        /* numeric: what stands for missing values */
    int64_t missing;    /* in the training file */
    bool whole;         /* all values are whole numbers */
    Loc loc;            /* target: of its name in the spec */
    const char *output; /* target: of the model; NULL: the only one */
} TableColumn;

/* A csv as the spec gives it. NULL and 0: as data.train says, or automatic. */
typedef struct {
    const char *path; /* resolved; NULL: not there, and not needed */
    Loc loc;          /* of the file's name */
    char separator;
    int header; /* 0: automatic, 1: yes, -1: no */
    const Yaml *target, *columns, *skip;
} TableSource;

typedef struct {
    bool header;
    int columns; /* of the training file */
    TableColumn *features, *targets;
    int features_count, targets_count;
} Table;

/* The columns of data.train, or NULL after an error. */
Table *table_learn(Arena *arena, Diag *diag, const TableSource *source);
/* Notes how many values each feature lacks, and what stands for them. */
void table_note_missing(Diag *diag, const Table *table, const TableSource *source);
/* The table that weights were trained with: NULL where they tell of none. */
Table *table_of_weights(Arena *arena, const char *path);
/* For the metadata, as JSON. */
char *table_json(Arena *arena, const Table *table);
char *names_json(Arena *arena, const char *const *names, int count);

/* One array of floats: features [rows, columns], or the targets of one output. */
typedef struct {
    const TableColumn *columns;
    int count;
    bool optional; /* the file may lack the columns: then `array` stays empty */
    struct nc_array array;
} TablePart;

/* Reads the parts' columns from a file. `loc` without a source: a file of the command line. */
bool table_read(Arena *arena, Diag *diag, const Table *table, const TableSource *source,
                TablePart *parts, int parts_count);

#endif
