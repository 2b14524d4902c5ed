/* open: files of samples that a command line names, told apart by their names. */
#ifndef NC_OPEN_H
#define NC_OPEN_H

#include "data/table.h"

/* .csv or .tsv */
int nc_is_table(const char *path);

/* npy; idx, as .idx, .gz or `-idx` in the name; csv and tsv, by the table, or where that is NULL as
 * numbers, one column for each element of the port. Other formats are refused by name. The array has
 * the file's shape. */
int nc_open_samples(struct nc_array *out, const char *path, const struct nc_port *port,
                    const struct nc_table *table, struct nc_error *err);

/* The columns of a table that hold the target of that name. */
struct nc_table_part nc_table_target(const struct nc_table *table, const char *target);
/* Rows of as many numbers as the port has become rows of its shape. */
void nc_shape_rows(struct nc_array *array, const struct nc_port *port);

#endif
