/* Glob: patterns over names. `*` stands for any characters, `/` included, `?` for one; all else for
 * itself. */
#ifndef NETCC_GLOB_H
#define NETCC_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_match(const char *pattern, const char *text);

/* Does it match the name, or what stands before one of its slashes? `stage4` and `stage*` mean
 * `stage4/conv/kernel` as well. */
bool glob_match_path(const char *pattern, const char *name);

/* What each `*` stands for where the pattern matches, the first ones being as short as can be. The
 * number of stars, or -1: it does not match, or has more than GLOB_STARS. */
enum { GLOB_STARS = 8 };
typedef struct {
    const char *start;
    size_t length;
} GlobSpan;
int glob_capture(const char *pattern, const char *text, GlobSpan *spans);

#endif
