/* Prints a template with its defaults as #defines: `defaults FILE [NAME=VALUE]...`. The values given
 * replace the defaults of $NAME. */
#include <stdio.h>
#include <string.h>

#include "template.h"

static const char *read_file(Arena *arena, const char *path)
{
    Str text = str_new(arena);
    char chunk[4096];
    FILE *file = fopen(path, "rb");
    if (!file)
        bug("cannot open %s", path);
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
        str_addn(&text, chunk, got);
    fclose(file);
    return text.text;
}

static void print_override(const char *setting)
{
    const char *value = strchr(setting, '=');
    if (!value)
        bug("'%s' is not NAME=VALUE", setting);
    int length = (int)(value - setting);
    printf("#undef $%.*s\n#define $%.*s %s\n", length, setting, length, setting, value + 1);
}

int main(int argc, char **argv)
{
    Arena *arena = arena_new();
    const char *text = template_with_defaults(arena, read_file(arena, argc > 1 ? argv[1] : ""));
    const char *body = strstr(text, "//: begin");
    fwrite(text, 1, (size_t)(body - text), stdout);
    for (int i = 2; i < argc; i++)
        print_override(argv[i]);
    fputs(body, stdout);
    arena_free(arena);
    return 0;
}
