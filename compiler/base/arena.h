/* Arena: memory that is freed all at once. One per compilation, one scratch arena per pass; the
 * compiler never frees a single object. Allocation never fails (out of memory ends in bug()). */
#ifndef NETCC_ARENA_H
#define NETCC_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *arena);

/* Zeroed memory, aligned for any object. */
void *arena_alloc(Arena *arena, size_t bytes);

char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

#define ARENA_NEW(arena, Type) ((Type *)arena_alloc((arena), sizeof(Type)))
#define ARENA_ARRAY(arena, Type, count)                                                            \
    ((Type *)arena_alloc((arena), sizeof(Type) * (size_t)(count)))

/* Appends one item to a growing array in an arena: PUSH(arena, list->items, list->count, item).
 * Capacity is implied by count: it doubles whenever count is a power of two. */
#define ARENA_PUSH(arena, items, count, item)                                                      \
    ((items) = arena_grow((arena), (items), (size_t)(count), sizeof *(items)),                     \
     (items)[(count)++] = (item))
void *arena_grow(Arena *arena, void *items, size_t count, size_t item_bytes);

#endif
