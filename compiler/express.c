/* express: a chain as C text, as bindings of its kernel's template.
 *
 * Infix (express_infix.c): loops over cells, each member an expression; the system's compiler
 * vectorises them. Block (express_block.c): calls of the vocabulary's block functions, for tcc. Both
 * compute every member by the same operations on the same operands, so both give the same bits. */
#include "express.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

/* The shortest decimal that reads back as the same number. */
char *literal_text(Arena *arena, double value, bool is_double)
{
    if (!isfinite(value))
        bug("a constant that is not finite reached the C text");
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (is_double ? strtod(text, NULL) == value : strtof(text, NULL) == (float)value)
            break;
    }
    return arena_printf(arena, "%s%s%s", text, strpbrk(text, ".e") ? "" : ".0",
                        is_double ? "" : "f");
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool name_taken(const Express *x, const char *name, int loads, int stores)
{
    static const char *const reserved[] = {"a",   "b",    "c",    "d",    "u",     "window", "e",
                                           "i",   "j",    "n",    "r",    "hi",    "lo",     "len",
                                           "job", "args", "rows", "cols", "first", "total"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (!strcmp(reserved[i], name))
            return true;
    }
    for (int i = 0; i < loads; i++) {
        if (!strcmp(x->load_names[i], name))
            return true;
    }
    for (int i = 0; i < stores; i++) {
        if (!strcmp(x->store_names[i], name))
            return true;
    }
    return false;
}

/* A readable name for a buffer: the parameter's last part, the input's role, else its op. */
static const char *hint(const Node *node, bool store)
{
    while (plays(node, ROLE_ALIAS))
        node = node->in[0];
    const Param *param = node_param(node);
    if (param) {
        const char *slash = strrchr(param->name, '/');
        return slash ? slash + 1 : param->name;
    }
    if (plays(node, ROLE_PORT))
        return !strcmp(attr(node, "port")->s, "target") ? "target" : "x";
    if (plays(node, ROLE_HYPER))
        return attr(node, "field")->s;
    return store ? "y" : "x";
}

/* A state that the kernel updates is named by its role: layers' weights then share a function. */
static const char *updated_hint(const Node *node)
{
    static const char *const names[] = {[NC_ROLE_WEIGHT] = "weight", [NC_ROLE_MOVING] = "moving"};
    const Param *param = node_param(node);
    return param && param->role <= NC_ROLE_MOVING ? names[param->role] : hint(node, false);
}

static const char *unique_name(Express *x, const char *base, int loads, int stores)
{
    char *name = arena_strdup(x->arena, base);
    for (char *p = name; *p; p++) {
        if (!(*p == '_' || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
              (*p >= '0' && *p <= '9')))
            *p = '_';
    }
    const char *first = name;
    for (int i = 1;
         name_taken(x, name, loads, stores) || (name[0] == 't' && name[1] >= '0' && name[1] <= '9');
         i++)
        name = arena_printf(x->arena, "%s%d", first, i);
    return name;
}

static void name_buffers(Express *x)
{
    const Chain *chain = x->chain;
    x->load_names = ARENA_ARRAY(x->arena, const char *, chain->loads_count + 1);
    x->store_names = ARENA_ARRAY(x->arena, const char *, chain->stores_count + 1);
    for (int i = 0; i < chain->stores_count; i++) {
        const char *base = hint(chain->stores[i].node, true);
        for (int k = 0; k < chain->loads_count; k++) {
            if (chain->loads[k].in_place == chain->stores[i].out)
                base = updated_hint(chain->loads[k].node);
        }
        x->store_names[i] = unique_name(x, base, 0, i);
    }
    for (int i = 0; i < chain->loads_count; i++) {
        x->load_names[i] = NULL;
        for (int k = 0; k < chain->stores_count; k++) {
            if (chain->loads[i].in_place == chain->stores[k].out)
                x->load_names[i] = x->store_names[k];
        }
        if (!x->load_names[i])
            x->load_names[i] =
                unique_name(x, hint(chain->loads[i].node, false), i, chain->stores_count);
    }
}

/* ---- looking values up ----------------------------------------------------------------------- */

Value *member_value(const Express *x, const Node *node)
{
    int low = 0, high = x->chain->members_count - 1;
    while (low <= high) {
        int mid = (low + high) / 2;
        if (x->values[mid].node == node)
            return &x->values[mid];
        if (x->values[mid].node->id < node->id)
            low = mid + 1;
        else
            high = mid - 1;
    }
    return NULL;
}

int load_index(const Express *x, const Node *node)
{
    for (int i = 0; i < x->chain->loads_count; i++) {
        if (x->chain->loads[i].node == node)
            return i;
    }
    return -1;
}

/* ---- stages ---------------------------------------------------------------------------------- */

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

static void assign_stages(Express *x)
{
    int count = x->chain->members_count;
    for (int i = 0; i < count; i++) {
        Value *v = &x->values[i];
        const Node *node = v->node;
        bool reduction = op_of(node)->reducer != NULL;
        v->row = reduction || (!x->in_tile && is_row_shape(node->shape, x->chain->domain));
        for (int k = 0; k < node->inputs; k++) {
            const Value *in = member_value(x, node->in[k]);
            if (in)
                v->stage = max_int(v->stage, in->stage + (reduction && !in->row));
        }
        if (reduction && !member_value(x, node->in[0]))
            v->stage = max_int(v->stage, 0);
        x->stages = max_int(x->stages, v->stage + 1);
    }
}

static void count_uses(Express *x)
{
    int count = x->chain->members_count;
    for (int i = 0; i < count; i++) {
        Value *v = &x->values[i];
        for (int k = 0; k < v->node->inputs; k++) {
            Value *in = member_value(x, v->node->in[k]);
            if (!in)
                continue;
            in->uses++;
            in->last_use = max_int(in->last_use, i);
            bool reduction = op_of(v->node)->reducer != NULL;
            if (!in->row && (reduction || in->stage != v->stage))
                in->kept = true;
        }
    }
    for (int i = 0; i < x->chain->stores_count; i++) {
        Value *v = member_value(x, x->chain->stores[i].node);
        if (v) {
            v->uses++;
            v->last_use = count;
        }
    }
    for (int i = 0; i < count; i++) {
        if (plays(x->values[i].node, ROLE_RANDOM))
            x->values[i].kept = true;
        x->values[i].name = arena_printf(x->arena, "t%d", i);
    }
}

/* ---- the walk as bindings -------------------------------------------------------------------- */

static bool infix(const Express *x)
{
    return x->style.lowering == LOWER_INFIX;
}

/* In the tile of a matmul: the cells of c are rows of P columns; in panels the whole tile is one
 * run of memory. Block calls take it by eight rows, so that their temporaries stay in the first cache. */
static void walk_tile(Express *x)
{
    const Chain *chain = x->chain;
    x->contiguous = chain->layout != NULL;
    x->walk.access = ARENA_ARRAY(x->arena, Access, chain->loads_count + 1);
    for (int i = 0; i < chain->loads_count; i++) {
        if (!tile_access(chain->loads[i].node->shape, chain->domain, &x->walk.access[i]))
            bug("a tile cannot read this operand");
    }
}

static const char *offset_in_tile(Express *x, Access access)
{
    Shape d = x->chain->domain;
    if (access == ACCESS_SCALAR)
        return "";
    if (access == ACCESS_COLUMN)
        return "j";
    if (access == ACCESS_ROW)
        return "(i + r)";
    if (x->contiguous)
        return arena_printf(x->arena, "j * %lld + %s * %lld",
                            (long long)extent(d, 0, d.rank - 1, 1), infix(x) ? "i" : "(i + r * 8)",
                            (long long)layout_panel_width(x->chain->layout, d));
    return arena_printf(x->arena, "(i + r) * %lld + j", (long long)d.dim[d.rank - 1]);
}

static void add_pointer(Express *x, const char *list, const char *name, int index)
{
    TemplateRecord *item = template_item(x->bind, list);
    template_text(item, "name", name);
    template_int(item, "index", index);
}

bool is_in_place(const Express *x, int load)
{
    return x->chain->loads[load].in_place >= 0;
}

/* The pointers of one row (or chunk, or tile): NAME_r from NAME. */
static void add_row_pointer(Express *x, const char *name, const char *offset, bool writable)
{
    TemplateRecord *item = template_item(x->bind, "row_pointers");
    template_text(item, "type", writable ? "nc_real" : "const nc_real");
    template_text(item, "name", arena_printf(x->arena, "%s_r", name));
    template_text(item, "value", *offset ? arena_printf(x->arena, "%s + %s", name, offset) : name);
}

static const char *load_offset(Express *x, int i)
{
    if (x->in_tile)
        return offset_in_tile(x, x->walk.access[i]);
    return x->walk.flat ? "first" : x->walk.offset[i];
}

/* Where the sums of the tile of rows i.. (in a tile) begin */
static const char *sums_in_tile(Express *x)
{
    Shape d = x->chain->domain;
    return arena_printf(x->arena, "i / %lld * %lld + j", (long long)image_rows(d),
                        (long long)d.dim[d.rank - 1]);
}

static const char *store_offset(Express *x, int i)
{
    if (x->in_tile && op_of(x->chain->stores[i].node)->tile_sums)
        return sums_in_tile(x);
    if (x->in_tile)
        return offset_in_tile(x, ACCESS_FULL);
    return x->walk.flat ? "first" : x->walk.store_offset[i];
}

/* Binds pointers, and sets how members write each load. */
static void bind_loads(Express *x)
{
    template_list(x->bind, "operands");
    template_list(x->bind, "results");
    template_list(x->bind, "row_pointers");
    template_list(x->bind, "scalars");
    x->loads = ARENA_ARRAY(x->arena, Value, x->chain->loads_count + 1);
    for (int i = 0; i < x->chain->loads_count; i++) {
        const char *name = x->load_names[i];
        Access access = x->walk.access[i];
        Value *v = &x->loads[i];
        v->prec = 9;
        if (!is_in_place(x, i))
            add_pointer(x, "operands", name, x->chain->loads[i].in);
        if (access == ACCESS_SCALAR) {
            TemplateRecord *item = template_item(x->bind, "scalars");
            template_text(item, "name", arena_printf(x->arena, "%s_0", name));
            template_text(item, "value", arena_printf(x->arena, "%s[0]", name));
            v->text = arena_printf(x->arena, "%s_0", name);
        } else {
            if (!is_in_place(x, i))
                add_row_pointer(x, name, load_offset(x, i), false);
            v->array = access != ACCESS_ROW;
            v->text =
                arena_printf(x->arena, v->array ? infix(x) ? "%s_r[e]" : "%s_r" : "%s_r[0]", name);
        }
        v->name = v->text;
    }
    for (int i = 0; i < x->chain->stores_count; i++) {
        add_pointer(x, "results", x->store_names[i], x->chain->stores[i].out);
        add_row_pointer(x, x->store_names[i], store_offset(x, i), true);
    }
}

/* Sums of a tile start from 0. */
static void bind_starts(Express *x)
{
    template_list(x->bind, "starts");
    for (int i = 0; i < x->chain->stores_count; i++) {
        if (!op_of(x->chain->stores[i].node)->tile_sums)
            continue;
        TemplateRecord *item = template_item(x->bind, "starts");
        const char *length = x->in_tile ? template_get_text(x->bind, "LEN") : x->walk.columns;
        template_text(item, "call",
                      arena_printf(x->arena, "nc_v_fill(%s + %s, 0, %s)", x->store_names[i],
                                   store_offset(x, i), length));
        if (!x->in_tile)
            template_text(item, "new",
                          arena_printf(x->arena, "r %% %lld == 0", (long long)x->walk.unit));
    }
}

/* ---- shared by both lowerings ---------------------------------------------------------------- */

void express_call(TemplateRecord *record, const char *list, const char *call)
{
    TemplateRecord *item = template_item(record, list);
    template_text(item, "call", call);
}

void express_array(Express *x, const char *name, const char *size)
{
    TemplateRecord *item = template_item(x->bind, "arrays");
    template_text(item, "name", name);
    template_text(item, "size", size);
}

/* Cells of an array that holds one row, or one tile. */
const char *row_array_size(const Express *x)
{
    if (!x->in_tile)
        return x->walk.columns;
    return arena_printf(x->arena,
                        !x->contiguous ? "%lld"
                        : infix(x)     ? "NC_ROWS * %lld"
                                       : "8 * %lld",
                        (long long)template_get_int(x->bind, "P"));
}

/* Where random numbers stand in Philox's counter: the sample's row, the element within it. */
char *uniform_call(const Express *x, const Node *node, const char *target, const char *len)
{
    int64_t stream = attr(node, "stream")->i, row = shape_row(node->shape);
    Shape d = x->chain->domain;
    const char *sample = "r", *first = "0";
    if (x->in_tile) {
        int64_t columns = d.dim[d.rank - 1], per_sample = row / columns;
        sample = per_sample == 1 ? "i + r"
                                 : arena_printf(x->arena, "(i + r) / %lld", (long long)per_sample);
        first = per_sample == 1 ? "j"
                                : arena_printf(x->arena, "(i + r) %% %lld * %lld + j",
                                               (long long)per_sample, (long long)columns);
    } else if (x->walk.pieces != 1) {
        sample = arena_printf(x->arena, "r / %lld", (long long)x->walk.pieces);
        first = arena_printf(x->arena, "r %% %lld * %lld", (long long)x->walk.pieces,
                             (long long)x->walk.columns_literal);
    }
    if (!x->in_tile && !infix(x))
        first = arena_printf(x->arena, "%s + e", first);
    return arena_printf(x->arena, "nc_v_uniform(%s, args->hyper, %lld, args->first + %s, %s, %s)",
                        target, (long long)stream, sample, first, len);
}

/* What the templates map and matmul need to know of the walk. */
static void bind_tile_walk(Express *x)
{
    const Chain *chain = x->chain;
    int64_t columns = chain->domain.dim[chain->domain.rank - 1];
    int64_t width = template_get_int(x->bind, "P");
    bool ragged = columns % width != 0;
    const char *panel = arena_printf(x->arena, "%lld", (long long)width);
    template_int(x->bind, "ragged", ragged);
    template_int(x->bind, "pad", ragged && x->contiguous);
    bool eights = x->contiguous && !infix(x);
    template_text(x->bind, "RUNS", eights ? "(rows + 7) / 8" : x->contiguous ? "1" : "rows");
    template_text(x->bind, "STRIDE", eights ? arena_printf(x->arena, "8 * %s", panel) : panel);
    template_text(x->bind, "LEN",
                  eights
                      ? arena_printf(x->arena, "(rows - r * 8 < 8 ? rows - r * 8 : 8) * %s", panel)
                  : x->contiguous ? arena_printf(x->arena, "rows * %s", panel)
                  : ragged        ? "cols"
                                  : panel);
}

static void bind_map_walk(Express *x)
{
    bool block = x->style.lowering == LOWER_BLOCK;
    bool one = x->walk.flat || x->walk.unit == 1;
    long long unit = (long long)x->walk.unit;
    template_text(x->bind, "FROM", one ? "lo" : arena_printf(x->arena, "lo * %lld", unit));
    template_text(x->bind, "TO", one ? "hi" : arena_printf(x->arena, "hi * %lld", unit));
    template_int(x->bind, "flat", x->walk.flat);
    template_text(x->bind, "total", x->walk.flat ? x->walk.total : "0");
    template_int(x->bind, "CHUNK", FLAT_CHUNK);
    if (!x->walk.flat)
        template_text(x->bind, "columns", x->walk.columns);
    else
        template_text(x->bind, "columns",
                      block ? arena_printf(x->arena, "(total - first < %d ? total - first : %d)",
                                           FLAT_CHUNK, FLAT_CHUNK)
                            : "len");
}

void express(TemplateRecord *bind, const Kernel *kernel, Style style)
{
    const Chain *chain = kernel->chain;
    Express x = {.arena = bind->arena,
                 .kernel = kernel,
                 .chain = chain,
                 .style = style,
                 .bind = bind,
                 .in_tile = chain->tile != NULL,
                 .values = ARENA_ARRAY(bind->arena, Value, chain->members_count + 1)};
    for (int i = 0; i < chain->members_count; i++)
        x.values[i] = (Value){.node = chain->members[i], .last_use = -1, .temp = -1};
    if (x.in_tile)
        walk_tile(&x);
    else
        x.walk = walk_chain(x.arena, chain);
    name_buffers(&x);
    assign_stages(&x);
    count_uses(&x);
    bind_loads(&x);
    template_list(bind, "arrays");
    if (x.in_tile)
        bind_tile_walk(&x);
    else
        bind_map_walk(&x);
    bind_starts(&x);
    if (style.lowering == LOWER_INFIX)
        express_infix(&x);
    else
        express_block(&x);
}
