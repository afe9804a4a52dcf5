# The program that costs nothing, for comparison. Built with
#   llvm-mc -triple=bpfel -filetype=obj -o empty.bpf.o empty.bpf.s
	.section	"tp_btf/sched_switch","ax",@progbits
	.globl	empty
	.p2align	3
	.type	empty,@function
empty:
	r0 = 0
	exit
	.size	empty, .-empty

	.section	license,"a",@progbits
	.asciz	"Dual MIT/GPL"
