/* Str: a growing, NUL-terminated text in an arena. */
#ifndef NETCC_STR_H
#define NETCC_STR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct {
    Arena *arena;
    char *text; /* never NULL after str_new; NUL-terminated */
    size_t length;
    size_t capacity;
} Str;

Str str_new(Arena *arena);
void str_add(Str *str, const char *text);
void str_addn(Str *str, const char *text, size_t length);
void str_printf(Str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first character of a UTF-8 text and the bytes it takes, or 0 where the text is not UTF-8. */
int utf8_decode(const char *text, size_t length, uint32_t *rune);

/* False for what would disturb a terminal: controls, line breaks, text direction marks. */
bool rune_is_printable(uint32_t rune);

#endif
