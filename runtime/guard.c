/* Which file an address belongs to is looked up in /proc/self/maps when it is needed; nothing here
 * but system calls, as it runs in a signal handler. */
#include "guard.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 4400 }; /* addresses, flags and a path */

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

/* One line without its end; 0 at the end of the file. */
static int read_line(int fd, char *line)
{
    size_t length = 0;
    char c;
    while (read(fd, &c, 1) == 1) {
        if (c == '\n') {
            line[length] = '\0';
            return 1;
        }
        if (length < LINE_BYTES - 1)
            line[length++] = c;
    }
    return 0;
}

static uintptr_t read_hex(const char **text)
{
    uintptr_t value = 0;
    for (;; ++*text) {
        char c = **text;
        if (c >= '0' && c <= '9')
            value = value * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (uintptr_t)(c - 'a') + 10;
        else
            return value;
    }
}

/* The path on a line of /proc/self/maps if the address lies within, else NULL. */
static const char *path_at(const char *line, uintptr_t address)
{
    uintptr_t begin = read_hex(&line);
    line += *line == '-';
    uintptr_t end = read_hex(&line);
    const char *path = strchr(line, '/');
    return address >= begin && address < end ? path : NULL;
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    static char line[LINE_BYTES];
    const char *path = NULL;
    (void)signal_number;
    (void)context;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && !path && read_line(fd, line))
        path = path_at(line, (uintptr_t)info->si_addr);
    say("error: ");
    say(path ? path : "a mapped file");
    say(": the file has become shorter, or unreadable, while it was in use\n");
    _exit(1);
}

void nc_guard_mappings(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
