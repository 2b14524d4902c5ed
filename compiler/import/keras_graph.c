/* Keras's models as one graph: Sequential and functional models, models inside models, whose layers
 * take the models' names in front of their own. */
#include "import/keras.h"

#include <string.h>

enum { DEEPEST = 16, DEEPEST_CALL = 4000, MOST_LAYERS = 20000, MOST_INPUTS = 4096 };

/* A model that is being flattened. */
typedef struct {
    const char *names; /* of the models around it: "a/b/"; "" for the outermost */
    const char *group; /* NULL for the outermost */
    const char *path;  /* in Keras 3's files: "layers/sequential/" */
    int depth, index;
    bool trainable;
} Scope;

/* Names of tensors in the spec. */
typedef struct {
    const char **names;
    int count;
} Tensors;

static bool add_model(Keras *keras, json_t *model, const Scope *scope, const Tensors *in,
                      Tensors *out);

/* The counts of a container's keys: a class's name in snake case, the second one with _1. */
typedef struct {
    const char **names;
    int *counts;
    int count;
} Keys;

static const char *next_key(Arena *arena, Keys *keys, const char *class)
{
    const char *name = keras_snake_case(arena, class);
    for (int i = 0; i < keys->count; i++) {
        if (!strcmp(keys->names[i], name))
            return arena_printf(arena, "%s_%d", name, keys->counts[i]++);
    }
    int at = keys->count;
    ARENA_PUSH(arena, keys->names, keys->count, name);
    ARENA_PUSH(arena, keys->counts, at, 1);
    return name;
}

static bool broken(Keras *keras, const Scope *scope, const char *what)
{
    return import_error(keras->import, "model %s%s",
                        *scope->names ? scope->names : "config: ", what);
}

/* ---- a layer ------------------------------------------------------------------------------------ */

static bool is_model(const char *class)
{
    return !strcmp(class, "Sequential") || !strcmp(class, "Functional") || !strcmp(class, "Model");
}

static const char *layer_name(json_t *layer)
{
    const char *name = keras_text(json_object_get(layer, "config"), "name");
    return name ? name : keras_text(layer, "name");
}

/* Ours for a layer of theirs: the names of the models around it in front. */
static const char *label_of(Keras *keras, const Scope *scope, const char *name)
{
    return arena_printf(keras->arena, "%s%s", scope->names, name);
}

static bool is_trainable(json_t *config)
{
    return !json_is_false(json_object_get(config, "trainable"));
}

static bool add_plain_layer(Keras *keras, json_t *layer, const Scope *scope, const char *key,
                            const Tensors *in, bool again, Tensors *out)
{
    json_t *config = json_object_get(layer, "config");
    const char *name = layer_name(layer);
    KerasLayer *l = ARENA_NEW(keras->arena, KerasLayer);
    *l = (KerasLayer){.theirs = arena_strdup(keras->arena, name),
                      .label = label_of(keras, scope, name),
                      .index = scope->index,
                      .trainable = scope->trainable && is_trainable(config),
                      .again = again};
    l->group = scope->group ? scope->group : l->theirs;
    l->path = arena_printf(keras->arena, "%slayers/%s", scope->path, key);
    l->ours = import_name(keras->import, l->label);
    ARENA_PUSH(keras->arena, keras->layers, keras->layers_count, l);
    if (keras->layers_count > MOST_LAYERS)
        return import_error(keras->import, "more than %d layers", MOST_LAYERS);
    if (!keras_add_layer(keras, l, keras_text(layer, "class_name"), config, in->names, in->count))
        return false;
    *out = (Tensors){0};
    ARENA_PUSH(keras->arena, out->names, out->count, l->ours);
    return true;
}

/* Models without a config that is one are a user's own class. */
static bool check_layer(Keras *keras, json_t *layer, const Scope *scope)
{
    const char *class = keras_text(layer, "class_name");
    if (!class || !json_object_get(layer, "config"))
        return broken(keras, scope, "a layer has no class_name and config");
    if (!layer_name(layer) && !is_model(class))
        return broken(keras, scope, "a layer has no name");
    return true;
}

/* One call of a layer or a model. */
static bool call_layer(Keras *keras, json_t *layer, const Scope *scope, const char *key,
                       const Tensors *in, bool again, Tensors *out)
{
    const char *class = keras_text(layer, "class_name"), *name = layer_name(layer);
    if (!is_model(class))
        return add_plain_layer(keras, layer, scope, key, in, again, out);
    if (again)
        return import_error(keras->import, "model %s is called more than once",
                            name ? name : class);
    if (!name)
        name = key;
    Scope inner = {.names = arena_printf(keras->arena, "%s%s/", scope->names, name),
                   .group = scope->group ? scope->group : arena_strdup(keras->arena, name),
                   .path = arena_printf(keras->arena, "%slayers/%s/", scope->path, key),
                   .depth = scope->depth + 1,
                   .index = scope->index,
                   .trainable = scope->trainable && is_trainable(json_object_get(layer, "config"))};
    return add_model(keras, layer, &inner, in, out);
}

/* ---- inputs ------------------------------------------------------------------------------------- */

static json_t *batch_shape(json_t *config)
{
    json_t *shape = json_object_get(config, "batch_input_shape");
    return shape ? shape : json_object_get(config, "batch_shape");
}

/* Keras 1 may give input_dim or input_shape alone, without the batch. */
static int shape_without_batch(json_t *config, json_t **sizes)
{
    json_t *shape = batch_shape(config);
    *sizes = shape;
    if (json_is_array(shape))
        return 1;
    *sizes = json_object_get(config, "input_shape");
    if (json_is_array(*sizes))
        return 0;
    *sizes = json_object_get(config, "input_dim");
    return json_is_integer(*sizes) ? 0 : -1;
}

static bool read_shape(Keras *keras, const char *label, json_t *config, int64_t *shape, int *rank)
{
    json_t *sizes;
    int first = shape_without_batch(config, &sizes);
    if (first < 0)
        return import_error(keras->import, "input %s has no shape", label);
    size_t count = json_is_array(sizes) ? json_array_size(sizes) : 1;
    if (count <= (size_t)first || count - (size_t)first > NC_MAX_RANK - 1)
        return import_error(keras->import, "input %s: the shape %s is not supported", label,
                            keras_show(keras->arena, sizes));
    *rank = 0;
    for (size_t i = (size_t)first; i < count; i++) {
        json_t *size = json_is_array(sizes) ? json_array_get(sizes, i) : sizes;
        if (!json_is_integer(size) || json_integer_value(size) < 1)
            return import_error(keras->import,
                                "input %s: the shape %s leaves a size open; netcc needs them all",
                                label, keras_show(keras->arena, sizes));
        shape[(*rank)++] = json_integer_value(size);
    }
    return true;
}

/* The one input of a network is called `input`. */
static bool add_input(Keras *keras, const char *label, json_t *config, bool only, Tensors *out)
{
    int64_t shape[NC_MAX_RANK];
    int rank = 0;
    if (!read_shape(keras, label, config, shape, &rank))
        return false;
    if (keras->channels_first && rank == 3) {
        int64_t channels = shape[0];
        shape[0] = shape[1];
        shape[1] = shape[2];
        shape[2] = channels;
    }
    const char *name = import_name(keras->import, only ? "input" : label);
    import_input(keras->import, name, rank, shape);
    ARENA_PUSH(keras->arena, out->names, out->count, name);
    return true;
}

/* ---- Sequential --------------------------------------------------------------------------------- */

/* A list, or from Keras 2.2 on a map with one. */
static json_t *layers_of(json_t *model)
{
    json_t *config = json_object_get(model, "config");
    return json_is_array(config) ? config : json_object_get(config, "layers");
}

static bool is_input(json_t *layer)
{
    const char *class = keras_text(layer, "class_name");
    return class && !strcmp(class, "InputLayer");
}

/* The config that holds the shape of what a Sequential reads: its first layer's, or deeper. */
static json_t *first_config(json_t *layer, int depth)
{
    const char *class = keras_text(layer, "class_name");
    if (class && is_model(class) && depth < DEEPEST)
        return first_config(json_array_get(layers_of(layer), 0), depth + 1);
    return json_object_get(layer, "config");
}

static bool add_sequential(Keras *keras, json_t *model, const Scope *scope, const Tensors *in,
                           Tensors *out)
{
    json_t *list = layers_of(model), *layer;
    Keys keys = {0};
    size_t i;
    Scope at = *scope;
    *out = in ? *in : (Tensors){0};
    if (!in && !add_input(keras, "input", first_config(json_array_get(list, 0), 0), true, out))
        return false;
    if (out->count != 1)
        return broken(keras, scope, "a Sequential model is called with several inputs");
    json_array_foreach(list, i, layer)
    {
        if (!check_layer(keras, layer, scope))
            return false;
        const char *key = next_key(keras->arena, &keys, keras_text(layer, "class_name"));
        Tensors from = *out;
        at.index = scope->group ? scope->index : (int)i;
        if (!is_input(layer) && !call_layer(keras, layer, &at, key, &from, false, out))
            return false;
    }
    return true;
}

/* ---- functional models -------------------------------------------------------------------------- */

/* A layer of a functional model: what its calls gave. */
typedef struct {
    json_t *json;
    const char *name, *key;
    Tensors *calls; /* by node index */
    bool *running, *done;
    int calls_count, index;
} Member;

typedef struct {
    Keras *keras;
    const Scope *scope;
    Member *members;
    int count, depth;
} Functional;

static Member *find_member(Functional *f, const char *name)
{
    for (int i = 0; i < f->count; i++) {
        if (!strcmp(f->members[i].name, name))
            return &f->members[i];
    }
    import_error(f->keras->import, "model %s refers to a layer %s that it lacks",
                 *f->scope->names ? f->scope->names : "config", name);
    return NULL;
}

static bool call_member(Functional *f, Member *m, int node);

/* ["layer", node, tensor, ...] as the name of a tensor */
static bool read_reference(Functional *f, json_t *reference, Tensors *out)
{
    const char *name = json_string_value(json_array_get(reference, 0));
    json_t *node = json_array_get(reference, 1), *tensor = json_array_get(reference, 2);
    if (!name || !json_is_integer(node) || !json_is_integer(tensor))
        return broken(f->keras, f->scope, "a reference to a layer is none");
    Member *m = find_member(f, name);
    json_int_t n = json_integer_value(node), t = json_integer_value(tensor);
    if (!m)
        return false;
    if (n < 0 || n >= m->calls_count)
        return import_error(f->keras->import, "layer %s has no call number %lld", name,
                            (long long)n);
    if (!call_member(f, m, (int)n))
        return false;
    if (t < 0 || t >= m->calls[n].count)
        return import_error(f->keras->import, "layer %s has no result number %lld", name,
                            (long long)t);
    ARENA_PUSH(f->keras->arena, out->names, out->count, m->calls[n].names[t]);
    return out->count <= MOST_INPUTS;
}

/* Arguments of a call that change nothing */
static bool check_arguments(Functional *f, const Member *m, json_t *arguments)
{
    const char *key;
    json_t *value;
    json_object_foreach(arguments, key, value)
    {
        bool plain = json_is_null(value) || !strcmp(key, "training");
        if (!plain)
            return import_error(f->keras->import,
                                "layer %s%s: it is called with %s = %s, which netcc lacks",
                                f->scope->names, m->name, key, keras_show(f->keras->arena, value));
    }
    return true;
}

/* Keras 3: tensors are objects of class __keras_tensor__, in lists or alone. */
static bool read_tensors3(Functional *f, const Member *m, json_t *value, int depth, Tensors *out)
{
    json_t *item;
    size_t i;
    if (json_is_array(value) && depth < 3) {
        json_array_foreach(value, i, item)
        {
            if (!read_tensors3(f, m, item, depth + 1, out))
                return false;
        }
        return true;
    }
    const char *class = keras_text(value, "class_name");
    json_t *history = json_object_get(json_object_get(value, "config"), "keras_history");
    if (!class || strcmp(class, "__keras_tensor__") != 0 || !history)
        return import_error(f->keras->import,
                            "layer %s%s: it is called with %s, which is no tensor", f->scope->names,
                            m->name, keras_show(f->keras->arena, value));
    return read_reference(f, history, out);
}

/* Keras 1 and 2: a list of [layer, node, tensor, arguments] */
static bool read_tensors2(Functional *f, const Member *m, json_t *node, Tensors *out)
{
    json_t *reference;
    size_t i;
    json_array_foreach(node, i, reference)
    {
        if (!read_reference(f, reference, out) ||
            !check_arguments(f, m, json_array_get(reference, 3)))
            return false;
    }
    return true;
}

static bool read_call(Functional *f, const Member *m, int index, Tensors *out)
{
    json_t *node = json_array_get(json_object_get(m->json, "inbound_nodes"), (size_t)index);
    if (json_is_object(node))
        return read_tensors3(f, m, json_object_get(node, "args"), 0, out) &&
               check_arguments(f, m, json_object_get(node, "kwargs"));
    return read_tensors2(f, m, node, out);
}

static bool call_member(Functional *f, Member *m, int node)
{
    Tensors in = {0};
    Scope at = *f->scope;
    if (m->done[node])
        return true;
    if (m->running[node] || f->depth > DEEPEST_CALL)
        return import_error(f->keras->import, "layer %s%s reads itself", f->scope->names, m->name);
    m->running[node] = true;
    f->depth++;
    at.index = f->scope->group ? f->scope->index : m->index;
    bool good = read_call(f, m, node, &in);
    if (good && !in.count)
        good = import_error(f->keras->import, "layer %s%s reads nothing", f->scope->names, m->name);
    good = good && call_layer(f->keras, m->json, &at, m->key, &in, node > 0, &m->calls[node]);
    f->depth--;
    m->running[node] = false;
    m->done[node] = good;
    return good;
}

static bool list_members(Functional *f, json_t *list)
{
    Arena *arena = f->keras->arena;
    Keys keys = {0};
    json_t *layer;
    size_t i;
    f->members = ARENA_ARRAY(arena, Member, json_array_size(list) + 1);
    json_array_foreach(list, i, layer)
    {
        if (!check_layer(f->keras, layer, f->scope))
            return false;
        Member *m = &f->members[f->count++];
        size_t calls = json_array_size(json_object_get(layer, "inbound_nodes"));
        const char *name = keras_text(layer, "name");
        m->json = layer;
        m->name = name ? name : layer_name(layer);
        if (!m->name)
            return broken(f->keras, f->scope, "a layer has no name");
        m->key = next_key(arena, &keys, keras_text(layer, "class_name"));
        m->index = (int)i;
        m->calls_count = is_input(layer) ? 1 : (int)calls;
        m->calls = ARENA_ARRAY(arena, Tensors, m->calls_count + 1);
        m->running = ARENA_ARRAY(arena, bool, m->calls_count + 1);
        m->done = ARENA_ARRAY(arena, bool, m->calls_count + 1);
    }
    return true;
}

/* A list of references, or in Keras 3 one alone */
static json_t *as_list(json_t *references, json_t **made)
{
    if (json_is_array(references) && json_is_string(json_array_get(references, 0))) {
        *made = json_pack("[O]", references);
        return *made;
    }
    return references;
}

static bool bind_inputs(Functional *f, json_t *references, const Tensors *in)
{
    json_t *reference;
    size_t i;
    if (in && (size_t)in->count != json_array_size(references))
        return broken(f->keras, f->scope, "it is called with another number of inputs");
    json_array_foreach(references, i, reference)
    {
        const char *name = json_string_value(json_array_get(reference, 0));
        Member *m = name ? find_member(f, name) : NULL;
        if (!m || !is_input(m->json))
            return broken(f->keras, f->scope, "an input is no InputLayer");
        if (m->done[0])
            return broken(f->keras, f->scope, "an input is listed twice");
        if (in)
            ARENA_PUSH(f->keras->arena, m->calls[0].names, m->calls[0].count, in->names[i]);
        else if (!add_input(f->keras, name, json_object_get(m->json, "config"),
                            json_array_size(references) == 1, &m->calls[0]))
            return false;
        m->done[0] = true;
    }
    return true;
}

/* Layers in the file's order, so that a spec reads as its source did; then the outputs. */
static bool call_all(Functional *f, json_t *references, Tensors *out)
{
    json_t *reference;
    size_t i;
    for (int k = 0; k < f->count; k++) {
        Member *m = &f->members[k];
        if (is_input(m->json) && !m->done[0])
            return broken(f->keras, f->scope, "an InputLayer is not among its inputs");
        for (int node = 0; node < m->calls_count; node++) {
            if (!call_member(f, m, node))
                return false;
        }
    }
    *out = (Tensors){0};
    json_array_foreach(references, i, reference)
    {
        if (!read_reference(f, reference, out))
            return false;
    }
    return out->count || broken(f->keras, f->scope, "it has no outputs");
}

static bool add_functional(Keras *keras, json_t *model, const Scope *scope, const Tensors *in,
                           Tensors *out)
{
    json_t *config = json_object_get(model, "config"), *made[2] = {0};
    Functional f = {.keras = keras, .scope = scope};
    json_t *inputs = as_list(json_object_get(config, "input_layers"), &made[0]);
    json_t *outputs = as_list(json_object_get(config, "output_layers"), &made[1]);
    bool good = json_is_array(inputs) && json_is_array(outputs) && json_array_size(inputs);
    if (!good)
        broken(keras, scope, "it has no input_layers and output_layers");
    good = good && list_members(&f, json_object_get(config, "layers")) &&
           bind_inputs(&f, inputs, in) && call_all(&f, outputs, out);
    json_decref(made[0]);
    json_decref(made[1]);
    return good;
}

/* ---- models ------------------------------------------------------------------------------------- */

static bool add_model(Keras *keras, json_t *model, const Scope *scope, const Tensors *in,
                      Tensors *out)
{
    json_t *list = layers_of(model);
    if (scope->depth > DEEPEST)
        return import_error(keras->import, "models are nested more than %d deep", DEEPEST);
    if (!json_is_array(list) || !json_array_size(list))
        return broken(keras, scope, "it has no layers");
    return (!strcmp(keras_text(model, "class_name"), "Sequential")
                ? add_sequential
                : add_functional)(keras, model, scope, in, out);
}

/* Do layers say where channels stand? Looked at before all else, as inputs are shaped by it. */
static void look_for_channels(Keras *keras, json_t *model, int depth)
{
    json_t *layer;
    size_t i;
    json_array_foreach(layers_of(model), i, layer)
    {
        json_t *config = json_object_get(layer, "config");
        const char *class = keras_text(layer, "class_name");
        const char *format = keras_text(config, "data_format");
        const char *ordering = keras_text(config, "dim_ordering");
        if (class && is_model(class) && depth < DEEPEST)
            look_for_channels(keras, layer, depth + 1);
        if (class && !strcmp(class, "Flatten"))
            continue;
        keras->channels_first = keras->channels_first ||
                                (format && !strcmp(format, "channels_first")) ||
                                (ordering && !strcmp(ordering, "th"));
        keras->channels_last = keras->channels_last ||
                               (format && !strcmp(format, "channels_last")) ||
                               (ordering && !strcmp(ordering, "tf"));
    }
}

static bool set_outputs(Keras *keras, const Tensors *out)
{
    const char *last = keras->layers_count ? keras->layers[keras->layers_count - 1]->ours : NULL;
    if (!last)
        return import_error(keras->import, "the network has no layers");
    if (out->count != 1 || strcmp(out->names[0], last) != 0)
        import_outputs(keras->import, out->names, out->count);
    return true;
}

static const char *model_name(Keras *keras)
{
    const char *name = keras_text(json_object_get(keras->architecture, "config"), "name");
    return name ? name : "model";
}

bool keras_read_graph(Keras *keras)
{
    const char *class = keras_text(keras->architecture, "class_name");
    Scope scope = {.names = "", .path = "", .trainable = true};
    Tensors out;
    if (!class)
        return import_error(keras->import, "is JSON, but no Keras model: it has no class_name");
    if (!is_model(class))
        return import_error(keras->import,
                            "the model is of the class %s; only Sequential and functional models "
                            "say what they compute",
                            class);
    look_for_channels(keras, keras->architecture, 0);
    if (keras->channels_first && keras->channels_last)
        return import_error(keras->import, "some layers have channels first, some last");
    import_begin(keras->import, model_name(keras));
    return add_model(keras, keras->architecture, &scope, NULL, &out) && set_outputs(keras, &out);
}
