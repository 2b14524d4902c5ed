/* The table of layers, from the list that the Makefile collects. */
#include "layers/layer.h"

#define X(ident) extern LAYER(ident);
#include "layer_list.h"
#undef X

static const Record *const records[] = {
#define X(ident) &layer_##ident.record,
#include "layer_list.h"
#undef X
};

const Family layers = {"layer", records, (int)(sizeof records / sizeof *records)};
