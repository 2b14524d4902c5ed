/* Plugins: what needs a library that is slow to load, or that may be absent, lives in NAME.so and is
 * loaded on first use. It is sought in $NETCC_PLUGINS, beside the executable, and in ../lib/netcc
 * from there. A plugin exports one table of functions, nc_plugin_NAME, which begins with a
 * struct nc_plugin; its source is runtime/plugin/NAME.c (see the Makefile's PLUGINS). */
#ifndef NC_PLUGIN_H
#define NC_PLUGIN_H

#include "data/array.h"

enum { NC_PLUGIN_ABI = 3 };
struct nc_plugin {
    int abi; /* NC_PLUGIN_ABI */
};
#define NC_PLUGIN_EXPORT __attribute__((visibility("default")))

/* A table that is linked in, so that no file is sought. */
void nc_plugin_link(const char *name, const struct nc_plugin *table);

/* The table of NAME.so, or NULL with err; `needs` says who wants it: "npz files need libzip". */
const void *nc_plugin(const char *name, const char *needs, const char *path, struct nc_error *err);

#endif
