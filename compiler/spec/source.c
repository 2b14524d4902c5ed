/* Source: a spec file in memory, checked to be UTF-8 text before anything reads it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spec/yaml.h"

enum { LARGEST = 16 << 20, READ_STEP = 16 << 10 };

static const char bom[] = "\xef\xbb\xbf";

static bool cannot_read(Diag *diag, const char *path, const char *reason)
{
    return diag_error(diag, (Loc){0}, "cannot read '%s': %s", path, reason);
}

static bool read_all(Diag *diag, int file, const char *path, Str *out)
{
    char part[READ_STEP];
    for (;;) {
        ssize_t got = read(file, part, sizeof part);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cannot_read(diag, path, strerror(errno));
        if (got == 0)
            return true;
        str_addn(out, part, (size_t)got);
        if (out->length > LARGEST)
            return cannot_read(diag, path, "it is larger than 16 MB");
    }
}

static bool read_file(Diag *diag, const char *path, Str *out)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return cannot_read(diag, path, strerror(errno));
    struct stat info;
    bool directory = fstat(file, &info) == 0 && S_ISDIR(info.st_mode);
    bool done =
        directory ? cannot_read(diag, path, "it is a directory") : read_all(diag, file, path, out);
    close(file);
    return done;
}

static bool check_text(Diag *diag, const Source *source)
{
    for (size_t i = 0; i < source->length;) {
        uint32_t rune;
        int bytes = utf8_decode(source->text + i, source->length - i, &rune);
        if (!bytes)
            return diag_error(diag, source_loc(source, i), "not UTF-8 text (byte 0x%02x)",
                              (unsigned char)source->text[i]);
        if (!rune)
            return diag_error(diag, source_loc(source, i), "a NUL byte is not allowed");
        i += (size_t)bytes;
    }
    return true;
}

static Source *source_new(Arena *arena, const char *name, const char *text, size_t length)
{
    Source *source = ARENA_NEW(arena, Source);
    source->name = arena_strdup(arena, name);
    source->text = text;
    source->length = length;
    return source;
}

Source *source_read(Arena *arena, Diag *diag, const char *path)
{
    Str text = str_new(arena);
    if (!read_file(diag, path, &text))
        return NULL;
    size_t skip = strncmp(text.text, bom, strlen(bom)) == 0 ? strlen(bom) : 0;
    Source *source = source_new(arena, path, text.text + skip, text.length - skip);
    return check_text(diag, source) ? source : NULL;
}

Source *source_given(Arena *arena, const char *name, const char *text)
{
    return source_new(arena, name, arena_strdup(arena, text), strlen(text));
}

Source *source_option(Arena *arena, const char *option, const char *text)
{
    Source *source = source_given(arena, option, text);
    source->is_option = true;
    return source;
}
