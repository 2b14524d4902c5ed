/* fuse, of a scan: the body's kernels in a loop over time.
 *
 * A carry lives in a buffer of its own, which the loop's last kernels set for the next step. Stacked
 * operands are read, and stacked results written, slice by slice in place. */
#include "fuse.h"
#include "passes.h"

static const Node *pick_of(const Graph *graph, const Node *scan, int index)
{
    for (int i = scan->id + 1; i < graph->count; i++) {
        const Node *node = graph->nodes[i];
        if (plays(node, ROLE_RESULT) && node->in[0] == scan && attr(node, "index")->i == index)
            return node;
    }
    return NULL;
}

static int64_t slice_elements(Shape slice)
{
    return shape_row(slice);
}

/* A scan in the making: the loop kernel, and the body as a fusion of its own that shares the
 * entry's buffers. */
typedef struct {
    Fusion *outer, inner;
    const Node *scan;
    int carries, slices;
    bool reverse;
    Buffer *carry[64];
} ScanFusion;

static void bind_scan_inputs(ScanFusion *s)
{
    const Graph *body = s->inner.graph;
    for (int i = 0; i < s->scan->inputs; i++) {
        const Node *input = scan_input(body, i);
        BufferRef from = place_of(s->outer, s->scan->in[i]);
        if (i < s->carries) {
            const Node *next = body->outputs[i].node;
            const Node *result = pick_of(s->outer->graph, s->scan, i);
            s->carry[i] = new_buffer(&s->inner, BUFFER_ARENA, next);
            if (result)
                s->outer->place[result->id] = (BufferRef){.buffer = s->carry[i]};
            build_copy(s->outer, s->scan->in[i], from, (BufferRef){.buffer = s->carry[i]});
            if (input)
                s->inner.place[input->id] = (BufferRef){.buffer = s->carry[i]};
        } else if (input && i < s->carries + s->slices) {
            from.slice = slice_elements(input->shape);
            from.reversed = s->reverse;
            s->inner.place[input->id] = from;
        } else if (input) {
            s->inner.place[input->id] = from;
        }
    }
}

/* Results that are stacked are written into their slice by whoever computes them. */
static void bind_scan_results(ScanFusion *s, bool *copied)
{
    const Graph *body = s->inner.graph;
    for (int i = s->carries; i < body->outputs_count; i++) {
        const Node *result = pick_of(s->outer->graph, s->scan, i);
        if (!result)
            continue;
        const Node *base = base_of(body->outputs[i].node);
        BufferRef slice = place_of(s->outer, result);
        slice.slice = slice_elements(base->shape);
        slice.reversed = s->reverse;
        copied[i] = s->inner.place[base->id].buffer || !s->inner.grouping->of[base->id];
        if (!copied[i])
            s->inner.place[base->id] = slice;
    }
}

static void copy_scan_results(ScanFusion *s, const bool *copied)
{
    const Graph *body = s->inner.graph;
    for (int i = s->carries; i < body->outputs_count; i++) {
        const Node *result = pick_of(s->outer->graph, s->scan, i);
        if (!result || !copied[i])
            continue;
        const Node *base = base_of(body->outputs[i].node);
        BufferRef slice = place_of(s->outer, result);
        slice.slice = slice_elements(base->shape);
        slice.reversed = s->reverse;
        build_copy(&s->inner, base, place_of(&s->inner, base), slice);
    }
    for (int i = 0; i < s->carries; i++) {
        const Node *base = base_of(body->outputs[i].node);
        BufferRef from = is_inline_leaf(base) ? (BufferRef){0} : place_of(&s->inner, base);
        build_copy(&s->inner, base, from, (BufferRef){.buffer = s->carry[i]});
    }
}

static void copy_captured_layouts(ScanFusion *s)
{
    for (int i = s->carries + s->slices; i < s->scan->inputs; i++) {
        const Node *input = scan_input(s->inner.graph, i);
        if (input)
            s->inner.layouts[input->id] = s->outer->layouts[base_of(s->scan->in[i])->id];
    }
}

void build_scan(Fusion *f, const Group *group)
{
    const Node *scan = group->anchor;
    const Graph *body = attr(scan, "body")->ptr;
    Kernel *loop = new_kernel(f, NULL);
    loop->steps = attr(scan, "steps")->i;
    add_node(f, loop, scan);
    ScanFusion s = {.outer = f,
                    .inner = {.arena = f->arena,
                              .entry = f->entry,
                              .graph = body,
                              .batch = f->batch,
                              .place = ARENA_ARRAY(f->arena, BufferRef, body->count + 1),
                              .users = find_users(f->arena, body),
                              .states = f->states,
                              .kernels = &loop->body,
                              .kernels_count = &loop->body_count},
                    .scan = scan,
                    .carries = (int)attr(scan, "carries")->i,
                    .slices = (int)attr(scan, "slices")->i,
                    .reverse = attr(scan, "reverse")->i};
    if (s.carries > 64)
        bug("a scan with more than 64 carries");
    s.inner.layouts = lay_out(body, f->arena);
    copy_captured_layouts(&s);
    s.inner.grouping = group_nodes(f->arena, body, s.inner.layouts);
    bool *copied = ARENA_ARRAY(f->arena, bool, body->outputs_count + 1);
    bind_scan_inputs(&s);
    bind_scan_results(&s, copied);
    fuse_graph(&s.inner);
    copy_scan_results(&s, copied);
    append_kernel(f, loop);
}
