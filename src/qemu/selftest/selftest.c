// Does an emulator run the programs of its architecture? A program without a library, built for each of them
// by
// ./regenerate, asks it for what builds need: argv[0], memory, signals, threads, and programs that start
// programs.
//
//   selftest NAME check        everything but starting programs; NAME is what argv[0] has to be
//   selftest NAME exec PATH    starts PATH (this file) in a child, under another name, to do the above
//   selftest NAME bench COUNT  COUNT rounds of integer work and branches
//
// It ends with 0, or with the number of the check that failed: kChecks in self_test.cc has their names.
#include "machine.h"

enum { kUsage = 10, kArgv0, kMap, kProtect, kUnmap, kSignal, kThread, kFork, kExec, kResult };

// An array of bytes may not be turned into a call of memset: there is none.
void* memset(void* to, int value, unsigned long size) {
  volatile char* bytes = to;
  for (unsigned long i = 0; i < size; ++i) bytes[i] = (char)value;
  return to;
}

static word call3(word n, word a, word b, word c) { return call6(n, a, b, c, 0, 0, 0); }

static void finish(int code) {
  for (;;) call3(NR_exit_group, code, 0, 0);
}
static void need(int holds, int check) {
  if (!holds) finish(check);
}

static int equal(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

enum { kPage = 65536 };  // a multiple of every architecture's

static char* map(unsigned long size) {
  word result;
#if defined(__i386__) || defined(__s390x__)
  word block[6] = {0, (word)size, 3, MAP_PRIVATE_ANONYMOUS, -1, 0};
  result = call3(NR_mmap_block, (word)block, 0, 0);
#else
  result = call6(NR_mmap, 0, (word)size, 3, MAP_PRIVATE_ANONYMOUS, -1, 0);
#endif
  return (unsigned long)result > -4096ul ? 0 : (char*)result;
}

static void check_memory(void) {
  char* memory = map(2 * kPage);
  need(memory != 0, kMap);
  for (int i = 0; i < 2 * kPage; i += 4096) memory[i] = (char)(i >> 12);
  need(call3(NR_mprotect, (word)memory, kPage, 1) == 0, kProtect);
  need(memory[8192] == 2, kProtect);
  need(call3(NR_munmap, (word)memory, 2 * kPage, 0) == 0, kUnmap);
}

static volatile int handled;
static void handle(int number) { handled = number; }
#ifdef NEEDS_RESTORER
void restorer(void);
#endif

static void check_signal(void) {
  struct signal_action action;
  memset(&action, 0, sizeof action);
  action.handler = handle;
#ifdef NEEDS_RESTORER
  action.flags = 0x04000000;
  action.restorer = restorer;
#endif
  need(call6(NR_rt_sigaction, SIGUSR1, (word)&action, 0, sizeof action.mask, 0, 0) == 0, kSignal);
  need(call3(NR_kill, call3(NR_getpid, 0, 0, 0), SIGUSR1, 0) == 0, kSignal);
  need(handled == SIGUSR1, kSignal);
}

static volatile int worked;
__attribute__((noreturn, used)) void thread(void) {
  worked = 1;
  for (;;) call3(NR_exit, 0, 0, 0);
}

// CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, CHILD_CLEARTID: when the thread has ended, the kernel puts 0
// into `tid` and wakes who waits there.
static volatile int tid = 1;
static void check_thread(void) {
  char* stack = map(kPage);
  need(stack != 0, kThread);
  need(start_thread(0x250f00, stack + kPage - 256, (int*)&tid) > 0, kThread);
  struct {
    word seconds, rest;
  } limit = {5, 0};
  while (tid != 0) need(call6(NR_futex, (word)&tid, 0, 1, (word)&limit, 0, 0) != -110, kThread);
  need(worked == 1, kThread);
}

static int wait_for(word child) {
  int status = 0;
  while (call6(NR_wait4, child, (word)&status, 0, 0, 0, 0) == -4) {
  }
  return status;
}

static void check_exec(char* path, char** environment) {
#if defined(__s390x__)
  const word child = call6(NR_clone, 0, SIGCHLD, 0, 0, 0, 0);
#else
  const word child = call6(NR_clone, SIGCHLD, 0, 0, 0, 0, 0);
#endif
  need(child >= 0, kFork);
  if (child == 0) {
    char* arguments[] = {"a name of its own", "a name of its own", "check", 0};
    call3(NR_execve, (word)path, (word)arguments, (word)environment);
    finish(kExec);
  }
  const int status = wait_for(child);
  need((status & 0x7f) == 0, kExec);  // killed
  finish(status >> 8);
}

// What compilers and interpreters do most, so that the figure says something about builds: calls through
// pointers, calls and returns, loads and stores, arithmetic, branches that are mostly foreseen.
struct machine {
  unsigned int value, other;
  unsigned int* memory;
};
#define OPERATION __attribute__((noinline)) static void
OPERATION add(struct machine* m) { m->value += m->other; }
OPERATION mix(struct machine* m) {
  m->other ^= m->value << 13, m->other ^= m->other >> 17, m->other ^= m->other << 5;
}
OPERATION multiply(struct machine* m) { m->value = (m->value ^ m->other) * 16777619u; }
OPERATION load(struct machine* m) { m->value ^= m->memory[m->other & 1023]; }
OPERATION store(struct machine* m) { m->memory[m->value & 1023] = m->other; }
OPERATION choose(struct machine* m) {
  if (m->value & 0xff)
    m->other += 3;
  else
    m->value ^= 0x5bd1e995u;
}
__attribute__((noinline)) static unsigned int fibonacci(unsigned int n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void work(unsigned long rounds) {
  typedef void (*operation)(struct machine*);
  static const operation kProgram[] = {add, mix,    load, multiply, choose, store,
                                       add, choose, mix,  load,     add,    store};
  // Not a static array: it would lie beside the code, and writing there makes an emulator translate it anew.
  struct machine state = {1, 2463534242u, (unsigned int*)map(kPage)};
  need(state.memory != 0, kMap);
  for (unsigned long round = 0; round < rounds; ++round) {
    for (int i = 0; i < 16; ++i)
      for (unsigned int at = 0; at < sizeof kProgram / sizeof *kProgram; ++at) {
        const operation volatile* next = &kProgram[at];
        (*next)(&state);
      }
    need(fibonacci(8) == 21, kResult);
  }
}

static unsigned long number(const char* text) {
  unsigned long value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) value = value * 10 + (unsigned long)(*text - '0');
  return value;
}

__attribute__((noreturn, used)) void start(word* stack) {
  const word count = stack[0];
  char** arguments = (char**)(stack + 1);
  char** environment = arguments + count + 1;
  need(count >= 3, kUsage);
  need(equal(arguments[0], arguments[1]), kArgv0);
  if (equal(arguments[2], "check")) {
    check_memory();
    check_signal();
    check_thread();
    finish(0);
  }
  need(count >= 4, kUsage);
  if (equal(arguments[2], "bench")) {
    work(number(arguments[3]));
    finish(0);
  }
  need(equal(arguments[2], "exec"), kUsage);
  check_exec(arguments[3], environment);
  for (;;) finish(kUsage);
}
