/* emit for an executable: the model's descriptor as C, with the headers that it needs in front, so that
 * it is compiled without a folder of headers. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "embedded.h"
#include "emit.h"
#include "work.h"

typedef struct {
    Arena *arena;
    const Program *program;
    const struct nc_model *nc;
    TemplateRecord *bind;
    int ports; /* in the table so far */
} Descriptor;

static const char *number(Arena *arena, double value)
{
    return arena_printf(arena, "%.17g", value);
}

/* "28, 28, 1"; an initialiser is never empty */
static const char *shape_list(Arena *arena, int rank, const int64_t *shape)
{
    Str text = str_new(arena);
    for (int i = 0; i < rank; i++)
        str_printf(&text, "%s%lld", i ? ", " : "", (long long)shape[i]);
    return rank ? text.text : "0";
}

static void add_ports(Descriptor *d, const struct nc_port *ports, int count)
{
    for (int i = 0; i < count; i++) {
        const struct nc_port *p = &ports[i];
        TemplateRecord *item = template_item(d->bind, "ports");
        template_text(item, "name", p->name);
        template_int(item, "rank", p->rank);
        template_text(item, "shape", shape_list(d->arena, p->rank, p->shape));
        template_int(item, "elements", p->elements);
        template_int(item, "batched", p->batched);
    }
    d->ports += count;
}

/* NAME_arena, NAME_outputs and NAME_at, where its ports start */
static void add_entry(Descriptor *d, const char *name, const struct nc_entry *entry)
{
    template_int(d->bind, arena_printf(d->arena, "%s_arena", name), (int64_t)entry->arena_bytes);
    template_int(d->bind, arena_printf(d->arena, "%s_outputs", name), entry->outputs_count);
    template_int(d->bind, arena_printf(d->arena, "%s_at", name), d->ports);
    add_ports(d, entry->outputs, entry->outputs_count);
}

static void add_parameter(const Descriptor *d, const struct nc_parameter *p)
{
    TemplateRecord *item = template_item(d->bind, "parameters");
    Str levels = str_new(d->arena);
    for (int i = 0; i < p->levels; i++)
        str_printf(&levels, "%s{%d, %lld, %lld}", i ? ", " : "", p->level[i].axis,
                   (long long)p->level[i].extent, (long long)p->level[i].factor);
    template_text(item, "name", p->name);
    template_int(item, "role", p->role);
    template_int(item, "rank", p->rank);
    template_text(item, "shape", shape_list(d->arena, p->rank, p->shape));
    template_int(item, "elements", p->elements);
    template_int(item, "offset", p->offset);
    template_int(item, "packed", p->packed_elements);
    template_int(item, "levels", p->levels);
    template_text(item, "level", p->levels ? levels.text : "{0, 0, 0}");
    template_int(item, "kind", p->init.kind);
    template_text(item, "a", number(d->arena, p->init.a));
    template_text(item, "b", number(d->arena, p->init.b));
    template_int(item, "trainable", p->trainable);
}

static void add_model(Descriptor *d)
{
    const struct nc_model *nc = d->nc;
    template_text(d->bind, "name", nc->name);
    template_int(d->bind, "batch", nc->batch);
    template_int(d->bind, "weights_bytes", (int64_t)nc->weights_bytes);
    template_int(d->bind, "state_bytes", (int64_t)nc->state_bytes);
    template_int(d->bind, "prepared_bytes", (int64_t)nc->prepared_bytes);
    template_int(d->bind, "prepare_arena", (int64_t)nc->prepare.arena_bytes);
    template_int(d->bind, "memory_bytes", (int64_t)nc->memory_bytes);
    template_int(d->bind, "inputs", nc->inputs_count);
    template_int(d->bind, "targets", nc->targets_count);
    template_list(d->bind, "ports");
    add_ports(d, nc->inputs, nc->inputs_count);
    add_ports(d, nc->targets, nc->targets_count);
    add_entry(d, "predict", &nc->predict);
    add_entry(d, "train", &nc->train);
    add_entry(d, "eval", &nc->eval);
    template_int(d->bind, "parameters_count", nc->parameters_count);
    template_list(d->bind, "parameters");
    for (int i = 0; i < nc->parameters_count; i++)
        add_parameter(d, &nc->parameters[i]);
    template_int(d->bind, "metrics_count", nc->metrics_count);
    template_list(d->bind, "metrics");
    for (int i = 0; i < nc->metrics_count; i++)
        template_text(template_item(d->bind, "metrics"), "name", nc->metrics[i]);
}

static void add_codes(const Descriptor *d, const char *const *isas)
{
    template_list(d->bind, "codes");
    for (; *isas; isas++) {
        TemplateRecord *item = template_item(d->bind, "codes");
        template_text(item, "isa", *isas);
        template_int(item, "trains", d->program->train != NULL);
        template_int(item, "prepares", d->program->prepare != NULL);
    }
}

static void add_work(const Descriptor *d, const char *name, const Entry *entry)
{
    Work work = entry ? entry_products(entry) : (Work){0, 0};
    template_text(d->bind, arena_printf(d->arena, "%s_row", name), number(d->arena, work.row));
    template_text(d->bind, arena_printf(d->arena, "%s_fixed", name), number(d->arena, work.fixed));
}

static void add_digits(const Descriptor *d, const char *name, const DataSource *source)
{
    bool digits = source->kind == SOURCE_DIGITS;
    template_int(d->bind, name, digits ? source->count : 0);
    template_int(d->bind, arena_printf(d->arena, "%s_seed", name), digits ? source->seed : 0);
}

static void add_defaults(const Descriptor *d)
{
    const Model *model = d->program->model;
    const TrainOptions *train = &model->train_options;
    template_text(d->bind, "learning_rate", number(d->arena, train->learning_rate));
    template_int(d->bind, "epochs", train->epochs);
    template_int(d->bind, "seed", train->seed);
    template_int(d->bind, "shuffle", train->shuffle);
    template_int(d->bind, "one_hot", model->one_hot);
    add_digits(d, "digits", &model->train_data);
    add_digits(d, "test_digits", &model->test_data);
}

/* As a literal of C: every byte but the plainest as three octal digits. */
static const char *literal(Arena *arena, const char *text)
{
    Str out = str_new(arena);
    str_add(&out, "\"");
    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || strchr(" _.,:-+/()[]{}", *text))
            str_addn(&out, text, 1);
        else
            str_printf(&out, "\\%03o", (unsigned)(unsigned char)*text);
    }
    str_add(&out, "\"");
    return out.text;
}

static void add_classes(const Descriptor *d)
{
    const Model *model = d->program->model;
    template_list(d->bind, "classes");
    for (int i = 0; i < model->targets_count; i++) {
        const ClassNames none = {NULL, 0, 0}, *c = model->classes ? &model->classes[i] : &none;
        TemplateRecord *item = template_item(d->bind, "classes");
        template_int(item, "at", i);
        template_int(item, "named", c->names != NULL);
        template_int(item, "unnamed", c->names == NULL);
        template_int(item, "count", c->count);
        template_text(item, "threshold", number(d->arena, c->threshold));
        template_list(item, "names");
        for (int k = 0; c->names && k < c->count; k++)
            template_text(template_item(item, "names"), "text", literal(d->arena, c->names[k]));
    }
}

static void add_metadata(const Descriptor *d)
{
    const Model *model = d->program->model;
    template_list(d->bind, "metadata");
    template_int(d->bind, "metadata_count", model->metadata_count);
    for (int i = 0; i < model->metadata_count; i++) {
        TemplateRecord *item = template_item(d->bind, "metadata");
        template_text(item, "key", literal(d->arena, model->metadata[2 * i]));
        template_text(item, "text", literal(d->arena, model->metadata[2 * i + 1]));
    }
}

static void add_pictures(const Descriptor *d, const char *const *linked)
{
    const Framing *f = &d->program->model->framing;
    template_list(d->bind, "linked");
    for (; *linked; linked++)
        template_text(template_item(d->bind, "linked"), "name", *linked);
    template_int(d->bind, "own_size", !f->resizes || f->resize_count);
    template_int(d->bind, "resize_height", f->resize[0]);
    template_int(d->bind, "resize_width", f->resize[1]);
    template_int(d->bind, "antialias", f->antialias);
    template_int(d->bind, "bgr", f->bgr);
}

char *emit_model(Arena *arena, const Program *program, const struct nc_model *nc,
                 const char *const *isas, const char *const *linked, bool has_weights)
{
    Descriptor d = {arena, program, nc, template_record(arena), 0};
    Str text = str_new(arena);
    add_model(&d);
    add_codes(&d, isas);
    add_work(&d, "predict", program->predict);
    add_work(&d, "train", program->train);
    add_defaults(&d);
    add_classes(&d);
    add_metadata(&d);
    add_pictures(&d, linked);
    template_int(d.bind, "has_weights", has_weights);
    str_add(&text, embedded_text("runtime", "netcc"));
    str_add(&text, embedded_text("runtime", "standalone"));
    template_expand(&text, "product_model", template_source(arena, "product_model"), d.bind);
    return text.text;
}

char *emit_weights_inside(Arena *arena, const char *path)
{
    Str text = str_new(arena);
    TemplateRecord *bind = template_record(arena);
    template_text(bind, "path", path);
    template_expand(&text, "product_inside", template_source(arena, "product_inside"), bind);
    return text.text;
}
