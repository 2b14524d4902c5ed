// Weights as text.
//: begin
/* Weights of $name, in the layout that $name.c expects.  SPDX-License-Identifier: 0BSD */
#include "$name.h"

#if defined(__GNUC__) || defined(__TINYC__)
__attribute__((aligned($align)))
#endif
const struct $name_weights $name_weights = {{
        $values}};
