/* The text form of a graph: one node a line, then what it yields.
 *
 *     %3 = matmul %1 %2 : [n, 128]  # dense mnist.yaml:5 */
#include "graph/graph.h"
#include "ops/op.h"

static void print_attr(Str *out, const AttrDef *def, const AttrValue *value, const Node *node)
{
    str_printf(out, " %s=", def->key);
    switch (def->type) {
    case ATTR_INT:
        str_printf(out, "%lld", (long long)value->i);
        break;
    case ATTR_BOOL:
        str_add(out, value->i ? "true" : "false");
        break;
    case ATTR_NUMBER:
        str_printf(out, "%.9g", value->f);
        break;
    case ATTR_INTS:
        str_add(out, "[");
        for (int i = 0; i < value->count; i++) {
            str_add(out, i ? ", " : "");
            if (value->list[i] == BATCH)
                str_add(out, "n");
            else
                str_printf(out, "%lld", (long long)value->list[i]);
        }
        str_add(out, "]");
        break;
    case ATTR_CHOICE:
        str_add(out, value->s);
        break;
    case ATTR_POINTER:
        str_add(out, node_param(node) ? node_param(node)->name : value->s ? value->s : "...");
        break;
    case ATTR_ACTIVATION:
    case ATTR_INITIALIZER:
    case ATTR_TEXT:
    case ATTR_SHAPES:
    case ATTR_END:
        bug("attribute %s cannot stand in a graph", def->key);
    }
}

static const char *base_name(const char *path)
{
    const char *base = path;
    for (; *path; path++) {
        if (*path == '/')
            base = path + 1;
    }
    return base;
}

static void indent(Str *out, int depth)
{
    for (int i = 0; i < depth; i++)
        str_add(out, "    ");
}

static void print_graph(Str *out, const Graph *graph, int depth, bool places);

static void print_node(Str *out, const Node *node, int depth, bool places)
{
    const Op *op = op_of(node);
    indent(out, depth);
    str_printf(out, "%%%d = %s", node->id, op->name);
    for (int i = 0; i < node->inputs; i++)
        str_printf(out, " %%%d", node->in[i]->id);
    for (int i = 0; op->attrs && op->attrs[i].type != ATTR_END; i++)
        print_attr(out, &op->attrs[i], &node->attr[i], node);
    str_printf(out, " : %s", shape_text(out->arena, node->shape));
    if (node->name)
        str_printf(out, "  # %s", node->name);
    if (places && node->loc.source)
        str_printf(out, " %s:%d", base_name(node->loc.source->name), node->loc.line);
    str_add(out, "\n");
    if (plays(node, ROLE_LOOP)) {
        const Graph *body = attr(node, "body")->ptr;
        print_graph(out, body, depth + 1, places);
    }
}

static void print_graph(Str *out, const Graph *graph, int depth, bool places)
{
    for (int i = 0; i < graph->count; i++)
        print_node(out, graph->nodes[i], depth, places);
    for (int i = 0; i < graph->outputs_count; i++) {
        indent(out, depth);
        str_printf(out, "output %s = %%%d\n", graph->outputs[i].name, graph->outputs[i].node->id);
    }
}

void graph_print(Str *out, const Graph *graph)
{
    print_graph(out, graph, 0, true);
}

void graph_print_without_places(Str *out, const Graph *graph)
{
    print_graph(out, graph, 0, false);
}
