// Weights as a file that the assembler includes.
//: begin
/* Weights of $name: includes $name.weights, found in the current folder and by the assembler's -I:
 * cc -Wa,-I,FOLDER -c FOLDER/$name_weights.S.  SPDX-License-Identifier: 0BSD */
#ifdef __APPLE__
    .const
    .p2align 6
    .globl _$name_weights
_$name_weights:
    .incbin "$name.weights"
#else
    .section .rodata
    .balign $align
    .globl $name_weights
#ifdef __ELF__
    .type $name_weights, %object
#endif
$name_weights:
    .incbin "$name.weights"
#ifdef __ELF__
    .size $name_weights, . - $name_weights
#endif
#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack,"",%progbits
#endif
#endif
