/* Files embedded into the binary at build, by folder and name; .c and .h are left out of the name:
 * ("templates", "matmul"), ("runtime", "vocab"), ("templates/completion", "netcc.bash"). */
#ifndef NETCC_EMBEDDED_H
#define NETCC_EMBEDDED_H

#include "base/arena.h"

const char *embedded_text(const char *folder, const char *name); /* NULL where there is none */
/* The vocabulary in one piece: vocab.h with its parts in the place of their #includes. */
const char *embedded_vocabulary(Arena *arena);

#endif
