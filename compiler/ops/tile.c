/* Bindings of the template `tile`. */
#include "ops/tile.h"

static TemplateRecord *add_item(KernelBuild *build, const char *list)
{
    return template_item(build->kernel->bind, list);
}

void bind_tile(KernelBuild *build, const Node *node, const TileShape *tile)
{
    static const char *const names[] = {"a", "b", "d"};
    int64_t panels = (tile->columns + tile->width - 1) / tile->width;
    const char *column = "0", *row = "u";
    const char *tiles =
        arena_printf(build->arena, "(%s + %s - 1) / %s", tile->all, tile->rows, tile->rows);
    if (panels > 1 && tile->rows_first) {
        row = arena_printf(build->arena, "u %% (%s)", tiles);
        column = arena_printf(build->arena, "u / (%s) * %lld", tiles, (long long)tile->width);
    } else if (panels > 1) {
        row = arena_printf(build->arena, "u / %lld", (long long)panels);
        column = arena_printf(build->arena, "u %% %lld * %lld", (long long)panels,
                              (long long)tile->width);
    }
    build->kernel->lines = (Lines){tile->rows_first ? 0 : tile->pixels, panels, 1, 1, 0};
    bind_template(build, "tile");
    bind_text(build, "M", tile->all);
    bind_int(build, "N", tile->columns);
    bind_text(build, "R", tile->rows);
    bind_int(build, "P", tile->width);
    bind_text(build, "ROW", row);
    bind_text(build, "COLUMN", column);
    template_list(build->kernel->bind, "constants");
    template_list(build->kernel->bind, "products");
    template_list(build->kernel->bind, "ahead");
    template_list(build->kernel->bind, "factors");
    for (int i = 1; i < node->inputs; i++) {
        TemplateRecord *factor = add_item(build, "factors");
        template_text(factor, "name", names[i]);
        template_int(factor, "index", i);
    }
    build->kernel->units = arena_printf(build->arena, "%s * %lld", tiles, (long long)panels);
}

void bind_constant(KernelBuild *build, const char *type, const char *name, const char *value)
{
    TemplateRecord *item = add_item(build, "constants");
    template_text(item, "type", type);
    template_text(item, "name", name);
    template_text(item, "value", value);
}

void bind_product(KernelBuild *build, const char *call)
{
    template_text(add_item(build, "products"), "call", call);
}

void bind_panel_product(KernelBuild *build, int64_t a_row, int64_t a_k, int64_t b_step,
                        int64_t b_ld, const char *k, int64_t width)
{
    bind_product(build,
                 arena_printf(build->arena,
                              "nc_tile(c, %lld, a + i * %lld, %lld, %lld, b + j * %lld, %lld, %s, "
                              "rows, %lld)",
                              (long long)width, (long long)a_row, (long long)a_row, (long long)a_k,
                              (long long)b_step, (long long)b_ld, k, (long long)width));
}

const char *columns_text(const KernelBuild *build, const TileShape *tile)
{
    bool ragged = tile->columns % tile->width != 0;
    return ragged ? "cols" : arena_printf(build->arena, "%lld", (long long)tile->width);
}

enum { CELLS = 64 }; /* that make a tile of an image worth its name */

/* The smallest multiple of four lines, which Winograd's tiles are made of, that divides the image and has
 * some cells; 0: none. */
static int64_t four_lines(int64_t height, int64_t width)
{
    int64_t best = 0;
    for (int64_t lines = 4; lines <= height && lines * width <= IMAGE_CELLS; lines += 4) {
        if (height % lines == 0 && (!best || best * width < CELLS))
            best = lines;
    }
    return best;
}

int64_t image_rows(Shape image)
{
    int64_t height = image.dim[1], width = image.dim[2], lines = four_lines(height, width);
    if (width > IMAGE_CELLS)
        return (width + (width - 1) / CELLS) / ((width - 1) / CELLS + 1);
    if (!lines && height * width <= IMAGE_CELLS)
        lines = height;
    if (!lines)
        lines = width < CELLS ? CELLS / width : 1;
    while (height % lines)
        lines--;
    return width * lines;
}

TileShape image_tile(KernelBuild *build, Shape y, int64_t width)
{
    return (TileShape){.all = extent_text(build->arena, y, 0, 3),
                       .rows = arena_printf(build->arena, "%lld", (long long)image_rows(y)),
                       .columns = y.dim[3],
                       .width = width};
}

bool sums_tiles(const Kernel *kernel)
{
    for (int i = 0; i < kernel->nodes_count; i++) {
        if (op_of(kernel->nodes[i])->tile_sums)
            return true;
    }
    return false;
}

int64_t product_cells(int64_t k)
{
    enum { LONG = 256 };
    return k < LONG ? TILE_CELLS : IMAGE_CELLS;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

TileShape lines_tile(KernelBuild *build, Shape y, int64_t width, int64_t cells)
{
    int64_t height = y.dim[1], line = y.dim[2],
            rows = line > cells ? divide_up(line, divide_up(line, cells))
                                : line * divide_up(height, divide_up(height * line, cells));
    TileShape tile = image_tile(build, y, width);
    if (!sums_tiles(build->kernel)) {
        tile.rows = arena_printf(build->arena, "%lld", (long long)rows);
        tile.pixels = rows;
    }
    return tile;
}

WindowShape window_of(Shape x, Shape y, const int64_t *kernel, const int64_t *stride,
                      const int64_t *before, const int64_t *dilation)
{
    WindowShape window = {.size = {x.dim[1], x.dim[2], x.dim[3]}, .extent = {y.dim[1], y.dim[2]}};
    for (int i = 0; i < 2; i++) {
        window.kernel[i] = kernel[i];
        window.stride[i] = stride[i];
        window.before[i] = before[i];
        window.dilation[i] = dilation[i];
        window.spread[i] = 1;
    }
    window.run = window.size[2];
    return window;
}

WindowShape window_back(const WindowShape *forward, int64_t channels)
{
    WindowShape window = *forward;
    window.size[2] = window.run = channels;
    for (int i = 0; i < 2; i++) {
        window.size[i] = forward->extent[i];
        window.extent[i] = forward->size[i];
        window.stride[i] = 1;
        window.spread[i] = forward->stride[i];
        window.before[i] = (forward->kernel[i] - 1) * forward->dilation[i] - forward->before[i];
        window.weight[i] = -forward->weight[i];
    }
    return window;
}

void window_join_line(WindowShape *window)
{
    enum { SHORT = 32 };
    int64_t span = (window->extent[1] - 1) * window->stride[1] + window->kernel[1],
            run = window->kernel[1] * window->size[2];
    bool inside = !window->before[1] && span <= window->size[1];
    if (window->dilation[1] == 1 && (inside || run <= SHORT))
        window->run = run;
}

void bind_window(KernelBuild *build, const WindowShape *window)
{
    Lines *lines = &build->kernel->lines;
    lines->size = (window->kernel[0] - 1) * window->dilation[0] + 1;
    lines->stride = window->stride[0];
    lines->before = window->before[0];
    if (window->spread[0] != 1)
        lines->pixels = 0;
    Str text = str_new(build->arena);
    const int64_t *const pairs[] = {window->extent, window->kernel,   window->stride,
                                    window->before, window->dilation, window->spread};
    str_printf(&text, "{%lld, %lld, %lld}", (long long)window->size[0], (long long)window->size[1],
               (long long)window->size[2]);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        str_printf(&text, ", {%lld, %lld}", (long long)pairs[i][0], (long long)pairs[i][1]);
    str_printf(&text, ", {%lld, %lld, %lld}, %lld", (long long)window->weight[0],
               (long long)window->weight[1], (long long)window->weight[2], (long long)window->run);
    bind_constant(build, "nc_window", "window", text.text);
}
