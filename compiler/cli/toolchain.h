/* toolchain: the system's compiler and linker, as `netcc build` runs them. */
#ifndef NETCC_TOOLCHAIN_H
#define NETCC_TOOLCHAIN_H

#include <sys/types.h>

#include "cli/cli.h"

typedef struct {
    Job *job;
    const char *folder; /* for what is made on the way */
} Toolchain;

const char *toolchain_file(const Toolchain *t, const char *name); /* in the folder */

/* One run of $CC (or cc): the flags, then files, which may hold spaces and end with NULL, then more
 * flags. Its messages go into NAME.log. */
typedef struct {
    pid_t child;
    const char *log;
} Run;
bool toolchain_start(const Toolchain *t, const char *name, const char *flags,
                     const char *const *files, const char *tail, Run *run);
bool toolchain_finish(const Toolchain *t, const Run *run);

/* What an executable is linked with beside libnetcc.a */
typedef struct {
    const char *flags;
    const char *const *linked; /* the plugins inside; ends with NULL */
} Libraries;
/* `pictures`: it can read some. False after an error that names the package to install. */
bool toolchain_libraries(const Toolchain *t, bool pictures, Libraries *out);

#endif
