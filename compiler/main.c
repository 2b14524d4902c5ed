/* netcc: the commands. What each one does is in cli/, what its options are is in its table. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return run_command_line(argc, argv);
}
