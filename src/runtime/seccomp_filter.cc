#include "runtime/seccomp_filter.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "runtime/seccomp_profile.h"

namespace slipway {
namespace {

using nlohmann::json;

struct Release {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

void check(int result, const char* what) {
  if (result < 0) throw SystemError(-result, what, "a seccomp filter");
}

std::uint32_t action_of(const std::string& name, int error) {
  if (name == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  return SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error));
}

scmp_compare comparison_of(const std::string& name) {
  if (name == "SCMP_CMP_NE") return SCMP_CMP_NE;
  if (name == "SCMP_CMP_MASKED_EQ") return SCMP_CMP_MASKED_EQ;
  return SCMP_CMP_EQ;
}

/// "SCMP_ARCH_X86_64" is libseccomp's "x86_64".
void add_architectures(const Filter& filter, const json& profile) {
  for (const std::string name : profile.value("architectures", json::array())) {
    const std::string lower = to_lower(name.substr(std::string("SCMP_ARCH_").size()));
    const std::uint32_t token = ::seccomp_arch_resolve_name(lower.c_str());
    const int result = token == 0 ? 0 : ::seccomp_arch_add(filter.get(), token);
    if (result != -EEXIST) check(result, "add an architecture to");
  }
}

void add_rule(const Filter& filter, const json& rule) {
  const std::uint32_t action = action_of(rule["action"], rule.value("errnoRet", EPERM));
  std::vector<scmp_arg_cmp> conditions;
  for (const json& condition : rule.value("args", json::array()))
    conditions.push_back({.arg = condition["index"],
                          .op = comparison_of(condition["op"]),
                          .datum_a = condition["value"],
                          .datum_b = condition["valueTwo"]});
  for (const std::string name : rule["names"]) {
    const int number = ::seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) continue;
    const int result = ::seccomp_rule_add_array(filter.get(), action, number,
                                                static_cast<unsigned>(conditions.size()), conditions.data());
    if (result != -EACCES) check(result, "add a rule to");  // EACCES: it says what is the default anyway
  }
}

}  // namespace

std::string compile_seccomp(const json& profile) {
  const Filter filter(
      ::seccomp_init(action_of(profile["defaultAction"], profile.value("defaultErrnoRet", EPERM))));
  if (!filter) throw SystemError(ENOMEM, "make", "a seccomp filter");
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree, not a list: steps make many calls
  add_architectures(filter, profile);
  for (const json& rule : profile["syscalls"]) add_rule(filter, rule);
  const UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!file) throw SystemError(errno, "memfd_create");
  check(::seccomp_export_bpf(filter.get(), file.get()), "export");
  ::lseek(file.get(), 0, SEEK_SET);
  return read_all(file.get(), "a seccomp filter");
}

const std::string& seccomp_filter_base64() {
  static const std::string filter = base64_encode(compile_seccomp(seccomp_profile()));
  return filter;
}

}  // namespace slipway
