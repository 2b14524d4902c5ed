/* fuse: groups become kernels over buffers.
 *
 * Requires: a simplified graph. Yields: an Entry whose kernels stand in a valid order, every value
 * that crosses kernels in a buffer of its own. A state's next version is written straight over the
 * old one where no later kernel reads that; else it is copied there at the end. */
#include <stdlib.h>
#include <string.h>

#include "fuse.h"
#include "layout.h"
#include "passes.h"

void bind_template(KernelBuild *build, const char *template)
{
    build->kernel->template = template;
}

void bind_int(KernelBuild *build, const char *name, int64_t value)
{
    template_int(build->kernel->bind, name, value);
}

void bind_text(KernelBuild *build, const char *name, const char *text)
{
    template_text(build->kernel->bind, name, text);
}

int64_t extent(Shape shape, int from, int to, int64_t batch)
{
    int64_t product = 1;
    for (int i = from; i < to; i++)
        product *= shape.dim[i] == BATCH ? batch : shape.dim[i];
    return product;
}

const char *extent_text(Arena *arena, Shape shape, int from, int to)
{
    int64_t product = extent(shape, from, to, 1);
    bool n = false;
    for (int i = from; i < to; i++)
        n |= shape.dim[i] == BATCH;
    if (!n || !product)
        return arena_printf(arena, "%lld", (long long)product);
    return product == 1 ? "n" : arena_printf(arena, "n * %lld", (long long)product);
}

Buffer *new_buffer(Fusion *f, BufferKind kind, const Node *node)
{
    Buffer *buffer = ARENA_NEW(f->arena, Buffer);
    buffer->kind = kind;
    buffer->node = node;
    buffer->id = f->entry->buffers_count;
    buffer->first = buffer->last = -1;
    if (node) {
        buffer->batched = shape_has_batch(node->shape);
        buffer->elements = layout_elements(f->layouts[node->id], node->shape);
    }
    ARENA_PUSH(f->arena, f->entry->buffers, f->entry->buffers_count, buffer);
    return buffer;
}

static Buffer *param_buffer(Fusion *f, const Node *node)
{
    static const BufferKind kinds[] = {[NC_ROLE_WEIGHT] = BUFFER_WEIGHTS,
                                       [NC_ROLE_MOVING] = BUFFER_WEIGHTS,
                                       [NC_ROLE_SLOT] = BUFFER_STATE,
                                       [NC_ROLE_MEMORY] = BUFFER_MEMORY};
    const Param *param = node_param(node);
    if (f->states[param->id])
        return f->states[param->id];
    Buffer *buffer = f->states[param->id] = new_buffer(f, kinds[param->role], node);
    buffer->index = param->id;
    buffer->offset = param->offset;
    buffer->field = param->name;
    return buffer;
}

static Buffer *leaf_buffer(Fusion *f, const Node *node)
{
    if (plays(node, ROLE_PARAM))
        return param_buffer(f, node);
    if (plays(node, ROLE_HYPER)) {
        Buffer *buffer = new_buffer(f, BUFFER_HYPER, node);
        buffer->field = attr(node, "field")->s;
        return buffer;
    }
    if (!plays(node, ROLE_PORT))
        bug("%s has no buffer", op_of(node)->name);
    bool target = !strcmp(attr(node, "port")->s, "target");
    Buffer *buffer = new_buffer(f, target ? BUFFER_TARGET : BUFFER_INPUT, node);
    buffer->index = (int)attr(node, "index")->i;
    return buffer;
}

BufferRef place_of(Fusion *f, const Node *node)
{
    const Node *base = base_of(node);
    BufferRef *place = &f->place[base->id];
    if (!place->buffer)
        place->buffer =
            f->grouping->of[base->id] ? new_buffer(f, BUFFER_ARENA, base) : leaf_buffer(f, base);
    return *place;
}

static bool ref_equal(BufferRef a, BufferRef b)
{
    return a.buffer == b.buffer && a.slice == b.slice && a.reversed == b.reversed;
}

static int add_in(Fusion *f, Kernel *kernel, BufferRef ref)
{
    for (int i = 0; i < kernel->in_count; i++) {
        if (ref_equal(kernel->in[i], ref))
            return i;
    }
    ARENA_PUSH(f->arena, kernel->in, kernel->in_count, ref);
    return kernel->in_count - 1;
}

static int add_out(Fusion *f, Kernel *kernel, BufferRef ref)
{
    for (int i = 0; i < kernel->out_count; i++) {
        if (ref_equal(kernel->out[i], ref))
            return i;
    }
    ARENA_PUSH(f->arena, kernel->out, kernel->out_count, ref);
    return kernel->out_count - 1;
}

Kernel *new_kernel(Fusion *f, const char *template)
{
    Kernel *kernel = ARENA_NEW(f->arena, Kernel);
    kernel->template = template;
    kernel->bind = template_record(f->arena);
    kernel->units = "1";
    return kernel;
}

void append_kernel(Fusion *f, Kernel *kernel)
{
    ARENA_PUSH(f->arena, *f->kernels, *f->kernels_count, kernel);
}

void add_node(Fusion *f, Kernel *kernel, const Node *node)
{
    Node *mutable = f->graph->nodes[node->id];
    ARENA_PUSH(f->arena, kernel->nodes, kernel->nodes_count, mutable);
}

static void add_load(Fusion *f, Kernel *kernel, const Node *node)
{
    Chain *chain = kernel->chain;
    for (int i = 0; i < chain->loads_count; i++) {
        if (chain->loads[i].node == node)
            return;
    }
    Load load = {.node = node, .in = add_in(f, kernel, place_of(f, node)), .in_place = -1};
    ARENA_PUSH(f->arena, chain->loads, chain->loads_count, load);
}

static void add_store(Fusion *f, Kernel *kernel, const Node *node, BufferRef to)
{
    Store store = {.node = node, .out = add_out(f, kernel, to)};
    ARENA_PUSH(f->arena, kernel->chain->stores, kernel->chain->stores_count, store);
}

static bool is_output(const Graph *graph, const Node *base)
{
    for (int i = 0; i < graph->outputs_count; i++) {
        if (base_of(graph->outputs[i].node) == base)
            return true;
    }
    return false;
}

/* Is the value of `node` needed in memory: by a group that does not compute it itself? */
static bool needed_outside(const Fusion *f, const Node *node)
{
    const Users *users = &f->users[node->id];
    for (int i = 0; i < users->count; i++) {
        const Node *user = users->items[i];
        const Group *reader = f->grouping->of[user->id];
        if (!reader || !group_has(f->grouping, reader, node) || user == reader->anchor)
            return true;
        for (int k = 0; k < user->inputs; k++) {
            if (base_of(user->in[k]) == node && user->in[k] != node)
                return true;
        }
    }
    return is_output(f->graph, node);
}

Users *find_users(Arena *arena, const Graph *graph)
{
    Users *users = ARENA_ARRAY(arena, Users, graph->count + 1);
    for (int i = 0; i < graph->count; i++) {
        const Node *user = graph->nodes[i];
        for (int k = 0; k < user->inputs && !plays(user, ROLE_ALIAS); k++) {
            Users *of = &users[base_of(user->in[k])->id];
            if (!of->count || of->items[of->count - 1] != user)
                ARENA_PUSH(arena, of->items, of->count, user);
        }
    }
    return users;
}

static void mark_in_place(Kernel *kernel)
{
    Chain *chain = kernel->chain;
    for (int i = 0; i < chain->loads_count; i++) {
        for (int k = 0; k < chain->stores_count; k++) {
            if (ref_equal(kernel->in[chain->loads[i].in], kernel->out[chain->stores[k].out]))
                chain->loads[i].in_place = chain->stores[k].out;
        }
    }
}

/* Does a member that runs read `node`? */
static bool read_inside(const Chain *chain, const Node *node)
{
    for (int i = 0; i < chain->members_count; i++) {
        for (int k = 0; k < chain->members[i]->inputs; k++) {
            if (chain->members[i]->in[k] == node)
                return true;
        }
    }
    return false;
}

static int by_falling_id(const void *a, const void *b)
{
    const Node *const *x = a, *const *y = b;
    return (*y)->id - (*x)->id;
}

/* The group's members and copies, less those that only other groups want and compute themselves. */
static void gather_members(Fusion *f, Chain *chain, const Group *group)
{
    int count = group->members_count + group->copies_count;
    const Node **all = ARENA_ARRAY(f->arena, const Node *, count + 1);
    chain->members = ARENA_ARRAY(f->arena, const Node *, count + 1);
    for (int i = 0; i < count; i++)
        all[i] =
            i < group->members_count ? group->members[i] : group->copies[i - group->members_count];
    qsort(all, (size_t)count, sizeof *all, by_falling_id);
    for (int i = 0; i < count; i++) {
        bool own = f->grouping->of[all[i]->id] == group;
        if (read_inside(chain, all[i]) || (own && needed_outside(f, all[i])))
            chain->members[chain->members_count++] = all[i];
    }
    for (int i = 0, k = chain->members_count - 1; i < k; i++, k--) {
        const Node *member = chain->members[i];
        chain->members[i] = chain->members[k];
        chain->members[k] = member;
    }
}

static void fill_chain(Fusion *f, Kernel *kernel, const Group *group)
{
    Chain *chain = kernel->chain;
    gather_members(f, chain, group);
    for (int i = 0; i < chain->members_count; i++) {
        const Node *node = chain->members[i];
        add_node(f, kernel, node);
        for (int k = 0; k < node->inputs; k++) {
            const Node *in = node->in[k];
            bool inside = group_has(f->grouping, group, in) && in == base_of(in);
            if (!inside && !is_inline_leaf(base_of(in)))
                add_load(f, kernel, in);
        }
    }
    if (chain->tile && needed_outside(f, chain->tile))
        add_store(f, kernel, chain->tile, place_of(f, chain->tile));
    for (int i = 0; i < chain->members_count; i++) {
        const Node *node = chain->members[i];
        if (f->grouping->of[node->id] == group && needed_outside(f, node))
            add_store(f, kernel, node, place_of(f, node));
    }
    for (int i = 0; i < group->wanted_count; i++)
        add_store(f, kernel, group->wanted[i], place_of(f, group->wanted[i]));
    mark_in_place(kernel);
}

static Chain *new_chain(Fusion *f, Shape domain, const Layout *layout)
{
    Chain *chain = ARENA_NEW(f->arena, Chain);
    chain->domain = domain;
    chain->layout = layout;
    return chain;
}

static void count_map_work(Kernel *kernel)
{
    Shape domain = kernel->chain->domain;
    double work = (double)shape_row(domain) * (kernel->chain->members_count + 1);
    *(shape_has_batch(domain) ? &kernel->flops : &kernel->flops_fixed) += work;
}

static void finish_map(Fusion *f, Kernel *kernel)
{
    Walk walk = walk_chain(f->arena, kernel->chain);
    kernel->units =
        walk.flat ? arena_printf(f->arena, "(%s + %d) / %d", walk.total, FLAT_CHUNK - 1, FLAT_CHUNK)
                  : walk.units;
    count_map_work(kernel);
}

static void build_map(Fusion *f, const Group *group)
{
    Kernel *kernel = new_kernel(f, "map");
    kernel->chain = new_chain(f, group->domain, group->layout);
    fill_chain(f, kernel, group);
    finish_map(f, kernel);
    append_kernel(f, kernel);
}

void build_copy(Fusion *f, const Node *node, BufferRef from, BufferRef to)
{
    Kernel *kernel = new_kernel(f, "map");
    const Node *base = base_of(node);
    kernel->chain = new_chain(f, base->shape, is_inline_leaf(base) ? NULL : f->layouts[base->id]);
    if (!is_inline_leaf(base)) {
        Load load = {.node = base, .in = add_in(f, kernel, from), .in_place = -1};
        ARENA_PUSH(f->arena, kernel->chain->loads, kernel->chain->loads_count, load);
    }
    add_store(f, kernel, base, to);
    add_node(f, kernel, base);
    finish_map(f, kernel);
    append_kernel(f, kernel);
}

/* A matrix in panels, copied to row-major memory. */
static void build_unpack(Fusion *f, const Node *base, BufferRef from, BufferRef to)
{
    Kernel *kernel = new_kernel(f, "unpack");
    int last = base->shape.rank - 1;
    template_int(kernel->bind, "ROWS", extent(base->shape, 0, last, 1));
    template_int(kernel->bind, "COLS", base->shape.dim[last]);
    template_int(kernel->bind, "P", layout_panel_width(f->layouts[base->id], base->shape));
    add_in(f, kernel, from);
    add_out(f, kernel, to);
    add_node(f, kernel, base);
    kernel->flops_fixed = (double)shape_row(base->shape);
    append_kernel(f, kernel);
}

static void build_anchor(Fusion *f, const Group *group)
{
    const Op *op = op_of(group->anchor);
    Kernel *kernel = new_kernel(f, NULL);
    add_node(f, kernel, group->anchor);
    for (int i = 0; i < group->anchor->inputs; i++)
        ARENA_PUSH(f->arena, kernel->in, kernel->in_count, place_of(f, group->anchor->in[i]));
    if (op->epilogue) {
        kernel->chain = new_chain(f, group->domain, group->layout);
        kernel->chain->tile = group->anchor;
        fill_chain(f, kernel, group);
    } else {
        add_out(f, kernel, place_of(f, group->anchor));
    }
    KernelBuild build = {f->arena, kernel, f->layouts, f->batch};
    op->bind(&build, group->anchor);
    append_kernel(f, kernel);
}

/* ---- states and outputs ---------------------------------------------------------------------- */

/* The node that reads a state in this graph (simplify leaves one at most), or NULL. */
static const Node *reader_of(const Fusion *f, const Param *param)
{
    const Buffer *buffer = f->states[param->id];
    return buffer && plays(buffer->node, ROLE_PARAM) ? buffer->node : NULL;
}

/* May the group that computes the next version write over the old one? Not if a later group still
 * reads that, nor if it reads it itself other than cell by cell, nor if it goes elsewhere as it is. */
static bool may_overwrite(const Fusion *f, const Group *writer, const Node *update, Shape shape)
{
    const Node *old = reader_of(f, node_param(update));
    const Users *users = old ? &f->users[old->id] : NULL;
    if (old && is_output(f->graph, old))
        return false;
    for (int i = 0; users && i < users->count; i++) {
        const Node *user = users->items[i];
        const Group *reader = f->grouping->of[user->id];
        bool direct = false;
        for (int k = 0; k < user->inputs; k++)
            direct |= user->in[k] == old;
        if (user == update || (reader && direct && group_before(reader, writer)))
            continue;
        if (!direct || reader != writer || user == writer->anchor ||
            !shape_equal(writer->domain, shape))
            return false;
    }
    return true;
}

/* States get their buffers first, so that their readers are known. */
static void place_states(Fusion *f)
{
    for (int i = 0; i < f->graph->count; i++) {
        if (plays(f->graph->nodes[i], ROLE_PARAM))
            param_buffer(f, f->graph->nodes[i]);
    }
}

static void place_updates(Fusion *f)
{
    for (int i = 0; i < f->graph->updates_count; i++) {
        const Node *update = f->graph->updates[i], *value = update->in[0];
        const Group *writer = f->grouping->of[value->id];
        if (writer && value == base_of(value) && !f->place[value->id].buffer &&
            !plays(value, ROLE_RESULT) && may_overwrite(f, writer, update, value->shape))
            f->place[value->id].buffer = param_buffer(f, update);
    }
}

static void place_outputs(Fusion *f)
{
    for (int i = 0; i < f->graph->outputs_count; i++) {
        const Node *base = base_of(f->graph->outputs[i].node);
        Buffer *buffer = new_buffer(f, BUFFER_OUTPUT, base);
        buffer->index = i;
        buffer->elements = shape_row(base->shape);
        if (f->grouping->of[base->id] && !f->place[base->id].buffer && !plays(base, ROLE_RESULT) &&
            !f->layouts[base->id])
            f->place[base->id].buffer = buffer;
    }
}

static BufferRef source_of(Fusion *f, const Node *base)
{
    return is_inline_leaf(base) ? (BufferRef){0} : place_of(f, base);
}

/* What no group has written to an output itself */
static void copy_outputs(Fusion *f)
{
    for (int i = 0; i < f->entry->buffers_count; i++) {
        Buffer *buffer = f->entry->buffers[i];
        if (buffer->kind != BUFFER_OUTPUT)
            continue;
        BufferRef from = source_of(f, buffer->node);
        if (f->layouts[buffer->node->id] && !is_inline_leaf(buffer->node))
            build_unpack(f, buffer->node, from, (BufferRef){.buffer = buffer});
        else if (from.buffer != buffer)
            build_copy(f, buffer->node, from, (BufferRef){.buffer = buffer});
    }
}

/* Is `base` the old version of a state that has a new one, other than by `update`? */
static bool is_overwritten(const Graph *graph, const Node *base, const Node *update)
{
    for (int i = 0; plays(base, ROLE_PARAM) && i < graph->updates_count; i++) {
        if (graph->updates[i] != update && node_param(graph->updates[i]) == node_param(base))
            return true;
    }
    return false;
}

/* Next versions that no group has written in their place. Where one is another's old version, all are
 * read before any is written. */
static void copy_updates(Fusion *f)
{
    const Graph *graph = f->graph;
    BufferRef *from = ARENA_ARRAY(f->arena, BufferRef, graph->updates_count + 1);
    for (int i = 0; i < graph->updates_count; i++) {
        const Node *update = graph->updates[i], *base = base_of(update->in[0]);
        from[i] = source_of(f, base);
        if (is_overwritten(graph, base, update)) {
            BufferRef aside = {.buffer = new_buffer(f, BUFFER_ARENA, base)};
            build_copy(f, base, from[i], aside);
            from[i] = aside;
        }
    }
    for (int i = 0; i < graph->updates_count; i++) {
        const Node *update = graph->updates[i];
        BufferRef to = {.buffer = param_buffer(f, update)};
        if (from[i].buffer != to.buffer)
            build_copy(f, base_of(update->in[0]), from[i], to);
    }
}

void fuse_graph(Fusion *f)
{
    for (int i = 0; i < f->grouping->count; i++) {
        const Group *group = f->grouping->groups[i];
        if (!group->anchor)
            build_map(f, group);
        else if (plays(group->anchor, ROLE_LOOP))
            build_scan(f, group);
        else
            build_anchor(f, group);
    }
}

Entry *fuse(Arena *arena, const char *name, const Graph *graph, int params_count, int64_t batch)
{
    Entry *entry = ARENA_NEW(arena, Entry);
    entry->name = name;
    entry->graph = graph;
    Fusion f = {.arena = arena,
                .entry = entry,
                .graph = graph,
                .layouts = lay_out(graph, arena),
                .batch = batch,
                .place = ARENA_ARRAY(arena, BufferRef, graph->count + 1),
                .users = find_users(arena, graph),
                .states = ARENA_ARRAY(arena, Buffer *, params_count + 1),
                .kernels = &entry->kernels,
                .kernels_count = &entry->kernels_count};
    f.grouping = group_nodes(arena, graph, f.layouts);
    recompute(f.grouping, f.users);
    place_states(&f);
    place_updates(&f);
    place_outputs(&f);
    fuse_graph(&f);
    copy_outputs(&f);
    copy_updates(&f);
    return entry;
}
