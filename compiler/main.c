/* netcc: the commands. What each one does is in cli/, what its options are is in its table. */
#include "cli/cli.h"

static const Command *const commands[] = {
    &command_train, &command_eval,    &command_predict, &command_grad, &command_check,
    &command_emit,  &command_summary, &command_dump,    &command_ops,
};
static const char *const later[] = {"build", "export", "import", "bench", "new", "completion"};

int main(int argc, char **argv)
{
    return run_command_line(argc, argv, commands, (int)(sizeof commands / sizeof *commands), later,
                            (int)(sizeof later / sizeof *later));
}
