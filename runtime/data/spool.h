/* spool: rows whose number is not known before, kept in memory while they are few. Above
 * NETCC_SPOOL_BYTES (64 MiB) they go to an unlinked file of $TMPDIR (else /var/tmp), which is mapped
 * at the end: the kernel may page them out, so they may be more than the memory. */
#ifndef NC_SPOOL_H
#define NC_SPOOL_H

#include "data/array.h"

struct nc_spool {
    unsigned char *block; /* all bytes; once there is a file, those that are yet to be written */
    size_t used, room, limit;
    size_t written; /* to the file */
    int file;       /* -1: none */
    const char *path;
};

/* `path` names, in messages, the file that the bytes come from. */
void nc_spool_open(struct nc_spool *spool, const char *path);
/* 0, or -1 with err. */
int nc_spool_add(struct nc_spool *spool, const void *bytes, size_t count, struct nc_error *err);
/* Hands all bytes to the array's data. 0, or -1 with err; the spool is empty in either case. */
int nc_spool_end(struct nc_spool *spool, struct nc_array *out, struct nc_error *err);
void nc_spool_drop(struct nc_spool *spool);

#endif
