/* Glob: patterns over names. `*` stands for any characters, `/` included, `?` for one; all else for
 * itself. */
#ifndef NETCC_GLOB_H
#define NETCC_GLOB_H

#include <stdbool.h>

bool glob_match(const char *pattern, const char *text);

/* Does it match the name, or what stands before one of its slashes? `stage4` and `stage*` mean
 * `stage4/conv/kernel` as well. */
bool glob_match_path(const char *pattern, const char *name);

#endif
