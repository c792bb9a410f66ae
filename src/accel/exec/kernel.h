#pragma once
// The way from the kernel into slipway-exec, on to the emulator, and the system calls. One block an
// architecture.
//
// The program begins with a jump, and what graft.cc writes: at 8 how far behind the program's start the
// emulator's own entry point is, at 16 how far its table of segments, if that is not where the kernel says,
// at 24 what it is to be told (Told). slipway_exec_decide is called with the stack as the kernel made it; if
// it comes back, the emulator is entered on the stack that it returns, which may be two words longer, and
// with every other register as it was.
#include <cstdint>

#if defined(__x86_64__)
asm(".section .entry,\"ax\"\n"
    ".globl slipway_exec_start\n"
    "slipway_exec_start:\n"
    " jmp 1f\n"
    " .balign 8\n"
    "slipway_exec_distance: .ascii \"slipexec\"\n"
    "slipway_exec_segments: .quad 0\n"
    "slipway_exec_told: .quad 0\n"
    "1: sub $32,%rsp\n"  // two words that the stack may grow by, where to go on, the stack then
    " push %rax\n push %rcx\n push %rdx\n push %rbx\n push %rbp\n push %rsi\n push %rdi\n push %r8\n"
    " push %r9\n push %r10\n push %r11\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " mov %rsp,%rbx\n"
    " lea 152(%rsp),%rdi\n"
    " and $-16,%rsp\n"
    " call slipway_exec_decide\n"
    " mov %rbx,%rsp\n"
    " mov %rax,120(%rsp)\n"
    " lea slipway_exec_start(%rip),%rcx\n"
    " add slipway_exec_distance(%rip),%rcx\n"
    " mov %rcx,-8(%rax)\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %r11\n pop %r10\n pop %r9\n pop %r8\n"
    " pop %rdi\n pop %rsi\n pop %rbp\n pop %rbx\n pop %rdx\n pop %rcx\n pop %rax\n"
    " mov (%rsp),%rsp\n"
    " jmp *-8(%rsp)\n"
    ".text\n");
#elif defined(__aarch64__)
// x16 is what linkers use between functions, so that nothing is handed over in it; by way of it a landing pad
// for calls may be branched to. There is nothing to tell an emulator on this machine: the stack stays as it is.
asm(".section .entry,\"ax\"\n"
    ".globl slipway_exec_start\n"
    "slipway_exec_start:\n"
    " b 1f\n"
    " .balign 8\n"
    "slipway_exec_distance: .ascii \"slipexec\"\n"
    "slipway_exec_segments: .quad 0\n"
    "slipway_exec_told: .quad 0\n"
    "1: sub sp,sp,#160\n"
    " stp x0,x1,[sp]\n stp x2,x3,[sp,#16]\n stp x4,x5,[sp,#32]\n stp x6,x7,[sp,#48]\n stp x8,x9,[sp,#64]\n"
    " stp x10,x11,[sp,#80]\n stp x12,x13,[sp,#96]\n stp x14,x15,[sp,#112]\n stp x17,x18,[sp,#128]\n"
    " stp x29,x30,[sp,#144]\n"
    " add x0,sp,#160\n"
    " bl slipway_exec_decide\n"
    " adr x16,slipway_exec_start\n"
    " ldr x17,slipway_exec_distance\n"
    " add x16,x16,x17\n"
    " ldp x0,x1,[sp]\n ldp x2,x3,[sp,#16]\n ldp x4,x5,[sp,#32]\n ldp x6,x7,[sp,#48]\n ldp x8,x9,[sp,#64]\n"
    " ldp x10,x11,[sp,#80]\n ldp x12,x13,[sp,#96]\n ldp x14,x15,[sp,#112]\n ldp x17,x18,[sp,#128]\n"
    " ldp x29,x30,[sp,#144]\n"
    " add sp,sp,#160\n"
    " br x16\n"
    ".text\n");
#endif

extern "C" {
#pragma GCC visibility push(hidden)
extern const char slipway_exec_start[];
extern const std::uint64_t slipway_exec_distance, slipway_exec_segments, slipway_exec_told;
#pragma GCC visibility pop
}

namespace slipway::kernel {

using Word = long;

#if defined(__x86_64__)
enum Call : Word {
  kClose = 3,
  kFstat = 5,
  kMmap = 9,
  kMunmap = 11,
  kExecve = 59,
  kFcntl = 72,
  kPrctl = 157,
  kOpenat = 257,
  kFstatat = 262,
  kFaccessat = 269
};

inline Word enter(Word number, Word a, Word b, Word c, Word d, Word e, Word f) {
  register Word r10 asm("r10") = d;
  register Word r8 asm("r8") = e;
  register Word r9 asm("r9") = f;
  Word result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

struct Status {
  std::uint64_t device, inode, links;
  std::uint32_t mode, uid, gid, padding;
  std::uint64_t special_device;
  std::int64_t size, block_size, blocks;
  std::int64_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
  std::int64_t unused[3];
};
static_assert(sizeof(Status) == 144);

#elif defined(__aarch64__)
enum Call : Word {
  kFcntl = 25,
  kFaccessat = 48,
  kOpenat = 56,
  kClose = 57,
  kFstatat = 79,
  kFstat = 80,
  kPrctl = 167,
  kMunmap = 215,
  kExecve = 221,
  kMmap = 222
};

inline Word enter(Word number, Word a, Word b, Word c, Word d, Word e, Word f) {
  register Word x8 asm("x8") = number;
  register Word x0 asm("x0") = a;
  register Word x1 asm("x1") = b;
  register Word x2 asm("x2") = c;
  register Word x3 asm("x3") = d;
  register Word x4 asm("x4") = e;
  register Word x5 asm("x5") = f;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}

struct Status {
  std::uint64_t device, inode;
  std::uint32_t mode, links, uid, gid;
  std::uint64_t special_device, padding;
  std::int64_t size;
  std::int32_t block_size, padding2;
  std::int64_t blocks;
  std::int64_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
  std::int32_t unused[2];
};
static_assert(sizeof(Status) == 128);
#endif

/// slipway_exec_told
enum Told : std::uint64_t { kNothing = 0, kCheapPointerCodes = 1 };
#if defined(__x86_64__)
constexpr bool kMayTell = true;
#else
constexpr bool kMayTell = false;
#endif

inline Word call(Word number, Word a = 0, Word b = 0, Word c = 0, Word d = 0, Word e = 0, Word f = 0) {
  return enter(number, a, b, c, d, e, f);
}
inline Word address(const void* pointer) { return reinterpret_cast<Word>(pointer); }

// The same on both.
enum : Word {
  kCurrentDirectory = -100,
  kReadOnly = 0,
  kReadWrite = 2,
  kCloseOnExec = 02000000,
  kSetDescriptorFlags = 2,  // F_SETFD
  kDescriptorCloseOnExec = 1,
  kGetName = 16,  // PR_GET_NAME
  kProtectRead = 1,
  kProtectWrite = 2,
  kMapShared = 1,
  kMapPrivate = 2,
  kMapAnonymous = 32,
  kNotFound = 2,  // ENOENT
};
enum : std::uint32_t { kTypeMask = 0170000, kRegularFile = 0100000 };
enum Auxiliary : std::uint64_t {  // getauxval(3)
  kEnd = 0,
  kProgramFile = 2,  // AT_EXECFD
  kSegments = 3,     // AT_PHDR
  kFlags = 8,        // AT_FLAGS
  kEntry = 9,        // AT_ENTRY
  kSecure = 23,      // AT_SECURE
  kKeepsArgv0 = 1,   // in AT_FLAGS: AT_FLAGS_PRESERVE_ARGV0
};

}  // namespace slipway::kernel
