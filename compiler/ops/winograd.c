/* Convolutions of 3 x 3 by Winograd's transforms, step by step: what the pass `select` makes of a
 * convolution and of its two gradients. Every step knows the whole geometry. */
#include "ops/winograd.h"

#include <string.h>

#include "layout.h"
#include "ops/tile.h"

enum { VECTOR = 16 }; /* channels of transformed patches are padded to it (vocab/winograd.h) */

static const AttrDef geometry_attrs[] = {{"geometry", ATTR_INTS, NULL, "", 0, 0, NULL},
                                         {.type = ATTR_END}};

Node *winograd_node(Graph *graph, OpKind op, Node *a, Node *b, const Winograd *shape)
{
    AttrValue value = {.count = sizeof *shape / sizeof(int64_t)};
    value.list = ARENA_ARRAY(graph->arena, int64_t, value.count);
    memcpy(value.list, shape, sizeof *shape);
    return node_new(graph, op, b ? 2 : 1, (Node *[]){a, b}, &value);
}

static Winograd geometry(const Node *node)
{
    Winograd shape;
    memcpy(&shape, attr(node, "geometry")->list, sizeof shape);
    return shape;
}

int64_t winograd_cells(const Winograd *shape)
{
    return (shape->tile + 2) * (shape->tile + 2);
}

/* Along the height (0) or the width (1) */
static int64_t tiles_along(const Winograd *shape, int axis)
{
    return (shape->extent[axis] + shape->tile - 1) / shape->tile;
}

int64_t winograd_tiles(const Winograd *shape)
{
    return tiles_along(shape, 0) * tiles_along(shape, 1);
}

static int64_t panel_width(const Winograd *shape)
{
    return layout_default_width(shape->filters);
}

static int64_t panels(const Winograd *shape)
{
    return (shape->filters + panel_width(shape) - 1) / panel_width(shape);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* Lines of tiles of a group: enough for a product of some height, a divisor of all. */
static int64_t group_lines(const Winograd *shape)
{
    enum { ROWS = 16 };
    int64_t lines = 1, all = tiles_along(shape, 0);
    while (lines < all && (lines * tiles_along(shape, 1) < ROWS || all % lines))
        lines++;
    return lines;
}

/* [n, groups, cells of a group, tiles of a group with their channels], as vocab/winograd.h has it */
static Shape patches(const Winograd *shape, int64_t channels)
{
    int64_t lines = group_lines(shape), tiles = lines * tiles_along(shape, 1);
    return shape_of(4, (int64_t[]){BATCH, tiles_along(shape, 0) / lines, winograd_cells(shape),
                                   tiles * channels + VECTOR});
}

static Shape infer_input(const Node *node)
{
    Winograd shape = geometry(node);
    return patches(&shape, (shape.size[2] + VECTOR - 1) / VECTOR * VECTOR);
}

/* Also of products: the filters of all panels */
static Shape infer_filters(const Node *node)
{
    Winograd shape = geometry(node);
    return patches(&shape, panels(&shape) * panel_width(&shape));
}

static Shape infer_kernel(const Node *node)
{
    Winograd shape = geometry(node);
    return shape_of(3, (int64_t[]){winograd_cells(&shape) * panels(&shape), shape.size[2],
                                   panel_width(&shape)});
}

static Shape infer_output(const Node *node)
{
    Winograd shape = geometry(node);
    return shape_of(4, (int64_t[]){BATCH, shape.extent[0], shape.extent[1], shape.filters});
}

static Shape infer_kernel_grad(const Node *node)
{
    Winograd shape = geometry(node);
    return shape_of(4, (int64_t[]){3, 3, shape.size[2], shape.filters});
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* What a step needs of the geometry, so that layers that differ in the rest share its function */
static Winograd of_input(Winograd shape)
{
    shape.filters = shape.flip = 0;
    return shape;
}

static Winograd of_products(Winograd shape)
{
    shape.size[0] = shape.size[1] = shape.before[0] = shape.before[1] = shape.flip = 0;
    return shape;
}

static Winograd of_output(Winograd shape)
{
    shape = of_products(shape);
    shape.size[2] = 0;
    return shape;
}

static Winograd of_weights(Winograd shape)
{
    int64_t flip = shape.flip;
    shape = of_products(shape);
    shape.extent[0] = shape.extent[1] = 0;
    shape.flip = flip;
    return shape;
}

/* As struct nc_winograd has it; `weight` is the 3 x 3 kernel, where the step reads or writes it. */
static const char *geometry_text(const KernelBuild *build, const Winograd *shape,
                                 const Node *weight)
{
    const Layout *layout = weight ? build->layouts[weight->id] : NULL;
    int64_t width = panel_width(shape), row = layout ? width : shape->filters,
            panel = layout ? 9 * shape->size[2] * width : width;
    Str text = str_new(build->arena);
    str_printf(&text, "{%lld, %lld, %lld}, {%lld, %lld}, {%lld, %lld}, ", (long long)shape->size[0],
               (long long)shape->size[1], (long long)shape->size[2], (long long)shape->extent[0],
               (long long)shape->extent[1], (long long)shape->before[0],
               (long long)shape->before[1]);
    str_printf(&text, "{%lld, %lld}, %lld, %lld, %lld, %lld, %lld, {%lld, %lld}, %lld",
               (long long)tiles_along(shape, 0), (long long)tiles_along(shape, 1),
               (long long)group_lines(shape), (long long)shape->tile, (long long)shape->filters,
               (long long)panels(shape), (long long)width, (long long)row, (long long)panel,
               (long long)shape->flip);
    return text.text;
}

static void bind_step(KernelBuild *build, const Node *node, Winograd shape, const Node *weight,
                      const char *call, const char *units)
{
    TemplateRecord *bind = build->kernel->bind;
    bind_template(build, "winograd");
    bind_text(build, "GEOMETRY", geometry_text(build, &shape, weight));
    bind_text(build, "CALL", call);
    template_list(bind, "factors");
    if (node->inputs == 2) {
        TemplateRecord *factor = template_item(bind, "factors");
        template_text(factor, "name", "b");
        template_int(factor, "index", 1);
    }
    build->kernel->units = units;
}

/* A unit is a line of tiles. A transform takes some eight operations a cell and channel. */
static void bind_patches(KernelBuild *build, const Node *node, Winograd shape, const char *call)
{
    bind_step(build, node, shape, NULL, call,
              arena_printf(build->arena, "n * %lld", (long long)tiles_along(&shape, 0)));
    build->kernel->flops = 8.0 * (double)shape_row(node->shape);
}

static void bind_input(KernelBuild *build, const Node *node)
{
    bind_patches(build, node, of_input(geometry(node)), "nc_winograd_input(y, a, &geometry, u)");
}

static void bind_output_grad(KernelBuild *build, const Node *node)
{
    bind_patches(build, node, of_output(geometry(node)),
                 "nc_winograd_output_grad(y, a, &geometry, u)");
}

/* A unit is a row of a panel. */
static void bind_weights(KernelBuild *build, const Node *node, const Node *weight, const char *call)
{
    Winograd shape = geometry(node);
    bind_step(build, node, of_weights(shape), weight, call,
              arena_printf(build->arena, "%lld", (long long)(panels(&shape) * shape.size[2])));
    build->kernel->flops_fixed =
        8.0 * (double)(winograd_cells(&shape) * shape.size[2] * shape.filters);
}

static void bind_kernel(KernelBuild *build, const Node *node)
{
    bind_weights(build, node, node->in[0], "nc_winograd_kernel(y, a, &geometry, u)");
}

static void bind_kernel_grad(KernelBuild *build, const Node *node)
{
    bind_weights(build, node, node, "nc_winograd_kernel_grad(y, a, &geometry, u)");
}

static void count_products(KernelBuild *build, const Winograd *shape)
{
    build->kernel->flops = 2.0 * (double)(winograd_tiles(shape) * winograd_cells(shape)) *
                           (double)(shape->size[2] * shape->filters);
    const int64_t *pixels = shape->flip ? shape->size : shape->extent; /* of the smaller image */
    build->kernel->stands_for =
        2.0 * 9 * (double)(pixels[0] * pixels[1]) * (double)(shape->size[2] * shape->filters);
}

/* A unit is one cell of some groups. */
static void bind_products(KernelBuild *build, const Node *node)
{
    Winograd shape = geometry(node);
    int64_t rows = group_lines(&shape) * tiles_along(&shape, 1), block = (rows + 47) / rows,
            groups = winograd_tiles(&shape) / rows;
    bind_step(
        build, node, of_products(shape), NULL, "nc_winograd_product(y, a, b, &geometry, n, u)",
        arena_printf(build->arena, "(n * %lld + %lld) / %lld * %lld", (long long)groups,
                     (long long)block - 1, (long long)block, (long long)winograd_cells(&shape)));
    count_products(build, &shape);
}

/* A unit is a cell. */
static void bind_products_tn(KernelBuild *build, const Node *node)
{
    Winograd shape = geometry(node);
    bind_step(build, node, of_products(shape), NULL,
              "nc_winograd_product_tn(y, a, b, &geometry, n, args->first > 0, u)",
              arena_printf(build->arena, "%lld", (long long)winograd_cells(&shape)));
    count_products(build, &shape);
}

static void bind_output(KernelBuild *build, const Node *node)
{
    Winograd shape = geometry(node);
    TileShape tile = image_tile(build, node->shape, panel_width(&shape));
    bind_tile(build, node, &tile);
    shape = of_output(shape);
    bind_constant(build, "nc_winograd", "geometry", geometry_text(build, &shape, NULL));
    bind_product(build, "nc_winograd_output(c, a, &geometry, i, rows, j)");
    build->kernel->flops =
        8.0 * (double)(winograd_tiles(&shape) * winograd_cells(&shape) * shape.filters);
}

#define STEP(ident, inputs)                                                                        \
    .name = #ident, .arity = (inputs), .class = OP_KERNEL, .attrs = geometry_attrs,                \
    .not_differentiable = true

/* Never merged: the backward pass transforms once more what else would be kept from the forward one. */
OP(winograd_input) = {STEP(winograd_input, 1), .doc = "Patches of an image, transformed.",
                      .impure = true, .infer = infer_input, .bind = bind_input};
OP(winograd_kernel) = {STEP(winograd_kernel, 1), .doc = "A kernel of 3 x 3, transformed.",
                       .panel_inputs = 1,        .packed_inputs = 1,
                       .infer = infer_kernel,    .bind = bind_kernel};
OP(winograd_product) = {STEP(winograd_product, 2), .multiplies = true,
                        .doc = "Cell by cell, transformed patches times the transformed kernel.",
                        .infer = infer_filters, .bind = bind_products};
OP(winograd_output) = {STEP(winograd_output, 1), .doc = "The image of such products.",
                       .epilogue = true,         .image_tile = true,
                       .infer = infer_output,    .bind = bind_output};
OP(winograd_output_grad) = {STEP(winograd_output_grad, 1),
                            .doc = "Gradient of winograd_output for the products.",
                            .infer = infer_filters, .bind = bind_output_grad};
OP(winograd_product_tn) = {
    STEP(winograd_product_tn, 2), .multiplies = true,
    .accumulates = true,          .doc = "Gradient of winograd_product for the transformed kernel.",
    .infer = infer_kernel,        .bind = bind_products_tn};
OP(winograd_kernel_grad) = {STEP(winograd_kernel_grad, 1), .packed_output = true,
                            .doc = "Gradient of winograd_kernel for the kernel.",
                            .infer = infer_kernel_grad, .bind = bind_kernel_grad};
