/* Block lowering: every member one call of a block function over a run of cells.
 *
 * A member that only the next one reads is computed with it, where there is a function for both.
 * Temporaries are arrays that are reused after their last reader. A member that is stored is
 * computed in its place, unless that memory holds an operand someone still needs. Numbers that are
 * the same everywhere are filled into a block once. Row values are arrays of one element. */
#include "express.h"

#include <string.h>

#include "native.h"

enum { MAX_TEMPS = 64 };

typedef struct {
    Express *x;
    const char *size; /* cells of a temporary */
    bool busy[MAX_TEMPS];
    int temps;
    struct {
        const char *value, *name;
    } filled[MAX_TEMPS];
    int filled_count;
    int position; /* of the member being written */
} Block;

static bool reduces(const Express *x)
{
    for (int i = 0; i < x->chain->members_count; i++) {
        if (op_of(x->chain->members[i])->reducer)
            return true;
    }
    return false;
}

/* A reduction needs its row in one piece. */
static const char *run_size(const Express *x)
{
    if (x->in_tile)
        return row_array_size(x);
    bool whole_rows = reduces(x) || (!x->walk.flat && x->walk.columns_literal &&
                                     x->walk.columns_literal <= BLOCK);
    return whole_rows ? x->walk.columns : arena_printf(x->arena, "%d", BLOCK);
}

static void call(Block *b, const char *text)
{
    express_call(b->x->bind, "calls", text);
}

static const char *temp_name(Block *b, int temp)
{
    return arena_printf(b->x->arena, "t%d", temp);
}

static int take_temp(Block *b)
{
    for (int i = 0; i < b->temps; i++) {
        if (!b->busy[i]) {
            b->busy[i] = true;
            return i;
        }
    }
    if (b->temps == MAX_TEMPS)
        bug("a kernel with more than %d temporaries", MAX_TEMPS);
    express_array(b->x, temp_name(b, b->temps), b->size);
    b->busy[b->temps] = true;
    return b->temps++;
}

/* A block that holds `value` everywhere, filled before the loops. */
static const char *filled(Block *b, const char *value)
{
    for (int i = 0; i < b->filled_count; i++) {
        if (!strcmp(b->filled[i].value, value))
            return b->filled[i].name;
    }
    if (b->filled_count == MAX_TEMPS)
        bug("a kernel with more than %d constants", MAX_TEMPS);
    const char *name = arena_printf(b->x->arena, "k%d", b->filled_count);
    express_array(b->x, name, b->size);
    express_call(b->x->bind, "fills",
                 arena_printf(b->x->arena, "nc_v_fill(%s, %s, %s)", name, value, b->size));
    b->filled[b->filled_count].value = value;
    b->filled[b->filled_count++].name = name;
    return name;
}

/* One number into a temporary that lasts for one call. */
static const char *spread(Block *b, const char *value, bool *used)
{
    int temp = take_temp(b);
    used[temp] = true;
    call(b, arena_printf(b->x->arena, "nc_v_fill(%s, %s, len)", temp_name(b, temp), value));
    return temp_name(b, temp);
}

static const char *load_operand(Block *b, int load, bool row, bool *used)
{
    const Express *x = b->x;
    const Value *v = &x->loads[load];
    if (x->walk.access[load] == ACCESS_SCALAR)
        return row ? x->load_names[load] : filled(b, v->text);
    if (x->walk.access[load] == ACCESS_ROW)
        return row ? arena_printf(x->arena, "%s_r", x->load_names[load]) : spread(b, v->text, used);
    return arena_printf(x->arena, "%s + e", v->text);
}

/* A pointer to the cells of `node`, for a member that is one value per row or one per cell. */
static const char *operand(Block *b, const Node *node, bool row, bool *used)
{
    Express *x = b->x;
    double value;
    const Value *v = member_value(x, node);
    if (v)
        return v->row && !row ? spread(b, arena_printf(x->arena, "%s[0]", v->text), used) : v->text;
    if (node == x->chain->tile)
        return "c_r + e";
    int load = load_index(x, node);
    if (load >= 0)
        return load_operand(b, load, row, used);
    while (plays(node, ROLE_ALIAS))
        node = node->in[0];
    if (is_constant(node, &value))
        return filled(b, literal_text(x->arena, value, x->style.is_double));
    if (!plays(node, ROLE_POSITIONS))
        bug("%%%d is not at hand in its kernel", node->id);
    int temp = take_temp(b);
    used[temp] = true;
    call(b, arena_printf(x->arena, "nc_v_iota(%s, %s, len)", temp_name(b, temp),
                         x->in_tile ? "j + e" : "e"));
    return temp_name(b, temp);
}

/* Is the memory of store `s` still needed by a member behind the one being written? */
static bool still_read(const Block *b, int s)
{
    const Express *x = b->x;
    for (int i = 0; i < x->chain->loads_count; i++) {
        if (x->chain->loads[i].in_place != x->chain->stores[s].out)
            continue;
        for (int k = b->position + 1; k < x->chain->members_count; k++) {
            const Node *reader = x->chain->members[k];
            for (int j = 0; j < reader->inputs; j++) {
                if (reader->in[j] == x->chain->loads[i].node)
                    return true;
            }
        }
    }
    return false;
}

/* The store that a member can be computed in, or -1. */
static int home(const Block *b, const Node *node)
{
    for (int s = 0; s < b->x->chain->stores_count; s++) {
        if (b->x->chain->stores[s].node == node && !still_read(b, s))
            return s;
    }
    return -1;
}

static void release_operands(Block *b, const Value *v)
{
    for (int k = 0; k < v->node->inputs; k++) {
        Value *in = member_value(b->x, v->node->in[k]);
        if (in && in->temp >= 0 && in->last_use <= b->position) {
            b->busy[in->temp] = false;
            in->temp = -1;
        }
    }
}

static void release_spread(Block *b, const bool *used)
{
    for (int i = 0; i < b->temps; i++) {
        if (used[i])
            b->busy[i] = false;
    }
}

static void row_member(Block *b, Value *v)
{
    Express *x = b->x;
    bool used[MAX_TEMPS] = {false};
    Str text = str_new(x->arena);
    v->text = arena_printf(x->arena, "s%d", b->position);
    express_array(x, v->text, "1");
    if (op_of(v->node)->reducer) {
        str_printf(&text, "%s[0] = %s(%s, %s)", v->text, op_of(v->node)->reducer,
                   operand(b, v->node->in[0], false, used), x->walk.columns);
    } else {
        str_printf(&text, "nc_v_%s(%s", op_of(v->node)->name, v->text);
        for (int k = 0; k < v->node->inputs; k++)
            str_printf(&text, ", %s", operand(b, v->node->in[k], true, used));
        str_add(&text, ", 1)");
    }
    call(b, text.text);
    release_operands(b, v);
    release_spread(b, used);
}

/* Adds a run of cells to the sums of their tile. */
static void add_to_sums(Block *b, Value *v)
{
    bool used[MAX_TEMPS] = {false};
    const Chain *chain = b->x->chain;
    const char *addend = operand(b, v->node->in[0], false, used);
    for (int s = 0; s < chain->stores_count; s++) {
        if (chain->stores[s].node == v->node)
            call(b, arena_printf(b->x->arena, "nc_v_accumulate(%s_r + e, %s, len)",
                                 b->x->store_names[s], addend));
    }
    release_operands(b, v);
    release_spread(b, used);
}

static void choose_place(Block *b, Value *v)
{
    int store = home(b, v->node);
    if (store >= 0) {
        v->text = arena_printf(b->x->arena, "%s_r + e", b->x->store_names[store]);
    } else {
        v->temp = take_temp(b);
        v->text = temp_name(b, v->temp);
    }
}

static bool is_cell_call(const Value *v, int inputs)
{
    const Op *op = op_of(v->node);
    return v->node->inputs == inputs && !v->row && !op->tile_sums && !op->reducer &&
           !plays(v->node, ROLE_RANDOM);
}

/* The function that computes a member and the next one, which alone reads it, or NULL. */
static const char *pair_function(const Block *b, int first)
{
    const Express *x = b->x;
    const Value *v = &x->values[first], *reader = v + 1;
    if (first + 1 >= x->chain->members_count || v->uses != 1 || !is_cell_call(v, 2) ||
        !is_cell_call(reader, 2) ||
        (reader->node->in[0] != v->node && reader->node->in[1] != v->node))
        return NULL;
    const char *name =
        arena_printf(x->arena, "nc_v_%s_%s%s", op_of(v->node)->name,
                     reader->node->in[0] == v->node ? "" : "r", op_of(reader->node)->name);
    return nc_native_has(name) ? name : NULL;
}

static void cell_pair(Block *b, const Value *v, Value *reader, const char *function)
{
    bool used[MAX_TEMPS] = {false};
    const Node *other = reader->node->in[reader->node->in[0] == v->node];
    const char *arg[3] = {operand(b, v->node->in[0], false, used),
                          operand(b, v->node->in[1], false, used), operand(b, other, false, used)};
    release_operands(b, v);
    release_operands(b, reader);
    release_spread(b, used);
    choose_place(b, reader);
    call(b, arena_printf(b->x->arena, "%s(%s, %s, %s, %s, len)", function, reader->text, arg[0],
                         arg[1], arg[2]));
}

static void cell_member(Block *b, Value *v)
{
    Express *x = b->x;
    bool used[MAX_TEMPS] = {false};
    const char *arg[3] = {"", "", ""};
    for (int k = 0; k < v->node->inputs; k++)
        arg[k] = operand(b, v->node->in[k], false, used);
    release_operands(b, v);
    release_spread(b, used);
    choose_place(b, v);
    if (plays(v->node, ROLE_RANDOM)) {
        call(b, uniform_call(x, v->node, v->text, "len"));
        return;
    }
    Str text = str_new(x->arena);
    str_printf(&text, "nc_v_%s(%s", op_of(v->node)->name, v->text);
    for (int k = 0; k < v->node->inputs; k++)
        str_printf(&text, ", %s", arg[k]);
    str_add(&text, ", len)");
    call(b, text.text);
}

/* Stores of what was not computed in its place. */
static void remaining_stores(Block *b)
{
    Express *x = b->x;
    for (int s = 0; s < x->chain->stores_count; s++) {
        const Node *node = x->chain->stores[s].node;
        const Value *v = member_value(x, node);
        if (op_of(node)->tile_sums)
            continue;
        bool used[MAX_TEMPS] = {false};
        const char *target =
            arena_printf(x->arena, "%s_r%s", x->store_names[s], v && v->row ? "" : " + e");
        const char *source = operand(b, node, v && v->row, used);
        if (strcmp(source, target))
            call(b, arena_printf(x->arena, "nc_v_copy(%s, %s, %s)", target, source,
                                 v && v->row ? "1" : "len"));
        release_spread(b, used);
    }
}

void express_block(Express *x)
{
    Block b = {.x = x, .size = run_size(x)};
    template_list(x->bind, "fills");
    template_list(x->bind, "calls");
    if (!x->in_tile)
        template_text(x->bind, "RUN", b.size);
    for (int i = 0; i < x->chain->members_count; i++) {
        const char *pair = pair_function(&b, i);
        b.position = pair ? i + 1 : i;
        if (pair)
            cell_pair(&b, &x->values[i], &x->values[i + 1], pair);
        else if (op_of(x->values[i].node)->tile_sums)
            add_to_sums(&b, &x->values[i]);
        else if (x->values[i].row)
            row_member(&b, &x->values[i]);
        else
            cell_member(&b, &x->values[i]);
        i = b.position;
    }
    b.position = x->chain->members_count;
    remaining_stores(&b);
}
