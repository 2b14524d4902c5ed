/* npz on demand: the reader and writer live in npz.so, so that only who uses them pays for loading
 * libzip. It is sought in $NETCC_PLUGINS, beside the executable, and in ../lib/netcc from there. */
#include "data/npz.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    nc_npz_open_function *open;
    nc_npz_names_function *names;
    nc_npz_write_function *write;
    char why[400]; /* it is not there */
} plugin;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* POSIX lets a symbol be a function; ISO C wants the detour. */
static void find_function(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
}

static int load_from(const char *folder, const char *below)
{
    char path[4200];
    snprintf(path, sizeof path, "%s%s/npz.so", folder, below);
    if (access(path, F_OK) != 0)
        return -1;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(plugin.why, sizeof plugin.why, "%s", dlerror());
        return -1;
    }
    find_function(library, "nc_npz_open_plugin", &plugin.open);
    find_function(library, "nc_npz_names_plugin", &plugin.names);
    find_function(library, "nc_npz_write_plugin", &plugin.write);
    if (plugin.open && plugin.names && plugin.write)
        return 0;
    snprintf(plugin.why, sizeof plugin.why, "%.300s is not netcc's plugin", path);
    plugin.open = NULL;
    dlclose(library);
    return -1;
}

static void load(void)
{
    const char *named = getenv("NETCC_PLUGINS");
    char own[4096];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = '\0';
    snprintf(plugin.why, sizeof plugin.why, "not found in $NETCC_PLUGINS, %.150s or ../lib/netcc",
             own);
    if (named && *named && load_from(named, "") == 0)
        return;
    if (slash && load_from(own, "") != 0)
        load_from(own, "/../lib/netcc");
}

static int need(const char *path, struct nc_error *err)
{
    pthread_once(&once, load);
    if (plugin.open)
        return 0;
    return nc_fail(err, path, "npz files need libzip and the plugin npz.so: %s", plugin.why);
}

int nc_npz_open(struct nc_array *out, const char *path, const char *member, struct nc_error *err)
{
    *out = (struct nc_array){0};
    return need(path, err) == 0 ? plugin.open(out, path, member, err) : -1;
}

int nc_npz_names(const char *path, char ***names, int *count, struct nc_error *err)
{
    *names = NULL;
    *count = 0;
    return need(path, err) == 0 ? plugin.names(path, names, count, err) : -1;
}

int nc_npz_write(const char *path, const struct nc_named *arrays, int count, struct nc_error *err)
{
    return need(path, err) == 0 ? plugin.write(path, arrays, count, err) : -1;
}
