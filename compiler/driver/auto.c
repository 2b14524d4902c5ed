/* Backends behind a model, and the change from tcc to cc while it is in use. The compiler is a child
 * that is looked at between two calls, so there is no thread and no lock: who calls the model also
 * changes its entry points. A run that is over quickly never starts it. */
#include "driver/driver.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <time.h>

enum { START_AFTER_MS = 50, POLL_EVERY_MS = 2 };

struct Backend {
    LoadRequest request;
    Code code;
    const char *name;
    const char *unit, *key; /* for cc; NULL unit: nothing better is to come */
    Compiler compiler;
    Build *build;
    int64_t next_ms; /* when to look again */
};

void code_free(Code *code)
{
    if (code->memory)
        munmap(code->memory, code->bytes);
    if (code->library)
        dlclose(code->library);
    code->memory = code->library = NULL;
    for (int i = 0; i < ENTRY_COUNT; i++)
        code->entry[i] = NULL;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What the program has to offer */
static Code blank(const Program *program)
{
    return (Code){.wanted = {program->prepare != NULL, program->predict != NULL,
                             program->train != NULL, program->eval != NULL, program->grad != NULL}};
}

static void use(Backend *backend, const char *name, const Code *code)
{
    struct nc_model *model = backend->request.model;
    code_free(&backend->code);
    backend->code = *code;
    backend->name = name;
    model->prepare.run = code->entry[ENTRY_PREPARE];
    model->predict.run = code->entry[ENTRY_PREDICT];
    model->train.run = code->entry[ENTRY_TRAIN];
    model->eval.run = code->entry[ENTRY_EVAL];
    model->grad.run = code->entry[ENTRY_GRAD];
}

static Backend *backend_new(const LoadRequest *request)
{
    Backend *backend = ARENA_NEW(request->arena, Backend);
    backend->request = *request;
    return backend;
}

static bool start_tcc(Backend *backend, EmitTarget target)
{
    const LoadRequest *r = &backend->request;
    Code code = blank(r->program);
    for (int i = 0; target == EMIT_CHECK && i < ENTRY_COUNT; i++)
        code.wanted[i] &= i == ENTRY_GRAD; /* which is all that it has */
    if (!tcc_compile(r->arena, r->emit(r->arena, r->program, target), target, &code))
        return false;
    use(backend, "tcc", &code);
    return true;
}

/* Finds the compiler and the key of what it would make. */
static bool prepare_cc(Backend *backend, const char **why)
{
    const LoadRequest *r = &backend->request;
    if (!compiler_find(r->arena, &backend->compiler, why))
        return false;
    backend->unit = r->emit(r->arena, r->program, EMIT_JIT_CC);
    backend->key = cache_key(r->arena, &backend->compiler, backend->unit);
    return true;
}

static bool start_cached(Backend *backend)
{
    Code code = blank(backend->request.program);
    if (!cache_load(backend->request.arena, backend->key, &code))
        return false;
    use(backend, "cc", &code);
    backend->unit = NULL;
    return true;
}

/* Takes what a finished build made. */
static bool finish_build(Backend *backend, const char **why)
{
    Code code = blank(backend->request.program);
    bool taken = build_take(backend->build, backend->key, &code, why);
    if (taken)
        use(backend, "cc", &code);
    build_close(backend->build);
    backend->build = NULL;
    backend->unit = NULL;
    return taken;
}

static bool start_cc(Backend *backend, const char **why)
{
    if (!prepare_cc(backend, why))
        return false;
    if (start_cached(backend))
        return true;
    backend->build =
        build_start(backend->request.arena, &backend->compiler, backend->unit, false, why);
    if (!backend->build)
        return false;
    build_wait(backend->build, true);
    return finish_build(backend, why);
}

Backend *load_tcc(const LoadRequest *request, EmitTarget target)
{
    Backend *backend = backend_new(request);
    if (start_tcc(backend, target))
        return backend;
    diag_error(request->diag, (Loc){0},
               "this system denies executable memory, which tcc needs; try --backend cc");
    return NULL;
}

Backend *load_cc(const LoadRequest *request)
{
    const char *why = NULL;
    Backend *backend = backend_new(request);
    if (start_cc(backend, &why))
        return backend;
    diag_error(request->diag, (Loc){0}, "%s", why);
    return NULL;
}

Backend *load_auto(const LoadRequest *request)
{
    const char *why = NULL;
    Backend *backend = backend_new(request);
    if (prepare_cc(backend, &why) && start_cached(backend))
        return backend;
    if (!start_tcc(backend, EMIT_JIT_TCC)) {
        diag_note(request->diag, (Loc){0}, "this system denies executable memory; using cc");
        return load_cc(request);
    }
    if (why)
        diag_note(request->diag, (Loc){0}, "%s; staying on tcc", why);
    backend->next_ms = now_ms() + START_AFTER_MS;
    return backend;
}

Backend *backend_open(const LoadRequest *request, BackendKind kind)
{
    switch (kind) {
    case BACKEND_TCC:
        return load_tcc(request, EMIT_JIT_TCC);
    case BACKEND_CC:
        return load_cc(request);
    case BACKEND_AUTO:
        break;
    }
    return load_auto(request);
}

/* Gives up on cc, once. */
static void stay(Backend *backend, const char *why)
{
    diag_note(backend->request.diag, (Loc){0}, "%s; staying on tcc", why);
    backend->unit = NULL;
}

void backend_poll(Backend *backend)
{
    const char *why = NULL;
    if (!backend->unit)
        return;
    int64_t now = now_ms();
    if (now < backend->next_ms)
        return;
    backend->next_ms = now + POLL_EVERY_MS;
    if (!backend->build) {
        backend->build =
            build_start(backend->request.arena, &backend->compiler, backend->unit, true, &why);
        if (!backend->build)
            stay(backend, why);
    } else if (build_wait(backend->build, false) != BUILD_RUNNING && !finish_build(backend, &why)) {
        stay(backend, why);
    }
}

const char *backend_name(const Backend *backend)
{
    return backend->name;
}

void backend_close(Backend *backend)
{
    const Code none = {.wanted = {false}};
    if (backend->build)
        build_close(backend->build);
    backend->build = NULL;
    backend->unit = NULL;
    use(backend, "none", &none);
}
