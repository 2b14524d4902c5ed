#include "embedded.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *folder, *name, *text;
} files[] = {
#include "embedded_data.h"
};

const char *embedded_text(const char *folder, const char *name)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!strcmp(files[i].folder, folder) && !strcmp(files[i].name, name))
            return files[i].text;
    }
    return NULL;
}
