/* emit: the Program as C text. It decides nothing: every size, offset and order stands in the
 * Program; equal kernels share one function. */
#include "emit.h"

#include <string.h>

#include "embedded.h"
#include "native.h"
#include "work.h"

typedef struct EmittedKernel EmittedKernel;
struct EmittedKernel {
    EmittedKernel *next, *next_name;
    const char *body; /* with PLACEHOLDER for its name */
    const char *name;
};

#define PLACEHOLDER "@kernel@"

Emitter *emitter_new(Arena *arena, const Program *program, Style style)
{
    Emitter *emitter = ARENA_NEW(arena, Emitter);
    emitter->arena = arena;
    emitter->program = program;
    emitter->style = style;
    emitter->functions = str_new(arena);
    return emitter;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static bool is_word_character(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool mentions(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *p = text; (p = strstr(p, word)); p++) {
        if ((p == text || !is_word_character(p[-1])) && !is_word_character(p[length]))
            return true;
    }
    return false;
}

static bool record_mentions_n(const TemplateRecord *record)
{
    for (int i = 0; i < record->values_count; i++) {
        const TemplateValue *value = &record->values[i];
        if (value->kind == T_TEXT && mentions(value->text, "n"))
            return true;
        for (int k = 0; value->kind == T_LIST && k < value->count; k++) {
            if (record_mentions_n(value->items[k]))
                return true;
        }
    }
    return false;
}

static TemplateRecord *copy_record(Arena *arena, const TemplateRecord *record)
{
    TemplateRecord *copy = template_record(arena);
    for (int i = 0; i < record->values_count; i++) {
        const TemplateValue *value = &record->values[i];
        if (value->kind == T_INT)
            template_int(copy, record->names[i], value->integer);
        else if (value->kind == T_TEXT)
            template_text(copy, record->names[i], value->text);
        else {
            template_list(copy, record->names[i]);
            for (int k = 0; k < value->count; k++) {
                TemplateRecord *item = template_item(copy, record->names[i]);
                *item = *copy_record(arena, value->items[k]);
            }
        }
    }
    return copy;
}

/* A template may have a second form in block calls, for tcc. */
static const char *block_variant(Arena *arena, const char *template)
{
    const char *variant = arena_printf(arena, "%s_block", template);
    return embedded_text("templates", variant) ? variant : template;
}

static const char *short_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "dense, mnist.yaml:5: matmul add max [n, 128]" */
static char *call_comment(const Emitter *emitter, const Kernel *kernel)
{
    Str text = str_new(emitter->arena);
    const Node *first = kernel->nodes_count ? kernel->nodes[0] : NULL;
    if (first && first->name)
        str_printf(&text, "%s, ", first->name);
    if (first && first->loc.source && !first->loc.source->is_option)
        str_printf(&text, "%s:%d: ", short_path(first->loc.source->name), first->loc.line);
    for (int i = 0; i < kernel->nodes_count && i < 8; i++)
        str_printf(&text, "%s ", op_of(kernel->nodes[i])->name);
    if (kernel->nodes_count > 8)
        str_printf(&text, "and %d more ", kernel->nodes_count - 8);
    if (first)
        str_add(&text,
                shape_text(emitter->arena, kernel->chain ? kernel->chain->domain : first->shape));
    return text.text;
}

static const char *emit_kernel(Emitter *emitter, const Kernel *kernel);

static void bind_stages(Emitter *emitter, TemplateRecord *bind, const Kernel *kernel)
{
    int count;
    TemplateRecord **items = template_items(bind, "stages", &count);
    for (int i = 0; i < count; i++) {
        template_text(items[i], "function", emit_kernel(emitter, kernel->stages[i]));
        template_text(items[i], "comment", call_comment(emitter, kernel->stages[i]));
    }
}

static char *kernel_body(Emitter *emitter, const Kernel *kernel)
{
    TemplateRecord *bind = copy_record(emitter->arena, kernel->bind);
    const char *template = kernel->template;
    if (kernel->chain)
        express(bind, kernel, emitter->style);
    if (kernel->stages_count)
        bind_stages(emitter, bind, kernel);
    if (emitter->style.lowering == LOWER_BLOCK)
        template = block_variant(emitter->arena, template);
    const char *source = template_source(emitter->arena, template);
    if (strstr(source, "//:param $uses_n"))
        template_int(bind, "uses_n", record_mentions_n(bind));
    template_text(bind, "name", PLACEHOLDER);
    Str text = str_new(emitter->arena);
    template_expand(&text, template, source, bind);
    return text.text;
}

static unsigned hash_text(const char *text)
{
    unsigned hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static bool has_name(const Emitter *emitter, const char *name)
{
    for (const EmittedKernel *k = emitter->by_name[hash_text(name) % EMIT_BUCKETS]; k;
         k = k->next_name) {
        if (!strcmp(k->name, name))
            return true;
    }
    return false;
}

/* LAYER_TEMPLATE, numbered where two layers' differ. */
static const char *kernel_name(const Emitter *emitter, const Kernel *kernel)
{
    const Node *node = kernel->nodes_count ? kernel->nodes[0] : NULL;
    const char *what = kernel->chain && kernel->chain->tile ? op_of(node)->name : kernel->template;
    char *base = arena_printf(emitter->arena, "%s_%s", node && node->name ? node->name : "k", what);
    for (char *p = base; *p; p++) {
        if (!is_word_character(*p))
            *p = '_';
    }
    char *name = base;
    for (int i = 2; has_name(emitter, name); i++)
        name = arena_printf(emitter->arena, "%s_%d", base, i);
    return name;
}

static void add_function(Emitter *emitter, const char *body, const char *name)
{
    const char *hole = strstr(body, PLACEHOLDER);
    str_addn(&emitter->functions, body, (size_t)(hole - body));
    str_add(&emitter->functions, name);
    str_add(&emitter->functions, hole + strlen(PLACEHOLDER));
    str_add(&emitter->functions, "\n");
}

static const char *emit_kernel(Emitter *emitter, const Kernel *kernel)
{
    char *body = kernel_body(emitter, kernel);
    EmittedKernel **bucket = &emitter->buckets[hash_text(body) % EMIT_BUCKETS];
    for (EmittedKernel *k = *bucket; k; k = k->next) {
        if (!strcmp(k->body, body))
            return k->name;
    }
    EmittedKernel *k = ARENA_NEW(emitter->arena, EmittedKernel);
    *k = (EmittedKernel){.next = *bucket, .body = body, .name = kernel_name(emitter, kernel)};
    *bucket = k;
    EmittedKernel **names = &emitter->by_name[hash_text(k->name) % EMIT_BUCKETS];
    k->next_name = *names;
    *names = k;
    add_function(emitter, body, k->name);
    return k->name;
}

/* ---- entries --------------------------------------------------------------------------------- */

/* Within `loop`, or NULL */
static const char *place_text(const Emitter *emitter, BufferRef ref, const Kernel *loop)
{
    static const char *const names[] = {"arena", "weights", "state",  "memory", "prepared",
                                        "input", "target",  "output", "hyper"};
    const Buffer *b = ref.buffer;
    Str text = str_new(emitter->arena);
    if (b->kind == BUFFER_HYPER)
        return !strcmp(b->field, "batch") ? "&batch"
                                          : arena_printf(emitter->arena, "&hyper->%s", b->field);
    str_add(&text, names[b->kind]);
    if (b->kind == BUFFER_INPUT || b->kind == BUFFER_TARGET || b->kind == BUFFER_OUTPUT)
        str_printf(&text, "%d", b->index);
    else if (b->offset)
        str_printf(&text, " + %lld", (long long)b->offset);
    if (loop && loop->slice && b->batched && !b->slice)
        str_printf(&text, " + first * %lld", (long long)b->elements);
    if (ref.slice && ref.reversed)
        str_printf(&text, " + (%lld - t) * %s%lld", (long long)loop->steps - 1,
                   b->batched ? "n * " : "", (long long)ref.slice);
    else if (ref.slice)
        str_printf(&text, " + t * %s%lld", b->batched ? "n * " : "", (long long)ref.slice);
    return text.text;
}

/* Places joined by commas, broken before column 100. */
static char *places_text(const Emitter *emitter, const BufferRef *refs, int count,
                         const Kernel *loop, size_t column)
{
    Str text = str_new(emitter->arena);
    size_t line = column;
    for (int i = 0; i < count; i++) {
        const char *place = place_text(emitter, refs[i], loop);
        if (i && line + strlen(place) + 3 > 98) {
            str_printf(&text, ",\n%*s", (int)column, "");
            line = column;
        } else if (i) {
            str_add(&text, ", ");
            line += 2;
        }
        str_add(&text, place);
        line += strlen(place);
    }
    return text.text;
}

/* A hand-over to threads takes half a microsecond. */
static bool worth_threads(const Emitter *emitter, const Kernel *kernel, const Kernel *loop)
{
    enum { LEAST_NANOSECONDS = 4000 };
    int64_t rows = loop && loop->slice ? loop->slice : emitter->program->batch;
    return !(loop && loop->steps) && kernel_nanoseconds(kernel, rows) > LEAST_NANOSECONDS;
}

typedef enum { ITEM_BEGIN, ITEM_SLICE, ITEM_CALL, ITEM_PART, ITEM_SLICE_END, ITEM_END } ItemKind;

static TemplateRecord *call_item(TemplateRecord *bind, ItemKind kind)
{
    TemplateRecord *item = template_item(bind, "calls");
    template_int(item, "begin", kind == ITEM_BEGIN);
    template_int(item, "slice", kind == ITEM_SLICE);
    template_int(item, "call", kind == ITEM_CALL);
    template_int(item, "part", kind == ITEM_PART);
    template_int(item, "slice_end", kind == ITEM_SLICE_END);
    template_int(item, "end", kind == ITEM_END);
    return item;
}

static void add_call(Emitter *emitter, TemplateRecord *bind, const Kernel *kernel,
                     const Kernel *loop)
{
    bool threads = worth_threads(emitter, kernel, loop);
    TemplateRecord *item = call_item(bind, ITEM_CALL);
    template_text(item, "comment", call_comment(emitter, kernel));
    template_text(item, "in",
                  kernel->in_count ? places_text(emitter, kernel->in, kernel->in_count, loop, 37)
                                   : "0");
    template_text(item, "out", places_text(emitter, kernel->out, kernel->out_count, loop, 32));
    template_text(item, "first", loop && loop->slice ? "first" : "0");
    template_int(item, "threads", threads);
    template_int(item, "serial", !threads);
    template_int(item, "timed", emitter->timed);
    template_int(item, "number", emitter->calls++);
    template_text(item, "function", emit_kernel(emitter, kernel));
    template_text(item, "units", kernel->units);
}

static void add_kernels(Emitter *emitter, TemplateRecord *bind, Kernel *const *kernels, int count,
                        const Kernel *loop);

static void add_loop(Emitter *emitter, TemplateRecord *bind, const Kernel *loop)
{
    TemplateRecord *begin = call_item(bind, loop->slice ? ITEM_SLICE : ITEM_BEGIN);
    template_int(begin, loop->slice ? "rows" : "steps", loop->slice ? loop->slice : loop->steps);
    add_kernels(emitter, bind, loop->body, loop->body_count, loop);
    call_item(bind, loop->slice ? ITEM_SLICE_END : ITEM_END);
}

static void add_calls(Emitter *emitter, TemplateRecord *bind, Kernel *const *kernels, int count,
                      const Kernel *loop)
{
    for (int i = 0; i < count; i++) {
        if (kernels[i]->body_count)
            add_loop(emitter, bind, kernels[i]);
        else
            add_call(emitter, bind, kernels[i], loop);
    }
}

/* Do the kernel calls name `word`? Every call names n and hyper, threaded ones env. */
static bool calls_mention(const TemplateRecord *bind, const char *word)
{
    if (!strcmp(word, "n") || !strcmp(word, "hyper"))
        return true;
    const TemplateRecord *const *items;
    int count = template_get_list(bind, "calls", &items);
    for (int i = 0; i < count; i++) {
        if (template_get_int(items[i], "part") &&
            mentions(template_get_text(items[i], "arguments"), word))
            return true;
        if (!template_get_int(items[i], "call"))
            continue;
        if (mentions(template_get_text(items[i], "in"), word) ||
            mentions(template_get_text(items[i], "out"), word) ||
            mentions(template_get_text(items[i], "first"), word) ||
            (!strcmp(word, "env") &&
             (template_get_int(items[i], "threads") || template_get_int(items[i], "timed"))))
            return true;
    }
    return false;
}

static char *expand_entry(Emitter *emitter, TemplateRecord *bind)
{
    Str text = str_new(emitter->arena);
    template_expand(&text, "entry", template_source(emitter->arena, "entry"), bind);
    return text.text;
}

/* Kernels of a loop over time may take so little that their calls count. */
static bool only_calls(Kernel *const *kernels, int count)
{
    for (int i = 0; i < count; i++) {
        const Kernel *k = kernels[i];
        if (k->body_count && (k->steps || !only_calls(k->body, k->body_count)))
            return false;
    }
    return true;
}

/* A function that is empty but for its calls to come; does it return 0, is its end told? */
static TemplateRecord *function_record(const Emitter *emitter, bool result, bool timed)
{
    TemplateRecord *bind = template_record(emitter->arena);
    template_list(bind, "checks");
    template_list(bind, "unused");
    template_list(bind, "locals");
    template_list(bind, "calls");
    template_int(bind, "result", result);
    template_int(bind, "timed", timed);
    return bind;
}

static const char *declaration(const Emitter *emitter, const Local *local)
{
    bool pointer = local->type[strlen(local->type) - 1] == '*';
    return arena_printf(emitter->arena, "%s%s%s", local->type, pointer ? "" : " ", local->name);
}

/* Parameters of a part that are no locals of its entry, where they are what the entry is given; and of one
 * in a loop over slices */
static const Local given[] = {{"const struct nc_env *", "env", "env", false},
                              {"const struct nc_hyper *", "hyper", "hyper", false}};
static const Local first_row = {"const long", "first", "first", false};

static bool is_local(const EntryForm *form, const char *name)
{
    for (int i = 0; i < form->locals_count; i++) {
        if (!strcmp(form->locals[i].name, name))
            return true;
    }
    return false;
}

static void add_parameter(const Emitter *emitter, const TemplateRecord *part, const Local *local,
                          Str *parameters, Str *arguments)
{
    if (!calls_mention(part, local->name))
        return;
    const char *comma = parameters->length ? "," : "";
    str_printf(parameters, "%s%s%s", comma, *comma ? "\n    " : "", declaration(emitter, local));
    str_printf(arguments, "%s%s%s", comma, *comma ? " " : "", local->name);
}

/* `count` kernels as a function of what they name, and the call of it. */
static void add_part(Emitter *emitter, TemplateRecord *bind, Kernel *const *kernels, int count,
                     const Kernel *loop)
{
    const EntryForm *form = emitter->form;
    TemplateRecord *part = function_record(emitter, false, false);
    TemplateRecord *call = call_item(bind, ITEM_PART);
    Str parameters = str_new(emitter->arena), arguments = str_new(emitter->arena);
    const char *name = arena_printf(emitter->arena, "%s_part_%d", emitter->entry, ++emitter->parts);
    add_calls(emitter, part, kernels, count, loop);
    for (int i = 0; i < form->locals_count; i++)
        add_parameter(emitter, part, &form->locals[i], &parameters, &arguments);
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (!is_local(form, given[i].name))
            add_parameter(emitter, part, &given[i], &parameters, &arguments);
    }
    if (loop)
        add_parameter(emitter, part, &first_row, &parameters, &arguments);
    template_int(part, "glue", only_calls(kernels, count));
    template_text(part, "signature",
                  arena_printf(emitter->arena, "static void %s(%s)", name, parameters.text));
    str_add(&emitter->functions, expand_entry(emitter, part));
    str_add(&emitter->functions, "\n");
    template_text(call, "function", name);
    template_text(call, "arguments", arguments.text);
}

/* Compilers take far more than twice as long for a function of twice the length, so a list longer than
 * two parts is cut into them. */
enum { PART = 32 };

static void add_kernels(Emitter *emitter, TemplateRecord *bind, Kernel *const *kernels, int count,
                        const Kernel *loop)
{
    if (count <= 2 * PART || (loop && loop->steps)) {
        add_calls(emitter, bind, kernels, count, loop);
        return;
    }
    for (int i = 0; i < count; i += PART)
        add_part(emitter, bind, kernels + i, count - i < PART ? count - i : PART, loop);
}

char *emit_entry(Emitter *emitter, const Entry *entry, const EntryForm *form)
{
    TemplateRecord *bind = function_record(emitter, form->conditions != NULL, emitter->timed);
    template_text(bind, "signature", form->signature);
    for (int i = 0; form->conditions && form->conditions[i]; i++)
        template_text(template_item(bind, "checks"), "condition", form->conditions[i]);
    emitter->calls = emitter->parts = 0;
    emitter->entry = entry->name;
    emitter->form = form;
    add_kernels(emitter, bind, entry->kernels, entry->kernels_count, NULL);
    template_int(bind, "glue",
                 emitter->calls > PART && only_calls(entry->kernels, entry->kernels_count));
    for (int i = 0; i < form->locals_count; i++) {
        const Local *local = &form->locals[i];
        if (!local->certain && !calls_mention(bind, local->name))
            continue;
        TemplateRecord *item = template_item(bind, "locals");
        template_text(item, "declaration", declaration(emitter, local));
        template_text(item, "value", local->value);
    }
    for (int i = 0; form->parameters && form->parameters[i]; i++) {
        if (!calls_mention(bind, form->parameters[i]))
            template_text(template_item(bind, "unused"), "name", form->parameters[i]);
    }
    return expand_entry(emitter, bind);
}

/* ---- units ----------------------------------------------------------------------------------- */

char *emit_prelude(Arena *arena, EmitTarget target, bool timed)
{
    Str text = str_new(arena);
    str_add(&text, embedded_vocabulary(arena));
    if (target == EMIT_JIT_TCC)
        str_add(&text, nc_native_prototypes());
    TemplateRecord *bind = template_record(arena);
    template_int(bind, "own_abi", 1);
    template_int(bind, "timed", timed);
    template_expand(&text, "unit", template_source(arena, "unit"), bind);
    str_add(&text, "\n");
    return text.text;
}

/* How many of the caller's arrays of a kind the entry touches: 1 + the highest index. */
static int arrays_used(const Entry *entry, BufferKind kind)
{
    int count = 0;
    for (int i = 0; i < entry->buffers_count; i++) {
        const Buffer *b = entry->buffers[i];
        if (b->kind == kind && b->first >= 0 && b->index >= count)
            count = b->index + 1;
    }
    return count;
}

/* The entry as the drivers call it: everything comes out of one struct nc_call. */
static void emit_wrapper(Emitter *emitter, Str *out, const Entry *entry)
{
    static const Local fixed[] = {{"const long", "n", "call->n", true},
                                  {"const struct nc_env *", "env", "call->env", false},
                                  {"const struct nc_hyper *", "hyper", "call->hyper", true},
                                  {"const nc_real", "batch", "(nc_real)n", false},
                                  {"nc_real *", "arena", "(nc_real *)call->arena", false},
                                  {"nc_real *", "weights", "(nc_real *)call->weights", false},
                                  {"nc_real *", "state", "(nc_real *)call->state", false},
                                  {"nc_real *", "memory", "(nc_real *)call->memory", false},
                                  {"nc_real *", "prepared", "(nc_real *)call->prepared", false}};
    static const struct {
        BufferKind kind;
        const char *name, *field, *type;
    } arrays[] = {{BUFFER_INPUT, "input", "inputs", "const nc_real *"},
                  {BUFFER_TARGET, "target", "targets", "const nc_real *"},
                  {BUFFER_OUTPUT, "output", "outputs", "nc_real *"}};
    Arena *arena = emitter->arena;
    EntryForm form = {0};
    Local *locals = NULL;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        ARENA_PUSH(arena, locals, form.locals_count, fixed[i]);
    for (int k = 0; k < 3; k++) {
        int count = arrays_used(entry, arrays[k].kind);
        for (int i = 0; i < count; i++) {
            Local local = {
                arrays[k].type, arena_printf(arena, "%s%d", arrays[k].name, i),
                arena_printf(arena, "(%s)call->%s[%d]", arrays[k].type, arrays[k].field, i), true};
            ARENA_PUSH(arena, locals, form.locals_count, local);
        }
    }
    form.locals = locals;
    form.signature = arena_printf(arena,
                                  "void nc_entry_%s(const struct nc_call *call);\n"
                                  "void nc_entry_%s(const struct nc_call *call)",
                                  entry->name, entry->name);
    str_add(out, emit_entry(emitter, entry, &form));
    str_add(out, "\n");
}

static char *unit_text(Arena *arena, const Program *program, EmitTarget target, bool timed)
{
    Style style = {.lowering = target == EMIT_JIT_TCC ? LOWER_BLOCK : LOWER_INFIX,
                   .is_double = target == EMIT_CHECK};
    Emitter *emitter = emitter_new(arena, program, style);
    const Entry *entries[] = {program->prepare, program->predict, program->train, program->eval,
                              program->grad};
    Str wrappers = str_new(arena);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        emitter->timed = timed && entries[i] != program->prepare;
        if (entries[i] && (target != EMIT_CHECK || entries[i] == program->grad))
            emit_wrapper(emitter, &wrappers, entries[i]);
    }
    Str unit = str_new(arena);
    str_add(&unit, emit_prelude(arena, target, timed));
    str_add(&unit, emitter->functions.text);
    str_add(&unit, wrappers.text);
    return unit.text;
}

char *emit_unit(Arena *arena, const Program *program, EmitTarget target)
{
    return unit_text(arena, program, target, false);
}

char *emit_timed_unit(Arena *arena, const Program *program, EmitTarget target)
{
    return unit_text(arena, program, target, true);
}
