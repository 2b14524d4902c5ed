/* Plugins: found, loaded and kept. One that is not there is sought again at the next use. */
#include "plugin.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PLUGINS = 16, LONGEST_NAME = 32, WHY = 400 };

static struct {
    char name[LONGEST_NAME];
    const struct nc_plugin *table;
} loaded[MOST_PLUGINS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct nc_plugin *load_from(const char *folder, const char *below, const char *name,
                                         char why[WHY])
{
    char path[4200], symbol[LONGEST_NAME + 16];
    snprintf(path, sizeof path, "%s%s/%s.so", folder, below, name);
    if (access(path, F_OK) != 0)
        return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(why, WHY, "%s", dlerror());
        return NULL;
    }
    snprintf(symbol, sizeof symbol, "nc_plugin_%s", name);
    const struct nc_plugin *table = dlsym(library, symbol);
    if (table && table->abi == NC_PLUGIN_ABI)
        return table;
    snprintf(why, WHY, "%.300s is not netcc's plugin", path);
    dlclose(library);
    return NULL;
}

static const struct nc_plugin *load(const char *name, char why[WHY])
{
    const char *named = getenv("NETCC_PLUGINS");
    const struct nc_plugin *table = NULL;
    char own[4096];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = '\0';
    snprintf(why, WHY, "not found in $NETCC_PLUGINS, %.150s or ../lib/netcc", own);
    if (named && *named)
        table = load_from(named, "", name, why);
    if (!table && slash)
        table = load_from(own, "", name, why);
    if (!table && slash)
        table = load_from(own, "/../lib/netcc", name, why);
    return table;
}

/* Loaded before, or now. */
static const struct nc_plugin *find(const char *name, char why[WHY])
{
    int i = 0;
    while (i < MOST_PLUGINS - 1 && loaded[i].table && strcmp(loaded[i].name, name) != 0)
        i++;
    if (!loaded[i].table) {
        loaded[i].table = load(name, why);
        snprintf(loaded[i].name, sizeof loaded[i].name, "%s", name);
    }
    return loaded[i].table;
}

void nc_plugin_link(const char *name, const struct nc_plugin *table)
{
    int i = 0;
    while (i < MOST_PLUGINS - 1 && loaded[i].table)
        i++;
    loaded[i].table = table;
    snprintf(loaded[i].name, sizeof loaded[i].name, "%s", name);
}

const void *nc_plugin(const char *name, const char *needs, const char *path, struct nc_error *err)
{
    char why[WHY];
    pthread_mutex_lock(&lock);
    const struct nc_plugin *table = find(name, why);
    pthread_mutex_unlock(&lock);
    if (!table)
        nc_fail(err, path, "%s and the plugin %s.so: %s", needs, name, why);
    return table;
}
