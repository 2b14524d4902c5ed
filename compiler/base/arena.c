/* Arena: a list of chunks, each filled from the front. Chunks come zeroed from calloc and are
 * never reused, so what is handed out is zero without a memset. A request too big to share a chunk
 * gets one of its own, behind the chunk being filled. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"

enum { ALIGNMENT = 16, FIRST_CHUNK = 64 << 10, LAST_CHUNK = 1 << 20 };

typedef struct Chunk {
    struct Chunk *next;
    size_t used;
    size_t size; /* bytes of data */
    alignas(ALIGNMENT) unsigned char data[];
} Chunk;

struct Arena {
    Chunk *chunks;     /* the first one is being filled */
    size_t chunk_size; /* of the next chunk */
};

static Chunk *chunk_new(size_t size)
{
    Chunk *chunk = size <= SIZE_MAX / 2 ? calloc(1, sizeof(Chunk) + size) : NULL;
    if (!chunk)
        bug("out of memory (%zu bytes)", size);
    chunk->size = size;
    return chunk;
}

Arena *arena_new(void)
{
    Arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        bug("out of memory");
    arena->chunk_size = FIRST_CHUNK;
    return arena;
}

void arena_free(Arena *arena)
{
    if (!arena)
        return;
    for (Chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena);
}

static void start_chunk(Arena *arena)
{
    Chunk *chunk = chunk_new(arena->chunk_size);
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    if (arena->chunk_size < LAST_CHUNK)
        arena->chunk_size *= 2;
}

static void *alloc_alone(Arena *arena, size_t bytes)
{
    Chunk *chunk = chunk_new(bytes);
    chunk->used = bytes;
    if (arena->chunks) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    } else {
        arena->chunks = chunk;
    }
    return chunk->data;
}

void *arena_alloc(Arena *arena, size_t bytes)
{
    if (bytes > FIRST_CHUNK / 4)
        return alloc_alone(arena, bytes);
    size_t rounded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    Chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < rounded) {
        start_chunk(arena);
        chunk = arena->chunks;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += rounded;
    return memory;
}

char *arena_strndup(Arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length)
        memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(Arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_vprintf(Arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        bug("cannot format '%s'", format);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

void *arena_grow(Arena *arena, void *items, size_t count, size_t item_bytes)
{
    if (count & (count - 1))
        return items;
    size_t capacity = count ? 2 * count : 1;
    if (capacity < count || (item_bytes && capacity > SIZE_MAX / item_bytes))
        bug("an array of %zu items is too long", count);
    void *grown = arena_alloc(arena, capacity * item_bytes);
    if (count)
        memcpy(grown, items, count * item_bytes);
    return grown;
}
