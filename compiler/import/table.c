/* The importers; the first that recognises a file reads it. */
#include "import/import.h"

extern const Importer import_keras;

const Importer *const importers[] = {&import_keras, NULL};
