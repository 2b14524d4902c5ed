/* Infix lowering: every member a C expression in a loop over cells.
 *
 * Work is cut into stages: a row reduction ends one, because its value is known only when the row
 * is complete. Members that later stages or reductions read are kept in arrays of one row. */
#include "express.h"

#include <string.h>

enum { MAX_INLINE = 48 }; /* characters: a longer expression gets a name */

typedef struct {
    const char *text;
    int prec;
} Term;

static Term load_term(const Express *x, int load)
{
    return (Term){x->loads[load].text, 9};
}

static Term term_of(const Express *x, const Node *node)
{
    double value;
    const Value *v = member_value(x, node);
    if (v)
        return (Term){v->text, v->prec};
    if (node == x->chain->tile)
        return (Term){"c_r[e]", 9};
    while (plays(node, ROLE_ALIAS) && load_index(x, node) < 0)
        node = node->in[0];
    if (is_constant(node, &value))
        return (Term){literal_text(x->arena, value, x->style.is_double), value < 0 ? 3 : 9};
    if (plays(node, ROLE_POSITIONS))
        return (Term){x->in_tile ? "(nc_real)(j + e)" : "(nc_real)e", 9};
    int load = load_index(x, node);
    if (load < 0)
        bug("%%%d is not at hand in its kernel", node->id);
    return load_term(x, load);
}

static int infix_prec(const char *format)
{
    return strchr(format, '+') || strstr(format, " - ") ? 1
           : strchr(format, '*') || strchr(format, '/') ? 2
                                                        : 3;
}

/* The member's C expression. */
static Term expression(const Express *x, const Node *node)
{
    const Op *op = op_of(node);
    Str text = str_new(x->arena);
    if (!op->infix) {
        str_printf(&text, "nc_%s(", op->name);
        for (int k = 0; k < node->inputs; k++)
            str_printf(&text, "%s%s", k ? ", " : "", term_of(x, node->in[k]).text);
        str_add(&text, ")");
        return (Term){text.text, 9};
    }
    int prec = infix_prec(op->infix);
    for (const char *p = op->infix; *p; p++) {
        if (*p != '$') {
            str_addn(&text, p, 1);
            continue;
        }
        int k = *++p - '0';
        Term arg = term_of(x, node->in[k]);
        bool wrap = arg.prec < prec || (arg.prec == prec && k) || (prec == 3 && arg.prec < 9);
        str_printf(&text, wrap ? "(%s)" : "%s", arg.text);
    }
    return (Term){text.text, prec};
}

static void add_statement(TemplateRecord *stage, const char *target, const char *value)
{
    TemplateRecord *item = template_item(stage, "statements");
    template_text(item, "target", target);
    template_text(item, "value", value);
}

/* Row reductions over loads and kept members. */
static char *reduction_text(const Express *x, const Node *node)
{
    const Value *in = member_value(x, node->in[0]);
    const char *array = NULL;
    if (in) {
        array = in->name;
    } else {
        int load = load_index(x, node->in[0]);
        if (load < 0)
            bug("a reduction of what is not in memory");
        array = arena_printf(x->arena, "%s_r", x->load_names[load]);
    }
    return arena_printf(x->arena, "%s(%s, %s)", op_of(node)->reducer, array, x->walk.columns);
}

static void infix_member(Express *x, TemplateRecord *stage, Value *v)
{
    if (op_of(v->node)->tile_sums)
        return;
    if (plays(v->node, ROLE_RANDOM)) {
        const char *len = x->in_tile ? template_get_text(x->bind, "LEN") : x->walk.columns;
        express_array(x, v->name, row_array_size(x));
        express_call(stage, "calls", uniform_call(x, v->node, v->name, len));
        v->text = arena_printf(x->arena, "%s[e]", v->name);
        v->prec = 9;
        return;
    }
    if (v->row) {
        TemplateRecord *item = template_item(stage, "scalars");
        template_text(item, "name", v->name);
        template_text(item, "value",
                      op_of(v->node)->reducer ? reduction_text(x, v->node)
                                              : expression(x, v->node).text);
        v->text = v->name;
        v->prec = 9;
        return;
    }
    Term term = expression(x, v->node);
    if (v->kept) {
        express_array(x, v->name, row_array_size(x));
        v->text = arena_printf(x->arena, "%s[e]", v->name);
        v->prec = 9;
        add_statement(stage, v->text, term.text);
    } else if (v->uses > 1 || strlen(term.text) > MAX_INLINE) {
        add_statement(stage, arena_printf(x->arena, "const nc_real %s", v->name), term.text);
        v->text = v->name;
        v->prec = 9;
    } else {
        v->text = term.text;
        v->prec = term.prec;
    }
}

/* In-place operands are read before anything is written over them. */
static void infix_in_place(Express *x, TemplateRecord *stage)
{
    for (int i = 0; i < x->chain->loads_count; i++) {
        if (!is_in_place(x, i) || !x->loads[i].array)
            continue;
        char *name = arena_printf(x->arena, "%s_old", x->load_names[i]);
        add_statement(stage, arena_printf(x->arena, "const nc_real %s", name), x->loads[i].text);
        x->loads[i].text = name;
    }
}

static const char *addend(const Express *x, const Node *node)
{
    Term term = term_of(x, node);
    return term.prec < 2 ? arena_printf(x->arena, "(%s)", term.text) : term.text;
}

static void infix_stores(Express *x, TemplateRecord *stage, int number)
{
    for (int i = 0; i < x->chain->stores_count; i++) {
        const Node *node = x->chain->stores[i].node;
        const Value *v = member_value(x, node);
        int at = !v ? x->stages - 1 : v->row ? x->stages : v->stage;
        if (v && v->row && number == x->stages - 1) {
            TemplateRecord *item = template_item(x->bind, "row_stores");
            template_text(item, "target", arena_printf(x->arena, "%s_r[0]", x->store_names[i]));
            template_text(item, "value", v->text);
        }
        if (at != number)
            continue;
        const char *target = arena_printf(x->arena, "%s_r[e]", x->store_names[i]);
        const char *value = op_of(node)->tile_sums ? addend(x, node->in[0])
                            : v                    ? v->text
                                                   : term_of(x, node).text;
        if (op_of(node)->tile_sums)
            value = arena_printf(x->arena, "%s + %s", target, value);
        add_statement(stage, target, value);
    }
}

/* A tile has one stage, written without a list of stages. */
static TemplateRecord *begin_stage(Express *x)
{
    TemplateRecord *stage = x->in_tile ? x->bind : template_item(x->bind, "stages");
    if (!x->in_tile)
        template_list(stage, "scalars");
    template_list(stage, "calls");
    template_list(stage, "statements");
    return stage;
}

void express_infix(Express *x)
{
    if (!x->in_tile) {
        template_list(x->bind, "stages");
        template_list(x->bind, "row_stores");
    }
    if (!x->stages)
        x->stages = 1;
    for (int s = 0; s < x->stages; s++) {
        TemplateRecord *stage = begin_stage(x);
        if (s == 0)
            infix_in_place(x, stage);
        for (int i = 0; i < x->chain->members_count; i++) {
            if (x->values[i].stage == s)
                infix_member(x, stage, &x->values[i]);
        }
        infix_stores(x, stage, s);
    }
}
