#include "accel/guards.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "accel/exec/loader_cache.h"
#include "accel/host_libraries.h"
#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr const char* kLoaderCache = "/etc/ld.so.cache";
constexpr const char* kNameServices = "/etc/nsswitch.conf";
constexpr std::size_t kMostConfiguration = std::size_t{16} << 20;

std::optional<FileIdentity> identity_of(const RootedDir& root, const std::string& path) {
  try {
    const auto status = root.stat(path, true);
    return status ? std::optional(FileIdentity::of(*status)) : std::nullopt;
  } catch (const SystemError&) {
    return FileIdentity{};  // there, but out of reach: never the same again
  }
}

/// "passwd: files" and nothing else, for users and groups.
bool looks_into_files_only(std::string_view configuration) {
  for (const std::string& line : split(configuration, '\n')) {
    const std::string_view text = trim(std::string_view(line).substr(0, line.find('#')));
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = trim(text.substr(0, colon));
    const bool is_of_users = name == "passwd" || name == "group" || name == "initgroups" || name == "shadow";
    if (is_of_users && trim(text.substr(colon + 1)) != "files") return false;
  }
  return true;
}

bool looks_up_users(const ElfImage& program) {
  static constexpr const char* kFunctions[] = {"getpw", "getgr", "initgroups", "setpwent", "setgrent"};
  return std::ranges::any_of(kFunctions, [&](const char* name) {
    return program.bytes().find(std::string(1, '\0') + name) != std::string::npos;
  });
}

class Guarding {
 public:
  Guarding(AcceleratedRoot& found, const RootedDir& target, PackageDatabase& packages, std::uint16_t machine)
      : found_(found), target_(target), libraries_(target, packages, packages, machine) {
    cache_ = read_regular(target, kLoaderCache, kMostConfiguration);
    found_.loader_cache =
        Guard{.path = kLoaderCache, .identity = identity_of(target, kLoaderCache), .library = {}};
    const auto services = read_regular(target, kNameServices, kMostConfiguration);
    users_are_in_files_ = services ? looks_into_files_only(*services) : !identity_of(target, kNameServices);
  }

  void run() {
    std::erase_if(found_.twins, [&](Twin& twin) {
      const std::string why_not = guard(twin);
      if (!why_not.empty()) found_.declined.push_back(concat(twin.target, ": ", why_not));
      return !why_not.empty();
    });
  }

 private:
  /// Why it has to go, a clause.
  std::string guard(Twin& twin) {
    const auto file = read_real_file(target_, twin.target);
    auto program = file ? ElfImage::parse(file->bytes) : std::nullopt;
    if (!program) return "cannot be read";
    if (program->interpreter().empty()) return {};
    const HostLibraries::Closure closure = libraries_.closure_of(*program);
    if (!closure.why_not.empty()) return closure.why_not;
    const bool is_musl = closure.loader.find("/ld-musl-") != std::string::npos;
    if (is_musl) {
      std::string path_file = program->interpreter().substr(program->interpreter().rfind('/') + 1);
      path_file = concat("/etc/", path_file.substr(0, path_file.find(".so")), ".path");
      if (identity_of(target_, path_file)) return concat("its loader looks for libraries by ", path_file);
      add(twin, {.path = path_file, .identity = {}, .library = {}});
    } else if (looks_up_users(*program)) {
      if (!users_are_in_files_)
        return concat(kNameServices, " has users looked up by other means than files");
      add(twin, {.path = kNameServices, .identity = identity_of(target_, kNameServices), .library = {}});
    }
    add(twin, {.path = program->interpreter(),
               .identity = identity_of(target_, program->interpreter()),
               .library = {}});
    for (const std::string& path : closure.files)
      if (path != closure.loader)
        if (const std::string why = add_library(twin, path, is_musl); !why.empty()) return why;
    for (const std::string& path : closure.absent) add(twin, {.path = path, .identity = {}, .library = {}});
    return {};
  }

  std::string add_library(Twin& twin, const std::string& path, bool is_musl) {
    Guard guard{.path = path, .identity = identity_of(target_, path), .library = {}};
    if (!guard.identity) return concat("its library ", path, " is missing");
    if (!is_musl) {
      guard.library = path.substr(path.rfind('/') + 1);
      if (!cache_agrees(guard))
        return concat("its library ", guard.library, " may be another by ", kLoaderCache);
    }
    add(twin, std::move(guard));
    return {};
  }

  bool cache_agrees(const Guard& guard) {
    if (!found_.loader_cache->identity) return true;
    if (!cache_) return false;
    // Memory of strings is aligned to 16.
    const LoaderCache entries(cache_->data(), cache_->size());
    return entries.is_valid() && entries.each_place_of(guard.library.c_str(), [&](const char* place) {
      return is_clean_path(place) && identity_of(target_, place) == guard.identity;
    });
  }

  void add(Twin& twin, Guard guard) {
    const auto [at, is_new] = numbers_.try_emplace({guard.path, guard.library}, found_.guards.size());
    if (is_new) found_.guards.push_back(std::move(guard));
    twin.guards.push_back(at->second);
  }

  AcceleratedRoot& found_;
  const RootedDir& target_;
  HostLibraries libraries_;
  std::optional<std::string> cache_;
  bool users_are_in_files_ = false;
  std::map<std::pair<std::string, std::string>, std::size_t> numbers_;
};

}  // namespace

std::string name_services_state(const RootedDir& root) {
  const auto identity = identity_of(root, kNameServices);
  return identity ? identity->str() : "none";
}

void add_guards(AcceleratedRoot& found, const RootedDir& target, PackageDatabase& packages,
                std::uint16_t machine) {
  Guarding(found, target, packages, machine).run();
}

}  // namespace slipway
