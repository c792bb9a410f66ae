// Division as the target does it. idiv of amd64 traps where its result does not fit (INT_MIN / -1) and for a
// divisor of zero; the targets' machines go on with a number, and programs such as dash hand on what scripts
// ask for. So the trap is answered with that number.
#if defined(__x86_64__)
#include <signal.h>
#include <ucontext.h>

#include <cstdint>

extern "C" __attribute__((visibility("hidden"))) const volatile char slipway_machine[65];
extern "C" __attribute__((weak)) int sigaction(int, const struct sigaction*, struct sigaction*) noexcept;
extern "C" __attribute__((weak)) int raise(int) noexcept;

namespace {

using Registers = greg_t[NGREG];

constexpr int kNumbers[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

/// idiv's operand; `next` is behind the instruction then. False: it is another instruction.
bool read_divisor(const Registers& registers, const unsigned char*& next, bool& is_wide,
                  std::int64_t& divisor) {
  const unsigned char* at = next;
  const unsigned rex = (*at & 0xf0) == 0x40 ? *at++ : 0U;
  if (*at++ != 0xf7) return false;
  const unsigned mode = *at >> 6, kind = *at >> 3 & 7, low = *at & 7;
  ++at;
  if (kind != 7) return false;
  is_wide = (rex & 8) != 0;
  const unsigned extension = (rex & 1) << 3;
  if (mode == 3) {
    divisor = registers[kNumbers[low | extension]];
    next = at;
    return true;
  }
  std::int64_t address = 0;
  bool has_base = !(mode == 0 && low == 5);
  const bool is_relative = !has_base;
  unsigned base = low | extension;
  if (low == 4) {
    const unsigned scale = *at >> 6, index = (*at >> 3 & 7) | (rex & 2) << 2;
    base = (*at & 7) | extension;
    has_base = !(mode == 0 && (*at & 7) == 5);
    ++at;
    if (index != 4) address += registers[kNumbers[index]] << scale;
  }
  if (has_base) address += registers[kNumbers[base]];
  std::int32_t distance = 0;
  if (mode == 1) {
    distance = static_cast<signed char>(*at++);
  } else if (mode == 2 || !has_base) {
    __builtin_memcpy(&distance, at, sizeof distance);
    at += sizeof distance;
  }
  address += distance;
  if (is_relative) address += reinterpret_cast<std::int64_t>(at);
  if (is_wide) {
    divisor = *reinterpret_cast<const std::int64_t*>(address);
  } else {
    divisor = *reinterpret_cast<const std::int32_t*>(address);
  }
  next = at;
  return true;
}

void divide(int signal, siginfo_t* information, void* context) {
  Registers& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto* next = reinterpret_cast<const unsigned char*>(registers[REG_RIP]);
  bool is_wide = false;
  std::int64_t divisor = 0;
  if (information->si_code <= 0 || !read_divisor(registers, next, is_wide, divisor)) {
    // Sent by somebody, or another trap: what it would have done.
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    sigaction(signal, &standard, nullptr);
    raise(signal);
    return;
  }
  const std::int64_t dividend = registers[REG_RAX];
  const bool is_by_zero = is_wide ? divisor == 0 : static_cast<std::int32_t>(divisor) == 0;
  // RISC-V has all ones for the quotient by zero, ARM zero.
  const std::int64_t by_zero = slipway_machine[0] == 'r' ? -1 : 0;
  const std::int64_t quotient = is_by_zero ? by_zero : dividend, rest = is_by_zero ? dividend : 0;
  registers[REG_RAX] = is_wide ? quotient : static_cast<std::int64_t>(static_cast<std::uint32_t>(quotient));
  registers[REG_RDX] = is_wide ? rest : static_cast<std::int64_t>(static_cast<std::uint32_t>(rest));
  registers[REG_RIP] = reinterpret_cast<greg_t>(next);
}

__attribute__((constructor)) void answer_traps() {
  const bool is_known = slipway_machine[0] == 'a' || slipway_machine[0] == 'r';  // aarch64, riscv64
  struct sigaction now {};
  if (!is_known || sigaction == nullptr || raise == nullptr) return;
  if (sigaction(SIGFPE, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) return;
  now.sa_sigaction = divide;
  now.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGFPE, &now, nullptr);
}

}  // namespace
#endif
