// Weights as a file that the assembler includes.
//: begin
/* Weights of $name: includes $name.weights.  SPDX-License-Identifier: 0BSD */
    .section .rodata
    .balign 64
    .globl $name_weights
    .type $name_weights, %object
$name_weights:
    .incbin "$name.weights"
    .size $name_weights, . - $name_weights
#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack,"",%progbits
#endif
