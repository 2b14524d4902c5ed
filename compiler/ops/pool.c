/* 2-D pooling over NHWC and its gradients. Padding never counts: it loses against every cell, and an
 * average divides by the cells that are there. */
#include "ops/infer.h"
#include "program.h"

static const AttrDef pool_attrs[] = {{"pool", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"strides", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"padding", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {"extent", ATTR_INTS, NULL, "", 0, 0, NULL},
                                     {.type = ATTR_END}};

/* `extent` is the result's height and width, `padding` what is added before. */
static Shape infer_pool(const Node *node)
{
    Shape shape = node->in[0]->shape;
    shape.dim[1] = attr(node, "extent")->list[0];
    shape.dim[2] = attr(node, "extent")->list[1];
    return shape;
}

static void gradient_pool(Gradients *to, Node *y, Node *g)
{
    Graph *graph = gradient_graph(to);
    Node *x = y->in[0], *in[3] = {g, x, y};
    bool max = y->op == OP_max_pool2d;
    AttrValue values[4] = {y->attr[0], y->attr[1], y->attr[2], {.count = 2}};
    values[3].list = ARENA_ARRAY(graph->arena, int64_t, 2);
    values[3].list[0] = x->shape.dim[1];
    values[3].list[1] = x->shape.dim[2];
    gradient_add(to, y, 0,
                 node_new(graph, max ? OP_max_pool2d_grad : OP_average_pool2d_grad, max ? 3 : 1, in,
                          values));
}

/* Binds the forward pass's sizes: x [H, W, C], y [OH, OW, C]. */
static void bind_pool(KernelBuild *build, const Node *node, Shape x, Shape y)
{
    static const char *const names[] = {"H",  "W",  "C",  "OH", "OW", "KH",
                                        "KW", "SH", "SW", "PH", "PW"};
    const int64_t *pool = attr(node, "pool")->list, *stride = attr(node, "strides")->list,
                  *pad = attr(node, "padding")->list;
    int64_t values[] = {x.dim[1], x.dim[2],  x.dim[3],  y.dim[1], y.dim[2], pool[0],
                        pool[1],  stride[0], stride[1], pad[0],   pad[1]};
    bind_template(build, op_of(node)->name);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        bind_int(build, names[i], values[i]);
    build->kernel->flops = (double)(y.dim[1] * y.dim[2] * y.dim[3] * pool[0] * pool[1]);
}

static void bind_forward(KernelBuild *build, const Node *node)
{
    bind_pool(build, node, node->in[0]->shape, node->shape);
    build->kernel->units = arena_printf(build->arena, "n * %lld", (long long)node->shape.dim[1]);
}

static void bind_gradient(KernelBuild *build, const Node *node)
{
    bind_pool(build, node, node->shape, node->in[0]->shape);
    build->kernel->units = "n";
}

#define POOL(ident, inputs)                                                                        \
    .name = #ident, .arity = (inputs), .class = OP_KERNEL, .attrs = pool_attrs, .infer = infer_pool

OP(max_pool2d) = {POOL(max_pool2d, 1),
                  .doc = "Largest of each window; the gradient goes to the first that holds it.",
                  .gradient = gradient_pool, .bind = bind_forward,
                  .sample = "{in: [[n, 5, 6, 3]], pool: [3, 2], strides: [2, 1], padding: [1, 0], "
                            "extent: [3, 5]}"};
OP(average_pool2d) = {POOL(average_pool2d, 1), .doc = "Mean of each window.",
                      .gradient = gradient_pool, .bind = bind_forward,
                      .sample = "{in: [[n, 5, 6, 3]], pool: [3, 2], strides: [2, 1], "
                                "padding: [1, 0], extent: [3, 5]}"};
OP(max_pool2d_grad) = {POOL(max_pool2d_grad, 3), .doc = "Gradient of max_pool2d, from (dy, x, y).",
                       .bind = bind_gradient, .not_differentiable = true};
OP(average_pool2d_grad) = {POOL(average_pool2d_grad, 1),
                           .doc = "Gradient of average_pool2d, from dy.", .bind = bind_gradient,
                           .not_differentiable = true};
