#include "textflag.h"

// func entry() uintptr
TEXT ·entry(SB), NOSPLIT, $0-8
	LEAQ	·shifted(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// shifted(clock DI, *timespec SI) AX: the kernel's answer, and to that of the wall clock (0) so many seconds more. It runs on
// the stack and with the registers of C; the kernel's function may change all but those that it saves.
TEXT ·shifted(SB), NOSPLIT|NOFRAME, $0-0
	PUSHQ	DI
	PUSHQ	SI
	SUBQ	$8, SP // which C wants to be a multiple of 16
	MOVQ	·original(SB), AX
	CALL	AX
	ADDQ	$8, SP
	POPQ	SI
	POPQ	DI
	CMPL	DI, $0
	JNE	done
	MOVQ	·offset(SB), CX
	MOVQ	(CX), CX
	ADDQ	CX, (SI)
done:
	RET
