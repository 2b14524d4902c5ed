/* Runs the variants of a check, each in a process of its own, and names those that pass. */
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    const int count = (int)(sizeof variants / sizeof *variants);
    for (int i = 0; i < count; i++) {
        int status = 1;
        const pid_t child = fork();
        if (child == 0)
            exit(variants[i]());
        waitpid(child, &status, 0);
        fprintf(stderr, "variant %d %s\n", i, status == 0 ? "passes" : "fails");
    }
    return 0;
}
