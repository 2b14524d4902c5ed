/* Names first, then layouts. A tensor's name is taken apart into a module and what it is there; the
 * module becomes a layer, and what it is one of the layer's parameters. */
#include "import/match.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "import/import.h"
#include "weights.h"

/* A tensor's name, taken apart */
typedef struct {
    const char *module, *suffix;
    int position, siblings; /* among the module's tensors */
} Theirs;

typedef struct {
    const Model *model;
    Arena *arena;
    Diag *diag;
    const struct nc_model *nc;
    const struct nc_weight_file *file;
    Matching *out;
    Theirs *theirs;   /* by tensor */
    bool *used, *led; /* by entry of the map: it spoke of a tensor, and led to a parameter */
} Matcher;

const char *match_place(const struct nc_weight *tensor)
{
    return tensor->place ? tensor->place : tensor->name;
}

/* ---- our names ---------------------------------------------------------------------------------- */

static int find_parameter(const Matcher *m, const char *name)
{
    const struct nc_parameter *p = nc_find_parameter(m->nc, name);
    return p && p->role != NC_ROLE_SLOT ? (int)(p - m->nc->parameters) : -1;
}

static bool is_of_layer(const struct nc_parameter *p, const char *layer)
{
    size_t length = strlen(layer);
    return p->role != NC_ROLE_SLOT && !strncmp(p->name, layer, length) && p->name[length] == '/';
}

static int count_parameters(const Matcher *m, const char *layer)
{
    int count = 0;
    for (int i = 0; i < m->nc->parameters_count; i++)
        count += is_of_layer(&m->nc->parameters[i], layer);
    return count;
}

static int parameter_at(const Matcher *m, const char *layer, int position)
{
    for (int i = 0; i < m->nc->parameters_count; i++) {
        if (is_of_layer(&m->nc->parameters[i], layer) && !position--)
            return i;
    }
    return -1;
}

static bool is_layer(const Matcher *m, const char *name)
{
    for (int i = 0; i < m->model->layers_count; i++) {
        if (!strcmp(m->model->layers[i].path->name, name))
            return true;
    }
    return false;
}

static const char *identifier(Arena *arena, const char *text)
{
    char *name = arena_strdup(arena, text);
    for (char *c = name; *c; c++)
        *c = isalnum((unsigned char)*c) ? *c : '_';
    return name;
}

/* ---- their names -------------------------------------------------------------------------------- */

static const char *strip_number(Arena *arena, const char *suffix)
{
    const char *colon = strchr(suffix, ':');
    return colon ? arena_strndup(arena, suffix, (size_t)(colon - suffix)) : suffix;
}

static Theirs split_at(Arena *arena, const char *name, char mark)
{
    const char *last = strrchr(name, mark);
    if (!last)
        return (Theirs){.module = "", .suffix = name};
    return (Theirs){.module = arena_strndup(arena, name, (size_t)(last - name)),
                    .suffix = strip_number(arena, last + 1)};
}

static int small_number(const char *text)
{
    long number = strtol(text, NULL, 10);
    return number < 0 || number > 1000000 ? -1 : (int)number;
}

/* layers/dense_1/vars/0 */
static Theirs split_position(Arena *arena, const char *name)
{
    static const char vars[] = "/vars/";
    const char *at = strstr(name, vars);
    if (!at)
        return (Theirs){.module = name, .suffix = "", .position = -1};
    return (Theirs){.module = arena_strndup(arena, name, (size_t)(at - name)),
                    .suffix = "",
                    .position = small_number(at + sizeof vars - 1)};
}

static Theirs take_apart(const Matcher *m, int tensor)
{
    const struct nc_weight *w = &m->file->weights[tensor];
    switch (m->file->convention) {
    case NC_BY_TORCH:
        return split_at(m->arena, w->name, '.');
    case NC_BY_POSITION:
        return split_position(m->arena, w->name);
    default:
        break;
    }
    Theirs t = split_at(m->arena, w->name, '/');
    if (m->file->convention == NC_BY_LAYER && w->layer)
        t.module = w->layer;
    return t;
}

/* A module's tensors stand one after another: counts them, and those before, which is the tensor's
 * place where the file gives them in order. */
static void count_siblings(Matcher *m)
{
    for (int first = 0, end; first < m->file->count; first = end) {
        for (end = first + 1; end < m->file->count; end++) {
            if (strcmp(m->theirs[end].module, m->theirs[first].module) != 0)
                break;
        }
        for (int i = first; i < end; i++) {
            m->theirs[i].siblings = end - first;
            if (m->file->convention == NC_BY_LAYER)
                m->theirs[i].position = i - first;
        }
    }
}

static void read_names(Matcher *m)
{
    m->theirs = ARENA_ARRAY(m->arena, Theirs, m->file->count + 1);
    for (int i = 0; i < m->file->count; i++)
        m->theirs[i] = take_apart(m, i);
    count_siblings(m);
}

/* PyTorch's words for what a module holds, and ours, of which a layer has one */
static const struct {
    const char *theirs, *ours;
} torch_words[] = {{"weight", "kernel"},
                   {"weight", "depthwise_kernel"},
                   {"weight", "gamma"},
                   {"weight", "embeddings"},
                   {"weight", "alpha"},
                   {"bias", "bias"},
                   {"bias", "beta"},
                   {"running_mean", "moving_mean"},
                   {"running_var", "moving_variance"}};

static int torch_parameter(const Matcher *m, const char *layer, const char *suffix)
{
    for (size_t i = 0; i < sizeof torch_words / sizeof *torch_words; i++) {
        if (strcmp(torch_words[i].theirs, suffix) != 0)
            continue;
        int at = find_parameter(m, arena_printf(m->arena, "%s/%s", layer, torch_words[i].ours));
        if (at >= 0)
            return at;
    }
    return -1;
}

/* What a module's tensor is in a layer of ours */
static int in_layer(const Matcher *m, const char *layer, const Theirs *t)
{
    int at = find_parameter(m, arena_printf(m->arena, "%s/%s", layer, t->suffix));
    if (m->file->convention == NC_BY_TORCH)
        return torch_parameter(m, layer, t->suffix);
    if (m->file->convention == NC_BY_PARAMETER || at >= 0)
        return at;
    return t->siblings == count_parameters(m, layer) ? parameter_at(m, layer, t->position) : -1;
}

/* The layer of number N among those of its kind, for KIND or KIND_N */
static const char *numbered_layer(const Matcher *m, const char *text)
{
    for (int i = 0, n = 0; i < m->model->layers_count; i++) {
        const LayerName *layer = &m->model->layers[i];
        size_t length = strlen(layer->kind);
        if (strncmp(text, layer->kind, length) != 0)
            continue;
        if (text[length] && (text[length] != '_' || !isdigit((unsigned char)text[length + 1])))
            continue;
        if (n++ == (text[length] ? small_number(text + length + 1) : 0))
            return layer->path->name;
    }
    return NULL;
}

/* The layer that a module's name means by the file's convention, or NULL */
static const char *layer_of(const Matcher *m, const char *module)
{
    static const char layers[] = "layers/", cell[] = "/cell";
    if (m->file->convention != NC_BY_POSITION)
        return m->file->convention == NC_BY_PARAMETER ? module : identifier(m->arena, module);
    if (strncmp(module, layers, sizeof layers - 1) != 0)
        return NULL;
    size_t length = strlen(module);
    if (length > sizeof cell && !strcmp(module + length - sizeof cell + 1, cell))
        module = arena_strndup(m->arena, module, length - sizeof cell + 1);
    return numbered_layer(m, module + sizeof layers - 1);
}

static int by_convention(const Matcher *m, const Theirs *t)
{
    const char *layer = layer_of(m, t->module);
    return layer ? in_layer(m, layer, t) : -1;
}

/* ---- the map ------------------------------------------------------------------------------------ */

/* `ours` with its stars filled in */
static const char *filled(Arena *arena, const char *ours, const GlobSpan *spans)
{
    Str text = str_new(arena);
    for (; *ours; ours++) {
        if (*ours == '*') {
            str_addn(&text, spans->start, spans->length);
            spans++;
        } else {
            str_addn(&text, ours, 1);
        }
    }
    return text.text;
}

static bool unknown_ours(const Matcher *m, const NameRule *rule, const char *ours)
{
    int count;
    const char **names = layer_and_param_names(m->model, &count);
    return diag_unknown(m->diag, rule->loc, "layer or parameter", ours, names, count);
}

/* What `ours` of an entry comes to where its `theirs` matches `name`: NULL if it does not. */
static const char *entry_name(const Matcher *m, const NameRule *rule, const char *name)
{
    GlobSpan spans[GLOB_STARS];
    return glob_capture(rule->theirs, name, spans) >= 0 ? filled(m->arena, rule->ours, spans)
                                                        : NULL;
}

/* One entry of the map, held against the name of a tensor, then of its module: -1: it leads
 * nowhere, -2: an error. *said: it spoke of the tensor. */
static int by_entry(const Matcher *m, const NameRule *rule, int tensor, const Theirs *t, bool *said)
{
    const struct nc_weight *w = &m->file->weights[tensor];
    const char *names[3] = {w->name, match_place(w), t->module}, *ours = NULL;
    *said = false;
    for (int i = 0; i < 3; i++) {
        const char *name = entry_name(m, rule, names[i]);
        if (!name)
            continue;
        *said = true;
        ours = name;
        int at = i < 2 ? find_parameter(m, name) : -1;
        if (at < 0 && is_layer(m, name))
            return in_layer(m, name, t);
        if (at >= 0)
            return at;
    }
    if (!*said || strchr(rule->ours, '*'))
        return -1;
    unknown_ours(m, rule, ours);
    return -2;
}

static int by_map(const Matcher *m, int tensor, const Theirs *t, bool *said)
{
    const Pretrained *p = &m->model->pretrained;
    *said = false;
    for (int i = 0; i < p->map_count && !*said; i++) {
        int at = by_entry(m, &p->map[i], tensor, t, said);
        m->used[i] |= *said;
        m->led[i] |= *said && at >= 0;
        if (*said)
            return at;
    }
    return -1;
}

static bool check_map_used(const Matcher *m)
{
    const Pretrained *p = &m->model->pretrained;
    const char **names = NULL;
    int count = 0;
    bool ok = true;
    for (int i = 0; i < m->file->count; i++) {
        if (!i || strcmp(m->theirs[i].module, m->theirs[i - 1].module) != 0)
            ARENA_PUSH(m->arena, names, count, m->theirs[i].module);
        ARENA_PUSH(m->arena, names, count, match_place(&m->file->weights[i]));
    }
    for (int i = 0; i < p->map_count; i++) {
        const NameRule *rule = &p->map[i];
        if (!m->used[i])
            ok = diag_unknown(m->diag, rule->loc, "tensor", rule->theirs, names, count);
        else if (!m->led[i])
            ok = diag_error(m->diag, rule->loc,
                            "map: of the tensors that '%s' means none is a parameter as '%s'",
                            rule->theirs, rule->ours);
    }
    return ok;
}

/* ---- what is skipped ---------------------------------------------------------------------------- */

static bool skips_parameter(const Matcher *m, const NamePattern *skip, const char *name)
{
    if (glob_match_path(skip->pattern, name))
        return true;
    for (int i = 0; i < m->model->layers_count; i++) {
        const LayerPath *layer = m->model->layers[i].path;
        size_t length = strlen(layer->name);
        if (strncmp(name, layer->name, length) != 0 || name[length] != '/')
            continue;
        for (; layer; layer = layer->outer) {
            if (glob_match_path(skip->pattern, layer->name))
                return true;
        }
    }
    return false;
}

static bool skip_parameters(Matcher *m, const NamePattern *skip)
{
    bool any = false;
    for (int i = 0; i < m->nc->parameters_count; i++) {
        const struct nc_parameter *p = &m->nc->parameters[i];
        if (p->role == NC_ROLE_SLOT || !skips_parameter(m, skip, p->name))
            continue;
        m->out->matches[i].skipped = true;
        any = true;
    }
    return any;
}

static bool skip_tensors(Matcher *m, const NamePattern *skip)
{
    bool any = false;
    for (int i = 0; i < m->file->count; i++) {
        const struct nc_weight *w = &m->file->weights[i];
        if (!glob_match(skip->pattern, w->name) && !glob_match(skip->pattern, match_place(w)))
            continue;
        m->out->because[i] = "skipped";
        any = true;
    }
    return any;
}

static bool read_skips(Matcher *m)
{
    bool ok = true;
    for (int i = 0; i < m->model->pretrained.skip_count; i++) {
        const NamePattern *skip = &m->model->pretrained.skip[i];
        bool parameters = skip_parameters(m, skip);
        if (skip_tensors(m, skip) || parameters)
            continue;
        int count;
        const char **names = layer_and_param_names(m->model, &count);
        ok = diag_unknown(m->diag, skip->loc, "layer, parameter or tensor", skip->pattern, names,
                          count);
    }
    return ok;
}

/* ---- layouts ------------------------------------------------------------------------------------ */

static bool ends_in(const char *name, const char *end)
{
    size_t a = strlen(name), b = strlen(end);
    return a >= b && !strcmp(name + a - b, end);
}

static void set_perm(Match *match, int rank, const int *perm)
{
    for (int i = 0; i < rank; i++)
        match->perm[i] = perm ? perm[i] : i;
}

/* [out, in, height, width], of a depthwise one [channels * multiplier, 1, height, width] */
static void set_torch_layout(const struct nc_parameter *p, const struct nc_weight *w, Match *match)
{
    static const int conv[] = {2, 3, 1, 0}, depthwise[] = {2, 3, 0, 1}, conv1d[] = {2, 1, 0},
                     dense[] = {1, 0};
    if (!ends_in(p->name, "kernel"))
        return;
    if (w->rank == 4)
        set_perm(match, 4, w->shape[1] == 1 && p->shape[2] != 1 ? depthwise : conv);
    else if (w->rank == 3)
        set_perm(match, 3, conv1d);
    else if (w->rank == 2)
        set_perm(match, 2, dense);
}

/* PyTorch flattens an image channel by channel. */
static void set_layout(const Matcher *m, int parameter, const struct nc_weight *w, Match *match)
{
    const struct nc_parameter *p = &m->nc->parameters[parameter];
    const char *backend = nc_weight_file_says(m->file, "backend");
    set_perm(match, w->rank, NULL);
    if (m->file->convention == NC_BY_TORCH) {
        set_torch_layout(p, w, match);
        memcpy(match->image, model_find(m->model, p->name)->image, sizeof match->image);
    } else if (w->rank == 4 && backend && !strcmp(backend, "theano")) {
        match->flipped = 3; /* Theano slides the window's mirror image */
    }
}

/* A tensor may have one axis where ours has two of the same extent: [h, w, c * multiplier, 1]. */
static bool fits(const struct nc_parameter *p, const struct nc_weight *w, const Match *match)
{
    int64_t shape[NC_MAX_RANK];
    for (int i = 0; i < w->rank; i++)
        shape[i] = w->shape[match->perm[i]];
    if (p->rank != w->rank)
        return false;
    if (w->rank == 4 && match->perm[2] == 0)
        return shape[0] == p->shape[0] && shape[1] == p->shape[1] &&
               shape[2] == p->shape[2] * p->shape[3];
    return !memcmp(shape, p->shape, (size_t)p->rank * sizeof *shape);
}

static bool wrong_shape(const Matcher *m, const struct nc_parameter *p, const struct nc_weight *w)
{
    char ours[NC_SHAPE_TEXT], theirs[NC_SHAPE_TEXT];
    diag_error(m->diag, m->model->pretrained.loc, "'%s' is %s, but '%s' of %s is %s%s", p->name,
               nc_shape_text(p->rank, p->shape, ours), match_place(w), m->file->path,
               nc_shape_text(w->rank, w->shape, theirs),
               m->file->convention == NC_BY_TORCH ? " in PyTorch's layout" : "");
    if (m->model->pretrained.weights)
        diag_note(m->diag, (Loc){0}, "pretrained.skip initialises a parameter anew");
    return false;
}

/* ---- one tensor after another ------------------------------------------------------------------- */

static bool taken_twice(const Matcher *m, int tensor, int parameter)
{
    const struct nc_weight *weights = m->file->weights;
    return diag_error(m->diag, m->model->pretrained.loc, "'%s' and '%s' of %s are both for '%s'",
                      match_place(&weights[m->out->matches[parameter].tensor]),
                      match_place(&weights[tensor]), m->file->path,
                      m->nc->parameters[parameter].name);
}

static bool take(Matcher *m, int tensor, int parameter)
{
    const struct nc_parameter *p = &m->nc->parameters[parameter];
    const struct nc_weight *w = &m->file->weights[tensor];
    Match *match = &m->out->matches[parameter];
    if (match->skipped) {
        m->out->because[tensor] = "skipped";
        return true;
    }
    if (match->tensor >= 0)
        return taken_twice(m, tensor, parameter);
    set_layout(m, parameter, w, match);
    if (!fits(p, w, match))
        return wrong_shape(m, p, w);
    match->tensor = tensor;
    m->out->parameter[tensor] = parameter;
    return true;
}

static bool match_tensor(Matcher *m, int tensor)
{
    const Theirs t = m->theirs[tensor];
    bool said;
    if (m->out->because[tensor])
        return true;
    int at = by_map(m, tensor, &t, &said);
    if (at < -1)
        return false;
    if (!said)
        at = by_convention(m, &t);
    if (at >= 0)
        return take(m, tensor, at);
    m->out->because[tensor] = "left over";
    return true;
}

static void begin(Matcher *m)
{
    Matching *out = m->out;
    *out = (Matching){.model = m->nc,
                      .file = m->file,
                      .matches = ARENA_ARRAY(m->arena, Match, m->nc->parameters_count + 1),
                      .parameter = ARENA_ARRAY(m->arena, int, m->file->count + 1),
                      .because = ARENA_ARRAY(m->arena, const char *, m->file->count + 1)};
    for (int i = 0; i < m->nc->parameters_count; i++)
        out->matches[i].tensor = -1;
    for (int i = 0; i < m->file->count; i++)
        out->parameter[i] = -1;
}

bool match_weights(const Model *model, const struct nc_model *nc, const struct nc_weight_file *file,
                   Matching *out)
{
    Matcher m = {.model = model,
                 .arena = model->arena,
                 .diag = model->diag,
                 .nc = nc,
                 .file = file,
                 .out = out,
                 .used = ARENA_ARRAY(model->arena, bool, model->pretrained.map_count + 1),
                 .led = ARENA_ARRAY(model->arena, bool, model->pretrained.map_count + 1)};
    begin(&m);
    read_names(&m);
    bool ok = read_skips(&m), any = false;
    for (int i = 0; i < file->count; i++) {
        ok = match_tensor(&m, i) && ok;
        any |= out->parameter[i] >= 0;
    }
    ok = ok && check_map_used(&m);
    if (ok && !any)
        return diag_error(m.diag, model->pretrained.loc,
                          "%s: none of its %d tensors is a parameter of this network; "
                          "pretrained.map tells which are",
                          file->path, file->count);
    return ok;
}

/* ---- values ------------------------------------------------------------------------------------- */

/* Rows that were counted [c, h, w] are put in the order [h, w, c]. */
static void turn_rows(const Match *match, int64_t columns, const float *in, float *out)
{
    int64_t h = match->image[0], w = match->image[1], c = match->image[2];
    for (int64_t y = 0; y < h * w; y++) {
        for (int64_t k = 0; k < c; k++)
            memcpy(out + (y * c + k) * columns, in + (k * h * w + y) * columns,
                   (size_t)columns * sizeof *out);
    }
}

int match_read(const Matching *matching, int parameter, float *out, struct nc_error *err)
{
    const Match *match = &matching->matches[parameter];
    const struct nc_weight *w = &matching->file->weights[match->tensor];
    float *values = malloc((size_t)w->elements * sizeof *values + 1);
    if (!values)
        return nc_fail(err, matching->file->path, "out of memory");
    int result = nc_weight_read(matching->file, match->tensor, values, err);
    if (result == 0) {
        import_permute(values, w->rank, w->shape, match->perm, match->flipped, out);
        if (match->image[0]) {
            memcpy(values, out, (size_t)w->elements * sizeof *values);
            turn_rows(match, matching->model->parameters[parameter].shape[1], values, out);
        }
    }
    free(values);
    return result;
}
