#include "ops/tile.h"

void bind_item(KernelBuild *build, const char *list, const char *name, const char *text)
{
    template_text(template_item(build->kernel->bind, list), name, text);
}

void bind_tile(KernelBuild *build, const char *all, const char *rows, int64_t columns,
               int64_t width)
{
    int64_t panels = (columns + width - 1) / width;
    bind_template(build, "tile");
    bind_text(build, "M", all);
    bind_int(build, "N", columns);
    bind_text(build, "R", rows);
    bind_int(build, "P", width);
    bool one = panels == 1;
    bind_text(build, "ROW", one ? "u" : arena_printf(build->arena, "u / %lld", (long long)panels));
    bind_text(
        build, "COLUMN",
        one ? "0"
            : arena_printf(build->arena, "u %% %lld * %lld", (long long)panels, (long long)width));
    template_list(build->kernel->bind, "windows");
    template_list(build->kernel->bind, "products");
    build->kernel->units =
        arena_printf(build->arena, "(%s + %s - 1) / %s * %lld", all, rows, rows, (long long)panels);
}
