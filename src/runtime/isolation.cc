#include "runtime/isolation.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "runtime/capabilities.h"
#include "runtime/id_maps.h"

namespace slipway {
namespace {

struct NeededCapability {
  unsigned number;
  const char* name;
};
// MKNOD for /dev/null, the rest for the step's user and for unpacking images.
constexpr std::array<NeededCapability, 5> kForChroot{{{CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
                                                      {CAP_MKNOD, "CAP_MKNOD"},
                                                      {CAP_SETUID, "CAP_SETUID"},
                                                      {CAP_SETGID, "CAP_SETGID"},
                                                      {CAP_CHOWN, "CAP_CHOWN"}}};

// The capability alone does not tell: root of a user namespace has it, and is refused (mknod(2)). Others may
// refuse it, too, which only trying tells, if there is a place for that.
bool may_make_device_nodes() {
  if (is_user_namespace(read_own_uid_map())) return false;
  try {
    const TempDir directory({}, "slipway-node");
    return ::mknod((directory.path() / "null").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0 || errno != EPERM;
  } catch (const SystemError&) {
    return true;
  }
}

std::string missing_for_chroot() {
  if (::geteuid() != 0) return "root";
  for (const NeededCapability& capability : kForChroot)
    if (!has_capability(capability.number)) return capability.name;
  if (!may_make_device_nodes()) return "the right to make device nodes";
  return "";
}

}  // namespace

std::string_view name_of(Isolation isolation) {
  switch (isolation) {
    case Isolation::Chroot:
      return "chroot";
    case Isolation::Proot:
      return "proot";
    case Isolation::Oci:
      break;
  }
  return "oci";
}

std::optional<Isolation> parse_isolation(std::string_view text) {
  if (text.empty() || text == "auto") return std::nullopt;
  for (const Isolation isolation : {Isolation::Oci, Isolation::Chroot, Isolation::Proot})
    if (text == name_of(isolation)) return isolation;
  throw UsageError(concat("--isolation=", text, ": expected auto, oci, chroot or proot"));
}

std::optional<Isolation> isolation_without_namespaces() {
  if (missing_for_chroot().empty()) return Isolation::Chroot;
  if (find_program("proot")) return Isolation::Proot;
  return std::nullopt;
}

void require_isolation(Isolation isolation) {
  if (isolation == Isolation::Chroot) {
    const std::string missing = missing_for_chroot();
    if (missing.empty()) return;
    HostError error(concat("--isolation=chroot needs ", missing, ", which this process does not have"));
    error.set_hint("--isolation=proot needs no privilege");
    throw error;
  }
  if (isolation == Isolation::Proot && !find_program("proot")) {
    HostError error("proot, which runs steps without any privilege, is not installed");
    error.set_hint("apt-get install proot");
    throw error;
  }
}

std::string isolation_notice(Isolation isolation, std::string_view refusal) {
  return concat("steps run by ", name_of(isolation), ", as namespaces are refused here (", refusal,
                "): they share this machine's or container's processes and network, and ",
                isolation == Isolation::Chroot ? "are kept apart by file permissions only"
                                               : "are kept apart by convention only",
                "; --isolation=oci refuses to build like that");
}

}  // namespace slipway
