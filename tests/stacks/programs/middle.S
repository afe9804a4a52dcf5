/* Calls delta some times. CFI: described; FRAME: undescribed, with a frame
   pointer; neither: undescribed, and the frame pointer used for something else. */
#ifdef CFI
#define DESCRIBE(...) __VA_ARGS__
#else
#define DESCRIBE(...)
#endif
    .text
    .globl middle
    .type middle, @function
#if defined(__x86_64__)
middle:
    DESCRIBE(.cfi_startproc)
#ifdef FRAME
    push %rbp
    mov %rsp, %rbp
    push %rbx
    push %r12
    mov $8, %ebx
    mov %rdi, %r12
1:  mov %r12, %rdi
    call delta
    add %rax, %r12
    dec %ebx
    jnz 1b
    mov %r12, %rax
    pop %r12
    pop %rbx
    pop %rbp
    ret
#else
    push %rbp
    DESCRIBE(.cfi_adjust_cfa_offset 8)
    DESCRIBE(.cfi_rel_offset rbp, 0)
    push %rbx
    DESCRIBE(.cfi_adjust_cfa_offset 8)
    DESCRIBE(.cfi_rel_offset rbx, 0)
    sub $24, %rsp
    DESCRIBE(.cfi_adjust_cfa_offset 24)
    mov $8, %ebp
    mov %rdi, %rbx
1:  mov %rbx, %rdi
    call delta
    add %rax, %rbx
    dec %ebp
    jnz 1b
    mov %rbx, %rax
    add $24, %rsp
    DESCRIBE(.cfi_adjust_cfa_offset -24)
    pop %rbx
    DESCRIBE(.cfi_adjust_cfa_offset -8)
    DESCRIBE(.cfi_restore rbx)
    pop %rbp
    DESCRIBE(.cfi_adjust_cfa_offset -8)
    DESCRIBE(.cfi_restore rbp)
    ret
#endif
    DESCRIBE(.cfi_endproc)
#elif defined(__aarch64__)
middle:
    DESCRIBE(.cfi_startproc)
    stp x29, x30, [sp, #-32]!
    DESCRIBE(.cfi_adjust_cfa_offset 32)
    DESCRIBE(.cfi_rel_offset x29, 0)
    DESCRIBE(.cfi_rel_offset x30, 8)
    stp x19, x20, [sp, #16]
    DESCRIBE(.cfi_rel_offset x19, 16)
    DESCRIBE(.cfi_rel_offset x20, 24)
#ifdef FRAME
    mov x29, sp
#else
    mov x29, #8
#endif
    mov x19, x0
    mov x20, #8
1:  mov x0, x19
    bl delta
    add x19, x19, x0
    subs x20, x20, #1
    b.ne 1b
    mov x0, x19
    ldp x19, x20, [sp, #16]
    ldp x29, x30, [sp], #32
    ret
    DESCRIBE(.cfi_endproc)
#else
#error "middle is not written for this processor"
#endif
    .size middle, . - middle
    .section .note.GNU-stack, "", @progbits
