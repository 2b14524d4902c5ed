/* Str: a text that doubles its room in the arena; UTF-8. */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#include "base/diag.h"

enum { FIRST_CAPACITY = 64 };

Str str_new(Arena *arena)
{
    return (Str){
        .arena = arena, .text = arena_alloc(arena, FIRST_CAPACITY), .capacity = FIRST_CAPACITY};
}

/* Makes room for `extra` more bytes and the closing NUL. */
static void reserve(Str *str, size_t extra)
{
    size_t needed = str->length + extra + 1;
    if (needed <= extra)
        bug("a text is too long");
    if (needed <= str->capacity)
        return;
    size_t capacity = needed > 2 * str->capacity ? needed : 2 * str->capacity;
    char *text = arena_alloc(str->arena, capacity);
    memcpy(text, str->text, str->length);
    str->text = text;
    str->capacity = capacity;
}

void str_addn(Str *str, const char *text, size_t length)
{
    if (!length)
        return;
    reserve(str, length);
    memcpy(str->text + str->length, text, length);
    str->length += length;
    str->text[str->length] = '\0';
}

void str_add(Str *str, const char *text)
{
    str_addn(str, text, strlen(text));
}

void str_printf(Str *str, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        bug("cannot format '%s'", format);
    reserve(str, (size_t)length);
    vsnprintf(str->text + str->length, (size_t)length + 1, format, args);
    str->length += (size_t)length;
    va_end(args);
}

static int sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

int utf8_decode(const char *text, size_t length, uint32_t *rune)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    if (!length)
        return 0;
    int bytes = sequence_length((unsigned char)text[0]);
    if (!bytes || (size_t)bytes > length)
        return 0;
    uint32_t value = (unsigned char)text[0] & lead_mask[bytes];
    for (int i = 1; i < bytes; i++) {
        unsigned char next = (unsigned char)text[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (next & 0x3f);
    }
    if (value < smallest[bytes] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *rune = value;
    return bytes;
}

bool rune_is_printable(uint32_t rune)
{
    bool control = rune < 0x20 || (rune >= 0x7f && rune < 0xa0);
    bool line_break = rune == 0x2028 || rune == 0x2029;
    bool direction = rune == 0x200e || rune == 0x200f || (rune >= 0x202a && rune <= 0x202e) ||
                     (rune >= 0x2066 && rune <= 0x2069);
    bool no_character = rune == 0xfeff || rune == 0xfffe || rune == 0xffff;
    return !control && !line_break && !direction && !no_character;
}
