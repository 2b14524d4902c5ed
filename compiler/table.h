/* Learning a table (data/table.h) from the training file of a spec, and its way through metadata.
 *
 * Types come from the training file: a column is numeric if all its values are numbers, else it
 * holds categories. The graph expands their positions into 0 and 1 (build_graph.c). The table
 * travels in the weights' metadata, so that later commands need no training file. */
#ifndef NETCC_TABLE_H
#define NETCC_TABLE_H

#include "data/table.h"
#include "spec/yaml.h"

typedef struct nc_table Table;
typedef struct nc_column TableColumn; /* origin: of a target, the Yaml that names it */
typedef struct nc_table_part TablePart;

/* A csv as the spec gives it. NULL and 0: as data.train says, or automatic. */
typedef struct {
    const char *path; /* resolved; NULL: not there, and not needed */
    Loc loc;          /* of the file's name */
    char separator;
    int header; /* 0: automatic, 1: yes, -1: no */
    const Yaml *target, *columns, *skip;
    const Yaml *categories; /* numeric columns whose numbers are names */
} TableSource;

/* The columns of data.train, or NULL after an error. */
Table *table_learn(Arena *arena, Diag *diag, const TableSource *source);
/* Notes how many values each feature lacks, and what stands for them. */
void table_note_missing(Diag *diag, const Table *table, const TableSource *source);
/* The table that weights were trained with: NULL where they tell of none. */
Table *table_of_weights(Arena *arena, const char *path);
/* For the metadata, as JSON. */
char *table_json(Arena *arena, const Table *table);
/* The names of a target's classes in what add_metadata wrote of them; NULL: there are none. */
const char **names_of_json(Arena *arena, const char *json, const char *target, int *count);
char *names_json(Arena *arena, const char *const *names, int count);

/* Reads the parts' columns from a file. `loc` without a source: a file of the command line. */
bool table_read(Diag *diag, const Table *table, const TableSource *source, TablePart *parts,
                int parts_count);

#endif
