// What differs between architectures for selftest.c: the way into the kernel, and the numbers and structures
// of the calls that it makes. One block an architecture.
#pragma once

typedef long word;

#if defined(__x86_64__)
enum {
  NR_write = 1,
  NR_mmap = 9,
  NR_mprotect = 10,
  NR_munmap = 11,
  NR_rt_sigaction = 13,
  NR_getpid = 39,
  NR_clone = 56,
  NR_execve = 59,
  NR_exit = 60,
  NR_wait4 = 61,
  NR_kill = 62,
  NR_futex = 202,
  NR_exit_group = 231
};
#define NEEDS_RESTORER 1
asm(".globl _start\n_start:\n mov %rsp,%rdi\n and $-16,%rsp\n call start\n"
    "restorer:\n mov $15,%eax\n syscall\n");
static word call6(word n, word a, word b, word c, word d, word e, word f) {
  register word r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
  word result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}
static word start_thread(word flags, void* stack, int* tid) {
  register word r10 asm("r10") = (word)tid;
  word result;
  asm volatile("syscall\n test %%rax,%%rax\n jnz 1f\n call thread\n1:"
               : "=a"(result)
               : "a"(NR_clone), "D"(flags), "S"(stack), "d"(0), "r"(r10)
               : "rcx", "r8", "r9", "r11", "memory");
  return result;
}

#elif defined(__i386__)
enum {
  NR_exit = 1,
  NR_write = 4,
  NR_execve = 11,
  NR_getpid = 20,
  NR_kill = 37,
  NR_mmap_block = 90,
  NR_munmap = 91,
  NR_wait4 = 114,
  NR_clone = 120,
  NR_mprotect = 125,
  NR_rt_sigaction = 174,
  NR_futex = 240,
  NR_exit_group = 252
};
asm(".globl _start\n_start:\n mov %esp,%eax\n and $-16,%esp\n sub $12,%esp\n push %eax\n call start\n");
static word call6(word n, word a, word b, word c, word d, word e, word f) {
  word result;
  (void)f;  // no call here has six arguments
  asm volatile("int $0x80" : "=a"(result) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
  return result;
}
static word start_thread(word flags, void* stack, int* tid) {
  word result;
  asm volatile("int $0x80\n test %%eax,%%eax\n jnz 1f\n call thread\n1:"
               : "=a"(result)
               : "a"(NR_clone), "b"(flags), "c"(stack), "d"(0), "S"(0), "D"(tid)
               : "memory");
  return result;
}

#elif defined(__aarch64__) || defined(__riscv)
enum {
  NR_write = 64,
  NR_exit = 93,
  NR_exit_group = 94,
  NR_futex = 98,
  NR_kill = 129,
  NR_rt_sigaction = 134,
  NR_getpid = 172,
  NR_munmap = 215,
  NR_clone = 220,
  NR_execve = 221,
  NR_mmap = 222,
  NR_mprotect = 226,
  NR_wait4 = 260
};
#if defined(__aarch64__)
asm(".globl _start\n_start:\n mov x0,sp\n bl start\n");
#define NUMBER "x8"
#define A(n) "x" #n
#define ENTER "svc 0"
#define ENTER_THREAD "svc 0\n cbnz x0,1f\n bl thread\n1:"
#define CLOBBERS "x30", "memory"
#else
#define NO_RESTORER_FIELD 1
asm(".globl _start\n_start:\n mv a0,sp\n andi sp,sp,-16\n call start\n");
#define NUMBER "a7"
#define A(n) "a" #n
#define ENTER "ecall"
#define ENTER_THREAD "ecall\n bnez a0,1f\n call thread\n1:"
#define CLOBBERS "ra", "memory"
#endif
static word call6(word n, word a, word b, word c, word d, word e, word f) {
  register word rn asm(NUMBER) = n;
  register word r0 asm(A(0)) = a, r1 asm(A(1)) = b, r2 asm(A(2)) = c, r3 asm(A(3)) = d, r4 asm(A(4)) = e,
                   r5 asm(A(5)) = f;
  asm volatile(ENTER : "+r"(r0) : "r"(rn), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
  return r0;
}
static word start_thread(word flags, void* stack, int* tid) {
  register word rn asm(NUMBER) = NR_clone;
  register word r0 asm(A(0)) = flags, r1 asm(A(1)) = (word)stack, r2 asm(A(2)) = 0, r3 asm(A(3)) = 0,
                   r4 asm(A(4)) = (word)tid;
  asm volatile(ENTER_THREAD : "+r"(r0) : "r"(rn), "r"(r1), "r"(r2), "r"(r3), "r"(r4) : CLOBBERS);
  return r0;
}

#elif defined(__arm__)
enum {
  NR_exit = 1,
  NR_write = 4,
  NR_execve = 11,
  NR_getpid = 20,
  NR_kill = 37,
  NR_munmap = 91,
  NR_wait4 = 114,
  NR_clone = 120,
  NR_mprotect = 125,
  NR_rt_sigaction = 174,
  NR_mmap = 192,
  NR_futex = 240,
  NR_exit_group = 248
};
asm(".globl _start\n_start:\n mov r0,sp\n bic sp,sp,#7\n bl start\n");
static word call6(word n, word a, word b, word c, word d, word e, word f) {
  register word r7 asm("r7") = n;
  register word r0 asm("r0") = a, r1 asm("r1") = b, r2 asm("r2") = c, r3 asm("r3") = d, r4 asm("r4") = e,
                   r5 asm("r5") = f;
  asm volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
  return r0;
}
static word start_thread(word flags, void* stack, int* tid) {
  register word r7 asm("r7") = NR_clone;
  register word r0 asm("r0") = flags, r1 asm("r1") = (word)stack, r2 asm("r2") = 0, r3 asm("r3") = 0,
                   r4 asm("r4") = (word)tid;
  asm volatile("svc 0\n cmp r0,#0\n bne 1f\n bl thread\n1:"
               : "+r"(r0)
               : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4)
               : "lr", "cc", "memory");
  return r0;
}

#elif defined(__powerpc64__)
enum {
  NR_exit = 1,
  NR_write = 4,
  NR_execve = 11,
  NR_getpid = 20,
  NR_kill = 37,
  NR_mmap = 90,
  NR_munmap = 91,
  NR_wait4 = 114,
  NR_clone = 120,
  NR_mprotect = 125,
  NR_rt_sigaction = 173,
  NR_futex = 221,
  NR_exit_group = 234
};
// The code is position-dependent and asks for no table of contents but r2's, which is set here once.
asm(".globl _start\n_start:\n lis 2,.TOC.@ha\n addi 2,2,.TOC.@l\n mr 3,1\n clrrdi 1,1,4\n stdu 1,-64(1)\n bl "
    "start\n nop\n");
#define PPC_CLOBBERS "cr0", "ctr", "xer", "r9", "r10", "r11", "r12", "memory"
static word call6(word n, word a, word b, word c, word d, word e, word f) {
  register word r0 asm("r0") = n;
  register word r3 asm("r3") = a, r4 asm("r4") = b, r5 asm("r5") = c, r6 asm("r6") = d, r7 asm("r7") = e,
                   r8 asm("r8") = f;
  asm volatile("sc\n bns+ 1f\n neg 3,3\n1:"
               : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)
               :
               : PPC_CLOBBERS);
  return r3;
}
static word start_thread(word flags, void* stack, int* tid) {
  register word r0 asm("r0") = NR_clone;
  register word r3 asm("r3") = flags, r4 asm("r4") = (word)stack, r5 asm("r5") = 0, r6 asm("r6") = 0,
                   r7 asm("r7") = (word)tid;
  asm volatile("sc\n bns+ 1f\n neg 3,3\n1: cmpdi 3,0\n bne 2f\n stdu 1,-64(1)\n bl thread\n nop\n2:"
               : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7)
               :
               : "lr", "r8", PPC_CLOBBERS);
  return r3;
}

#elif defined(__s390x__)
enum {
  NR_exit = 1,
  NR_write = 4,
  NR_execve = 11,
  NR_getpid = 20,
  NR_kill = 37,
  NR_mmap_block = 90,
  NR_munmap = 91,
  NR_wait4 = 114,
  NR_clone = 120,
  NR_mprotect = 125,
  NR_rt_sigaction = 174,
  NR_futex = 238,
  NR_exit_group = 248
};
asm(".globl _start\n_start:\n lgr %r2,%r15\n aghi %r15,-160\n brasl %r14,start\n");
static word call6(word n, word a, word b, word c, word d, word e, word f) {
  register word r1 asm("r1") = n;
  register word r2 asm("r2") = a, r3 asm("r3") = b, r4 asm("r4") = c, r5 asm("r5") = d, r6 asm("r6") = e,
                   r7 asm("r7") = f;
  asm volatile("svc 0" : "+d"(r2) : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6), "d"(r7) : "memory");
  return r2;
}
static word start_thread(word flags, void* stack, int* tid) {
  register word r1 asm("r1") = NR_clone;
  register word r2 asm("r2") = (word)stack, r3 asm("r3") = flags, r4 asm("r4") = 0, r5 asm("r5") = (word)tid,
                   r6 asm("r6") = 0;
  asm volatile("svc 0\n ltgr %%r2,%%r2\n jne 1f\n aghi %%r15,-160\n brasl %%r14,thread\n1:"
               : "+d"(r2)
               : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6)
               : "r14", "cc", "memory");
  return r2;
}

#elif defined(__mips64)
enum {
  NR_write = 5001,
  NR_mmap = 5009,
  NR_mprotect = 5010,
  NR_munmap = 5011,
  NR_rt_sigaction = 5013,
  NR_getpid = 5038,
  NR_clone = 5055,
  NR_execve = 5057,
  NR_exit = 5058,
  NR_wait4 = 5059,
  NR_kill = 5060,
  NR_futex = 5194,
  NR_exit_group = 5205
};
#define MIPS_SIGNALS 1
asm(".globl _start\n_start:\n move $4,$29\n dli $8,-16\n and $29,$29,$8\n jal start\n nop\n");
#define MIPS_CLOBBERS "$1", "$3", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo", "memory"
static word call6(word n, word a, word b, word c, word d, word e, word f) {
  register word v0 asm("$2") = n;
  register word a0 asm("$4") = a, a1 asm("$5") = b, a2 asm("$6") = c, a3 asm("$7") = d, a4 asm("$8") = e,
                   a5 asm("$9") = f;
  asm volatile("syscall" : "+r"(v0), "+r"(a3) : "r"(a0), "r"(a1), "r"(a2), "r"(a4), "r"(a5) : MIPS_CLOBBERS);
  return a3 ? -v0 : v0;
}
static word start_thread(word flags, void* stack, int* tid) {
  register word v0 asm("$2") = NR_clone;
  register word a0 asm("$4") = flags, a1 asm("$5") = (word)stack, a2 asm("$6") = 0, a3 asm("$7") = 0,
                   a4 asm("$8") = (word)tid;
  asm volatile("syscall\n bnez $7,1f\n nop\n bnez $2,1f\n nop\n jal thread\n nop\n1:"
               : "+r"(v0), "+r"(a3)
               : "r"(a0), "r"(a1), "r"(a2), "r"(a4)
               : "$31", "$9", MIPS_CLOBBERS);
  return a3 ? -v0 : v0;
}
#else
#error "an architecture that the self-test does not know"
#endif

#ifdef MIPS_SIGNALS
struct signal_action {
  unsigned int flags;
  void (*handler)(int);
  unsigned long mask[2];
};
enum { SIGUSR1 = 16, SIGCHLD = 18, MAP_PRIVATE_ANONYMOUS = 0x802 };
#else
struct signal_action {
  void (*handler)(int);
  unsigned long flags;
#ifndef NO_RESTORER_FIELD
  void (*restorer)(void);
#endif
  unsigned long mask[8 / sizeof(long)];
};
enum { SIGUSR1 = 10, SIGCHLD = 17, MAP_PRIVATE_ANONYMOUS = 0x22 };
#endif
