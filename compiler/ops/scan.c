/* scan: a loop over time with a body graph, and pick, one of its results.
 *
 * Inputs: the first carries, then the stacked inputs [T, ..] whose slices the body sees, then what
 * it captures unchanged. The body's `slice` inputs stand in that order; its outputs are the next
 * carries, then what is stacked. pick i is the last value of carry i, or a stack [T, ..].
 *
 * The gradient is a scan in the other direction whose body recomputes the forward body of one step
 * from the saved carries. What would be summed over time for a captured weight is not: the factors
 * of its matmul_tn (or the summand of its reduce_sum) are stacked, and one product outside sums
 * over time and batch together. */
#include "autodiff.h"
#include "ops/infer.h"
#include "passes.h"

static const AttrDef scan_attrs[] = {
    {"body", ATTR_POINTER, NULL, "", 0, 0, NULL}, {"steps", ATTR_INT, NULL, "", 0, 0, NULL},
    {"carries", ATTR_INT, NULL, "", 0, 0, NULL},  {"slices", ATTR_INT, NULL, "", 0, 0, NULL},
    {"reverse", ATTR_BOOL, NULL, "", 0, 0, NULL}, {.type = ATTR_END}};

static const AttrDef pick_attrs[] = {{"index", ATTR_INT, NULL, "", 0, 0, NULL}, {.type = ATTR_END}};

static Shape infer_scan(const Node *node)
{
    (void)node;
    return scalar_shape();
}

static Shape stacked(Shape slice, int64_t steps)
{
    Shape shape = {.rank = slice.rank + 1, .dim = {steps}};
    for (int i = 0; i < slice.rank; i++)
        shape.dim[i + 1] = slice.dim[i];
    return shape;
}

static Shape infer_pick(const Node *node)
{
    const Node *scan = node->in[0];
    const Graph *body = attr(scan, "body")->ptr;
    int64_t index = attr(node, "index")->i;
    Shape shape = body->outputs[index].node->shape;
    return index < attr(scan, "carries")->i ? shape : stacked(shape, attr(scan, "steps")->i);
}

Node *scan_new(Graph *graph, Graph *body, int64_t steps, bool reverse, int carries, int slices,
               Node *const *in, int inputs)
{
    AttrValue values[5] = {
        {.ptr = body, .s = "body"}, {.i = steps}, {.i = carries}, {.i = slices}, {.i = reverse}};
    return node_new(graph, OP_scan, inputs, in, values);
}

Node *scan_pick(Graph *graph, Node *scan, int index)
{
    AttrValue value = {.i = index};
    return node_new(graph, OP_pick, 1, &scan, &value);
}

Node *scan_slice_input(Graph *body, int index, Shape shape)
{
    AttrValue values[3] = {
        {.s = "slice"},
        {.i = index},
        {.count = shape.rank, .list = ARENA_ARRAY(body->arena, int64_t, MAX_RANK)}};
    for (int i = 0; i < shape.rank; i++)
        values[2].list[i] = shape.dim[i];
    return node_new(body, OP_input, 0, NULL, values);
}

Node *scan_input(const Graph *body, int index)
{
    for (int i = 0; i < body->count; i++) {
        if (body->nodes[i]->op == OP_input && attr(body->nodes[i], "index")->i == index)
            return body->nodes[i];
    }
    return NULL;
}

static void gradient_pick(Gradients *to, Node *y, Node *g)
{
    gradient_add_result(to, y->in[0], (int)attr(y, "index")->i, g);
}

/* The backward scan under construction. */
typedef struct {
    Gradients *to;
    Node *scan;
    const Graph *forward;
    int64_t steps;
    int carries, slices, inputs, results;
    Graph *body;
    Node **copy; /* forward body node id -> its copy in `body` */
    Node *in[64], *slice[64];
    int in_count;
} BackScan;

static Node *body_input(BackScan *b, Node *outer, Shape shape)
{
    if (b->in_count == 64)
        bug("a scan with more than 64 inputs");
    Node *node = scan_slice_input(b->body, b->in_count, shape);
    b->in[b->in_count] = outer;
    b->slice[b->in_count++] = node;
    return node;
}

static Node *zeros(Graph *graph, Shape shape)
{
    return constant_of(graph, 0, shape);
}

/* Copies the forward body; its inputs become those given. */
static void copy_forward(BackScan *b, Node *const *inputs)
{
    for (int i = 0; i < b->forward->count; i++) {
        Node *node = b->forward->nodes[i];
        Node *in[64];
        for (int k = 0; k < node->inputs; k++)
            in[k] = b->copy[node->in[k]->id];
        b->copy[i] = node->op == OP_input
                         ? inputs[attr(node, "index")->i]
                         : node_new(b->body, node->op, node->inputs, in, node->attr);
    }
}

/* Stacks `node` as a result of the backward body, once, and yields which result it is. */
static int stack_result(BackScan *b, Node *node)
{
    for (int i = b->carries; i < b->body->outputs_count; i++) {
        if (b->body->outputs[i].node == node)
            return i;
    }
    graph_output(b->body, "stacked", node, (Loc){0});
    return b->body->outputs_count - 1;
}

/* A node of the body over all steps: the stack that it is a slice of, or one made of it. */
typedef struct {
    Node *outer;
    int result;
} Stack;

static Stack stack_of(BackScan *b, Node *node, int back_slices)
{
    for (int i = b->carries; i < b->carries + back_slices; i++) {
        if (b->slice[i] == node)
            return (Stack){b->in[i], -1};
    }
    return (Stack){NULL, stack_result(b, node)};
}

static Node *stack_node(Graph *graph, Node *back, Stack stack)
{
    return stack.outer ? stack.outer : scan_pick(graph, back, stack.result);
}

/* The gradient of captured input `index`, from its gradient `g` within one step. */
static Node *hoist(BackScan *b, Node *back, const Node *g, const Stack *stack)
{
    Graph *graph = gradient_graph(b->to);
    Node *first = stack_node(graph, back, stack[0]);
    if (g->op == OP_matmul_tn)
        return node2(graph, OP_matmul_tn, first, stack_node(graph, back, stack[1]));
    unsigned axes = 1;
    for (int i = 0; i < g->attr[0].count; i++)
        axes |= 2u << g->attr[0].list[i];
    Node *sum = reduce(graph, OP_reduce_sum, first, axes);
    return reshape(graph, sum, g->shape);
}

static void gradient_scan(Gradients *to, Node *y, Node *g)
{
    (void)g;
    Graph *graph = gradient_graph(to);
    Arena *arena = graph->arena;
    BackScan b = {.to = to,
                  .scan = y,
                  .forward = attr(y, "body")->ptr,
                  .steps = attr(y, "steps")->i,
                  .carries = (int)attr(y, "carries")->i,
                  .slices = (int)attr(y, "slices")->i,
                  .inputs = y->inputs,
                  .body = graph_new(arena)};
    b.results = b.forward->outputs_count;
    b.copy = ARENA_ARRAY(arena, Node *, b.forward->count);
    int captures = b.inputs - b.carries - b.slices;

    /* carries of the backward scan: gradients of the forward carries */
    Node *carry_gradient[64], *forward_in[64];
    for (int i = 0; i < b.carries; i++) {
        Shape shape = b.forward->outputs[i].node->shape;
        Node *last = gradient_result(to, y, i);
        carry_gradient[i] = body_input(&b, last ? last : zeros(graph, shape), shape);
    }
    /* slices: the carries at entry of each step (saved by the forward scan as results behind the
     * others), the inputs, the gradients of the stacked results */
    Graph *forward = (Graph *)(uintptr_t)b.forward;
    for (int i = 0; i < b.carries; i++) {
        Node *entry = scan_input(forward, i);
        graph_output(forward, "saved", entry, (Loc){0});
        Node *saved = scan_pick(graph, y, forward->outputs_count - 1);
        forward_in[i] = body_input(&b, saved, entry->shape);
    }
    for (int i = 0; i < b.slices; i++) {
        Node *outer = y->in[b.carries + i];
        Shape shape = shape_of(outer->shape.rank - 1, outer->shape.dim + 1);
        forward_in[b.carries + i] = body_input(&b, outer, shape);
    }
    Node *stack_gradient[64] = {0};
    for (int i = b.carries; i < b.results; i++) {
        Node *outer = gradient_result(to, y, i);
        if (outer)
            stack_gradient[i] = body_input(&b, outer, b.forward->outputs[i].node->shape);
    }
    int back_slices = b.in_count - b.carries;
    for (int i = b.carries + b.slices; i < b.inputs; i++)
        forward_in[i] = body_input(&b, y->in[i], y->in[i]->shape);

    copy_forward(&b, forward_in);
    Node *seeds[128], *seed_gradients[128];
    int seeds_count = 0;
    for (int i = 0; i < b.results; i++) {
        Node *seed = i < b.carries ? carry_gradient[i] : stack_gradient[i];
        if (seed) {
            seeds[seeds_count] = b.copy[b.forward->outputs[i].node->id];
            seed_gradients[seeds_count++] = seed;
        }
    }
    Node *result[64];
    backward(b.body, seeds, seed_gradients, seeds_count, forward_in, b.inputs, result);

    for (int i = 0; i < b.carries; i++)
        graph_output(b.body, "carry", result[i] ? result[i] : zeros(b.body, forward_in[i]->shape),
                     (Loc){0});
    int slice_stack[64];
    Stack capture_stack[64][2];
    for (int i = 0; i < b.slices; i++)
        slice_stack[i] = result[b.carries + i] ? stack_result(&b, result[b.carries + i]) : -1;
    for (int i = 0; i < captures; i++) {
        const Node *part = result[b.carries + b.slices + i];
        if (!part)
            continue;
        if (part->op != OP_matmul_tn && part->op != OP_reduce_sum)
            bug("scan: the gradient of a captured input is neither a product nor a sum");
        for (int k = 0; k < part->inputs; k++)
            capture_stack[i][k] = stack_of(&b, part->in[k], back_slices);
    }
    Node *back = scan_new(graph, b.body, b.steps, !attr(y, "reverse")->i, b.carries, back_slices,
                          b.in, b.in_count);
    for (int i = 0; i < b.carries; i++) {
        if (gradient_wanted(to, y, i))
            gradient_add(to, y, i, scan_pick(graph, back, i));
    }
    for (int i = 0; i < b.slices; i++) {
        if (slice_stack[i] >= 0 && gradient_wanted(to, y, b.carries + i))
            gradient_add(to, y, b.carries + i, scan_pick(graph, back, slice_stack[i]));
    }
    for (int i = 0; i < captures; i++) {
        int input = b.carries + b.slices + i;
        if (result[input] && gradient_wanted(to, y, input))
            gradient_add(to, y, input, hoist(&b, back, result[input], capture_stack[i]));
    }
}

/* What the body computes of captured inputs and constants alone is the same in every step. */
typedef struct {
    Graph *graph; /* around the scan */
    const Node *scan;
    const Graph *body;
    Node **in; /* of the new scan */
    int inputs;
    bool *invariant; /* by body node */
    Node **outer;    /* by body node: its copy outside, where it is invariant */
} Hoist;

static bool is_leaf(const Node *node)
{
    return op_of(node)->class == OP_LEAF;
}

static bool is_invariant(const Hoist *h, const Node *node)
{
    if (node->op == OP_input)
        return attr(node, "index")->i >= attr(h->scan, "carries")->i + attr(h->scan, "slices")->i;
    if (is_leaf(node))
        return node->op == OP_const;
    for (int k = 0; k < node->inputs; k++) {
        if (!h->invariant[node->in[k]->id])
            return false;
    }
    return !op_of(node)->impure;
}

static Node *copy_outside(const Hoist *h, const Node *node)
{
    Node *in[8];
    double value;
    if (node->op == OP_input)
        return h->in[attr(node, "index")->i];
    if (is_constant(node, &value))
        return constant_of(h->graph, value, node->shape);
    for (int k = 0; k < node->inputs; k++)
        in[k] = h->outer[node->in[k]->id];
    return node_new(h->graph, node->op, node->inputs, in, node->attr);
}

/* Marks invariant nodes and copies them outside; true if there is anything but leaves. */
static bool find_invariants(Hoist *h)
{
    bool found = false;
    for (int i = 0; i < h->body->count; i++) {
        const Node *node = h->body->nodes[i];
        h->invariant[i] = node->inputs <= 8 && is_invariant(h, node);
        if (!h->invariant[i])
            continue;
        h->outer[i] = copy_outside(h, node);
        found |= !is_leaf(node);
    }
    return found;
}

/* The body with a captured input in the place of each invariant node. */
static Graph *body_without(Hoist *h)
{
    Graph *body = graph_new(h->graph->arena);
    Node **copy = ARENA_ARRAY(body->arena, Node *, h->body->count + 1);
    for (int i = 0; i < h->body->count; i++) {
        const Node *node = h->body->nodes[i];
        Node *in[64];
        body->layer = node->name;
        body->loc = node->loc;
        if (h->invariant[i] && !is_leaf(node)) {
            copy[i] = scan_slice_input(body, h->inputs, node->shape);
            h->in[h->inputs++] = h->outer[i];
            continue;
        }
        for (int k = 0; k < node->inputs; k++)
            in[k] = copy[node->in[k]->id];
        copy[i] = node_new(body, node->op, node->inputs, in, node->attr);
    }
    for (int i = 0; i < h->body->outputs_count; i++) {
        Output output = h->body->outputs[i];
        graph_output(body, output.name, copy[output.node->id], output.loc);
    }
    return body;
}

static Node *identity_scan(Graph *graph, const Node *y, Node *const *in)
{
    const Graph *body = attr(y, "body")->ptr;
    Hoist h = {.graph = graph,
               .scan = y,
               .body = body,
               .in = ARENA_ARRAY(graph->arena, Node *, y->inputs + body->count + 1),
               .inputs = y->inputs,
               .invariant = ARENA_ARRAY(graph->arena, bool, body->count + 1),
               .outer = ARENA_ARRAY(graph->arena, Node *, body->count + 1)};
    for (int i = 0; i < y->inputs; i++)
        h.in[i] = in[i];
    if (!find_invariants(&h))
        return NULL;
    Graph *rest = body_without(&h);
    return scan_new(graph, rest, attr(y, "steps")->i, attr(y, "reverse")->i,
                    (int)attr(y, "carries")->i, (int)attr(y, "slices")->i, h.in, h.inputs);
}

OP(scan) = {.name = "scan",
            .doc = "A loop over time with a body graph.",
            .arity = -1,
            .class = OP_KERNEL,
            .role = ROLE_LOOP,
            .impure = true,
            .identity = identity_scan,
            .attrs = scan_attrs,
            .infer = infer_scan,
            .gradient = gradient_scan};
OP(pick) = {.name = "pick",
            .doc = "One result of a scan.",
            .arity = 1,
            .class = OP_VIEW,
            .role = ROLE_RESULT,
            .attrs = pick_attrs,
            .infer = infer_pick,
            .gradient = gradient_pick};
