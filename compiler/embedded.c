#include "embedded.h"

#include <stddef.h>
#include <string.h>

#include "base/diag.h"
#include "base/str.h"

static const struct {
    const char *folder, *name, *text;
} files[] = {
#include "embedded_data.h"
};

const char *embedded_text(const char *folder, const char *name)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!strcmp(files[i].folder, folder) && !strcmp(files[i].name, name))
            return files[i].text;
    }
    return NULL;
}

const char *embedded_vocabulary(Arena *arena)
{
    static const char include[] = "#include \"vocab/";
    const char *p = embedded_text("runtime", "vocab");
    Str text = str_new(arena);
    if (!p)
        bug("the vocabulary is not embedded");
    for (const char *next; (next = strstr(p, include)); p = strchr(next, '\n') + 1) {
        const char *name = next + sizeof include - 1, *end = strstr(name, ".h\"\n");
        const char *part =
            end ? embedded_text("runtime/vocab", arena_strndup(arena, name, (size_t)(end - name)))
                : NULL;
        if (!part)
            bug("a part of the vocabulary is not embedded");
        str_addn(&text, p, (size_t)(next - p));
        str_add(&text, part);
    }
    str_add(&text, p);
    return text.text;
}
