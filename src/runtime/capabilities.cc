#include "runtime/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace slipway {
namespace {

constexpr unsigned kStep[] = {CAP_AUDIT_WRITE,      CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,
                              CAP_FSETID,           CAP_KILL,   CAP_NET_RAW,      CAP_SETFCAP,
                              CAP_NET_BIND_SERVICE, CAP_SETGID, CAP_SETPCAP,      CAP_SETUID};

}  // namespace

CapabilitySet effective_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return 0;
  return data[0].effective | CapabilitySet{data[1].effective} << 32;
}

bool has_capability(unsigned capability) {
  return (effective_capabilities() & capability_bit(capability)) != 0;
}

CapabilitySet chroot_step_capabilities() {
  CapabilitySet set = 0;
  for (const unsigned capability : kStep) set |= capability_bit(capability);
  return set;
}

int limit_capabilities(CapabilitySet keep) noexcept {
  bool bounded = true;
  for (unsigned capability = 0; capability < 64; ++capability) {
    if (keep & capability_bit(capability)) continue;
    const int known = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (known < 0) break;  // beyond this kernel's last one
    if (known == 1 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) bounded = false;
  }
  // root's next program would otherwise have all of the bounding set again.
  if (!bounded && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return errno;
  for (unsigned i = 0; i < 2; ++i) {
    data[i].permitted &= static_cast<std::uint32_t>(keep >> (32 * i));
    data[i].effective = data[i].permitted;
    data[i].inheritable = 0;
  }
  return ::syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

}  // namespace slipway
