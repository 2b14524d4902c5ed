/* Which convolutions are computed by Winograd's transforms: those of 3 x 3 with strides and dilation 1, and
 * both gradients of such, where the shapes say that it is quicker. */
#include "ops/winograd.h"

/* Costs are in multiply-adds that a full tile does at once: what transforming a cell of one channel costs,
 * loads and stores included, and how much quicker all of it must be than the direct way. */
enum { CELL_COST = 8, PERCENT = 80 };

static double cost(const Winograd *shape)
{
    double cells = (double)(winograd_tiles(shape) * winograd_cells(shape));
    double in = (double)shape->size[2], out = (double)shape->filters;
    return cells * (in * out + CELL_COST * (in + out));
}

/* The cheaper size of tiles, the smaller one if equal, as it is more exact; 0: none pays. */
static int64_t best_tile(Winograd shape)
{
    double direct =
        9.0 * (double)(shape.extent[0] * shape.extent[1]) * (double)(shape.size[2] * shape.filters);
    double least = direct * PERCENT / 100;
    int64_t best = 0;
    for (int64_t tile = 2; tile <= 4; tile += 2) {
        shape.tile = tile;
        if (cost(&shape) < least) {
            best = tile;
            least = cost(&shape);
        }
    }
    return best;
}

/* Images of x through the kernel to images of y, in the way of `node`; false if it stays as it is. */
static bool find_shape(Winograd *shape, const Node *node, const Shape *x, const Shape *y,
                       const Shape *kernel, bool back)
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
    shape->tile = best_tile(*shape);
    return shape->tile > 0 && shape->extent[1] <= IMAGE_CELLS;
}

static Node *convolve(Graph *graph, Node *const *in, const Winograd *shape)
{
    Node *patches = winograd_node(graph, OP_winograd_input, in[0], NULL, shape);
    Node *kernel = winograd_node(graph, OP_winograd_kernel, in[1], NULL, shape);
    Node *product = winograd_node(graph, OP_winograd_product, patches, kernel, shape);
    return winograd_node(graph, OP_winograd_output, product, NULL, shape);
}

Node *winograd_conv2d(Graph *graph, const Node *y, Node *const *in)
{
    Winograd shape;
    bool found = find_shape(&shape, y, &in[0]->shape, &y->shape, &in[1]->shape, false);
    return found ? convolve(graph, in, &shape) : NULL;
}

/* A convolution of dy by the turned kernel */
Node *winograd_input_grad(Graph *graph, const Node *dx, Node *const *in)
{
    Winograd shape;
    bool found = find_shape(&shape, dx, &in[0]->shape, &dx->shape, &in[1]->shape, true);
    return found ? convolve(graph, in, &shape) : NULL;
}

Node *winograd_kernel_grad(Graph *graph, const Node *dw, Node *const *in)
{
    Winograd shape;
    if (!find_shape(&shape, dw, &in[0]->shape, &in[1]->shape, &dw->shape, false))
        return NULL;
    Node *patches = winograd_node(graph, OP_winograd_input, in[0], NULL, &shape);
    Node *gradient = winograd_node(graph, OP_winograd_output_grad, in[1], NULL, &shape);
    Node *product = winograd_node(graph, OP_winograd_product_tn, patches, gradient, &shape);
    return winograd_node(graph, OP_winograd_kernel_grad, product, NULL, &shape);
}
