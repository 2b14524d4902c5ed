/* The Keras importer: .h5 and .keras files of whole models, and JSON architectures whose values
 * --weights brings. What Keras 1, 2 and 3 write differs in names and nesting only; the graph is
 * flattened first, the model built, and then each parameter sought in the file. */
#include "import/keras.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/file.h"
#include "data/zip.h"
#include "keras_file.h"

/* ---- messages ---------------------------------------------------------------------------------- */

bool keras_fault(Keras *keras, const KerasLayer *layer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(keras->arena, format, args);
    va_end(args);
    return import_error(keras->import, "layer %s: %s", layer->label, message);
}

const char *keras_text(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const char *keras_show(Arena *arena, json_t *value)
{
    enum { LONGEST = 60 };
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    const char *shown = arena_printf(arena, "%.*s%s", LONGEST, text ? text : "?",
                                     text && strlen(text) > LONGEST ? "..." : "");
    free(text);
    return shown;
}

/* ---- where the architecture is ------------------------------------------------------------------ */

static json_t *parse(Keras *keras, const char *what, const char *text, size_t size)
{
    json_error_t fault;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &fault);
    if (!json)
        import_error(keras->import, "%s: bad JSON: %s (line %d, column %d)", what, fault.text,
                     fault.line, fault.column);
    return json;
}

static bool take_version(Keras *keras, const char *version)
{
    if (version && *version >= '1' && *version <= '9')
        keras->version = *version - '0';
    return true;
}

/* {class_name, config, keras_version, backend}; weights from --weights */
static bool read_json(Keras *keras)
{
    Import *import = keras->import;
    struct nc_map map;
    struct nc_error err;
    if (!import->weights)
        return import_error(import, "holds an architecture only; --weights says where its values "
                                    "are");
    if (nc_file_map(&map, import->path, &err) != 0)
        return import_fault(import, &err);
    keras->architecture = parse(keras, "architecture", (const char *)map.data, map.bytes);
    nc_file_unmap(&map);
    return keras->architecture &&
           take_version(keras, keras_text(keras->architecture, "keras_version"));
}

static json_t *read_member(Keras *keras, const char *member)
{
    struct nc_error err;
    unsigned char *bytes;
    size_t size;
    if (nc_zip_read_one(keras->import->path, member, &bytes, &size, &err) != 0) {
        import_fault(keras->import, &err);
        return NULL;
    }
    json_t *json = parse(keras, member, (const char *)bytes, size);
    free(bytes);
    return json;
}

static bool read_archive(Keras *keras)
{
    json_t *metadata = read_member(keras, "metadata.json");
    keras->architecture = metadata ? read_member(keras, "config.json") : NULL;
    if (metadata)
        take_version(keras, keras_text(metadata, "keras_version"));
    json_decref(metadata);
    if (!keras->architecture)
        return false;
    keras->training = json_incref(json_object_get(keras->architecture, "compile_config"));
    return true;
}

static bool read_h5(Keras *keras)
{
    Import *import = keras->import;
    const struct nc_h5 *h5 = nc_keras_h5(&import->file);
    const struct nc_h5_text *config = nc_h5_text(h5, "/", "model_config", -1);
    const struct nc_h5_text *training = nc_h5_text(h5, "/", "training_config", -1);
    if (!config || config->count != 1)
        return import_error(import, "holds weights only, no architecture: use it with a spec, as "
                                    "--weights, or import its JSON with --weights");
    keras->architecture =
        parse(keras, "model_config", config->values[0], strlen(config->values[0]));
    if (keras->architecture && training && training->count == 1)
        keras->training =
            parse(keras, "training_config", training->values[0], strlen(training->values[0]));
    return keras->architecture != NULL;
}

static bool open_weights(Keras *keras)
{
    Import *import = keras->import;
    struct nc_error err;
    const char *path = import->weights ? import->weights : import->path;
    if (nc_weight_file_open(&import->file, path, &err) != 0)
        return import_fault(import, &err);
    take_version(keras, nc_weight_file_says(&import->file, "keras_version"));
    return true;
}

static bool read_architecture(Keras *keras)
{
    struct nc_file_head head;
    struct nc_error err;
    if (nc_file_head_read(&head, keras->import->path, &err) != 0)
        return import_fault(keras->import, &err);
    if (nc_is_keras_archive(&head))
        return open_weights(keras) && read_archive(keras);
    if (!nc_is_hdf5(&head))
        return read_json(keras) && open_weights(keras);
    if (keras->import->weights)
        return import_error(keras->import, "has weights itself; --weights is for architectures in "
                                           "JSON");
    return open_weights(keras) && read_h5(keras);
}

/* ---- the importer ------------------------------------------------------------------------------- */

static void tell_what_is_left_out(Keras *keras)
{
    if (keras->drops_training)
        import_note(keras->import,
                    "regularizers and constraints are left out; they act in training only");
    if (keras->drops_initializers)
        import_note(keras->import, "initializers that netcc lacks are left out; they act before "
                                   "training only");
    if (keras->channels_first)
        import_note(keras->import, "channels come last now: the inputs of images are transposed");
}

static bool read_keras(Import *import)
{
    Keras keras = {
        .import = import, .arena = import->arena, .version = 1, .made_by = import->trained_with};
    bool good = read_architecture(&keras) && keras_read_graph(&keras);
    if (good) {
        keras_read_training(&keras);
        good = import_build(import) && keras_bind(&keras);
    }
    if (good)
        tell_what_is_left_out(&keras);
    json_decref(keras.architecture);
    json_decref(keras.training);
    return good;
}

/* JSON begins with a brace; what is no Keras model is told so by what is missing. */
static bool is_json(const struct nc_file_head *head)
{
    size_t at = 0;
    while (at < head->count && strchr(" \t\r\n", head->bytes[at]) && head->bytes[at])
        at++;
    return at < head->count && head->bytes[at] == '{';
}

static bool recognises(const struct nc_file_head *head)
{
    return nc_is_hdf5(head) || nc_is_keras_archive(head) || is_json(head);
}

const Importer import_keras = {"Keras", recognises, read_keras};
