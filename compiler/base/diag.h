/* Diag: the messages of one compilation, each with its place.
 *
 * A Source is a text that messages can point into: a spec file, or a --set option. A Loc is one
 * character in a Source; line and col start at 1, col counts characters (not bytes). A Loc with
 * source NULL has no place. A fault inside a block is shown there, then where the block is used: each
 * use has a Source of its own. Messages read `file:line:col: error: ...`, then the line and a caret;
 * for a `--set` source they read `--set train.epochs=x: error: ...`. User errors are collected and
 * the caller returns; bug() is for our own mistakes. */
#ifndef NETCC_DIAG_H
#define NETCC_DIAG_H

#include <stdbool.h>

#include "base/str.h"

typedef struct Source Source;

typedef struct {
    const Source *source;
    int line;
    int col;
} Loc;

struct Source {
    const char *name; /* as the user typed it: a path, or "--set a=b" */
    const char *text; /* NUL-terminated; a UTF-8 BOM is already skipped */
    size_t length;
    bool is_option;  /* a command-line option: the name alone is the place */
    const char *use; /* text that stands for itself elsewhere: a note on that; or NULL */
    Loc used;        /* and where */
};

/* The place of a byte of the source. */
Loc source_loc(const Source *source, size_t offset);

typedef struct {
    Arena *arena;
    Str text;   /* all messages so far, at most 64 KB */
    int errors; /* number of errors, those that were left out included */
    bool full;  /* no room for more messages */
} Diag;

Diag *diag_new(Arena *arena);

/* Each adds one message; diag_error counts it and returns false so that callers can write
 * `return diag_error(...)`. diag_note explains the message before it (an origin, a suggestion). */
bool diag_error(Diag *diag, Loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diag *diag, Loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* `unknown WHAT 'word'` with "did you mean 'x'?" where a candidate is near, else the list of
 * candidates in a note (if there are 40 or fewer). */
bool diag_unknown(Diag *diag, Loc loc, const char *what, const char *word,
                  const char *const *candidates, int count);

/* Prints an internal error with its place in our source and exits with 3. */
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void bug_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
