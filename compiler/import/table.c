/* The importers; the first that recognises a file reads it. */
#include "import/import.h"

extern const Importer import_keras, import_onnx;

const Importer *const importers[] = {&import_keras, &import_onnx, NULL};
