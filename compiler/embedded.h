/* Files embedded into the binary at build: templates/NAME.c, and the vocabulary under
 * ("runtime", "vocab"). */
#ifndef NETCC_EMBEDDED_H
#define NETCC_EMBEDDED_H

const char *embedded_text(const char *folder, const char *name); /* NULL where there is none */

#endif
