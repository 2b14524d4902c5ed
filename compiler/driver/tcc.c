/* Tier 0: libtcc compiles a unit in memory. The unit includes nothing and is linked with nothing; it
 * sees the precompiled vocabulary of this machine's instruction set and a few functions of libc and
 * libm. Parts of libtcc are global, hence the lock. */
#include "driver/driver.h"

#include <libtcc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "native.h"

const char *const entry_symbols[ENTRY_COUNT] = {"nc_entry_prepare", "nc_entry_predict",
                                                "nc_entry_train", "nc_entry_eval", "nc_entry_grad"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* tcc emits calls to these for assignments and initialisers. */
static const struct nc_native_symbol memory_symbols[] = {
    {"memcpy", (void (*)(void))memcpy},
    {"memset", (void (*)(void))memset},
    {"memmove", (void (*)(void))memmove},
};

/* What the scalar vocabulary calls */
typedef double unary(double);
typedef float unary_float(float);
#define LIBM(name)                                                                                 \
    {                                                                                              \
#name, (void (*)(void))(unary *)name                                                       \
    }
#define LIBMF(name)                                                                                \
    {                                                                                              \
#name, (void (*)(void))(unary_float *)name                                                 \
    }
static const struct nc_native_symbol libm_symbols[] = {
    LIBM(exp),
    LIBM(expm1),
    LIBM(log),
    LIBM(log1p),
    LIBM(tanh),
    LIBM(erf),
    LIBM(sqrt),
    LIBM(floor),
    LIBM(fabs),
    LIBM(sin),
    LIBM(cos),
    {"pow", (void (*)(void))pow},
    {"fma", (void (*)(void))fma},
    LIBMF(sqrtf),
    LIBMF(floorf),
    LIBMF(fabsf),
    {"fmaf", (void (*)(void))fmaf},
};

static void add_symbols(TCCState *tcc, const struct nc_native_symbol *symbols, int count)
{
    for (int i = 0; i < count; i++)
        tcc_add_symbol(tcc, symbols[i].name, nc_native_address(&symbols[i]));
}

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static void collect(void *messages, const char *message)
{
    Str *text = messages;
    if (text->length < 2000)
        str_printf(text, "\n  %s", message);
}

static TCCState *new_state(EmitTarget target, Str *messages)
{
    const struct nc_native *native = nc_native_select();
    TCCState *tcc = tcc_new();
    if (!tcc)
        bug("out of memory");
    tcc_set_error_func(tcc, messages, collect);
    tcc_set_options(tcc, "-nostdlib -nostdinc");
    tcc_set_output_type(tcc, TCC_OUTPUT_MEMORY);
    add_symbols(tcc, memory_symbols, COUNT(memory_symbols));
    if (target == EMIT_CHECK) {
        tcc_define_symbol(tcc, "NC_SCALAR", "1");
        tcc_define_symbol(tcc, "NC_DOUBLE", "1");
        add_symbols(tcc, libm_symbols, COUNT(libm_symbols));
    } else {
        char rows[16];
        snprintf(rows, sizeof rows, "%d", native->rows);
        tcc_define_symbol(tcc, "NC_ROWS", rows);
        add_symbols(tcc, native->symbols, native->count);
    }
    return tcc;
}

/* Keeps the unit for whoever looks into it; the file's name. */
static const char *keep_unit(Arena *arena, const char *unit)
{
    const char *folder = getenv("TMPDIR");
    char *path = arena_printf(arena, "%s/netcc-bug-XXXXXX.c", folder && *folder ? folder : "/tmp");
    int fd = mkstemps(path, 2);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file)
        return "(could not be written)";
    fputs(unit, file);
    fclose(file);
    return path;
}

static void find_entries(Arena *arena, TCCState *tcc, const char *unit, Code *code)
{
    for (int i = 0; i < ENTRY_COUNT; i++) {
        void *symbol = code->wanted[i] ? tcc_get_symbol(tcc, entry_symbols[i]) : NULL;
        if (code->wanted[i] && !symbol)
            bug("the generated code lacks %s; it is in %s", entry_symbols[i],
                keep_unit(arena, unit));
        memcpy(&code->entry[i], &symbol, sizeof symbol);
    }
}

/* Our own mapping, so that the state can go and a machine that forbids it is noticed. */
static bool place(TCCState *tcc, int bytes, Code *code)
{
    code->bytes = (size_t)bytes + 64;
    code->memory = mmap(NULL, code->bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code->memory == MAP_FAILED) {
        code->memory = NULL;
        return false;
    }
    return tcc_relocate(tcc, code->memory) >= 0;
}

bool tcc_compile(Arena *arena, const char *unit, EmitTarget target, Code *code)
{
    Str messages = str_new(arena);
    pthread_mutex_lock(&lock);
    TCCState *tcc = new_state(target, &messages);
    int bytes = tcc_compile_string(tcc, unit) == 0 ? tcc_relocate(tcc, NULL) : -1;
    if (bytes < 0)
        bug("tcc refuses the generated code, which is in %s:%s", keep_unit(arena, unit),
            messages.text);
    bool placed = place(tcc, bytes, code);
    if (placed)
        find_entries(arena, tcc, unit, code);
    tcc_delete(tcc);
    pthread_mutex_unlock(&lock);
    if (!placed)
        code_free(code);
    return placed;
}
