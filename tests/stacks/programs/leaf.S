/* Some hundred multiplications. SPILL: pushes a register meanwhile, and uses the frame
   pointer for something else. Nothing of this is described. */
    .text
    .globl leaf
    .type leaf, @function
#if defined(__x86_64__)
leaf:
    mov %rdi, %rax
#ifdef SPILL
    push %rbx
    push %rbp
    mov $60, %ebp
    mov $60, %ebx
1:  imul %rax, %rax
    xor %rbx, %rax
    dec %rbx
    dec %ebp
    jnz 1b
    pop %rbp
    pop %rbx
#else
    mov $60, %ecx
1:  imul %rax, %rax
    xor %rcx, %rax
    dec %ecx
    jnz 1b
#endif
    ret
#elif defined(__aarch64__)
leaf:
    mov x1, #60
1:  mul x0, x0, x0
    eor x0, x0, x1
    subs x1, x1, #1
    b.ne 1b
    ret
#else
#error "leaf is not written for this processor"
#endif
    .size leaf, . - leaf
    .section .note.GNU-stack, "", @progbits
