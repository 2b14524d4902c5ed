/* zip archives, through libzip in the plugin npz.so. Sizes are checked against the packed ones
 * before anything is reserved, and every CRC is compared. Who reads many members keeps the archive
 * open: opening it reads the directory of them all. */
#ifndef NC_ZIP_H
#define NC_ZIP_H

#include "data/array.h"

struct nc_zip {
    const struct nc_npz_plugin *plugin;
    void *archive;    /* NULL: not open */
    const char *path; /* the caller's */
};

/* 0, or -1 with err and *out zeroed. */
int nc_zip_open(struct nc_zip *out, const char *path, struct nc_error *err);
void nc_zip_close(struct nc_zip *zip);
/* The members' names in the archive's order, folders left out; free with nc_names_free. */
int nc_zip_names(const struct nc_zip *zip, char ***names, int *count, struct nc_error *err);
/* A whole member, unpacked and malloc'ed; a NUL follows its last byte. */
int nc_zip_read(const struct nc_zip *zip, const char *member, unsigned char **bytes, size_t *size,
                struct nc_error *err);
/* The only member that is read of an archive. */
int nc_zip_read_one(const char *path, const char *member, unsigned char **bytes, size_t *size,
                    struct nc_error *err);
/* As nc_npz_names and nc_npz_open_any. */
int nc_zip_arrays(const struct nc_zip *zip, char ***names, int *count, struct nc_error *err);
int nc_zip_array(const struct nc_zip *zip, const char *member, struct nc_array *out,
                 struct nc_error *err);

#endif
