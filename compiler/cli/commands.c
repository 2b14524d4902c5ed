/* The commands, in the order of --help. Parsing, messages, --help, completion and the man page all
 * read this table. */
#include "cli/cli.h"

const Command *const shown_commands[] = {
    &command_new,   &command_train, &command_eval,   &command_predict,
    &command_grad,  &command_check, &command_emit,   &command_summary,
    &command_bench, &command_build, &command_import, &command_export,
    &command_dump,  &command_ops,   &command_schema, &command_completion,
    NULL,
};

/* For the Makefile and for the shells' completion */
const Command *const hidden_commands[] = {&command_man, &command_docs, &command_complete, NULL};

const char *const later_commands[] = {NULL};
