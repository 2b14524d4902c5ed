// The weights of an executable of `netcc build`.
//: begin
    .section .rodata
    .balign 64
    .globl nc_weights_inside
nc_weights_inside:
    .incbin "$path"
    .section .note.GNU-stack,"",%progbits
