/* guard: a mapped file that shrinks while it is read ends the program with a message that names it,
 * not with a bare SIGBUS. */
#ifndef NC_GUARD_H
#define NC_GUARD_H

void nc_guard_mappings(void);

#endif
