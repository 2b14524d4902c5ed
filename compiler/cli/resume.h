/* resume: what must be the same for a run to go on, and what comes after a run. */
#ifndef NETCC_RESUME_H
#define NETCC_RESUME_H

#include "cli/cli.h"

/* The spec as `path: value` lines, without what may change between two parts of a run: the number of
 * epochs, when to stop, which weights to keep, where files lie. Instead of those, how many samples
 * there are. */
const char *resume_spec(Job *job, int64_t samples, int64_t validation_samples);
/* Are two such texts equal? If not, an error that names `path`, and a table of what differs. */
bool resume_same(Job *job, const char *path, const char *then, const char *now);

/* `netcc COMMAND SPEC --set ...`, quoted for a shell. */
const char *next_command(Job *job, const char *command);
const char *shell_quoted(Arena *arena, const char *word);

#endif
