#include "content/kept_xattrs.h"

#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

bool is_kept_xattr(std::string_view name) {
  return name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.overlay.") &&
                                           !name.starts_with("user.slipway."));
}

bool is_step_xattr(std::string_view name) {
  return is_kept_xattr(name) || name.starts_with("system.posix_acl_");
}

namespace {

/// Calls a "size, then bytes" function until both agree: the attributes may grow in between.
template <class Get>
bool read_sized(std::string& out, std::string_view shown, std::string_view what, const Get& get) {
  out.resize(256);
  while (true) {
    const ssize_t n = get(out.data(), out.size());
    if (n >= 0) {
      out.resize(static_cast<std::size_t>(n));
      return true;
    }
    if (errno == ENODATA || errno == ENOTSUP) return false;
    if (errno != ERANGE) throw SystemError(errno, what, shown);
    const ssize_t needed = get(nullptr, 0);
    if (needed < 0) throw SystemError(errno, what, shown);
    out.resize(static_cast<std::size_t>(needed) + 64);
  }
}

}  // namespace

Xattrs read_kept_xattrs(int fd, std::string_view shown) { return read_xattrs(fd, shown, is_kept_xattr); }

Xattrs read_xattrs(int fd, std::string_view shown, bool (*accept)(std::string_view name)) {
  Xattrs found;
  std::string names;
  const bool any = read_sized(names, shown, "list attributes of",
                              [fd](char* data, std::size_t size) { return ::flistxattr(fd, data, size); });
  if (!any) return found;
  for (const std::string& name : split(names, '\0')) {
    std::string value;
    if (!accept(name)) continue;
    const bool there = read_sized(value, shown, "read attributes of", [&](char* data, std::size_t size) {
      return ::fgetxattr(fd, name.c_str(), data, size);
    });
    if (there) found.emplace_back(name, std::move(value));
  }
  std::ranges::sort(found);
  return found;
}

int write_xattrs(int fd, const Xattrs& xattrs) noexcept {
  for (const auto& [name, value] : xattrs)
    if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0) return errno;
  return 0;
}

}  // namespace slipway
