/* The cache of compiled objects: KEY.so, and KEY.c for the curious. The key is a hash of all that
 * goes into an object, so entries are never stale, and one that another machine wrote is only taken
 * by its like. An object ends in a seal (a hash of what is before it), since loading a damaged one
 * would crash. */
#include "driver/driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012), under a key of zeros ------------- */

typedef struct {
    uint64_t low, high;
} Hash;

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1], v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1], v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

static Hash hash(const void *data, size_t length)
{
    uint64_t v[4] = {0x736f6d6570736575, 0x646f72616e646f83, 0x6c7967656e657261,
                     0x7465646279746573};
    uint64_t word, last = (uint64_t)length << 56;
    const unsigned char *bytes = data;
    for (size_t i = 0; i + 8 <= length; i += 8) {
        memcpy(&word, bytes + i, 8);
        sip_word(v, word);
    }
    for (size_t i = 0; i < length % 8; i++)
        last |= (uint64_t)bytes[length / 8 * 8 + i] << (8 * i);
    sip_word(v, last);
    v[2] ^= 0xee;
    sip_rounds(v, 4);
    Hash result = {v[0] ^ v[1] ^ v[2] ^ v[3], 0};
    v[1] ^= 0xdd;
    sip_rounds(v, 4);
    result.high = v[0] ^ v[1] ^ v[2] ^ v[3];
    return result;
}

const char *cache_key(Arena *arena, const Compiler *compiler, const char *unit)
{
    char *text = arena_printf(arena, "%s\n%s", compiler->identity, unit);
    Hash key = hash(text, strlen(text));
    return arena_printf(arena, "%016llx%016llx", (unsigned long long)key.high,
                        (unsigned long long)key.low);
}

/* ---- the folder -------------------------------------------------------------------------------- */

static const char *folder_name(Arena *arena)
{
    const char *own = getenv("NETCC_CACHE"), *xdg = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    if (own && *own)
        return own;
    if (xdg && *xdg)
        return arena_printf(arena, "%s/netcc", xdg);
    return home && *home ? arena_printf(arena, "%s/.cache/netcc", home) : NULL;
}

static bool make_folders(Arena *arena, const char *path)
{
    char *part = arena_strdup(arena, path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(part, 0700);
        *slash = '/';
    }
    return mkdir(part, 0700) == 0 || errno == EEXIST;
}

/* Code is run from there, so nobody else may write to it. */
const char *cache_folder(Arena *arena)
{
    const char *path = folder_name(arena);
    struct stat info;
    if (!path || !make_folders(arena, path) || stat(path, &info) != 0 || !S_ISDIR(info.st_mode) ||
        info.st_uid != geteuid() || (info.st_mode & 0022) || access(path, W_OK | X_OK) != 0)
        return NULL;
    return path;
}

/* ---- objects ----------------------------------------------------------------------------------- */

typedef struct {
    char magic[8];
    Hash hash;
} Seal;
static const char seal_magic[8] = "netccobj";

/* A file, mapped; NULL if it is not there or empty. */
static void *map_file(const char *path, size_t *length)
{
    struct stat info;
    void *data = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
        *length = (size_t)info.st_size;
        data = mmap(NULL, *length, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    return data == MAP_FAILED ? NULL : data;
}

static bool seal_make(const char *path, Seal *seal)
{
    size_t length;
    void *data = map_file(path, &length);
    if (!data)
        return false;
    memcpy(seal->magic, seal_magic, sizeof seal_magic);
    seal->hash = hash(data, length);
    munmap(data, length);
    return true;
}

static bool seal_holds(const char *path)
{
    size_t length;
    char *data = map_file(path, &length);
    if (!data)
        return false;
    bool holds = length > sizeof(Seal);
    if (holds) {
        Seal seal;
        memcpy(&seal, data + length - sizeof seal, sizeof seal);
        Hash now = hash(data, length - sizeof seal);
        holds = memcmp(seal.magic, seal_magic, sizeof seal_magic) == 0 &&
                memcmp(&seal.hash, &now, sizeof now) == 0;
    }
    munmap(data, length);
    return holds;
}

bool library_open(const char *path, Code *code)
{
    code->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    bool complete = code->library != NULL;
    for (int i = 0; i < ENTRY_COUNT && complete; i++) {
        void *symbol = code->wanted[i] ? dlsym(code->library, entry_symbols[i]) : NULL;
        memcpy(&code->entry[i], &symbol, sizeof symbol);
        complete = symbol || !code->wanted[i];
    }
    if (!complete)
        code_free(code);
    return complete;
}

bool cache_load(Arena *arena, const char *key, Code *code)
{
    const char *folder = cache_folder(arena);
    if (!folder)
        return false;
    const char *path = arena_printf(arena, "%s/%s.so", folder, key);
    if (access(path, F_OK) != 0)
        return false;
    if (seal_holds(path) && library_open(path, code))
        return true;
    unlink(path);
    return false;
}

static bool append(const char *path, const void *data, size_t length)
{
    FILE *file = fopen(path, "ab");
    bool good = file && fwrite(data, 1, length, file) == length;
    if (file && fclose(file) != 0)
        good = false;
    return good;
}

/* Both files lie in the cache's own file system if that could be written. */
void cache_store(Arena *arena, const char *key, const char *object, const char *source)
{
    const char *folder = cache_folder(arena);
    Seal seal = {{0}, {0, 0}};
    if (!folder || !seal_make(object, &seal) || !append(object, &seal, sizeof seal))
        return;
    rename(source, arena_printf(arena, "%s/%s.c", folder, key));
    rename(object, arena_printf(arena, "%s/%s.so", folder, key));
}
