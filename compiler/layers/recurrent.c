/* Recurrent layers: the inputs of all steps go through one product, then a scan over time. The carries
 * of a stateful layer start from its memory, and their last values become its next version. */
#include "layers/layer.h"

#include "passes.h"

static const AttrDef simple_rnn_attrs[] = {
    ATTR_EXTENT("units", "size of the state"),
    ATTR_LAYER_ACTIVATION("tanh"),
    ATTR_USE_BIAS,
    {"return_sequences", ATTR_BOOL, "false", "all states, not the last one", 0, 0, NULL},
    {"stateful", ATTR_BOOL, "false",
     "row i of a call goes on where row i of the call before ended; training then needs shuffle: "
     "false",
     0, 0, NULL},
    {"return_state", ATTR_BOOL, "false", "not in this build", 0, 0, NULL},
    {"go_backwards", ATTR_BOOL, "false", "from the last step to the first", 0, 0, NULL},
    ATTR_INITIALIZE("kernel", "glorot_uniform"),
    ATTR_INITIALIZE("recurrent", "orthogonal"),
    ATTR_INITIALIZE("bias", "zeros"),
    ATTRS_END};

static bool check_recurrent(LayerBuild *build)
{
    const AttrValue *state = layer_attr(build, "return_state");
    const AttrValue *backwards = layer_attr(build, "go_backwards");
    if (build->in[0]->shape.rank != 3) {
        input_fault(build, "expected [n, steps, features], found %s",
                    shape_text(build->arena, build->in[0]->shape));
        return false;
    }
    if (state->i)
        return diag_error(build->diag, state->loc, "return_state is not in this build");
    if (backwards->i && layer_attr(build, "return_sequences")->i)
        return diag_error(build->diag, backwards->loc,
                          "go_backwards with return_sequences is not in this build");
    return true;
}

/* Where carry NAME begins. One batch by itself, as `netcc grad` takes it, begins at zeros. */
static Node *first_state(LayerBuild *build, const char *name, Shape shape)
{
    bool carried = layer_attr(build, "stateful")->i && build->purpose != FOR_GRAD;
    return carried ? layer_memory(build, name, shape) : constant_of(build->graph, 0, shape);
}

/* The last value of carry `index`, which goes into the memory that the carry began with. */
static Node *last_state(LayerBuild *build, Node *scan, int index)
{
    Node *last = scan_pick(build->graph, scan, index);
    const Param *memory = node_param(scan->in[index]);
    if (memory)
        update_param(build->graph, memory, last);
    return last;
}

static Node *swap_time(Graph *graph, Node *x)
{
    return transpose(graph, x, (int[]){1, 0, 2});
}

/* One step: h' = activation(x + h . recurrent_kernel). */
static Graph *simple_rnn_body(LayerBuild *build, Shape state, Shape kernel)
{
    Graph *outer = build->graph, *body = graph_new(build->arena);
    body->layer = outer->layer;
    body->loc = outer->loc;
    Node *h = scan_slice_input(body, 0, state), *x = scan_slice_input(body, 1, state);
    Node *recurrent = scan_slice_input(body, 2, kernel);
    build->graph = body;
    Node *next = node2(body, OP_add, x, node2(body, OP_matmul, h, recurrent));
    next = layer_activate(build, "activation", next);
    build->graph = outer;
    graph_output(body, "h", next, build->loc);
    if (layer_attr(build, "return_sequences")->i)
        graph_output(body, "sequence", next, build->loc);
    return body;
}

static Node *build_simple_rnn(LayerBuild *build)
{
    if (!check_recurrent(build))
        return NULL;
    Graph *graph = build->graph;
    Node *x = build->in[0];
    int64_t units = layer_attr(build, "units")->i, steps = x->shape.dim[1];
    Shape shape = shape_of(2, (int64_t[]){x->shape.dim[2], units});
    Shape square = shape_of(2, (int64_t[]){units, units});
    Node *kernel = layer_weight(build, "kernel", shape, "kernel_initializer");
    Node *recurrent = layer_weight(build, "recurrent_kernel", square, "recurrent_initializer");
    Node *projected =
        kernel && recurrent ? layer_bias(build, node2(graph, OP_matmul, x, kernel)) : NULL;
    if (!projected)
        return NULL;
    Shape state = shape_of(2, (int64_t[]){BATCH, units});
    Graph *body = simple_rnn_body(build, state, square);
    Node *in[] = {first_state(build, "h", state), swap_time(graph, projected), recurrent};
    bool backwards = layer_attr(build, "go_backwards")->i;
    Node *scan = scan_new(graph, body, steps, backwards, 1, 1, in, 3);
    Node *last = last_state(build, scan, 0);
    return layer_attr(build, "return_sequences")->i ? swap_time(graph, scan_pick(graph, scan, 1))
                                                    : last;
}

LAYER(simple_rnn) = {.record = {.name = "simple_rnn",
                                .doc = "h' = activation(x . kernel + h . recurrent_kernel + bias) "
                                       "for every step (Elman 1990).",
                                .attrs = simple_rnn_attrs},
                     .build = build_simple_rnn};
