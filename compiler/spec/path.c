/* Where a file named in a spec lies: beside the spec, else under $NETCC_DATA. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spec/yaml.h"

static const char *beside(Arena *arena, const char *spec_path, const char *file)
{
    const char *slash = spec_path ? strrchr(spec_path, '/') : NULL;
    if (!slash)
        return file;
    return arena_printf(arena, "%.*s%s", (int)(slash - spec_path + 1), spec_path, file);
}

static const char *under(Arena *arena, const char *folder, const char *file)
{
    size_t length = strlen(folder);
    bool closed = length && folder[length - 1] == '/';
    return arena_printf(arena, "%s%s%s", folder, closed ? "" : "/", file);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static const char *not_found(Diag *diag, const Yaml *value, const char *first, const char *second)
{
    diag_error(diag, value->loc, "cannot find '%s'", value->text);
    if (second)
        diag_note(diag, (Loc){0}, "sought as '%s' and '%s'", first, second);
    else if (*value->text == '/')
        diag_note(diag, (Loc){0}, "sought as '%s'", first);
    else
        diag_note(diag, (Loc){0}, "sought as '%s'; NETCC_DATA is not set", first);
    return NULL;
}

const char *yaml_path(Arena *arena, Diag *diag, const Yaml *value, const char *spec_path)
{
    if (value->kind != YAML_SCALAR || !*value->text || yaml_is_null(value)) {
        diag_error(diag, value->loc, "expected a file name, found %s",
                   yaml_describe(diag->arena, value));
        return NULL;
    }
    bool absolute = *value->text == '/';
    const char *first = absolute ? value->text : beside(arena, spec_path, value->text);
    if (exists(first))
        return first;
    const char *folder = absolute ? NULL : getenv("NETCC_DATA");
    const char *second = folder && *folder ? under(arena, folder, value->text) : NULL;
    if (second && exists(second))
        return second;
    return not_found(diag, value, first, second);
}
