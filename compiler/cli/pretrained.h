/* pretrained: the weights that the spec's `pretrained` names, into the job's session. */
#ifndef NETCC_PRETRAINED_H
#define NETCC_PRETRAINED_H

#include "cli/cli.h"
#include "weight_file.h"

/* All of --weights; else the spec's pretrained, and what that does not bring as the initialisers say;
 * else all as these say. `says`: prints a table of what pretrained brought on stderr, or with --json
 * an event on stdout. */
bool weights_load(Job *job, bool says);
/* 0; or, where there is neither --weights nor pretrained, the exit code, with the message printed and the job ended. */
int weights_missing(Job *job, const char *command);
/* All of a network's values from a file whose names are not ours, a file of Keras's or PyTorch's:
 * every parameter must find its tensor, every tensor its parameter. */
bool weights_load_matched(Job *job, const struct nc_weight_file *file);

#endif
