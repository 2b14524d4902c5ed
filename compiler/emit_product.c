/* emit for an embedder: NAME.h, NAME.c and the weights. Both files are 0BSD, need nothing but libm
 * and <string.h>, and every public symbol carries the model's name. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "embedded.h"
#include "emit.h"

enum { MAX_TEXT_WEIGHTS = 256 * 1024 }; /* bytes; larger ones are a file for .incbin or mmap */

typedef struct {
    Arena *arena;
    Diag *diag;
    const Program *program;
    const char *name, *upper, *folder;
    bool train;
    const float *weights;
} Product;

/* Sizes are those of arrays in C: none is 0. */
enum { ALIGNMENT = 64 };
static int64_t block_bytes(int64_t elements)
{
    return elements * 4 > ALIGNMENT ? elements * 4 : ALIGNMENT;
}

static char *upper_case(Arena *arena, const char *name)
{
    char *upper = arena_strdup(arena, name);
    for (char *p = upper; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return upper;
}

static bool is_stateful(const Product *p)
{
    return p->program->memory_elements > 0;
}

static bool write_file(const Product *p, const char *suffix, const void *data, size_t bytes)
{
    char *path = arena_printf(p->arena, "%s/%s%s", p->folder, p->name, suffix);
    FILE *file = fopen(path, "wb");
    bool written = file && fwrite(data, 1, bytes, file) == bytes;
    if (file && fclose(file))
        written = false;
    if (written)
        return true;
    if (file)
        remove(path);
    return diag_error(p->diag, (Loc){0}, "cannot write '%s': %s", path, strerror(errno));
}

static bool write_text(const Product *p, const char *suffix, const char *text)
{
    return write_file(p, suffix, text, strlen(text));
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* What C++ and the compilers' GNU modes take; C's own keywords never get here. */
static bool is_reserved(const char *name)
{
    static const char *const words[] = {"alignas",
                                        "alignof",
                                        "and",
                                        "and_eq",
                                        "asm",
                                        "bitand",
                                        "bitor",
                                        "bool",
                                        "catch",
                                        "char16_t",
                                        "char32_t",
                                        "char8_t",
                                        "class",
                                        "co_await",
                                        "co_return",
                                        "co_yield",
                                        "compl",
                                        "concept",
                                        "const_cast",
                                        "consteval",
                                        "constexpr",
                                        "constinit",
                                        "decltype",
                                        "delete",
                                        "dynamic_cast",
                                        "explicit",
                                        "export",
                                        "false",
                                        "friend",
                                        "linux",
                                        "mutable",
                                        "namespace",
                                        "new",
                                        "noexcept",
                                        "not",
                                        "not_eq",
                                        "nullptr",
                                        "operator",
                                        "or",
                                        "or_eq",
                                        "private",
                                        "protected",
                                        "public",
                                        "requires",
                                        "static_cast",
                                        "template",
                                        "this",
                                        "thread_local",
                                        "throw",
                                        "true",
                                        "try",
                                        "typeid",
                                        "typename",
                                        "typeof",
                                        "unix",
                                        "using",
                                        "virtual",
                                        "wchar_t",
                                        "xor",
                                        "xor_eq",
                                        "i386",
                                        "near",
                                        "far",
                                        "static_assert",
                                        "reinterpret_cast"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i], name))
            return true;
    }
    return false;
}

/* A port's name as a parameter: with a _ behind it where the functions use that name themselves, or
 * a compiler does. */
static const char *port_name(const Product *p, const char *name)
{
    static const char *const used[] = {"n",    "count", "weights",   "parameters", "state",
                                       "env",  "arena", "optimizer", "scratch",    "hyper",
                                       "sums", "batch", "memory",    "kept"};
    static const char *const prefixes[] = {"nc_", "input", "target", "output"};
    bool taken = is_reserved(name);
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        taken |= !strcmp(name, used[i]);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t length = strlen(prefixes[i]);
        taken |=
            !strncmp(name, prefixes[i], length) && (!i || isdigit((unsigned char)name[length]));
    }
    return taken ? arena_printf(p->arena, "%s_", name) : name;
}

static const char *input_name(const Product *p, int i)
{
    return port_name(p, p->program->model->inputs[i].name);
}

static const char *output_name(const Product *p, int i)
{
    return port_name(p, p->program->model->outputs[i].name);
}

static const char *target_name(const Product *p, int i)
{
    return arena_printf(p->arena, "%s_target", p->program->model->targets[i].name);
}

/* "const float *image, float *digit" */
static char *predict_parameters(const Product *p)
{
    const Model *model = p->program->model;
    Str text = str_new(p->arena);
    for (int i = 0; i < model->inputs_count; i++)
        str_printf(&text, "%sconst float *%s", i ? ", " : "", input_name(p, i));
    for (int i = 0; i < model->outputs_count; i++)
        str_printf(&text, ", float *%s", output_name(p, i));
    return text.text;
}

static char *train_parameters(const Product *p)
{
    const Model *model = p->program->model;
    Str text = str_new(p->arena);
    for (int i = 0; i < model->inputs_count; i++)
        str_printf(&text, "%sconst float *%s", i ? ", " : "", input_name(p, i));
    for (int i = 0; i < model->targets_count; i++)
        str_printf(&text, ", const float *%s", target_name(p, i));
    return text.text;
}

/* ---- header ---------------------------------------------------------------------------------- */

static void bind_names(const Product *p, TemplateRecord *bind)
{
    static const char *const lower[] = {"env",        "weights",    "predict",   "hyper",
                                        "train_init", "train_step", "eval_step", "reset"};
    static const char *const upper[] = {
        "H",           "BATCH", "ALIGN",         "PARAM_BYTES",       "ARENA_BYTES",
        "STATE_BYTES", "SUMS",  "LEARNING_RATE", "TRAIN_ARENA_BYTES", "MEMORY_BYTES"};
    for (size_t i = 0; i < sizeof lower / sizeof *lower; i++)
        template_text(bind, arena_printf(p->arena, "name_%s", lower[i]),
                      arena_printf(p->arena, "%s_%s", p->name, lower[i]));
    for (size_t i = 0; i < sizeof upper / sizeof *upper; i++)
        template_text(bind, arena_printf(p->arena, "NAME_%s", upper[i]),
                      arena_printf(p->arena, "%s_%s", p->upper, upper[i]));
}

static void add_port(const Product *p, TemplateRecord *bind, const char *direction,
                     const char *name, Shape shape)
{
    TemplateRecord *item = template_item(bind, "ports");
    template_text(item, "direction", direction);
    template_text(item, "name", name);
    template_text(item, "shape", shape_text(p->arena, shape));
}

/* Names out of a csv, as they may stand in a comment */
static const char *comment_text(Arena *arena, const char *name)
{
    Str text = str_new(arena);
    for (const char *c = name; *c;) {
        uint32_t rune;
        int bytes = utf8_decode(c, strlen(c), &rune);
        bool plain = bytes && rune >= ' ' && rune != 0x7f && rune != '*' && rune != '\\';
        str_addn(&text, plain ? c : "?", plain ? (size_t)bytes : 1);
        c += bytes ? bytes : 1;
    }
    return text.text;
}

/* "2 colour: 0 blue, 1 red", on several lines where it is long */
static void add_column(const Product *p, TemplateRecord *bind, int at, const TableColumn *c)
{
    enum { WIDEST = 88 };
    Str line = str_new(p->arena);
    str_printf(&line, "%d %s%s", at, comment_text(p->arena, c->name), c->category ? ":" : "");
    for (int i = 0; c->category && i < c->values_count; i++) {
        const char *more = i + 1 < c->values_count ? "," : "";
        const char *value =
            arena_printf(p->arena, " %d %s%s", i, comment_text(p->arena, c->values[i]), more);
        if (line.length + strlen(value) > WIDEST) {
            template_text(template_item(bind, "columns"), "text", line.text);
            line = str_new(p->arena);
            str_add(&line, "   ");
        }
        str_add(&line, value);
    }
    template_text(template_item(bind, "columns"), "text", line.text);
}

static void bind_table(const Product *p, TemplateRecord *bind)
{
    const Table *t = p->program->model->table;
    template_int(bind, "table", t != NULL);
    template_text(bind, "table_input", input_name(p, 0));
    template_list(bind, "columns");
    for (int i = 0; t && i < t->features_count; i++)
        add_column(p, bind, i, &t->features[i]);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What the training functions add: the sums they yield and the rate they are meant to run at. */
static void bind_sums(const Product *p, TemplateRecord *bind)
{
    const Model *model = p->program->model;
    Str names = str_new(p->arena);
    str_add(&names, "loss");
    for (int i = 0; i < model->metrics_count; i++)
        str_printf(&names, ", %s", model->metrics[i]);
    template_int(bind, "sums", 1 + model->metrics_count);
    template_text(bind, "sum_names", names.text);
    template_text(bind, "learning_rate",
                  literal_text(p->arena, model->train_options.learning_rate, false));
}

static char *header_text(const Product *p)
{
    const Program *program = p->program;
    const Model *model = program->model;
    TemplateRecord *bind = template_record(p->arena);
    template_text(bind, "name", p->name);
    template_text(bind, "spec", base_name(model->spec_path));
    bind_names(p, bind);
    template_list(bind, "ports");
    for (int i = 0; i < model->inputs_count; i++)
        add_port(p, bind, "in ", input_name(p, i), model->inputs[i].shape);
    for (int i = 0; p->train && i < model->targets_count; i++)
        add_port(p, bind, "in ", target_name(p, i), model->targets[i].shape);
    for (int i = 0; i < model->outputs_count; i++)
        add_port(p, bind, "out", output_name(p, i), model->outputs[i].shape);
    bind_table(p, bind);
    int64_t train_arena = !p->train ? 0 : program->train->arena_elements;
    if (p->train && program->eval->arena_elements > train_arena)
        train_arena = program->eval->arena_elements;
    template_int(bind, "batch", program->batch);
    template_int(bind, "align", ALIGNMENT);
    template_int(bind, "param_bytes", block_bytes(program->weights_elements));
    template_int(bind, "param_floats", block_bytes(program->weights_elements) / 4);
    template_int(bind, "arena_bytes", block_bytes(program->predict->arena_elements));
    template_int(bind, "state_bytes", block_bytes(program->state_elements));
    template_int(bind, "train_arena_bytes", block_bytes(train_arena));
    template_int(bind, "memory_bytes", block_bytes(program->memory_elements));
    template_int(bind, "stateful", is_stateful(p));
    template_text(bind, "memory", is_stateful(p) ? " void *memory," : "");
    template_int(bind, "train", p->train);
    template_int(bind, "compiled_in", p->weights != NULL);
    bind_sums(p, bind);
    template_text(bind, "predict_parameters", predict_parameters(p));
    template_text(bind, "train_parameters", train_parameters(p));
    Str text = str_new(p->arena);
    template_expand(&text, "product_header", template_source(p->arena, "product_header"), bind);
    return text.text;
}

/* ---- source ---------------------------------------------------------------------------------- */

typedef struct {
    const char *function;
    bool weights_change, has_targets, has_state, has_hyper;
} EntryKind;

static void push(Arena *arena, const char ***list, int *count, const char *text)
{
    ARENA_PUSH(arena, *list, *count, text);
}

static void push_local(const Product *p, Local **locals, int *count, const char *type,
                       const char *name, const char *value)
{
    Local local = {type, name, value, false};
    ARENA_PUSH(p->arena, *locals, *count, local);
}

/* "!parameters || !scratch || !image || !digit": only env may be null. */
static char *null_condition(const Product *p, EntryKind kind)
{
    const Model *model = p->program->model;
    Str text = str_new(p->arena);
    str_add(&text, "!parameters || !scratch");
    if (is_stateful(p))
        str_add(&text, " || !kept");
    if (kind.has_state)
        str_add(&text, " || !optimizer");
    for (int i = 0; i < model->inputs_count; i++)
        str_printf(&text, " || !%s", input_name(p, i));
    for (int i = 0; kind.has_targets && i < model->targets_count; i++)
        str_printf(&text, " || !%s", target_name(p, i));
    for (int i = 0; !kind.has_targets && i < model->outputs_count; i++)
        str_printf(&text, " || !%s", output_name(p, i));
    if (kind.has_targets)
        str_add(&text, " || !sums");
    if (kind.has_hyper)
        str_add(&text, " || !hyper");
    return text.text;
}

/* Names of parameters as their own locals, and the conditions under which a call is refused. */
static char *product_entry(const Product *p, Emitter *emitter, const Entry *entry, EntryKind kind)
{
    const Model *model = p->program->model;
    Arena *arena = p->arena;
    Local *locals = NULL;
    const char **conditions = NULL, **parameters = NULL;
    int locals_count = 0, conditions_count = 0, parameters_count = 0;
    const char *weights_type = kind.weights_change ? "nc_real *" : "const nc_real *";
    push_local(p, &locals, &locals_count, "const long", "n", "count");
    push_local(p, &locals, &locals_count, "const nc_real", "batch", "(nc_real)count");
    push_local(p, &locals, &locals_count, weights_type, "weights",
               arena_printf(arena, "(%s)parameters", weights_type));
    push_local(p, &locals, &locals_count, "nc_real *", "arena", "(nc_real *)scratch");
    push_local(p, &locals, &locals_count, "nc_real *", "memory", "(nc_real *)kept");
    if (kind.has_state)
        push_local(p, &locals, &locals_count, "nc_real *", "state", "(nc_real *)optimizer");
    if (!kind.has_hyper)
        push_local(p, &locals, &locals_count, "const struct nc_hyper *", "hyper", "0");
    for (int i = 0; i < model->inputs_count; i++)
        push_local(p, &locals, &locals_count, "const nc_real *", arena_printf(arena, "input%d", i),
                   input_name(p, i));
    for (int i = 0; kind.has_targets && i < model->targets_count; i++)
        push_local(p, &locals, &locals_count, "const nc_real *", arena_printf(arena, "target%d", i),
                   target_name(p, i));
    int outputs = kind.has_targets ? 1 + model->metrics_count : model->outputs_count;
    for (int i = 0; i < outputs; i++)
        push_local(p, &locals, &locals_count, "nc_real *", arena_printf(arena, "output%d", i),
                   kind.has_targets ? arena_printf(arena, "sums + %d", i) : output_name(p, i));
    push(arena, &conditions, &conditions_count,
         arena_printf(arena, "count < 1 || count > %s_BATCH", p->upper));
    push(arena, &conditions, &conditions_count, null_condition(p, kind));
    push(arena, &conditions, &conditions_count, NULL);
    push(arena, &parameters, &parameters_count, "env");
    push(arena, &parameters, &parameters_count, NULL);
    const char *tail = kind.has_targets
                           ? arena_printf(arena, "%s, float *sums", train_parameters(p))
                           : predict_parameters(p);
    EntryForm form = {
        .signature = arena_printf(
            arena,
            "int %s_%s(%svoid *parameters%s%s,\n    %s%s,\n    int count, void *scratch, "
            "const struct nc_env *env)",
            p->name, kind.function, kind.weights_change ? "" : "const ",
            is_stateful(p) ? ", void *kept" : "", kind.has_state ? ", void *optimizer" : "", tail,
            kind.has_hyper ? ", const struct nc_hyper *hyper" : ""),
        .locals = locals,
        .locals_count = locals_count,
        .conditions = conditions,
        .parameters = parameters};
    return emit_entry(emitter, entry, &form);
}

static TemplateRecord *init_record(const Product *p, const char *function, const char *block,
                                   int64_t elements)
{
    TemplateRecord *bind = template_record(p->arena);
    template_text(bind, "function", arena_printf(p->arena, "%s_%s", p->name, function));
    template_text(bind, "block", block);
    template_int(bind, "elements", elements);
    template_list(bind, "slots");
    return bind;
}

static char *init_text(const Product *p, const TemplateRecord *bind)
{
    Str text = str_new(p->arena);
    template_expand(&text, "product_init", template_source(p->arena, "product_init"), bind);
    return text.text;
}

/* Slots begin as their initializer says, a constant. */
static char *train_init(const Product *p)
{
    TemplateRecord *bind = init_record(p, "train_init", "state", p->program->state_elements);
    for (int i = 0; i < p->program->model->params_count; i++) {
        const Param *param = p->program->model->params[i];
        if (param->role != NC_ROLE_SLOT || param->init.a == 0)
            continue;
        TemplateRecord *slot = template_item(bind, "slots");
        template_int(slot, "offset", param->offset);
        template_int(slot, "elements", shape_row(param->shape));
        template_text(slot, "value", literal_text(p->arena, param->init.a, false));
    }
    return init_text(p, bind);
}

static char *reset(const Product *p)
{
    return init_text(p, init_record(p, "reset", "memory", p->program->memory_elements));
}

static char *source_text(const Product *p)
{
    Style style = {LOWER_INFIX, false};
    Emitter *emitter = emitter_new(p->arena, p->program, style);
    Str entries = str_new(p->arena);
    if (is_stateful(p))
        str_printf(&entries, "%s\n", reset(p));
    str_add(&entries,
            product_entry(p, emitter, p->program->predict, (EntryKind){.function = "predict"}));
    if (p->train) {
        EntryKind step = {"train_step", true, true, true, true};
        EntryKind eval = {"eval_step", false, true, false, false};
        str_printf(&entries, "\n%s\n", train_init(p));
        str_printf(&entries, "%s\n", product_entry(p, emitter, p->program->train, step));
        str_add(&entries, product_entry(p, emitter, p->program->eval, eval));
    }
    TemplateRecord *bind = template_record(p->arena);
    template_text(bind, "name", p->name);
    template_text(bind, "spec", base_name(p->program->model->spec_path));
    template_int(bind, "train", p->train);
    template_int(bind, "predict_only", !p->train);
    template_text(bind, "name_hyper", arena_printf(p->arena, "%s_hyper", p->name));
    template_text(bind, "name_env", arena_printf(p->arena, "%s_env", p->name));
    Str text = str_new(p->arena);
    template_expand(&text, "product_source", template_source(p->arena, "product_source"), bind);
    str_add(&text, embedded_vocabulary(p->arena));
    TemplateRecord *unit = template_record(p->arena);
    template_int(unit, "own_abi", 0);
    template_int(unit, "timed", 0);
    template_expand(&text, "unit", template_source(p->arena, "unit"), unit);
    str_printf(&text, "\n%s%s\n", emitter->functions.text, entries.text);
    return text.text;
}

/* ---- weights --------------------------------------------------------------------------------- */

static bool all_finite(const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            return false;
    }
    return true;
}

/* As they lie in memory, for who reads or maps them; and as a symbol to link with: small ones as C,
 * others (and what C has no words for) by a file that the assembler includes. */
static bool write_weights(const Product *p)
{
    size_t bytes = (size_t)block_bytes(p->program->weights_elements);
    float *block = arena_alloc(p->arena, bytes); /* zeros */
    memcpy(block, p->weights, (size_t)p->program->weights_elements * sizeof *block);
    TemplateRecord *bind = template_record(p->arena);
    template_text(bind, "name", p->name);
    template_text(bind, "name_weights", arena_printf(p->arena, "%s_weights", p->name));
    Str text = str_new(p->arena);
    if (!write_file(p, ".weights", block, bytes))
        return false;
    if (bytes > MAX_TEXT_WEIGHTS || !all_finite(block, (int64_t)bytes / 4)) {
        template_int(bind, "align", ALIGNMENT);
        template_expand(&text, "product_incbin", template_source(p->arena, "product_incbin"), bind);
        return write_text(p, "_weights.S", text.text);
    }
    Str values = str_new(p->arena);
    for (size_t i = 0; i < bytes / 4; i++) {
        const char *literal = literal_text(p->arena, (double)block[i], false);
        str_printf(&values, "%s%s", !i ? "" : i % 8 ? ", " : ",\n        ", literal);
    }
    template_text(bind, "values", values.text);
    template_int(bind, "align", ALIGNMENT);
    template_expand(&text, "product_weights", template_source(p->arena, "product_weights"), bind);
    return write_text(p, "_weights.c", text.text);
}

bool emit_product(Arena *arena, Diag *diag, const Program *program, const char *folder, bool train,
                  const float *weights)
{
    Product p = {.arena = arena,
                 .diag = diag,
                 .program = program,
                 .name = program->model->name,
                 .upper = upper_case(arena, program->model->name),
                 .folder = folder,
                 .train = train,
                 .weights = weights};
    if (train && !program->train)
        return diag_error(diag, (Loc){0}, "--train needs a train section in the spec");
    if (mkdir(folder, 0777) && errno != EEXIST)
        return diag_error(diag, (Loc){0}, "cannot make the folder '%s': %s", folder,
                          strerror(errno));
    return write_text(&p, ".h", header_text(&p)) && write_text(&p, ".c", source_text(&p)) &&
           (!weights || write_weights(&p));
}
