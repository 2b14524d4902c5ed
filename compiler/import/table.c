/* The importers; the first that recognises a file reads it. */
#include "import/import.h"

const Importer *const importers[] = {NULL};
