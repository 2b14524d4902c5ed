/* driver: from a Program to machine code that runs behind an nc_model.
 *
 *     tcc   libtcc, in memory, within milliseconds; calls the precompiled vocabulary
 *     cc    the system's compiler, as a shared object that is kept in a cache
 *     auto  starts on tcc, has cc at work beside it and changes over between two calls; both are
 *           one Program with the same layouts, so nothing but speed changes
 */
#ifndef NETCC_DRIVER_H
#define NETCC_DRIVER_H

#include <sys/types.h>

#include "compile.h"

typedef struct Backend Backend;

typedef enum { BACKEND_AUTO, BACKEND_TCC, BACKEND_CC } BackendKind;

/* What is to run. `emit` is emit_unit; tests put their own C here. */
typedef struct {
    Arena *arena;
    Diag *diag;
    const Program *program;
    struct nc_model *model; /* its entry points are set, and changed by backend_poll */
    char *(*emit)(Arena *arena, const Program *program, EmitTarget target);
} LoadRequest;

/* Each is NULL with errors in diag where the machine lacks what it needs. The emitted C being
 * refused is a bug(). */
Backend *load_tcc(const LoadRequest *request, EmitTarget target);
Backend *load_cc(const LoadRequest *request);
Backend *load_auto(const LoadRequest *request);
Backend *backend_open(const LoadRequest *request, BackendKind kind);

/* Between two calls of the model: changes over to better code once it is there. Cheap. */
void backend_poll(Backend *backend);
const char *backend_name(const Backend *backend); /* what runs now: "tcc" or "cc" */
/* The model's entry points are NULL afterwards. */
void backend_close(Backend *backend);

/* ---- between the driver's files -------------------------------------------------------------- */

enum { ENTRY_PREPARE, ENTRY_PREDICT, ENTRY_TRAIN, ENTRY_EVAL, ENTRY_GRAD, ENTRY_COUNT };
extern const char *const entry_symbols[ENTRY_COUNT]; /* "nc_entry_prepare" ... */

/* A compiled unit. */
typedef struct {
    bool wanted[ENTRY_COUNT];
    nc_entry_function *entry[ENTRY_COUNT];
    void *memory; /* mapped, by tcc */
    size_t bytes;
    void *library; /* of dlopen, by cc */
} Code;
void code_free(Code *code);

/* tcc.c: false where memory cannot be made executable. */
bool tcc_compile(Arena *arena, const char *unit, EmitTarget target, Code *code);

/* cc.c: one run of the system's compiler. */
typedef struct Build Build;
/* The compiler, resolved; false with the reason in `why` where there is none. */
typedef struct {
    const char *const *command; /* NULL-terminated: compiler and flags */
    const char *path;           /* of the executable */
    const char *identity;       /* path, size, time and flags as a text */
} Compiler;
bool compiler_find(Arena *arena, Compiler *compiler, const char **why);
typedef enum { BUILD_RUNNING, BUILD_DONE, BUILD_FAILED } BuildState;
/* Starts it; in the background at low priority, in a process group of its own. */
Build *build_start(Arena *arena, const Compiler *compiler, const char *unit, bool background,
                   const char **why);
BuildState build_wait(Build *build, bool block);
/* Of a finished build: opens the object and puts it into the cache under `key` if there is one. */
bool build_take(Build *build, const char *key, Code *code, const char **why);
void build_close(Build *build); /* ends what still runs, removes what lies about */

/* cache.c: objects by key. */
const char *cache_key(Arena *arena, const Compiler *compiler, const char *unit);
/* The folder, made if need be; NULL where there can be none. */
const char *cache_folder(Arena *arena);
/* Opens the cached object; one that is damaged is removed. */
bool cache_load(Arena *arena, const char *key, Code *code);
void cache_store(Arena *arena, const char *key, const char *object, const char *source);
/* The object of a path with all entries that are wanted. */
bool library_open(const char *path, Code *code);

#endif
