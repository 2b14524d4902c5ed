/* Op: one record per op, in one of the files of this folder.
 *
 *     OP(sigmoid) = {
 *         .doc = "Logistic function.", .arity = 1, .activation = true,
 *         .expr = "1 / (1 + exp(-x))", .vjp = {"g * y * (1 - y)"},
 *     };
 *
 * The Makefile collects the names into the enum and the table, so a record is all there is. */
#ifndef NETCC_OP_H
#define NETCC_OP_H

#include "graph/graph.h"
#include "spec/yaml.h"

typedef enum {
    ATTR_END,
    ATTR_INT,
    ATTR_NUMBER,
    ATTR_BOOL,
    ATTR_CHOICE,      /* one of `choices`, separated by | */
    ATTR_INTS,        /* a list; one integer stands for itself */
    ATTR_ACTIVATION,  /* an op with .activation, or {name: {arguments}}; null and linear: none */
    ATTR_INITIALIZER, /* a name of the initializers, or {name: {arguments}} */
    ATTR_TEXT,        /* any text */
    ATTR_SHAPES,      /* {name: sizes, ...} */
    ATTR_POINTER      /* never in a spec */
} AttrType;

typedef struct {
    const char *key;
    AttrType type;
    const char *fallback; /* the default as YAML text; NULL: required */
    const char *doc;
    double low, high; /* bounds of numbers and integers, both inclusive; equal: none */
    const char *choices;
} AttrDef;

typedef enum {
    OP_LEAF,      /* no inputs; param, input, const, ... */
    OP_PRIMITIVE, /* element-wise, one C expression and one block call of the vocabulary */
    OP_COMPOSITE, /* an expression over other ops, expanded before fusion */
    OP_VIEW,      /* the same memory under another shape */
    OP_KERNEL,    /* a template of its own */
    OP_STATE      /* update */
} OpClass;

/* What a node of the op is to passes that know no op by name. */
typedef enum {
    ROLE_NONE,      /* it computes */
    ROLE_CONSTANT,  /* leaf: one number everywhere */
    ROLE_PARAM,     /* leaf: a state's version at the step's entry */
    ROLE_PORT,      /* leaf: a tensor that the caller, or a loop around, hands in */
    ROLE_HYPER,     /* leaf: a number that the caller hands in */
    ROLE_POSITIONS, /* leaf: each cell's own place */
    ROLE_RANDOM,    /* leaf: drawn for each sample by itself */
    ROLE_ALIAS,     /* view: its input, under another shape */
    ROLE_RESULT,    /* view: one of the results of a loop */
    ROLE_LOOP       /* kernel: runs the graph of its attribute `body` */
} OpRole;

typedef struct Gradients Gradients;
typedef struct KernelBuild KernelBuild;
typedef struct OnnxExport OnnxExport;

struct Op {
    const char *name;
    const char *doc;
    int arity; /* -1: one or more */
    OpClass class;
    OpRole role;
    bool activation; /* may be named by `activation:` */
    bool impure;     /* never merged with an equal node */
    const AttrDef *attrs;

    bool cheap;        /* primitive: computing it costs less than writing and reading a result */
    const char *infix; /* primitive: C text, arguments as $0 $1 $2; else nc_NAME(...) is called */
    double (*fold)(const double *x); /* primitive: its value for constants */
    /* What y of these inputs is equal to, or NULL. 0 * x is taken as 0, also for x that may be
     * infinite: it stands where an attribute switches a term off. */
    Node *(*identity)(Graph *graph, const Node *y, Node *const *in);

    /* Another way to compute `rows` rows of y of these inputs, where that is quicker by its shapes but
     * rounds otherwise; NULL: none. */
    Node *(*select)(Graph *graph, const Node *y, Node *const *in, int64_t rows);

    const char *expr;   /* composite: in terms of x (or a, b, c) and the attributes */
    const char *vjp[3]; /* per input: gradient in terms of x (a, b, c), y, g and the attributes */

    const char *reducer; /* reduction: the vocabulary's function over one row */

    bool epilogue;         /* kernel: an element-wise chain may follow in its tile */
    bool multiplies;       /* kernel: its work is multiply-adds */
    bool image_tile;       /* kernel: its tiles are those of image_rows() */
    bool accumulates;      /* kernel: a sum over rows that goes on from what is there, where args->first > 0 */
    bool tile_sums;        /* kernel: sums of such tiles; joins the chain that computes its input */
    unsigned panel_inputs; /* kernel: bit k: input k is fastest in panels */
    unsigned packed_inputs; /* kernel: bit k: input k may lie in panels */
    bool packed_output;     /* kernel: so may the output */

    Shape (*infer)(const Node *node); /* shape rule; inputs were checked by the caller */
    void (*gradient)(Gradients *to, Node *y, Node *g);   /* where vjp texts do not reach */
    void (*bind)(KernelBuild *kernel, const Node *node); /* kernel: template and bindings */

    /* The ONNX operator that it is, over the same inputs; onnx_if: for such nodes only, others are
     * expanded. to_onnx: where the operator alone does not say it, see onnx/exporter.h. */
    const char *onnx;
    bool (*onnx_if)(const Node *node);
    bool (*to_onnx)(OnnxExport *e);
    /* Its values from those of constant inputs, the batch counting as 1. Primitives have `fold`. */
    void (*evaluate)(const Node *node, const float *const *in, float *out);

    /* For the finite-difference test: input shapes and attributes as YAML flow text,
     * `{in: [[n, 4], [4, 5]], transpose: true, low: 0.5, high: 2}`. NULL: element-wise default. */
    const char *sample;
    bool not_differentiable; /* said, never implied: a missing rule is an error of ours */
};

#define OP(ident) const Op op_##ident

extern const Op *const op_table[OP_COUNT];
static inline const Op *op_of(const Node *node)
{
    return op_table[node->op];
}
static inline bool plays(const Node *node, OpRole role)
{
    return op_of(node)->role == role;
}
const Op *op_find(const char *name);
OpKind op_kind(const Op *op);
/* The attribute values that the record's defaults stand for; NULL where it has no attributes. */
AttrValue *op_defaults(Arena *arena, const Op *op);
int attr_count(const AttrDef *attrs);

/* Attribute `key` of a node; ends in bug() if the record has no such key. */
const AttrValue *attr(const Node *node, const char *key);

/* Autodiff's hand to a gradient rule: adds `grad` to what flows into input `index` of y; it is
 * reduced to the input's shape where the input was broadcast. */
void gradient_add(Gradients *to, Node *y, int index, Node *grad);
bool gradient_wanted(const Gradients *to, const Node *y, int index);
Graph *gradient_graph(Gradients *to);

#endif
