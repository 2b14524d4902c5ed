// Weights as text.
//: begin
/* Weights of $name, in the layout that $name.c expects.  SPDX-License-Identifier: 0BSD */
#include "$name.h"

const struct $name_weights $name_weights = {{
        $values}};
