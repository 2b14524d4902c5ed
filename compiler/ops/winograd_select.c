/* Which convolutions are computed by Winograd's transforms: those of 3 x 3 with strides and dilation 1, and
 * both gradients of such, where the shapes say that it is quicker. */
#include "ops/winograd.h"

/* Costs are in multiply-adds that a full tile does at once, for one image (measured by AVX2 and AVX-512). A cell
 * of a patch costs per channel what its transform takes, loads and stores included. A cell of the transformed
 * kernel costs its own transform, where weights change from call to call, and if it is large, so that it
 * comes from memory each time, the way from there; `rows` images share that. */
enum { CELL = 8, KERNEL_CELL = 30, FAR_CELL = 16, FAR = 1 << 20, PERCENT = 80 };

static double cost(const Winograd *shape, int64_t rows)
{
    double cells = (double)winograd_cells(shape), tiles = (double)winograd_tiles(shape);
    double in = (double)shape->size[2], out = (double)shape->filters;
    double kernel = cells * in * out;
    kernel *= (rows > 1 ? KERNEL_CELL : 0) + (kernel > FAR ? FAR_CELL : 0);
    return tiles * cells * (in * out + CELL * (in + out)) + kernel / (double)rows;
}

/* The cheaper size of tiles, the smaller one if equal, as it is more exact; 0: none pays. */
static int64_t best_tile(Winograd shape, int64_t rows)
{
    double direct =
        9.0 * (double)(shape.extent[0] * shape.extent[1]) * (double)(shape.size[2] * shape.filters);
    double least = direct * PERCENT / 100;
    int64_t best = 0;
    for (int64_t tile = 2; tile <= 4; tile += 2) {
        shape.tile = tile;
        if (cost(&shape, rows) < least) {
            best = tile;
            least = cost(&shape, rows);
        }
    }
    return best;
}

/* Images of x through the kernel to images of y, in the way of `node`; false if it stays as it is. */
static bool find_shape(Winograd *shape, const Node *node, const Shape *x, const Shape *y,
                       const Shape *kernel, bool back, int64_t rows)
{
    const int64_t *strides = attr(node, "strides")->list, *dilation = attr(node, "dilation")->list,
                  *before = attr(node, "padding")->list;
    *shape = (Winograd){.size = {x->dim[1], x->dim[2], x->dim[3]},
                        .extent = {y->dim[1], y->dim[2]},
                        .filters = y->dim[3],
                        .flip = back};
    for (int i = 0; i < 2; i++) {
        if (kernel->dim[i] != 3 || strides[i] != 1 || dilation[i] != 1)
            return false;
        shape->before[i] = back ? 2 - before[i] : before[i];
    }
    shape->tile = best_tile(*shape, rows);
    return shape->tile > 0 && shape->extent[1] <= IMAGE_CELLS;
}

static Node *convolve(Graph *graph, Node *const *in, const Winograd *shape)
{
    Node *patches = winograd_node(graph, OP_winograd_input, in[0], NULL, shape);
    Node *kernel = winograd_node(graph, OP_winograd_kernel, in[1], NULL, shape);
    Node *product = winograd_node(graph, OP_winograd_product, patches, kernel, shape);
    return winograd_node(graph, OP_winograd_output, product, NULL, shape);
}

Node *winograd_conv2d(Graph *graph, const Node *y, Node *const *in, int64_t rows)
{
    Winograd shape;
    bool found = find_shape(&shape, y, &in[0]->shape, &y->shape, &in[1]->shape, false, rows);
    return found ? convolve(graph, in, &shape) : NULL;
}

/* A convolution of dy by the turned kernel */
Node *winograd_input_grad(Graph *graph, const Node *dx, Node *const *in, int64_t rows)
{
    Winograd shape;
    bool found = find_shape(&shape, dx, &in[0]->shape, &dx->shape, &in[1]->shape, true, rows);
    return found ? convolve(graph, in, &shape) : NULL;
}

Node *winograd_kernel_grad(Graph *graph, const Node *dw, Node *const *in, int64_t rows)
{
    Winograd shape;
    if (!find_shape(&shape, dw, &in[0]->shape, &in[1]->shape, &dw->shape, false, rows))
        return NULL;
    Node *patches = winograd_node(graph, OP_winograd_input, in[0], NULL, &shape);
    Node *gradient = winograd_node(graph, OP_winograd_output_grad, in[1], NULL, &shape);
    Node *product = winograd_node(graph, OP_winograd_product_tn, patches, gradient, &shape);
    return winograd_node(graph, OP_winograd_kernel_grad, product, NULL, &shape);
}
